import { Storage } from "@google-cloud/storage";
import { PassThroughClient } from "google-auth-library";

import * as model from "../../providers/model.ts";
import { makeBucket } from "./bucket.ts";
import { LIGHT_PYTHON, lightServer } from "./light-server.ts";
import { startProviderEmulator } from "./provider-emulator.ts";
import type { ProviderEmulator } from "./provider-emulator.ts";
import { ENDPOINT, STACK_UID, modelInputs } from "./provider-inputs.ts";
import { vertexClients } from "./vertex-clients.ts";
import type { VertexClients } from "./vertex-clients.ts";

/** Longest time of a test with a few deploys, milliseconds: each starts a real, if light, server process. */
export const DEPLOY_TIMEOUT_MS = 60_000;

const BUCKET = "test-bucket";

/** Aliases of the three versions; the third one's container ends as soon as it is started. */
export const ALIASES = {
  one: "sha-000000000001",
  two: "sha-000000000002",
  broken: "sha-000000000003",
} as const;

/** The calls of Vertex AI that change something. */
export function changing(calls: readonly string[]): string[] {
  return calls.filter((call) =>
    /Service\.(Upload|Update|Delete|Merge|Deploy|Undeploy|Mut)/.test(call),
  );
}

/** Bucket, three versions of the stack's model and its endpoint, with nothing deployed. */
export interface DeploymentScene {
  readonly emulator: ProviderEmulator;
  /** Google's own clients: the hand that changes things behind the reconcilers' back. */
  readonly google: VertexClients;
  readonly storage: Storage;
  /** The endpoint as the emulator holds it. */
  endpoint(): Promise<{
    readonly displayNames: string[];
    readonly ids: string[];
    readonly trafficSplit: Readonly<Record<string, number>>;
  }>;
  /** Aliases of the model's versions, by number. */
  versions(): Promise<Record<string, readonly string[]>>;
  /** Registers one more version, whose light server has these variables, with an archive of that name. */
  addVersion(
    name: string,
    versionAlias: string,
    env: Readonly<Record<string, string>>,
  ): Promise<void>;
  makeEndpoint(stackUid?: string, fields?: { dedicatedEndpointEnabled?: boolean }): Promise<void>;
  deleteEndpoint(): Promise<void>;
  stop(): Promise<void>;
}

export async function setDeploymentScene(): Promise<DeploymentScene> {
  const emulator = await startProviderEmulator({ runtime: lightServer, python: LIGHT_PYTHON });
  const google = vertexClients(emulator.grpc);
  const storage = new Storage({
    apiEndpoint: emulator.rest,
    projectId: "local-project",
    authClient: new PassThroughClient(),
  });
  const scene: DeploymentScene = {
    emulator,
    google,
    storage,
    endpoint: async () => {
      const [endpoint] = (await emulator.state()).endpoints;
      if (endpoint === undefined) throw new Error("there is no endpoint");
      const { deployedModels, trafficSplit } = endpoint;
      return {
        displayNames: deployedModels.map((one) => one.displayName),
        ids: deployedModels.map((one) => one.id),
        trafficSplit,
      };
    },
    versions: async () => {
      const { models } = await emulator.state();
      const all = models.flatMap((one) => one.versions);
      return Object.fromEntries(all.map((version) => [version.versionId, version.aliases]));
    },
    addVersion: (name, versionAlias, env) => registerVersion(storage, name, versionAlias, env),
    makeEndpoint: async (stackUid = STACK_UID, fields = {}) => {
      const [operation] = await google.endpoints.createEndpoint({
        parent: ENDPOINT.replace(/\/endpoints.*/, ""),
        endpointId: "123456789",
        endpoint: {
          ...fields,
          displayName: "diffusion-test",
          labels: { "managed-by": "vertex-diffusion", "vertex-diffusion-stack": stackUid },
        },
      });
      await operation.promise();
    },
    deleteEndpoint: async () => {
      const [operation] = await google.endpoints.deleteEndpoint({ name: ENDPOINT });
      await operation.promise();
    },
    stop: async () => {
      await google.close();
      await emulator.stop();
    },
  };
  await makeBucket(emulator.rest, BUCKET);
  await registerVersions(storage);
  await scene.makeEndpoint();
  return scene;
}

async function registerVersions(storage: Storage): Promise<void> {
  for (const [name, versionAlias] of Object.entries(ALIASES)) {
    const env: Record<string, string> =
      name === "broken" ? { LIGHT_EXIT_FILE: "/" } : { LIGHT_PICTURE: "yes" };
    await registerVersion(storage, name, versionAlias, env);
  }
}

async function registerVersion(
  storage: Storage,
  name: string,
  versionAlias: string,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  await storage
    .bucket(BUCKET)
    .file(`archives/${name}/model.mar`)
    .save("an archive", {
      resumable: false,
      metadata: { metadata: { "vertex-diffusion-stack": STACK_UID } },
    });
  const artifactUri = `gs://${BUCKET}/archives/${name}`;
  const inputs = modelInputs({ artifactUri, versionAlias });
  await model.create({ ...inputs, servingSpec: { ...inputs.servingSpec, env } });
}
