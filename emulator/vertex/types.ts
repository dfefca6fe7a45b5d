import type { Probe } from "../runtime/server-spec.ts";
import type { Document, Json } from "./codec.ts";

/** The parts of Google's messages that the rules look at, in canonical proto JSON. All else is kept as it came. */
export interface ContainerSpec {
  readonly imageUri?: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name?: string; readonly value?: string }[];
  readonly ports?: readonly { readonly containerPort?: number }[];
  readonly grpcPorts?: readonly { readonly containerPort?: number }[];
  readonly predictRoute?: string;
  readonly healthRoute?: string;
  readonly invokeRoutePrefix?: string;
  /** Duration, e.g. "600s". */
  readonly deploymentTimeout?: string;
  readonly startupProbe?: Probe;
  readonly healthProbe?: Probe;
  readonly livenessProbe?: Probe;
}

export interface ModelDocument {
  readonly [field: string]: unknown;
  readonly name?: string;
  readonly displayName?: string;
  readonly description?: string;
  readonly versionDescription?: string;
  readonly versionAliases?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly containerSpec?: ContainerSpec;
  readonly artifactUri?: string;
  readonly etag?: string;
}

export interface MachineSpec {
  readonly machineType?: string;
  /** Enum name, e.g. "NVIDIA_TESLA_T4". */
  readonly acceleratorType?: string;
  readonly acceleratorCount?: number;
  readonly gpuPartitionSize?: string;
  readonly reservationAffinity?: {
    readonly reservationAffinityType?: string;
    readonly key?: string;
    readonly values?: readonly string[];
  };
}

export interface DedicatedResources {
  readonly [field: string]: unknown;
  readonly machineSpec?: MachineSpec;
  readonly minReplicaCount?: number;
  readonly maxReplicaCount?: number;
  readonly requiredReplicaCount?: number;
  readonly autoscalingMetricSpecs?: readonly {
    readonly metricName?: string;
    /** Percent, or requests a minute for request_count. */
    readonly target?: number;
  }[];
}

export interface DeployedModelDocument {
  readonly [field: string]: unknown;
  readonly id?: string;
  /** Resource name, in requests also with "@version". */
  readonly model?: string;
  readonly modelVersionId?: string;
  readonly displayName?: string;
  readonly dedicatedResources?: DedicatedResources;
  readonly automaticResources?: unknown;
  readonly sharedResources?: string;
}

/** Deployed model id -> percent. */
export type TrafficSplit = Readonly<Record<string, number>>;

export interface EndpointDocument {
  readonly [field: string]: unknown;
  readonly name?: string;
  readonly displayName?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly trafficSplit?: TrafficSplit;
  readonly etag?: string;
  readonly dedicatedEndpointEnabled?: boolean;
  readonly clientConnectionConfig?: { readonly inferenceTimeout?: string };
  readonly network?: string;
  readonly privateServiceConnectConfig?: { readonly enablePrivateServiceConnect?: boolean };
  readonly predictRequestResponseLoggingConfig?: {
    readonly enabled?: boolean;
    readonly samplingRate?: number;
  };
}

/** One version of a model with what is not shown: the container and the copied artifacts. */
export interface VersionRecord {
  readonly versionId: string;
  readonly aliases: readonly string[];
  readonly createTime: string;
  readonly updateTime: string;
  readonly description: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly containerSpec: ContainerSpec;
  readonly artifactUri: string;
  /** Folder name under the emulator's artifact folder; "" without artifacts. */
  readonly artifactFolder: string;
  /** Other fields given at upload, returned as they came. */
  readonly rest: Document;
}

export interface ModelRecord {
  readonly name: string;
  readonly displayName: string;
  readonly description: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createTime: string;
  readonly updateTime: string;
  /** The highest version id ever given; numbers are not used twice. */
  readonly lastVersion: number;
  readonly versions: readonly VersionRecord[];
}

/** A model on an endpoint. */
export interface DeployedRecord {
  readonly id: string;
  /** As GetEndpoint shows it. */
  readonly document: DeployedModelDocument;
  /** Model name without version. */
  readonly model: string;
  readonly versionId: string;
}

export interface EndpointRecord {
  readonly name: string;
  /** What the caller set, with createTime and updateTime; without split and deployed models. */
  readonly document: EndpointDocument;
  readonly trafficSplit: TrafficSplit;
  readonly deployed: readonly DeployedRecord[];
  /** Deploy operations under way: they count against quota and keep endpoint and model from deletion. */
  readonly deploying: readonly DeployedRecord[];
}

export interface OperationRecord {
  readonly name: string;
  /** API version of the call that began it: names the types of metadata and response. */
  readonly version: "v1" | "v1beta1";
  /** "EndpointService.DeployModel" */
  readonly method: string;
  /** Resource that only one operation may change at a time. */
  readonly target: string;
  /** Short type name, e.g. "DeployModelOperationMetadata". */
  readonly metadataType: string;
  readonly metadata: Document;
  readonly done: boolean;
  readonly error?: { readonly code: number; readonly message: string };
  /** Short type name of the response, or "google.protobuf.Empty". */
  readonly responseType: string;
  readonly response?: Document;
}

export type { Document, Json };
