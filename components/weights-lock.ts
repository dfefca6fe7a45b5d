import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { WeightsOrigin } from "@vertex-diffusion/providers/weights-fetch";

import type { FileHashes } from "./file-hashes.ts";
import { readSingleFile, sourceOf } from "./single-file.ts";
import { ArchiveSourceError, hashFile, listFolder } from "./source-folder.ts";
import { checkPipelineFolder } from "./weights-rules.ts";
import { parseWeights, weightsKey } from "./weights-source.ts";
import type { SingleFileSource, WeightsSetting } from "./weights-source.ts";

/** One file of the weights, as it was when they were locked. */
export interface LockedFile {
  /** Path inside the weights folder, with forward slashes. */
  readonly path: string;
  /** Path where it comes from, where that is another: "unet/diffusion_pytorch_model.fp16.safetensors". */
  readonly from?: string;
  /** Generation of an object in Cloud Storage. */
  readonly generation?: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 of the content, hex. */
  readonly sha256: string;
}

/** The weights that one value of the setting `weights`, with its configuration, names. */
export interface LockedWeights {
  /** The commit of a repository on the hub, 40 hex digits. */
  readonly revision?: string;
  /** Sorted by path. */
  readonly files: readonly LockedFile[];
}

/** Content of weights.lock.json: committed, so that a preview needs no weights and no network. */
export interface WeightsLock {
  readonly schema: 1;
  /** By the settings' values, as `weightsKey` writes them. */
  readonly weights: Readonly<Record<string, LockedWeights>>;
}

/** Name of the lock, in the project's folder. */
export const WEIGHTS_LOCK = "weights.lock.json";

const UPDATE_HINT = `Run "npm run lock" and commit ${WEIGHTS_LOCK}`;

/** The lock; an empty one where there is no file. Throws ArchiveSourceError for one that can't be read. */
export function readWeightsLock(root: string): WeightsLock {
  const path = join(root, WEIGHTS_LOCK);
  if (!existsSync(path)) return { schema: 1, weights: {} };
  let lock: Partial<WeightsLock>;
  try {
    lock = Object(JSON.parse(readFileSync(path, "utf8"))) as Partial<WeightsLock>;
  } catch (error) {
    throw unreadable((error as Error).message);
  }
  if (lock.schema !== 1 || typeof lock.weights !== "object" || lock.weights === null) {
    throw unreadable("it is of another schema than 1");
  }
  return lock as WeightsLock;
}

function unreadable(why: string): ArchiveSourceError {
  return new ArchiveSourceError(
    "weights",
    `${WEIGHTS_LOCK} can't be read: ${why}. Take it from version control, or delete it and run "npm run lock".`,
  );
}

/** What a weights folder holds beside what is loaded from it. */
const LEFT_OUT: ReadonlySet<string> = new Set(["README.md"]);

/** A file of the weights as the archive is to carry it. */
export interface WeightsFile {
  /** Path inside the weights folder, with forward slashes. */
  readonly path: string;
  /** File to read, relative to the project's folder; the address of one that comes from elsewhere. */
  readonly source: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 of the content, hex. */
  readonly sha256: string;
  /** Of a file that was read here. */
  readonly crc32?: number;
  /** Where a file comes from that does not lie here. */
  readonly origin?: WeightsOrigin;
}

/** Reads a local diffusers folder. Throws ArchiveSourceError for one that no pipeline can be loaded from. */
export function readWeightsFolder(root: string, folder: string, hashes: FileHashes): WeightsFile[] {
  const found = listFolder({ setting: "weights", root, folder, leftOut: LEFT_OUT });
  checkPipelineFolder(root, folder, found);
  return found.map((file) => ({ ...file, ...hashFile("weights", root, file, hashes) }));
}

/**
 * The locked files of a setting's weights, from the lock alone where they come from elsewhere. Throws ArchiveSourceError
 * where the lock has none, and where a local folder or file that is there is not what the lock says.
 */
export function lockedWeights(
  root: string,
  setting: WeightsSetting,
  hashes: FileHashes,
): readonly WeightsFile[] {
  const source = parseWeights(setting);
  const locked = readWeightsLock(root).weights[weightsKey(setting)];
  switch (source.kind) {
    case "folder":
      return lockedFolder(root, source.folder, locked, hashes);
    case "file":
      return lockedSingleFile(root, source, locked, hashes);
    case "hub":
      return lockedRepository(setting.weights, source.repository, locked);
    case "gs":
      return lockedBucketFolder(setting.weights, source, locked);
  }
}

function lockedFolder(
  root: string,
  folder: string,
  locked: LockedWeights | undefined,
  hashes: FileHashes,
): readonly WeightsFile[] {
  if (locked !== undefined && !existsSync(join(root, folder))) {
    return locked.files.map((file) => ({ ...file, source: join(folder, file.path) }));
  }
  const found = readWeightsFolder(root, folder, hashes);
  if (locked === undefined) throw notLocked(folder);
  const difference = differenceOf(locked.files, found);
  if (difference === null) return found;
  throw notAsLocked(`the folder "${folder}" is`, difference);
}

function lockedSingleFile(
  root: string,
  source: SingleFileSource,
  locked: LockedWeights | undefined,
  hashes: FileHashes,
): readonly WeightsFile[] {
  const found = readSingleFile(root, source, locked?.files ?? [], hashes);
  if (locked === undefined) throw notLocked(`${source.file}" with "${source.config}`);
  const named = (file: { path: string }) => ({ path: sourceOf(source, file.path) });
  const difference = differenceOf(
    locked.files.map((file) => ({ ...file, ...named(file) })),
    found.map((file) => ({ ...file, ...named(file) })),
  );
  if (difference === null) return found;
  throw notAsLocked("the weights are", difference);
}

function notAsLocked(what: string, difference: string): ArchiveSourceError {
  return new ArchiveSourceError(
    "weights",
    `${what} not what ${WEIGHTS_LOCK} says: ${difference}. ${UPDATE_HINT} if that is meant, else put the files back.`,
  );
}

function lockedRepository(
  weights: string,
  repository: string,
  locked: LockedWeights | undefined,
): WeightsFile[] {
  const revision = locked?.revision;
  if (locked === undefined || revision === undefined) throw notLocked(weights);
  return locked.files.map(({ path, from = path, size, sha256 }) => ({
    path,
    source: `hf://${repository}@${revision}/${from}`,
    size,
    sha256,
    origin: { kind: "hub", repository, revision, path: from },
  }));
}

function lockedBucketFolder(
  weights: string,
  { bucket, folder }: { readonly bucket: string; readonly folder: string },
  locked: LockedWeights | undefined,
): WeightsFile[] {
  if (locked === undefined) throw notLocked(weights);
  return locked.files.map(({ path, from = path, generation = "", size, sha256 }) => {
    const object = folder === "" ? from : `${folder}/${from}`;
    const source = `gs://${bucket}/${object}#${generation}`;
    return { path, source, size, sha256, origin: { kind: "gs", bucket, object, generation } };
  });
}

function notLocked(weights: string): ArchiveSourceError {
  return new ArchiveSourceError(
    "weights",
    `"${weights}" is not in ${WEIGHTS_LOCK}. ${UPDATE_HINT}.`,
  );
}

/** What differs, by the first file and the number of others; null: nothing. */
function differenceOf(locked: readonly LockedFile[], found: readonly LockedFile[]): string | null {
  const before = new Map(locked.map((file) => [file.path, file.sha256]));
  const after = new Map(found.map((file) => [file.path, file.sha256]));
  const differences = [...new Set([...before.keys(), ...after.keys()])].sort().flatMap((path) => {
    const [was, is] = [before.get(path), after.get(path)];
    if (was === undefined) return [`"${path}" is new`];
    if (is === undefined) return [`"${path}" is missing`];
    return was === is ? [] : [`"${path}" has other content`];
  });
  const [first, ...others] = differences;
  if (first === undefined) return null;
  return others.length === 0 ? first : `${first}, and ${others.length} more`;
}
