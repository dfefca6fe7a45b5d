import { createHash } from "node:crypto";
import { join } from "node:path";

import type { ArchiveEntry, ArchivePlan } from "@vertex-diffusion/providers/archive-plan";

import { FileHashes } from "./file-hashes.ts";
import { planPackages } from "./packages-lock.ts";
import { ArchiveSourceError, hashFile, listFolder } from "./source-folder.ts";
import { lockedWeights } from "./weights-lock.ts";
import { hasSafetyChecker, isOfSafetyChecker } from "./weights-rules.ts";
import type { WeightsSetting } from "./weights-source.ts";

/** What makes up an archive, relative to the project's folder; the weights as weights.lock.json has them. */
export interface ArchiveSources extends WeightsSetting {
  /** Folder with handler.py and the modules it imports. */
  readonly handler: string;
  readonly weightsIn: WeightsPlace;
  /** Variables of the container; one of them says whether the weights' safety checker is used. @default none */
  readonly env?: Readonly<Record<string, string>>;
}

/** "1" where pictures are checked (handler/vertex_diffusion/settings.py). */
const SAFETY_CHECKER = "VERTEX_DIFFUSION_SAFETY_CHECKER";

/** Whether the weights are packed into model.mar, or stand beside it in the artifact's folder. */
export type WeightsPlace = "archive" | "artifact";

/** What the handler fetches weights by that stand beside the archive. */
const WEIGHTS_LISTING = "weights.json";

/** Hashes of long files, relative to the project's folder. */
export const FILE_HASHES = ".local/file-hashes.json";

/** Entry module of every handler folder (TorchServe's `handler` in the manifest). */
const ENTRY_MODULE = "handler.py";

/** What a handler folder holds beside its code: for its developers, another container, or weights that are named by themselves. */
const LEFT_OUT = new Set([
  ...["tests", "__pycache__", "demo-model", "pyproject.toml", "requirements.in", "README.md"],
  ...["container", "Dockerfile"],
]);

/** TorchServe's settings of the model: how many calls are handled at once, and how long they may take. */
const MODEL_CONFIG = "model-config.yaml";

/**
 * Lists what model.mar is made of: the handler's files as they are, the weights as they are locked. Writes nothing but the
 * hashes of long files. The digest depends on paths inside the archive and on content, not on where the folders lie, their
 * times or their modes. Throws ArchiveSourceError for what can't be packed.
 */
export function planArchive(root: string, sources: ArchiveSources): ArchivePlan {
  const hashes = new FileHashes(join(root, FILE_HASHES));
  const code = [
    ...handlerEntries(root, sources.handler, hashes),
    ...planPackages(root, sources.handler),
  ];
  const weights = weightsEntries(root, sources, hashes);
  hashes.save();
  const isPacked = sources.weightsIn === "archive";
  const entries = sortedByPath([...code, ...(isPacked ? weights : [listingOf(weights)])]);
  refuseSameNames(isPacked ? entries : [...entries, ...weights]);
  const manifest = manifestOf(code);
  const digest = digestOf(manifest, entries);
  const plan = { schema: 1, digest, manifest, entries } as const;
  return isPacked ? plan : { ...plan, beside: sortedByPath(weights) };
}

function sortedByPath(entries: readonly ArchiveEntry[]): ArchiveEntry[] {
  return entries.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** The file by which an archive names weights that stand beside it. */
function listingOf(weights: readonly ArchiveEntry[]): ArchiveEntry {
  const files = weights.map(({ path, size, sha256 }) => ({
    path: path.replace(/^weights\//, ""),
    size,
    sha256,
  }));
  const text = `${JSON.stringify({ schema: 1, files })}\n`;
  const sha256 = createHash("sha256").update(text).digest("hex");
  return {
    ...{ path: WEIGHTS_LISTING, source: WEIGHTS_LISTING, text },
    ...{ size: Buffer.byteLength(text), sha256 },
  };
}

function handlerEntries(root: string, folder: string, hashes: FileHashes): ArchiveEntry[] {
  const found = listFolder({ setting: "handler", root, folder, leftOut: LEFT_OUT });
  if (!found.some(({ path }) => path === ENTRY_MODULE)) {
    throw new ArchiveSourceError(
      "handler",
      `the folder "${folder}" has no ${ENTRY_MODULE}. Name the folder that holds it.`,
    );
  }
  return found.map((file) => ({ ...file, ...hashFile("handler", root, file, hashes) }));
}

function weightsEntries(root: string, sources: ArchiveSources, hashes: FileHashes): ArchiveEntry[] {
  const locked = lockedWeights(root, sources, hashes);
  const isChecked = sources.env?.[SAFETY_CHECKER] === "1";
  if (isChecked && !hasSafetyChecker(locked)) {
    throw new ArchiveSourceError(
      "env",
      `${SAFETY_CHECKER} is 1, and the weights "${sources.weights}" have no safety checker as safetensors (safety_checker/ and feature_extractor/). Name weights that bring one, or leave the variable out.`,
    );
  }
  return locked
    .filter(({ path }) => isChecked || !isOfSafetyChecker(path))
    .map((file) => ({ ...file, path: `weights/${file.path}` }));
}

/** Archives are unpacked on file systems that take two such names for one. */
function refuseSameNames(entries: readonly ArchiveEntry[]): void {
  const seen = new Map<string, ArchiveEntry>();
  for (const entry of entries) {
    const name = entry.path.normalize("NFC").toLowerCase();
    const other = seen.get(name);
    if (other !== undefined) {
      throw new ArchiveSourceError(
        entry.path.startsWith("weights/") ? "weights" : "handler",
        `"${other.source}" and "${entry.source}" would be one file where case does not count. Rename one.`,
      );
    }
    seen.set(name, entry);
  }
}

/** TorchServe reads model name, version, handler and its settings; a fixed date keeps the bytes the same. */
function manifestOf(code: readonly ArchiveEntry[]): string {
  const hasConfig = code.some(({ path }) => path === MODEL_CONFIG);
  const model = {
    ...{ modelName: "model", handler: ENTRY_MODULE, modelVersion: "1.0" },
    ...(hasConfig ? { configFile: MODEL_CONFIG } : {}),
  };
  const createdOn = "01/01/1980 00:00:00";
  const manifest = { createdOn, runtime: "python", model, archiverVersion: "0.12.0" };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

function digestOf(manifest: string, entries: readonly ArchiveEntry[]): string {
  const hash = createHash("sha256").update(manifest);
  for (const { path, size, sha256 } of entries) hash.update(JSON.stringify([path, size, sha256]));
  return hash.digest("hex");
}
