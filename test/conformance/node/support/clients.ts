/** Google's clients for a target. Host and credentials are all that they are told. */
import { EndpointServiceClient } from "@google-cloud/aiplatform/build/src/v1/endpoint_service_client.js";
import { ModelServiceClient } from "@google-cloud/aiplatform/build/src/v1/model_service_client.js";
import { PredictionServiceClient } from "@google-cloud/aiplatform/build/src/v1/prediction_service_client.js";
import { Storage } from "@google-cloud/storage";
import { credentials } from "@grpc/grpc-js";
import { GoogleAuth, PassThroughClient } from "google-auth-library";
import type { Target } from "./target.ts";

/** The three services, by the deep paths that this project uses. */
export interface VertexClients {
  readonly models: ModelServiceClient;
  readonly endpoints: EndpointServiceClient;
  readonly predictions: PredictionServiceClient;
  close(): Promise<void>;
}

/** Where a Vertex AI client connects to, and as whom. */
export function vertexOptions({ grpc, region }: Target) {
  if (grpc === undefined) return { apiEndpoint: `${region}-aiplatform.googleapis.com` };
  const [host = "", port = ""] = grpc.split(":");
  return {
    apiEndpoint: host,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
    // Without an auth object the client asks the metadata server, which no laptop has.
    auth: new GoogleAuth({ authClient: new PassThroughClient() }),
  };
}

export function vertexClients(target: Target): VertexClients {
  const options = vertexOptions(target);
  const clients = {
    models: new ModelServiceClient(options),
    endpoints: new EndpointServiceClient(options),
    predictions: new PredictionServiceClient(options),
  };
  return {
    ...clients,
    close: async () => {
      await Promise.all(Object.values(clients).map((client) => client.close()));
    },
  };
}

export function storageClient({ rest, project }: Target): Storage {
  if (rest === undefined) return new Storage({ projectId: project });
  return new Storage({
    projectId: project,
    apiEndpoint: rest,
    authClient: new PassThroughClient(),
  });
}

type RequestOptions = Parameters<PassThroughClient["request"]>[0];

/**
 * A client whose TransferManager.uploadFileInChunks works: that one writes `https://BUCKET.HOST/OBJECT`, whatever
 * apiEndpoint says, so that on an emulator the requests have to be led there.
 */
export function chunkStorageClient(target: Target): Storage {
  const { rest, project } = target;
  if (rest === undefined) return storageClient(target);
  return new Storage({
    projectId: project,
    // A name: `BUCKET.127.0.0.1` is no valid address.
    apiEndpoint: rest.replace("127.0.0.1", "localhost"),
    authClient: new PathStyleTransport(rest),
  });
}

class PathStyleTransport extends PassThroughClient {
  readonly #rest: string;

  constructor(rest: string) {
    super();
    this.#rest = rest;
  }

  override request<T>(
    options: RequestOptions,
  ): ReturnType<typeof PassThroughClient.prototype.request<T>> {
    const [, name, path] = /^https:\/\/([^/]+)\.localhost\/(.*)$/s.exec(String(options.url)) ?? [];
    if (name === undefined) return super.request<T>(options);
    return super.request<T>({ ...options, url: `${this.#rest}/${name}/${path}` });
  }
}
