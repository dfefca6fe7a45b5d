import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import type { ArchiveEntry } from "./archive-plan.ts";
import { openObject } from "./bucket-files.ts";
import type { ObjectAddress } from "./bucket-files.ts";
import { cacheFolder } from "./cache-folder.ts";
import { readContent } from "./content.ts";
import type { Content } from "./content.ts";
import { cancelled, showProgress } from "./engine.ts";
import { ReconcileError, detailOf, isNotFound, isTransient, nextStep } from "./errors.ts";
import { HubError, openHubFile } from "./hub.ts";
import type { HubAddress, OpenedFile } from "./hub.ts";
import { PartFile, partBytes } from "./part-file.ts";
import { patienceMs, pause } from "./patience.ts";
import { retrying } from "./retry.ts";
import { TransferProgress } from "./transfer-progress.ts";
import { megabytes } from "./units.ts";

/** Where a file of the weights comes from that does not lie in the project's folder: a commit, or a generation. */
export type WeightsOrigin =
  ({ readonly kind: "hub" } & Required<HubAddress>) | ({ readonly kind: "gs" } & ObjectAddress);

export interface FetchOptions {
  /** Resource whose Info column shows progress. */
  readonly urn: string;
  /** Folder in which the archive will be built, and the bytes that this takes. */
  readonly buildFolder: string;
  readonly buildBytes: number;
  /** Bytes that this user may still write where a folder lies. */
  readonly freeBytes: (folder: string) => Promise<number>;
}

/** Pause between two looks at a file that another run is fetching. */
const LOOK_MS = 1_000;

/** Where fetched weights lie, each file under its SHA-256: for all stacks and clones of this user. */
function weightsCache(): string {
  return join(cacheFolder(), "weights");
}

/**
 * Makes sure that every file with an origin lies in the user's cache, and answers the entries with the files to read. What
 * an earlier run had fetched of a file is kept, also after kill -9, and each file is checked against its SHA-256.
 */
export async function fetchWeights(
  entries: readonly ArchiveEntry[],
  options: FetchOptions,
): Promise<ArchiveEntry[]> {
  const folder = weightsCache();
  const wanted = entries.filter(isFetched);
  if (wanted.length === 0) return [...entries];
  await mkdir(folder, { recursive: true });
  await requireSpace(folder, wanted, options);
  const progress = new TransferProgress(wanted.reduce((sum, { size }) => sum + size, 0));
  const show = (line: string) => showProgress(options.urn, line);
  const resolved = new Map<ArchiveEntry, ArchiveEntry>();
  for (const entry of wanted) {
    const content = await fetchFile(folder, entry, {
      onFound: (bytes) => progress.find(bytes),
      onMoved: (bytes) => {
        progress.move(bytes);
        show(`fetching weights: ${progress}`);
      },
      onWait: () => show(`waiting for another run that fetches ${entry.source}`),
    });
    resolved.set(entry, { ...entry, source: join(folder, entry.sha256), crc32: content.crc32 });
  }
  return entries.map((entry) => resolved.get(entry) ?? entry);
}

type FetchedEntry = ArchiveEntry & { readonly origin: WeightsOrigin };

function isFetched(entry: ArchiveEntry): entry is FetchedEntry {
  return entry.origin !== undefined && entry.origin.kind !== "pypi";
}

/** Refuses what the disk has no room for, the archive included where it will lie on the same one. */
async function requireSpace(
  folder: string,
  wanted: readonly ArchiveEntry[],
  { buildFolder, buildBytes, freeBytes }: FetchOptions,
): Promise<void> {
  let missing = 0;
  for (const { sha256, size } of wanted) {
    const there = await stat(join(folder, sha256)).catch(() => null);
    if (there === null) missing += Math.max(0, size - (await partBytes(folder, sha256)));
  }
  const isOneDisk = (await stat(folder)).dev === (await stat(buildFolder)).dev;
  const [needed, free] = [missing + (isOneDisk ? buildBytes : 0), await freeBytes(folder)];
  if (missing === 0 || needed <= free) return;
  const both = isOneDisk ? ", with the archive that is built of it" : "";
  throw new ReconcileError(
    `Could not fetch the weights: ${megabytes(missing)} MB are missing in "${folder}", which takes ${megabytes(needed)} MB${both}, and ${megabytes(free)} MB are free there. Make room, or set XDG_CACHE_HOME to a folder on another disk, and run "up" again.`,
  );
}

interface Listener {
  /** Hears of bytes that earlier runs have fetched. */
  readonly onFound: (bytes: number) => void;
  /** Hears of bytes as they arrive; less than zero for those that have to be fetched again. */
  readonly onMoved: (bytes: number) => void;
  readonly onWait: () => void;
}

/** Fetches one file into the cache, unless it is there already, whole. */
async function fetchFile(
  folder: string,
  entry: FetchedEntry,
  listener: Listener,
): Promise<Content> {
  const path = join(folder, entry.sha256);
  for (let discarded = 0; ;) {
    const cached = await readContent(path);
    if (cached !== null && isAsWanted(cached, entry)) {
      listener.onFound(cached.size);
      return cached;
    }
    if (cached !== null) await rm(path, { force: true });
    const part = await PartFile.claim(folder, entry.sha256);
    if (part === null) {
      listener.onWait();
      await pause(LOOK_MS);
      if (cancelled.aborted) throw cannotFetch(entry, cancelled.reason);
      continue;
    }
    const left = part.size;
    listener.onFound(left);
    const content = await fillPart(part, entry, listener).catch(async (error: unknown) => {
      await part.close();
      throw cannotFetch(entry, error);
    });
    if (isAsWanted(content, entry)) {
      await part.finish(path);
      return content;
    }
    listener.onMoved(-part.size);
    await part.remove();
    // What an earlier run had left may be torn: once more, from the start.
    if (left === 0 || discarded > 0) throw notAsLocked(entry, content);
    discarded += 1;
  }
}

function isAsWanted(content: Content, entry: FetchedEntry): boolean {
  return content.size === entry.size && content.sha256 === entry.sha256;
}

/** Goes on until everything is there. As long as more arrives, a lost connection is no reason to give up. */
async function fillPart(part: PartFile, entry: FetchedEntry, listener: Listener): Promise<Content> {
  while (part.size < entry.size) {
    const before = part.size;
    try {
      await retrying(() => continuePart(part, entry, listener));
    } catch (error) {
      if (cancelled.aborted || !isTransient(error) || part.size <= before) throw error;
    }
  }
  return part.content;
}

/** One transfer, from where the part ends. */
async function continuePart(
  part: PartFile,
  entry: FetchedEntry,
  { onMoved }: Listener,
): Promise<void> {
  const stalled = new AbortController();
  // A transfer in which nothing arrives for so long is begun anew.
  const stallMs = patienceMs();
  const timer = setTimeout(() => {
    const message = `nothing arrived for ${Math.round(stallMs / 1_000)} s`;
    stalled.abort(Object.assign(new Error(message), { code: "ETIMEDOUT" }));
  }, stallMs);
  try {
    const signal = AbortSignal.any([stalled.signal, cancelled]);
    const { from, content } = await openOrigin(entry, part.size, signal);
    if (from !== part.size) {
      onMoved(-part.size);
      await part.restart();
    }
    for await (const piece of content) {
      timer.refresh();
      await part.append(piece);
      onMoved(piece.length);
      if (part.size > entry.size) return;
    }
  } catch (error) {
    // A client may say of an aborted transfer only that it was aborted.
    throw stalled.signal.aborted ? stalled.signal.reason : error;
  } finally {
    clearTimeout(timer);
  }
  if (part.size < entry.size) {
    throw Object.assign(new Error("the transfer ended too early"), { code: "ECONNRESET" });
  }
}

async function openOrigin(
  { origin }: FetchedEntry,
  offset: number,
  signal: AbortSignal,
): Promise<OpenedFile> {
  return origin.kind === "hub"
    ? openHubFile(origin, offset, signal)
    : openObject(origin, offset, signal);
}

function notAsLocked(entry: FetchedEntry, { size, sha256 }: Content): ReconcileError {
  const what = size === entry.size ? `its SHA-256 is ${sha256}` : `it has ${size} bytes or more`;
  return new ReconcileError(
    `Could not fetch the weights "${entry.source}": what arrived is not the file of weights.lock.json (${what}). Run the same command again; if it stays so, run "npm run lock -- --upgrade".`,
  );
}

function cannotFetch(entry: FetchedEntry, error: unknown): ReconcileError {
  if (error instanceof ReconcileError) return error;
  const start = `Could not fetch the weights "${entry.source}"`;
  const kept = "What has arrived is kept.";
  if (cancelled.aborted) return new ReconcileError(`${start}: the run was cancelled. ${kept}`);
  if ((error as NodeJS.ErrnoException).code === "ENOSPC") {
    return new ReconcileError(
      `${start}: the disk of "${weightsCache()}" is full. Make room and run "up" again. ${kept}`,
    );
  }
  const [why, step] = explainRefusal(entry, error);
  return new ReconcileError(`${start}: ${why}. ${step} ${kept}`, { cause: error });
}

function explainRefusal({ origin }: FetchedEntry, error: unknown): [why: string, step: string] {
  if (error instanceof HubError) return [error.message, error.step];
  if (origin.kind === "gs" && isNotFound(error)) {
    return ["that generation of it is gone", 'Run "npm run lock -- --upgrade".'];
  }
  const why = detailOf(error).replace(/\.?\s*$/, "");
  return [why, nextStep(error) || "Check the connection and run the same command again."];
}
