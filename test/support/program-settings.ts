import { versionAliasOf } from "../../components/serving-spec.ts";
import type { RolloutKind } from "../../providers/deployment.ts";
import type { ServingSpec } from "../../providers/serving-spec.ts";

/** What a program of changes may declare: the part of a stack file that it plays with. */
export interface ProgramSettings {
  /** Which of the archives is served, an index. */
  readonly archive: number;
  readonly machine: Machine;
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly keepVersions: number;
  readonly rollout: RolloutKind;
  readonly team: string;
  readonly description: string;
}

export const MACHINES = {
  "n1-standard-8": "NVIDIA_TESLA_T4",
  "g2-standard-8": "NVIDIA_L4",
} as const;

export type Machine = keyof typeof MACHINES;

export const FIRST_SETTINGS: ProgramSettings = {
  archive: 0,
  machine: "n1-standard-8",
  minReplicas: 1,
  maxReplicas: 1,
  keepVersions: 2,
  rollout: "surge",
  team: "art",
  description: "one",
};

/** How many archives there are to choose from. */
export const ARCHIVES = 4;

export const PROJECT = "local-project";
export const LOCATION = "us-central1";
export const PARENT = `projects/${PROJECT}/locations/${LOCATION}`;
export const MODEL_ID = "diffusion-program";
export const MODEL = `${PARENT}/models/${MODEL_ID}`;
export const ENDPOINT_ID = "123456789";
export const ENDPOINT = `${PARENT}/endpoints/${ENDPOINT_ID}`;
export const BUCKET = "program-bucket";

/** The light server answers with a picture, which is what a canary's probes ask for. */
export const SERVING_SPEC: ServingSpec = {
  image: "us-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.2-4:latest",
  predictRoute: null,
  healthRoute: null,
  ports: [],
  env: { LIGHT_PICTURE: "yes" },
};

/** Alias of the version that serves the archive of this digest. */
export function aliasOf(digest: string): string {
  return versionAliasOf(digest, SERVING_SPEC);
}

export function archiveObject(digest: string): string {
  return `archives/${digest}/model.mar`;
}
