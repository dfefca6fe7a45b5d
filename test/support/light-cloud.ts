import type { EmulatorOptions } from "../../emulator/server.ts";
import { makeBucket, putObject } from "./bucket.ts";
import { startTestEmulator } from "./emulator.ts";
import type { TestEmulator } from "./emulator.ts";
import { LIGHT_PYTHON, lightServer } from "./light-server.ts";
import { rest, restOperation } from "./vertex-rest.ts";
import type { RestAnswer, RestBody } from "./vertex-rest.ts";

export const PARENT = "projects/local-project/locations/us-central1";
export const IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.2-4:latest";

/** One L4 on a small machine. */
export const L4 = {
  machineSpec: {
    machineType: "g2-standard-4",
    acceleratorType: "NVIDIA_L4",
    acceleratorCount: 1,
  },
  minReplicaCount: 1,
};

export interface Upload {
  readonly modelId?: string;
  readonly parentModel?: string;
  /** Beside the image. */
  readonly container?: Readonly<Record<string, unknown>>;
  readonly model?: Readonly<Record<string, unknown>>;
}

export interface Deploy {
  /** Last segment of the endpoint's name. */
  readonly endpoint: string;
  readonly model: string;
  readonly id?: string;
  readonly resources?: unknown;
  readonly trafficSplit?: Readonly<Record<string, number>>;
  readonly deployedModel?: Readonly<Record<string, unknown>>;
}

/** An emulator whose deployed models are light servers, with a bucket that holds an artifact. */
export interface LightCloud {
  readonly emulator: TestEmulator;
  /** Calls `/v1/PARENT/path`, or a path that begins with "/". */
  call(method: string, path: string, body?: unknown): Promise<RestAnswer>;
  /** The same for a long-running method; answers the operation once it has ended. */
  operation(method: string, path: string, body?: unknown): Promise<RestBody>;
  upload(options?: Upload): Promise<RestAnswer>;
  /** Uploads and answers the ended operation. */
  uploaded(options?: Upload): Promise<RestBody>;
  endpoint(id: string, fields?: Readonly<Record<string, unknown>>): Promise<RestBody>;
  deploy(options: Deploy): Promise<RestAnswer>;
  deployed(options: Deploy): Promise<RestBody>;
  stop(): Promise<void>;
}

export async function startLightCloud(options: Partial<EmulatorOptions> = {}): Promise<LightCloud> {
  const emulator = await startTestEmulator({
    runtime: lightServer,
    python: LIGHT_PYTHON,
    ...options,
  });
  await makeBucket(emulator.address.rest, "light-bucket");
  await putObject(emulator.address.rest, "light-bucket", "model/model.mar", "an archive");
  const absolute = (path: string): string =>
    path.startsWith("/") ? path : `/v1/${PARENT}/${path}`;
  const call: LightCloud["call"] = (method, path, body) =>
    rest(emulator.address.rest, method, absolute(path), body);
  const operation: LightCloud["operation"] = (method, path, body) =>
    restOperation(emulator.address.rest, method, absolute(path), body);
  return {
    emulator,
    call,
    operation,
    upload: (upload = {}) => call("POST", "models:upload", toUpload(upload)),
    uploaded: (upload = {}) => operation("POST", "models:upload", toUpload(upload)),
    endpoint: (id, fields = {}) =>
      operation("POST", `endpoints?endpointId=${id}`, { displayName: id, ...fields }),
    deploy: (deploy) => call("POST", `endpoints/${deploy.endpoint}:deployModel`, toDeploy(deploy)),
    deployed: (deploy) =>
      operation("POST", `endpoints/${deploy.endpoint}:deployModel`, toDeploy(deploy)),
    stop: () => emulator.stop(),
  };
}

function toUpload(upload: Upload): unknown {
  return {
    ...(upload.modelId === undefined ? {} : { modelId: upload.modelId }),
    ...(upload.parentModel === undefined ? {} : { parentModel: upload.parentModel }),
    model: {
      displayName: upload.modelId ?? "a model",
      artifactUri: "gs://light-bucket/model",
      containerSpec: { imageUri: IMAGE, ...upload.container },
      ...upload.model,
    },
  };
}

function toDeploy(deploy: Deploy): unknown {
  return {
    deployedModel: {
      ...(deploy.id === undefined ? {} : { id: deploy.id }),
      model: `${PARENT}/models/${deploy.model}`,
      dedicatedResources: deploy.resources ?? L4,
      ...deploy.deployedModel,
    },
    ...(deploy.trafficSplit === undefined ? {} : { trafficSplit: deploy.trafficSplit }),
  };
}
