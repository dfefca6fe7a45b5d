import * as adoption from "../../providers/adoption.ts";
import type { AdoptionInputs, AdoptionOutputs } from "../../providers/adoption.ts";
import type { ModelDeploymentInputs } from "../../providers/deployment.ts";
import type { VertexModelInputs } from "../../providers/model.ts";
import { makeBucket } from "./bucket.ts";
import { changing } from "./deployment-scene.ts";
import { makeByHand } from "./hand-made.ts";
import type { HandMade } from "./hand-made.ts";
import { LIGHT_PYTHON, lightServer } from "./light-server.ts";
import { startProviderEmulator } from "./provider-emulator.ts";
import type { ProviderEmulator } from "./provider-emulator.ts";
import { adoptionInputs, deploymentInputs, modelInputs } from "./provider-inputs.ts";
import { vertexClients } from "./vertex-clients.ts";
import type { VertexClients } from "./vertex-clients.ts";

export const PARENT = "projects/local-project/locations/us-central1";
export const ALIAS = "sha-000000000001";

/** A cloud in which the tutorial was followed by hand, and the stack's own empty bucket "test-bucket". */
export interface AdoptionScene {
  readonly emulator: ProviderEmulator;
  /** Google's own clients: the hand that changes things behind the reconcilers' back. */
  readonly google: VertexClients;
  readonly made: HandMade;
  readonly endpoint: string;
  readonly modelName: string;
  /** What a stack that declares everything as it is asks for. */
  inputs(changes?: Partial<AdoptionInputs>): AdoptionInputs;
  /** The adopted model, under whose names and labels its versions go on. */
  modelInputs(changes?: Partial<VertexModelInputs>): VertexModelInputs;
  /** The deployment of the adopted version to the adopted endpoint. */
  deploymentInputs(changes?: Partial<ModelDeploymentInputs>): ModelDeploymentInputs;
  /** Adopts and answers what is recorded of it. */
  adopt(changes?: Partial<AdoptionInputs>): Promise<AdoptionOutputs>;
  labels(): Promise<{ readonly endpoint: unknown; readonly model: unknown }>;
  /** Aliases of the model's versions, by number. */
  versions(): Promise<Record<string, readonly string[]>>;
  deployedIds(): Promise<string[]>;
  /** The calls since the last time that change something. */
  changingCalls(): Promise<string[]>;
  stop(): Promise<void>;
}

export async function setAdoptionScene(
  changes: Parameters<typeof makeByHand>[1] = {},
): Promise<AdoptionScene> {
  const emulator = await startProviderEmulator({ runtime: lightServer, python: LIGHT_PYTHON });
  const google = vertexClients(emulator.grpc);
  const made = await makeByHand(emulator.rest, changes);
  await makeBucket(emulator.rest, "test-bucket");
  await emulator.calls();
  const endpoint = `${PARENT}/endpoints/${made.endpoint}`;
  const modelName = `${PARENT}/models/${made.model}`;
  const scene: AdoptionScene = {
    emulator,
    google,
    made,
    endpoint,
    modelName,
    inputs: (inputs = {}) => adoptionInputs({ endpoint, modelName, ...inputs }),
    modelInputs: (inputs = {}) =>
      modelInputs({ modelId: made.model, modelName, labels: {}, adopted: true, ...inputs }),
    deploymentInputs: (inputs = {}) => deploymentInputs({ endpoint, modelName, ...inputs }),
    adopt: async (inputs) => (await adoption.create(scene.inputs(inputs))).outs,
    labels: async () => {
      const [[foundEndpoint], [foundModel]] = await Promise.all([
        google.endpoints.getEndpoint({ name: endpoint }),
        google.models.getModel({ name: modelName }),
      ]);
      return { endpoint: foundEndpoint.labels, model: foundModel.labels };
    },
    versions: async () => {
      const { models } = await emulator.state();
      const all = models.flatMap((one) => one.versions);
      return Object.fromEntries(all.map((version) => [version.versionId, version.aliases]));
    },
    deployedIds: async () => {
      const { endpoints } = await emulator.state();
      return endpoints.flatMap(({ deployedModels }) => deployedModels.map(({ id }) => id));
    },
    changingCalls: async () => changing(await emulator.calls()),
    stop: async () => {
      await google.close();
      await emulator.stop();
    },
  };
  return scene;
}
