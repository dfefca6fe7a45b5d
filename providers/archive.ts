import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readFile, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { crc32 } from "node:zlib";

import { deflateSync } from "fflate";

import type { ArchiveEntry, ArchivePlan } from "./archive-plan.ts";
import { showProgress } from "./engine.ts";
import { ReconcileError, detailOf } from "./errors.ts";
import { EntryMismatchError, MarArchive } from "./mar-archive.ts";
import { withWheels } from "./packages.ts";
import { isProcessAlive } from "./process-alive.ts";
import { fetchWeights } from "./weights-fetch.ts";
import { DEFLATED, STORED } from "./zip-records.ts";

/** Where archives are built, relative to the project's folder. */
const BUILD_FOLDER = ".local/archives";

/** Files up to this size are read whole; longer ones pass through in pieces. */
const WHOLE_LIMIT_BYTES = 16 * 1024 * 1024;

/** Bytes of one read and one write. */
const PIECE_BYTES = 1024 * 1024;

/** Weights and wheels: deflate takes half a minute a GiB and gains next to nothing. */
const STORED_NAMES = /\.(safetensors|whl)$/;

/** Headers and directory take less for each entry. */
const RECORDS_BYTES = 1024;

/**
 * Builds model.mar from the plan and returns its path. The same plan gives the same bytes, wherever and whenever. A file that
 * is not what the plan says stops it; no half archive stays.
 */
export async function buildArchive(
  plan: ArchivePlan,
  urn: string,
  freeBytes: (folder: string) => Promise<number> = freeBytesIn,
): Promise<string> {
  await mkdir(BUILD_FOLDER, { recursive: true });
  await sweepUnfinished();
  const target = join(BUILD_FOLDER, `${plan.digest}.mar`);
  if (await isFile(target)) return target;
  const needed = plan.entries.reduce((sum, { size }) => sum + size + RECORDS_BYTES, RECORDS_BYTES);
  requireSpace(needed, await freeBytes(BUILD_FOLDER));
  const wheelsAtHand = await withWheels(plan.entries, (line) => showProgress(urn, line));
  const entries = await fetchEntries(wheelsAtHand, urn, needed, freeBytes);
  const unfinished = `${target}.${process.pid}.part`;
  try {
    await writeArchive({ ...plan, entries }, unfinished, urn);
    await rename(unfinished, target);
    return target;
  } finally {
    await rm(unfinished, { force: true });
  }
}

/** The same entries with local files in place of addresses, checked, to be sent as they are. */
export async function filesToSend(
  entries: readonly ArchiveEntry[],
  urn: string,
): Promise<readonly ArchiveEntry[]> {
  await mkdir(BUILD_FOLDER, { recursive: true });
  const files = await fetchEntries(entries, urn, 0, freeBytesIn);
  // What was fetched was checked on its way.
  for (const file of files) if (file.origin === undefined) await crc32Of(file);
  return files;
}

async function fetchEntries(
  entries: readonly ArchiveEntry[],
  urn: string,
  buildBytes: number,
  freeBytes: (folder: string) => Promise<number>,
): Promise<readonly ArchiveEntry[]> {
  return fetchWeights(entries, { urn, buildBytes, buildFolder: BUILD_FOLDER, freeBytes });
}

/** Bytes that this user may still write where the folder lies. */
async function freeBytesIn(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

function requireSpace(needed: number, free: number): void {
  if (needed <= free) return;
  throw new ReconcileError(
    `Could not build the model archive: it takes ${megabytes(needed)} MB in "${BUILD_FOLDER}", and ${megabytes(free)} MB are free there. Make room and run "up" again.`,
  );
}

/** Removes what a build left that was killed. */
async function sweepUnfinished(): Promise<void> {
  for (const name of await readdir(BUILD_FOLDER)) {
    const pid = /\.(\d+)\.part$/.exec(name)?.[1];
    if (pid === undefined || isProcessAlive(Number(pid))) continue;
    await rm(join(BUILD_FOLDER, name), { force: true });
  }
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

async function writeArchive(plan: ArchivePlan, target: string, urn: string): Promise<void> {
  const archive = new MarArchive();
  const written = pipeline(archive, createWriteStream(target, { highWaterMark: PIECE_BYTES }));
  // A failed entry rejects below; without this the pipeline's own rejection would be unhandled.
  written.catch(() => undefined);
  const total = plan.entries.reduce((sum, entry) => sum + entry.size, 0);
  let packed = 0;
  try {
    await addBytes(archive, "MAR-INF/MANIFEST.json", Buffer.from(plan.manifest));
    for (const entry of plan.entries) {
      showProgress(urn, `packing ${megabytes(packed)} of ${megabytes(total)} MB: ${entry.path}`);
      await Promise.race([addFile(archive, entry), written]);
      packed += entry.size;
    }
    await archive.finalize();
    await written;
  } catch (error) {
    archive.abort();
    throw explainWrite(error);
  }
}

/** A disk that filled up while it was written to; anything else as it is. */
function explainWrite(error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code !== "ENOSPC") return error;
  return new ReconcileError(
    `Could not build the model archive: the disk of "${BUILD_FOLDER}" is full. Make room and run "up" again.`,
  );
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

async function addFile(archive: MarArchive, entry: ArchiveEntry): Promise<void> {
  if (entry.text !== undefined) {
    await addBytes(archive, entry.path, Buffer.from(entry.text));
    return;
  }
  if (entry.size <= WHOLE_LIMIT_BYTES) {
    const content = await readFile(entry.source).catch((error: unknown) => {
      throw changed(entry, detailOf(error));
    });
    const sha256 = createHash("sha256").update(content).digest("hex");
    if (sha256 !== entry.sha256) throw changed(entry, "its content differs");
    await addBytes(archive, entry.path, content);
    return;
  }
  const { path, size } = entry;
  const checksum = entry.crc32 ?? (await crc32Of(entry));
  const content = createReadStream(entry.source, { highWaterMark: PIECE_BYTES });
  let unreadable: unknown;
  content.once("error", (error) => (unreadable = error));
  const stored = { name: path, method: STORED, crc32: checksum, size, packedSize: size } as const;
  await archive.add(stored, content).catch((error: unknown) => {
    content.destroy();
    if (error === unreadable) throw changed(entry, detailOf(error));
    throw error instanceof EntryMismatchError ? changed(entry, "its content differs") : error;
  });
}

/** Checks a long file against its SHA-256 and answers its CRC-32. */
async function crc32Of(entry: ArchiveEntry): Promise<number> {
  const hash = createHash("sha256");
  let checksum = 0;
  try {
    for await (const piece of createReadStream(entry.source, { highWaterMark: PIECE_BYTES })) {
      hash.update(piece as Buffer);
      checksum = crc32(piece as Buffer, checksum);
    }
  } catch (error) {
    throw changed(entry, detailOf(error));
  }
  if (hash.digest("hex") !== entry.sha256) throw changed(entry, "its content differs");
  return checksum;
}

function changed(entry: ArchiveEntry, why: string): ReconcileError {
  return new ReconcileError(
    `Could not build the model archive: "${entry.source}" is not the file that this run started with (${why}). Leave the files alone and run "up" again.`,
  );
}

async function addBytes(archive: MarArchive, name: string, content: Buffer): Promise<void> {
  const entry = { name, crc32: crc32(content), size: content.length };
  const deflated = STORED_NAMES.test(basename(name))
    ? content
    : Buffer.from(deflateSync(content, { level: 9 }));
  const isShorter = deflated.length < content.length;
  const packed = isShorter ? deflated : content;
  const method = isShorter ? DEFLATED : STORED;
  await archive.add({ ...entry, method, packedSize: packed.length }, packed);
}
