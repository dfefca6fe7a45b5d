// By deep path: the package root loads every service (about 2.5 s and 350 MB).
import type { EndpointServiceClient } from "@google-cloud/aiplatform/build/src/v1/endpoint_service_client.js";
import type { ModelServiceClient } from "@google-cloud/aiplatform/build/src/v1/model_service_client.js";
import type { PredictionServiceClient } from "@google-cloud/aiplatform/build/src/v1/prediction_service_client.js";
import type { Storage } from "@google-cloud/storage";
import { credentials } from "@grpc/grpc-js";
import { GoogleAuth, Impersonated, OAuth2Client, PassThroughClient } from "google-auth-library";
import type { AuthClient } from "google-auth-library";

import type { Connection } from "./connection.ts";

const SCOPE = "https://www.googleapis.com/auth/cloud-platform";

type ClientOptions = {
  apiEndpoint: string;
  port?: number;
  sslCreds?: ReturnType<typeof credentials.createInsecure>;
  auth?: GoogleAuth;
};

/** One identity for both providers: the variables that the gcp provider reads, else application default credentials. */
async function googleAuth(env: NodeJS.ProcessEnv = process.env): Promise<GoogleAuth> {
  let client: AuthClient | undefined;
  if (env.GOOGLE_OAUTH_ACCESS_TOKEN) {
    const tokenClient = new OAuth2Client();
    tokenClient.setCredentials({ access_token: env.GOOGLE_OAUTH_ACCESS_TOKEN });
    client = tokenClient;
  }
  if (env.GOOGLE_IMPERSONATE_SERVICE_ACCOUNT) {
    client = new Impersonated({
      sourceClient: client ?? (await new GoogleAuth({ scopes: SCOPE }).getClient()),
      targetPrincipal: env.GOOGLE_IMPERSONATE_SERVICE_ACCOUNT,
      targetScopes: [SCOPE],
    });
  }
  return client === undefined
    ? new GoogleAuth({ scopes: SCOPE })
    : new GoogleAuth({ authClient: client });
}

async function vertexOptions(connection: Connection, location: string): Promise<ClientOptions> {
  if (connection.kind === "google") {
    return { apiEndpoint: `${location}-aiplatform.googleapis.com`, auth: await googleAuth() };
  }
  const [host, port] = splitAddress(connection.grpc);
  return {
    apiEndpoint: host,
    port,
    sslCreds: credentials.createInsecure(),
    // Without an auth object the client asks the metadata server, which no laptop has.
    auth: new GoogleAuth({ authClient: new PassThroughClient() }),
  };
}

function splitAddress(address: string): [host: string, port: number] {
  const at = address.lastIndexOf(":");
  return [address.slice(0, at), Number(address.slice(at + 1))];
}

const cache = new Map<string, Promise<unknown>>();

/** One client per kind and address: a restarted emulator on other ports gets new ones. */
function cached<T>(kind: string, connection: Connection, scope: string, make: () => Promise<T>) {
  const key = `${kind} ${connection.kind === "emulator" ? `${connection.rest} ${connection.grpc}` : "google"} ${scope}`;
  let client = cache.get(key) as Promise<T> | undefined;
  if (client === undefined) {
    client = make();
    cache.set(key, client);
  }
  return client;
}

/** Models and their versions in one location. */
export function modelClient(connection: Connection, location: string): Promise<ModelServiceClient> {
  return cached("model", connection, location, async () => {
    const { ModelServiceClient: Client } =
      await import("@google-cloud/aiplatform/build/src/v1/model_service_client.js");
    return new Client(await vertexOptions(connection, location));
  });
}

/** Endpoints and what is deployed on them in one location. */
export function endpointClient(
  connection: Connection,
  location: string,
): Promise<EndpointServiceClient> {
  return cached("endpoint", connection, location, async () => {
    const { EndpointServiceClient: Client } =
      await import("@google-cloud/aiplatform/build/src/v1/endpoint_service_client.js");
    return new Client(await vertexOptions(connection, location));
  });
}

/** Predictions in one location; a dedicated endpoint answers at its own host only. */
export function predictionClient(
  connection: Connection,
  location: string,
  dedicatedDns: string | null,
): Promise<PredictionServiceClient> {
  return cached("prediction", connection, dedicatedDns ?? location, async () => {
    const { PredictionServiceClient: Client } =
      await import("@google-cloud/aiplatform/build/src/v1/prediction_service_client.js");
    const options = await vertexOptions(connection, location);
    const isOwnHost = connection.kind === "google" && dedicatedDns !== null;
    return new Client(isOwnHost ? { ...options, apiEndpoint: dedicatedDns } : options);
  });
}

/**
 * One try per call: the cycles that observe and change decide how long to go on (retry.ts), and the client's own retries
 * would skip every call without a precondition and hide an upload's HTTP status.
 */
const ONE_TRY = { autoRetry: false, maxRetries: 0, retryableErrorFn: () => false };

/** Objects and buckets. */
export function storageClient(connection: Connection, project: string): Promise<Storage> {
  return cached("storage", connection, project, async () => {
    const { Storage: Client } = await import("@google-cloud/storage");
    if (connection.kind === "emulator") {
      return new Client({
        projectId: project,
        retryOptions: ONE_TRY,
        apiEndpoint: connection.rest,
        authClient: new PassThroughClient(),
      });
    }
    const auth = await googleAuth();
    return new Client({
      projectId: project,
      retryOptions: ONE_TRY,
      authClient: await auth.getClient(),
    });
  });
}
