import { Storage } from "@google-cloud/storage";
import { afterAll, afterEach, beforeAll, expect } from "@jest/globals";
import { PassThroughClient } from "google-auth-library";

import * as deployment from "../../providers/deployment.ts";
import type { ModelDeploymentInputs, ModelDeploymentOutputs } from "../../providers/deployment.ts";
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
export class DeploymentScene {
  emulator!: ProviderEmulator;
  /** Google's own clients: the hand that changes things behind the reconcilers' back. */
  google!: VertexClients;
  storage!: Storage;

  async start(): Promise<void> {
    this.emulator = await startProviderEmulator({ runtime: lightServer, python: LIGHT_PYTHON });
    this.google = vertexClients(this.emulator.grpc);
    this.storage = new Storage({
      apiEndpoint: this.emulator.rest,
      projectId: "local-project",
      authClient: new PassThroughClient(),
    });
    await makeBucket(this.emulator.rest, BUCKET);
    await registerVersions(this.storage);
    await this.makeEndpoint();
  }

  /** Makes what these inputs declare; the calls that it takes are not among the next ones. Answers what is recorded of it. */
  async deploy(inputs: ModelDeploymentInputs): Promise<ModelDeploymentOutputs> {
    const { outs } = await deployment.create(inputs);
    await this.emulator.calls();
    return outs;
  }

  /** The calls since the last time that change something. */
  async changingCalls(): Promise<string[]> {
    return changing(await this.emulator.calls());
  }

  /** The endpoint as the emulator holds it. */
  async endpoint(): Promise<{
    readonly displayNames: string[];
    readonly ids: string[];
    readonly trafficSplit: Readonly<Record<string, number>>;
  }> {
    const [endpoint] = (await this.emulator.state()).endpoints;
    if (endpoint === undefined) throw new Error("there is no endpoint");
    const { deployedModels, trafficSplit } = endpoint;
    return {
      displayNames: deployedModels.map((one) => one.displayName),
      ids: deployedModels.map((one) => one.id),
      trafficSplit,
    };
  }

  /** Aliases of the model's versions, by number. */
  async versions(): Promise<Record<string, readonly string[]>> {
    const { models } = await this.emulator.state();
    const all = models.flatMap((one) => one.versions);
    return Object.fromEntries(all.map((version) => [version.versionId, version.aliases]));
  }

  /** Registers one more version, whose light server has these variables, with an archive of that name. */
  async addVersion(
    name: string,
    versionAlias: string,
    env: Readonly<Record<string, string>>,
  ): Promise<void> {
    await registerVersion(this.storage, name, versionAlias, env);
  }

  async makeEndpoint(
    stackUid = STACK_UID,
    fields: { dedicatedEndpointEnabled?: boolean } = {},
  ): Promise<void> {
    const [operation] = await this.google.endpoints.createEndpoint({
      parent: ENDPOINT.replace(/\/endpoints.*/, ""),
      endpointId: "123456789",
      endpoint: {
        ...fields,
        displayName: "diffusion-test",
        labels: { "managed-by": "vertex-diffusion", "vertex-diffusion-stack": stackUid },
      },
    });
    await operation.promise();
  }

  async deleteEndpoint(): Promise<void> {
    const [operation] = await this.google.endpoints.deleteEndpoint({ name: ENDPOINT });
    await operation.promise();
  }

  async stop(): Promise<void> {
    await this.google.close();
    await this.emulator.stop();
  }
}

/** The scene for tests that set their own hooks; the caller stops it. */
export async function setDeploymentScene(): Promise<DeploymentScene> {
  const scene = new DeploymentScene();
  await scene.start();
  return scene;
}

/** Sets the scene around the tests of the file that calls this. A fault that was asked for and did not happen fails its test. */
export function useDeploymentScene(): DeploymentScene {
  const scene = new DeploymentScene();

  beforeAll(async () => {
    await scene.start();
  });

  afterAll(async () => {
    await scene.stop();
  });

  afterEach(async () => {
    expect(await scene.emulator.leftFaults()).toEqual([]);
  });

  return scene;
}

/** What a refresh records: read's props, where it is expected to find something. */
export async function refreshed(from: ModelDeploymentOutputs): Promise<ModelDeploymentOutputs> {
  const { props } = await deployment.read(ENDPOINT, from);
  if (props === undefined) throw new Error("read found nothing");
  return props;
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
