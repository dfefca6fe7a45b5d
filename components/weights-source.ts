import { posix } from "node:path";

import { ArchiveSourceError } from "./source-folder.ts";
import { PICKLE } from "./weights-rules.ts";

/** The two settings that name weights. */
export interface WeightsSetting {
  /** A folder, a .safetensors file or an address. */
  readonly weights: string;
  /** Folder with the configuration of the pipeline that a .safetensors file is the weights of. */
  readonly weightsConfig?: string | null;
}

/** One file with all weights, in the layout that Stable Diffusion was published in. */
export interface SingleFileSource {
  readonly kind: "file";
  /** Relative to the project's folder. */
  readonly file: string;
  /** Folder with the pipeline's configuration, relative to the project's folder. */
  readonly config: string;
}

/** What a value of the setting `weights` names. */
export type WeightsSource =
  | {
      readonly kind: "folder";
      /** Relative to the project's folder. */
      readonly folder: string;
    }
  | SingleFileSource
  | {
      readonly kind: "hub";
      /** "OWNER/NAME" on the Hugging Face hub. */
      readonly repository: string;
      /** Branch, tag or commit; null: the main branch. */
      readonly revision: string | null;
    }
  | {
      readonly kind: "gs";
      /** A bucket of Cloud Storage. */
      readonly bucket: string;
      /** Folder in it, without slashes around it; "" is the whole bucket. */
      readonly folder: string;
    };

/** hf://OWNER/NAME or hf://OWNER/NAME@REVISION, as the hub's own tools write it. */
const HUB = /^hf:\/\/([\w.-]+\/[\w.-]+)(?:@([\w./-]+))?$/;

/** gs://BUCKET/FOLDER, with or without a slash at its end. */
const BUCKET = /^gs:\/\/([a-z0-9][\w.-]+)(?:\/(.*?))?\/?$/;

const ADDRESS = /^\w+:\/\//;
const SINGLE_FILE = /\.safetensors$/i;

/** Throws ArchiveSourceError for an address that is none of these, and for a single file without its configuration. */
export function parseWeights({ weights, weightsConfig }: WeightsSetting): WeightsSource {
  if (PICKLE.test(weights)) {
    throw refuse(
      `"${weights}" is a pickle, which can run code when it is loaded. Convert it to .safetensors where you trust it (README.md, "Weights", has the command), and name that file.`,
    );
  }
  if (SINGLE_FILE.test(weights)) return parseSingleFile(weights, weightsConfig);
  if (weightsConfig) {
    throw refuse(
      `"${weightsConfig}" goes with a single .safetensors file, and weights names "${weights}", which has a configuration of its own. Take weightsConfig away.`,
      "weightsConfig",
    );
  }
  const hub = HUB.exec(weights);
  if (hub !== null) return { kind: "hub", repository: hub[1]!, revision: hub[2] ?? null };
  const bucket = BUCKET.exec(weights);
  if (bucket !== null) return { kind: "gs", bucket: bucket[1]!, folder: bucket[2] ?? "" };
  if (!ADDRESS.test(weights)) return { kind: "folder", folder: normalize(weights) };
  throw refuse(
    `"${weights}" is no address of weights. Name a folder or a .safetensors file beside Pulumi.yaml, "hf://OWNER/NAME@REVISION" or "gs://BUCKET/FOLDER".`,
  );
}

function parseSingleFile(file: string, config: string | null | undefined): SingleFileSource {
  const remote = [file, config ?? ""].find((place) => ADDRESS.test(place));
  if (remote !== undefined) {
    throw refuse(
      `"${remote}" can't be read: a single file and its configuration have to lie beside Pulumi.yaml. Download it there and name it.`,
      remote === file ? "weights" : "weightsConfig",
    );
  }
  if (config) return { kind: "file", file: normalize(file), config: normalize(config) };
  throw refuse(
    `"${file}" holds tensors alone. Name the folder with the configuration of its pipeline (model_index.json, tokenizer/, unet/config.json and so on) as weightsConfig.`,
  );
}

/** One name for what is the same: "weights", "./weights" and "weights/"; of a single file with its configuration. */
export function weightsKey({ weights, weightsConfig }: WeightsSetting): string {
  return weightsConfig
    ? `${normalize(weights)} with ${normalize(weightsConfig)}`
    : normalize(weights);
}

function normalize(place: string): string {
  const path = place.includes("://") ? place : posix.normalize(place);
  return path.replace(/(?<=.)\/$/, "");
}

function refuse(
  message: string,
  setting: "weights" | "weightsConfig" = "weights",
): ArchiveSourceError {
  return new ArchiveSourceError(setting, message);
}
