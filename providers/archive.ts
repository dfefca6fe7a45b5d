import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

import { ZipArchive } from "archiver";

import { showProgress } from "./engine.ts";
import { ReconcileError, detailOf } from "./errors.ts";

/** One file of model.mar. */
export interface ArchiveEntry {
  /** Path inside the archive, with forward slashes. */
  readonly path: string;
  /** File to read, relative to the project's folder. */
  readonly source: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 of the content, hex. */
  readonly sha256: string;
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
}

/** Where archives are built, relative to the project's folder. */
const BUILD_FOLDER = ".local/archives";

/** ZIP's first day: the same time in every archive. */
const ENTRY_DATE = new Date(Date.UTC(1980, 0, 1));

/**
 * Files up to this size are stored with their size and checksum ahead of them. TorchServe reads archives as a stream and
 * refuses a stored entry whose size comes after it, so longer files are wrapped in deflate's uncompressed blocks.
 */
const STORED_LIMIT_BYTES = 16 * 1024 * 1024;

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

/** Builds model.mar from the plan and returns its path. A file that is not what the plan says stops it; no half archive stays. */
export async function buildArchive(plan: ArchivePlan, urn: string): Promise<string> {
  await mkdir(BUILD_FOLDER, { recursive: true });
  const target = join(BUILD_FOLDER, `${plan.digest}.mar`);
  if (await isFile(target)) return target;
  const unfinished = `${target}.${process.pid}.part`;
  try {
    await writeArchive(plan, unfinished, urn);
    await rename(unfinished, target);
    return target;
  } finally {
    await rm(unfinished, { force: true });
  }
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

async function writeArchive(plan: ArchivePlan, target: string, urn: string): Promise<void> {
  const archive = new ZipArchive({ zlib: { level: 0 } });
  const written = pipeline(archive, createWriteStream(target));
  // A failed entry rejects below; without this the pipeline's own rejection would be unhandled.
  written.catch(() => undefined);
  const total = plan.entries.reduce((sum, entry) => sum + entry.size, 0);
  let packed = 0;
  try {
    await append(archive, Buffer.from(plan.manifest), "MAR-INF/MANIFEST.json", true);
    for (const entry of plan.entries) {
      showProgress(urn, `packing ${megabytes(packed)} of ${megabytes(total)} MB: ${entry.path}`);
      await appendFile(archive, entry);
      packed += entry.size;
    }
    await archive.finalize();
    await written;
  } catch (error) {
    archive.abort();
    throw error;
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

async function appendFile(archive: ZipArchive, entry: ArchiveEntry): Promise<void> {
  if (entry.size <= STORED_LIMIT_BYTES) {
    const content = await readFile(entry.source).catch((error: unknown) => {
      throw changed(entry, detailOf(error));
    });
    const sha256 = createHash("sha256").update(content).digest("hex");
    if (sha256 !== entry.sha256) throw changed(entry, "its content differs");
    await append(archive, content, entry.path, true);
    return;
  }
  const hash = createHash("sha256");
  const content = createReadStream(entry.source);
  content.on("data", (chunk) => hash.update(chunk));
  let unreadable: unknown;
  content.once("error", (error) => (unreadable = error));
  await append(archive, content, entry.path, false).catch((error: unknown) => {
    throw error === unreadable ? changed(entry, detailOf(error)) : error;
  });
  if (hash.digest("hex") !== entry.sha256) throw changed(entry, "its content differs");
}

function changed(entry: ArchiveEntry, why: string): ReconcileError {
  return new ReconcileError(
    `Could not build the model archive: "${entry.source}" is not the file that this run started with (${why}). Leave the files alone and run "up" again.`,
  );
}

function append(
  archive: ZipArchive,
  content: Buffer | NodeJS.ReadableStream,
  name: string,
  store: boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    archive.once("error", reject);
    if (!Buffer.isBuffer(content)) content.once("error", reject);
    archive.once("entry", () => {
      archive.off("error", reject);
      resolve();
    });
    const data = { name, date: ENTRY_DATE, mode: 0o644, store };
    archive.append(content as Buffer, data);
  });
}
