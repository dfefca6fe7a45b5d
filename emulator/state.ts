import type { Storage } from "./storage/index.ts";
import type { Cloud } from "./vertex/cloud.ts";
import { serverIdOf } from "./vertex/endpoints.ts";
import type {
  DeployedRecord,
  EndpointRecord,
  ModelRecord,
  OperationRecord,
} from "./vertex/types.ts";

/** A model on an endpoint, or on its way there. */
export interface DeployedModelState {
  readonly id: string;
  /** Resource name without version. */
  readonly model: string;
  readonly modelVersionId: string;
  readonly displayName: string;
  /** Id of its server, and of its log: `GET /_emulator/logs/ID`. */
  readonly serverId: string;
  readonly machineType: string;
  /** "" without a GPU. */
  readonly acceleratorType: string;
  /** Of one replica. */
  readonly acceleratorCount: number;
  readonly minReplicaCount: number;
  readonly maxReplicaCount: number;
}

export interface EndpointState {
  readonly name: string;
  readonly displayName: string;
  readonly dedicatedEndpointEnabled: boolean;
  readonly deployedModels: readonly DeployedModelState[];
  /** Ids of `deployingModels`. */
  readonly deploying: readonly string[];
  readonly deployingModels: readonly DeployedModelState[];
  readonly trafficSplit: Readonly<Record<string, number>>;
}

export interface ModelState {
  readonly name: string;
  readonly displayName: string;
  readonly versions: readonly {
    readonly versionId: string;
    readonly aliases: readonly string[];
    /** "" without artifacts. */
    readonly artifactUri: string;
    readonly imageUri: string;
    readonly createTime: string;
  }[];
}

export interface OperationState {
  readonly name: string;
  /** "EndpointService.DeployModel" */
  readonly method: string;
  /** Resource that it changes. */
  readonly target: string;
  readonly done: boolean;
  /** deploymentStage; "" where the method has none. */
  readonly stage: string;
  readonly createTime: string;
  /** When it ended, once it is done. */
  readonly updateTime: string;
  /** google.rpc.Code; 0 for an operation that runs or went well. */
  readonly errorCode: number;
  /** "" for an operation that runs or went well. */
  readonly error: string;
}

export interface EmulatorState {
  readonly buckets: readonly {
    readonly name: string;
    /** Live objects and their bytes. */
    readonly objects: number;
    readonly bytes: number;
  }[];
  readonly models: readonly ModelState[];
  readonly endpoints: readonly EndpointState[];
  readonly operations: readonly OperationState[];
  readonly servers: readonly {
    readonly id: string;
    readonly state: string;
    readonly pid: number | null;
    /** Containers that took the place of another. */
    readonly restarts: number;
  }[];
}

/** Everything that the emulator holds: an empty one shows empty lists everywhere. */
export function describeState(cloud: Cloud, storage: Storage): EmulatorState {
  return {
    buckets: storage.summary().buckets.map((bucket) => ({
      ...bucket,
      bytes: storage.objects.listObjects(bucket.name, "").reduce((sum, { size }) => sum + size, 0),
    })),
    models: cloud.models.list().map(describeModel),
    endpoints: cloud.endpoints.list().map(describeEndpoint),
    operations: cloud.operations.list().map(describeOperation),
    servers: cloud.servers.list(),
  };
}

function describeModel(model: ModelRecord): ModelState {
  return {
    name: model.name,
    displayName: model.displayName,
    versions: model.versions.map((version) => ({
      versionId: version.versionId,
      aliases: version.aliases,
      artifactUri: version.artifactUri,
      imageUri: version.containerSpec.imageUri ?? "",
      createTime: version.createTime,
    })),
  };
}

function describeEndpoint(endpoint: EndpointRecord): EndpointState {
  return {
    name: endpoint.name,
    displayName: endpoint.document.displayName ?? "",
    dedicatedEndpointEnabled: endpoint.document.dedicatedEndpointEnabled === true,
    deployedModels: endpoint.deployed.map((one) => describeDeployed(endpoint, one)),
    deploying: endpoint.deploying.map((one) => one.id),
    deployingModels: endpoint.deploying.map((one) => describeDeployed(endpoint, one)),
    trafficSplit: endpoint.trafficSplit,
  };
}

function describeDeployed(endpoint: EndpointRecord, deployed: DeployedRecord): DeployedModelState {
  const { displayName = "", dedicatedResources: resources } = deployed.document;
  const minReplicaCount = resources?.minReplicaCount ?? 1;
  return {
    id: deployed.id,
    model: deployed.model,
    modelVersionId: deployed.versionId,
    displayName,
    serverId: serverIdOf(endpoint, deployed.id),
    machineType: resources?.machineSpec?.machineType ?? "",
    acceleratorType: resources?.machineSpec?.acceleratorType ?? "",
    acceleratorCount: resources?.machineSpec?.acceleratorCount ?? 0,
    minReplicaCount,
    maxReplicaCount: resources?.maxReplicaCount ?? minReplicaCount,
  };
}

function describeOperation(operation: OperationRecord): OperationState {
  const times = operation.metadata["genericMetadata"] as { createTime: string; updateTime: string };
  const stage = operation.metadata["deploymentStage"];
  return {
    name: operation.name,
    method: operation.method,
    target: operation.target,
    done: operation.done,
    stage: typeof stage === "string" ? stage : "",
    createTime: times.createTime,
    updateTime: times.updateTime,
    errorCode: operation.error?.code ?? 0,
    error: operation.error?.message ?? "",
  };
}
