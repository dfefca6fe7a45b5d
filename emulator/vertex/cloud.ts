import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import type { Faults } from "../faults.ts";
import type { ServerPool } from "../runtime/server-pool.ts";
import type { Version } from "./descriptors.ts";
import { Operations } from "./operations.ts";
import type { Quotas } from "./quotas.ts";
import { RecordFolder } from "./record-folder.ts";
import type { Document, EndpointRecord, ModelRecord } from "./types.ts";

export interface ObjectFolder {
  readonly bucket: string;
  /** "" or ends in "/". */
  readonly prefix: string;
}

/** What Vertex uses of Cloud Storage. */
export interface ObjectSource {
  /** Throws ApiError NOT_FOUND when there is no such bucket. */
  listObjects(
    bucket: string,
    prefix: string,
  ): readonly { readonly name: string; readonly size: number }[];
  /** A hard link where the file system can; the target must not exist. */
  linkObjectTo(bucket: string, name: string, targetFile: string): Promise<void>;
  /** Into a bucket that Google owns. Nothing stays there when it throws. */
  copyFolder(source: ObjectFolder, target: ObjectFolder): Promise<void>;
  removeFolder(folder: ObjectFolder): Promise<void>;
}

export interface CloudOptions {
  readonly dataDir: string;
  readonly clock: Clock;
  readonly faults: Faults;
  readonly quotas: Quotas;
  readonly objects: ObjectSource;
  readonly servers: ServerPool;
  /** Where Cloud Storage is reached, "http://127.0.0.1:8085"; asked when a server starts. */
  readonly storageUrl: () => string;
  /** Time that each stage of an operation takes, milliseconds of the clock. */
  readonly stageMs: number;
}

/** The state of the local Vertex AI and what it works with. */
export class Cloud {
  readonly clock: Clock;
  readonly faults: Faults;
  readonly quotas: Quotas;
  readonly objects: ObjectSource;
  readonly servers: ServerPool;
  readonly storageUrl: () => string;
  readonly models: RecordFolder<ModelRecord>;
  readonly endpoints: RecordFolder<EndpointRecord>;
  readonly operations: Operations;
  /** The archives of what was uploaded as files, one folder per model version. */
  readonly artifactsDir: string;

  constructor(options: CloudOptions) {
    this.clock = options.clock;
    this.faults = options.faults;
    this.quotas = options.quotas;
    this.objects = options.objects;
    this.servers = options.servers;
    this.storageUrl = options.storageUrl;
    this.models = new RecordFolder(join(options.dataDir, "vertex", "models"));
    this.endpoints = new RecordFolder(join(options.dataDir, "vertex", "endpoints"));
    this.artifactsDir = join(options.dataDir, "vertex", "artifacts");
    mkdirSync(this.artifactsDir, { recursive: true });
    this.operations = new Operations({
      folder: join(options.dataDir, "vertex", "operations"),
      clock: options.clock,
      faults: options.faults,
      stageMs: options.stageMs,
    });
  }

  /** Writes no more state. */
  close(): void {
    this.operations.close();
    this.models.close();
    this.endpoints.close();
  }

  /** Forgets every model, endpoint and operation. */
  clear(): void {
    this.operations.clear();
    this.endpoints.clear();
    this.models.clear();
  }

  now(): string {
    return this.clock.now().toISOString();
  }
}

/** What a method knows of the call beside its request. */
export interface MethodCall {
  /** undefined where the caller named none: the operations service over gRPC, `/ui/` over REST. */
  readonly version: Version | undefined;
  /** "google.cloud.aiplatform.v1.EndpointService.DeployModel" */
  readonly method: string;
  /** Host that the client addressed, without port. */
  readonly host: string;
  /** Endpoint named in the header x-vertex-ai-endpoint-id (gRPC to a dedicated endpoint), "" without it. */
  readonly endpointHeader: string;
  readonly requestBytes: number;
  /** Aborted when the caller has gone before it was answered. */
  readonly signal: AbortSignal;
  /** GetEndpoint is to show the models that are being deployed too. */
  readonly allDeploymentStates?: boolean;
  /** Header of a REST answer, ignored over gRPC. */
  readonly setHeader: (name: string, value: string) => void;
}

/** One implemented method: canonical proto JSON in and out. Refuses by ApiError. */
export type Method = (request: Document, call: MethodCall) => Promise<Document>;

/** The same for a method that answers many messages, one after the other. */
export type StreamingMethod = (request: Document, call: MethodCall) => AsyncGenerator<Document>;
