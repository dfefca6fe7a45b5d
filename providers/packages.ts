import { access, mkdir, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";

import type { ArchiveEntry } from "./archive-plan.ts";
import { cacheFolder } from "./cache-folder.ts";
import { readContent } from "./content.ts";
import { ReconcileError, detailOf } from "./errors.ts";
import { download, listIndexFiles, packageIndex } from "./package-index.ts";
import type { PackageIndex } from "./package-index.ts";
import { retrying } from "./retry.ts";

/** One wheel of packages.lock. */
export interface LockedWheel {
  /** Normalised name of its project: "charset-normalizer". */
  readonly name: string;
  readonly version: string;
  /** File name; its tags say which Pythons and machines it is for. */
  readonly wheel: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 of the file, hex. */
  readonly sha256: string;
  /** Pythons that take this wheel: "3.9". */
  readonly pythons: readonly string[];
}

/** packages.lock: the Python packages that an archive carries beyond those of the image. */
export interface PackagesLock {
  readonly schema: 1;
  /** SHA-256 of the requirements.in beside it that it was made from, hex. */
  readonly requirements: string;
  /** Requirements of the image's own packages, which the rest was resolved with and which are never packed. */
  readonly image: readonly string[];
  /** Every Python that the wheels are complete for: "3.9". */
  readonly pythons: readonly string[];
  /** Sorted by name and file name. */
  readonly wheels: readonly LockedWheel[];
}

/** What identifies a wheel: the cache has it by its hash, the index by its names. */
export type WheelId = Pick<LockedWheel, "name" | "wheel" | "sha256">;

/** Downloads that run at once. */
const AT_ONCE = 4;

/** Where the user's cache has wheels, each by its SHA-256. */
function wheelsFolder(): string {
  return join(cacheFolder(), "wheels");
}

/** Those of some wheels that the user's cache lacks. Looks at no content. */
export async function listMissingWheels<T extends WheelId>(wheels: readonly T[]): Promise<T[]> {
  const isThere = await Promise.all(
    wheels.map(({ sha256 }) =>
      access(join(wheelsFolder(), sha256)).then(
        () => true,
        () => false,
      ),
    ),
  );
  return wheels.filter((_wheel, at) => !isThere[at]);
}

/** Where a wheel comes from: the index knows it by its project and its file name. */
export interface WheelOrigin {
  readonly kind: "pypi";
  /** Normalised name: "charset-normalizer". */
  readonly project: string;
}

/** The same entries, with a file for each: those that are wheels are read from the user's cache, which is filled first. */
export async function withWheels(
  entries: readonly ArchiveEntry[],
  onProgress: (line: string) => void,
): Promise<readonly ArchiveEntry[]> {
  const wheels = entries.flatMap(({ path, sha256, origin }) =>
    origin?.kind === "pypi" ? [{ path, name: origin.project, wheel: basename(path), sha256 }] : [],
  );
  const paths = await ensureWheels(wheels, onProgress);
  const files = new Map(wheels.map(({ path }, at) => [path, paths[at]]));
  return entries.map((entry) => ({ ...entry, source: files.get(entry.path) ?? entry.source }));
}

/**
 * Makes sure that the user's cache holds these wheels, and returns their paths in the same order. Only what is missing, or
 * is not what its hash says, is fetched.
 *
 * @param onProgress hears what is being done, in a few words.
 */
export async function ensureWheels(
  wheels: readonly WheelId[],
  onProgress: (line: string) => void = () => undefined,
): Promise<string[]> {
  if (wheels.length === 0) return [];
  await mkdir(wheelsFolder(), { recursive: true });
  const paths = wheels.map(({ sha256 }) => join(wheelsFolder(), sha256));
  const queue = wheels.map((wheel, at) => ({ wheel, path: paths[at] ?? "" }));
  let done = 0;
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { wheel, path } = next;
      if ((await readContent(path))?.sha256 !== wheel.sha256) {
        onProgress(`fetching package ${done + 1} of ${wheels.length}: ${wheel.wheel}`);
        await fetchWheel(wheel, path);
      }
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return paths;
}

async function fetchWheel(wheel: WheelId, path: string): Promise<void> {
  const index = indexOrRefuse(wheel);
  const unfinished = `${path}.${process.pid}.part`;
  try {
    const arrived = await retrying(async () => {
      const files = await listIndexFiles(index, wheel.name);
      const file = files.find(({ name }) => name === wheel.wheel);
      return file === undefined ? undefined : download(index, file, unfinished);
    });
    if (arrived === undefined) {
      throw cannotFetch(
        wheel,
        index,
        "it has no such file. Set UV_DEFAULT_INDEX to an index that has it.",
      );
    }
    if (arrived !== wheel.sha256) {
      const why = `the file there is not the one of packages.lock (its SHA-256 is ${arrived})`;
      throw cannotFetch(wheel, index, `${why}. Use another index.`);
    }
    await rename(unfinished, path);
  } catch (error) {
    if (error instanceof ReconcileError) throw error;
    const step = "Check the connection, or set UV_DEFAULT_INDEX to an index that can be reached";
    const why = detailOf(error).replace(/\.?\s*$/, "");
    throw cannotFetch(wheel, index, `${why}. ${step}; what was fetched is kept.`);
  } finally {
    await rm(unfinished, { force: true });
  }
}

function indexOrRefuse(wheel: WheelId): PackageIndex {
  try {
    return packageIndex();
  } catch {
    throw new ReconcileError(
      `Could not fetch the Python package "${wheel.wheel}": the address of the package index is not valid. Correct UV_DEFAULT_INDEX, UV_INDEX_URL or PIP_INDEX_URL.`,
    );
  }
}

function cannotFetch(wheel: WheelId, index: PackageIndex, why: string): ReconcileError {
  const from = new URL(index.url).origin;
  return new ReconcileError(
    `Could not fetch the Python package "${wheel.wheel}" from "${from}": ${why}`,
  );
}
