import { readFile } from "node:fs/promises";

import { ReconcileError, detailOf } from "./errors.ts";
import type { WheelOrigin } from "./packages.ts";
import type { WeightsOrigin } from "./weights-fetch.ts";

/** One file of model.mar. */
export interface ArchiveEntry {
  /** Path inside the archive, with forward slashes. */
  readonly path: string;
  /** File to read, relative to the project's folder; the name of what has an origin, for messages. */
  readonly source: string;
  /** Where it is fetched from before it is packed. */
  readonly origin?: WheelOrigin | WeightsOrigin;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 of the content, hex. */
  readonly sha256: string;
  /** CRC-32 of the content, where the file was read whole for its SHA-256. */
  readonly crc32?: number;
  /** The content itself, of an entry that is made and lies nowhere. */
  readonly text?: string;
}

/** All that model.mar is made of. The digest is a function of the entries and the manifest alone. */
export interface ArchivePlan {
  readonly schema: 1;
  /** SHA-256, hex. */
  readonly digest: string;
  /** Content of MAR-INF/MANIFEST.json. */
  readonly manifest: string;
  /** Sorted by path. */
  readonly entries: readonly ArchiveEntry[];
  /** Files that stand beside model.mar in its folder, sorted by path. Entries name their hashes, so the digest covers them. */
  readonly beside?: readonly ArchiveEntry[];
}

/** Reads the plan that the program wrote during `up`. */
export async function readPlan(planPath: string): Promise<ArchivePlan> {
  try {
    return JSON.parse(await readFile(planPath, "utf8")) as ArchivePlan;
  } catch (error) {
    throw new ReconcileError(
      `Could not build the model archive: its plan "${planPath}" can't be read (${detailOf(error)}). Run "up" from the project's folder; it writes the plan.`,
    );
  }
}
