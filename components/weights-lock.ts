import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";

import type { FileHashes } from "./file-hashes.ts";
import { ArchiveSourceError, hashFile, listFolder } from "./source-folder.ts";
import { checkPipelineFolder } from "./weights-rules.ts";

/** One file of the weights, as it was when they were locked. */
export interface LockedFile {
  /** Path inside the weights folder, with forward slashes. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 of the content, hex. */
  readonly sha256: string;
}

/** The weights that one value of the setting `weights` names. */
export interface LockedWeights {
  /** Sorted by path. */
  readonly files: readonly LockedFile[];
}

/** Content of weights.lock.json: committed, so that a preview needs no weights and no network. */
export interface WeightsLock {
  readonly schema: 1;
  /** By the setting's value, as `weightsKey` writes it. */
  readonly weights: Readonly<Record<string, LockedWeights>>;
}

/** Name of the lock, in the project's folder. */
export const WEIGHTS_LOCK = "weights.lock.json";

const UPDATE_HINT = `Run "npm run lock" and commit ${WEIGHTS_LOCK}`;

/** The same for "weights", "./weights" and "weights/". */
export function weightsKey(weights: string): string {
  return posix.normalize(weights).replace(/(?<=.)\/$/, "");
}

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

/** A locked file; with its CRC-32 where it was read here. */
export type WeightsFile = LockedFile & { readonly crc32?: number };

/** Reads a local diffusers folder. Throws ArchiveSourceError for one that no pipeline can be loaded from. */
export function readWeightsFolder(
  root: string,
  folder: string,
  hashes: FileHashes,
): Required<WeightsFile>[] {
  const found = listFolder({ setting: "weights", root, folder, leftOut: LEFT_OUT });
  checkPipelineFolder(root, folder, found);
  return found.map((file) => ({
    path: file.path,
    ...hashFile("weights", root, file, hashes),
  }));
}

/**
 * The locked files of a setting's weights. Throws ArchiveSourceError where the lock has none, and where a local folder that
 * is there is not what the lock says.
 */
export function lockedWeights(
  root: string,
  weights: string,
  hashes: FileHashes,
): readonly WeightsFile[] {
  const locked = readWeightsLock(root).weights[weightsKey(weights)];
  const isThere = existsSync(join(root, weights));
  if (locked !== undefined && !isThere) return locked.files;
  const found = readWeightsFolder(root, weights, hashes);
  if (locked === undefined) {
    throw new ArchiveSourceError(
      "weights",
      `"${weights}" is not in ${WEIGHTS_LOCK}. ${UPDATE_HINT}.`,
    );
  }
  const difference = differenceOf(locked.files, found);
  if (difference === null) return found;
  throw new ArchiveSourceError(
    "weights",
    `the folder "${weights}" is not what ${WEIGHTS_LOCK} says: ${difference}. ${UPDATE_HINT} if that is meant, else put the files back.`,
  );
}

/** What differs, by the first file and the number of others; null: nothing. */
function differenceOf(locked: readonly LockedFile[], found: readonly LockedFile[]): string | null {
  const before = new Map(locked.map((file) => [file.path, file]));
  const after = new Map(found.map((file) => [file.path, file]));
  const differences = [...new Set([...before.keys(), ...after.keys()])].sort().flatMap((path) => {
    const [was, is] = [before.get(path), after.get(path)];
    if (was === undefined) return [`"${path}" is new`];
    if (is === undefined) return [`"${path}" is missing`];
    return was.sha256 === is.sha256 ? [] : [`"${path}" has other content`];
  });
  const [first, ...others] = differences;
  if (first === undefined) return null;
  return others.length === 0 ? first : `${first}, and ${others.length} more`;
}
