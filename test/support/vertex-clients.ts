import { EndpointServiceClient } from "@google-cloud/aiplatform/build/src/v1/endpoint_service_client.js";
import { ModelServiceClient } from "@google-cloud/aiplatform/build/src/v1/model_service_client.js";
import { PredictionServiceClient } from "@google-cloud/aiplatform/build/src/v1/prediction_service_client.js";
import { credentials } from "@grpc/grpc-js";
import { GoogleAuth, PassThroughClient } from "google-auth-library";

/** Google's own clients over gRPC. */
export interface VertexClients {
  readonly models: ModelServiceClient;
  readonly endpoints: EndpointServiceClient;
  readonly predictions: PredictionServiceClient;
  close(): Promise<void>;
}

/** Told nothing but where to call and that no credentials are needed. `grpc` is "host:port". */
export function vertexClients(grpc: string): VertexClients {
  const [host = "", port = ""] = grpc.split(":");
  const options = {
    apiEndpoint: host,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
    // Without an auth object the client asks the metadata server, which no laptop has.
    auth: new GoogleAuth({ authClient: new PassThroughClient() }),
  };
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
