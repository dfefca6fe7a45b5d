import { createHash } from "node:crypto";
import { mkdir, open, readFile, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import { basename, join } from "node:path";

import { crc32 } from "@node-rs/crc32";
import { deflateSync } from "fflate";

import type { ArchiveEntry, ArchivePlan } from "./archive-plan.ts";
import { readContent } from "./content.ts";
import { showProgress } from "./engine.ts";
import { ReconcileError, detailOf } from "./errors.ts";
import { EntryMismatchError, MarArchive } from "./mar-archive.ts";
import { isProcessAlive } from "./process-alive.ts";
import { megabytes } from "./units.ts";
import { DEFLATED, STORED } from "./zip-records.ts";

/** Where archives are built, relative to the project's folder. */
const BUILD_FOLDER = ".local/archives";

/** Files up to this size are read whole; longer ones pass through in pieces. */
const WHOLE_LIMIT_BYTES = 16 * 1024 * 1024;

/** Weights and wheels: deflate takes half a minute a GiB and gains next to nothing. */
const STORED_NAMES = /\.(safetensors|whl)$/;

/** An archive that lies here for so long will not be sent any more: its handler or weights have changed. */
const UNSENT_MS = 7 * 24 * 3_600_000;

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
  await sweepLeftovers();
  const target = join(BUILD_FOLDER, `${plan.digest}.mar`);
  if (await isFile(target)) return target;
  const needed = plan.entries.reduce((sum, { size }) => sum + size + RECORDS_BYTES, RECORDS_BYTES);
  requireSpace(needed, await freeBytes(BUILD_FOLDER));
  const entries = await filesOf(plan.entries, urn, needed, freeBytes);
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
  const files = await filesOf(entries, urn, 0, freeBytesIn);
  // What was fetched was checked on its way.
  for (const file of files) if (file.origin === undefined) await crc32Of(file);
  return files;
}

/** The same entries with local files in place of addresses. What fetches is loaded only where something is to be fetched. */
async function filesOf(
  entries: readonly ArchiveEntry[],
  urn: string,
  buildBytes: number,
  freeBytes: (folder: string) => Promise<number>,
): Promise<readonly ArchiveEntry[]> {
  let files = entries;
  if (files.some(({ origin }) => origin?.kind === "pypi")) {
    const { withWheels } = await import("./packages.ts");
    files = await withWheels(files, (line) => showProgress(urn, line));
  }
  if (files.some(({ origin }) => origin !== undefined && origin.kind !== "pypi")) {
    const { fetchWeights } = await import("./weights-fetch.ts");
    files = await fetchWeights(files, { urn, buildBytes, buildFolder: BUILD_FOLDER, freeBytes });
  }
  return files;
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

/** Removes what nobody goes on with: the half archive of a killed build, and one that was never sent. */
async function sweepLeftovers(): Promise<void> {
  for (const name of await readdir(BUILD_FOLDER)) {
    const path = join(BUILD_FOLDER, name);
    const pid = /\.(\d+)\.part$/.exec(name)?.[1];
    const isLeft = pid === undefined ? await isUnsent(path) : !isProcessAlive(Number(pid));
    if (isLeft) await rm(path, { force: true });
  }
}

/** An archive goes when it was sent; a next run may still want one whose upload failed, but not for ever. */
async function isUnsent(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found !== null && Date.now() - found.mtimeMs > UNSENT_MS;
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

async function writeArchive(plan: ArchivePlan, target: string, urn: string): Promise<void> {
  const file = await open(target, "wx");
  const archive = new MarArchive(file);
  const total = plan.entries.reduce((sum, entry) => sum + entry.size, 0);
  let packed = 0;
  try {
    await addBytes(archive, "MAR-INF/MANIFEST.json", Buffer.from(plan.manifest));
    for (const entry of plan.entries) {
      showProgress(urn, `packing ${megabytes(packed)} of ${megabytes(total)} MB: ${entry.path}`);
      await addFile(archive, entry);
      packed += entry.size;
    }
    await archive.complete();
  } catch (error) {
    archive.abort();
    throw explainWrite(error);
  } finally {
    await file.close();
  }
}

/** A disk that filled up while it was written to; anything else as it is. */
function explainWrite(error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code !== "ENOSPC") return error;
  return new ReconcileError(
    `Could not build the model archive: the disk of "${BUILD_FOLDER}" is full. Make room and run "up" again.`,
  );
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
  const { path, size, source } = entry;
  const checksum = entry.crc32 ?? (await crc32Of(entry));
  const stored = { name: path, method: STORED, crc32: checksum, size, packedSize: size } as const;
  await archive.add(stored, source).catch((error: unknown) => {
    if (error instanceof EntryMismatchError) throw changed(entry, "its content differs");
    throw isReading(error) ? changed(entry, detailOf(error)) : error;
  });
}

function isReading(error: unknown): boolean {
  const { syscall } = error as NodeJS.ErrnoException;
  return syscall === "open" || syscall === "read";
}

/** Checks a long file against its SHA-256 and answers its CRC-32. */
async function crc32Of(entry: ArchiveEntry): Promise<number> {
  const content = await readContent(entry.source).catch((error: unknown) => {
    throw changed(entry, detailOf(error));
  });
  if (content === null) throw changed(entry, "it is gone");
  if (content.sha256 !== entry.sha256) throw changed(entry, "its content differs");
  return content.crc32;
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
