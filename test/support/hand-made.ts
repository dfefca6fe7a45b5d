import { makeBucket, putObject } from "./bucket.ts";
import { restOperation } from "./vertex-rest.ts";

const PARENT = "/v1/projects/local-project/locations/us-central1";
const IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.2-4:latest";

/** What the tutorial's code leaves behind; ids are Vertex AI's own. */
export interface HandMade {
  /** Ids of 19 digits or so. */
  readonly endpoint: string;
  readonly model: string;
  readonly deployedModelId: string;
}

export const HAND_BUCKET = "hand-made-bucket";

/**
 * The tutorial's steps in Python, call by call: archive to a bucket, Model.upload without our labels or ids,
 * Endpoint.create, endpoint.deploy under a name of its own with all of the traffic.
 */
export async function makeByHand(
  base: string,
  changes: { readonly endpoint?: object; readonly deployed?: object } = {},
): Promise<HandMade> {
  await makeBucket(base, HAND_BUCKET);
  await putObject(base, HAND_BUCKET, "sd/model.mar", "an archive made by hand");
  const model = await uploadByHand(base);
  const endpoint = await createByHand(base, changes.endpoint);
  const deployedModelId = await deployByHand(base, endpoint, `${model}@1`, changes.deployed);
  return { endpoint, model, deployedModelId };
}

/** Model.upload; answers the model's id. With a parent model it is a new version of it. */
export async function uploadByHand(base: string, parentModel?: string): Promise<string> {
  const { response } = await restOperation(base, "POST", `${PARENT}/models:upload`, {
    ...(parentModel === undefined
      ? {}
      : { parentModel: `${PARENT.slice(4)}/models/${parentModel}` }),
    model: {
      displayName: "stable-diffusion-1-5",
      description: "made by hand",
      labels: { team: "art" },
      artifactUri: `gs://${HAND_BUCKET}/sd`,
      containerSpec: { imageUri: IMAGE },
    },
  });
  return lastPart((response as { model: string }).model);
}

/** Endpoint.create; answers the endpoint's id. */
export async function createByHand(base: string, fields: object = {}): Promise<string> {
  const { response } = await restOperation(base, "POST", `${PARENT}/endpoints`, {
    displayName: "sd-endpoint",
    description: "made by hand",
    labels: { team: "art" },
    ...fields,
  });
  return lastPart((response as { name: string }).name);
}

/** endpoint.deploy; answers the deployed model's id. */
export async function deployByHand(
  base: string,
  endpoint: string,
  model: string,
  fields: object = {},
  trafficSplit: Readonly<Record<string, number>> = { "0": 100 },
): Promise<string> {
  const path = `${PARENT}/endpoints/${endpoint}:deployModel`;
  const { response } = await restOperation(base, "POST", path, {
    deployedModel: {
      model: `${PARENT.slice(4)}/models/${model}`,
      displayName: "sd-deployed-by-hand",
      dedicatedResources: {
        machineSpec: {
          machineType: "n1-standard-8",
          acceleratorType: "NVIDIA_TESLA_T4",
          acceleratorCount: 1,
        },
        minReplicaCount: 1,
        maxReplicaCount: 1,
      },
      ...fields,
    },
    trafficSplit,
  });
  return (response as { deployedModel: { id: string } }).deployedModel.id;
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1).replace(/@.*/, "");
}
