import { posix } from "node:path";

import { ArchiveSourceError } from "./source-folder.ts";

/** What a value of the setting `weights` names. */
export type WeightsSource =
  | {
      readonly kind: "folder";
      /** Relative to the project's folder. */
      readonly folder: string;
    }
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

/** Throws ArchiveSourceError for an address that is none of these. */
export function parseWeights(weights: string): WeightsSource {
  const hub = HUB.exec(weights);
  if (hub !== null) return { kind: "hub", repository: hub[1]!, revision: hub[2] ?? null };
  const bucket = BUCKET.exec(weights);
  if (bucket !== null) return { kind: "gs", bucket: bucket[1]!, folder: bucket[2] ?? "" };
  if (!/^\w+:\/\//.test(weights)) return { kind: "folder", folder: weights };
  throw new ArchiveSourceError(
    "weights",
    `"${weights}" is no address of weights. Name a folder beside Pulumi.yaml, "hf://OWNER/NAME@REVISION" or "gs://BUCKET/FOLDER".`,
  );
}

/** One name for what is the same: "weights", "./weights" and "weights/". */
export function weightsKey(weights: string): string {
  const path = weights.includes("://") ? weights : posix.normalize(weights);
  return path.replace(/(?<=.)\/$/, "");
}
