import { createHash } from "node:crypto";
import { setMaxListeners } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { copyFile, mkdtemp, open, rm } from "node:fs/promises";
import { freemem, tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { TransferManager } from "@google-cloud/storage";
import type { Bucket } from "@google-cloud/storage";
import { storageClient } from "../../../providers/clients.ts";
import { requireCommand, runCommand } from "../../toolchain/command.ts";
import type { Report } from "../../toolchain/report.ts";
import { forgetPeakMemory, readPeakMemoryMiB } from "../machine.ts";
import { interleave, ratioOf, spreadOf, timeMs } from "../measure.ts";
import type { Contestant, Spread } from "../measure.ts";
import { writeRandomFile } from "../random-file.ts";
import { formatNumber, formatRatio, formatTable } from "../table.ts";
import { chunkClient } from "./chunk-client.ts";
import { PROJECT } from "./subject.ts";
import type { Address, Subject } from "./subject.ts";

/** How fast one way of moving the file is. */
export interface StorageRow {
  readonly way: string;
  /** Megabytes (10^6 bytes) a second. */
  readonly megabytesPerSecond: Spread;
  /** Against a plain copy of the file, round by round. */
  readonly ratio: Spread;
  /** Against curl that sends or fetches the same; absent for floors and without curl. */
  readonly curlRatio?: Spread;
}

export interface StorageFigures {
  readonly sizeBytes: number;
  /** Whether the file fits into free memory, so that all of them read it from there. */
  readonly isCached: boolean;
  readonly rows: readonly StorageRow[];
  /** The most that the emulator held meanwhile, MiB; absent where the system does not say. */
  readonly peakMemoryMiB?: number | undefined;
}

export interface StorageOptions {
  readonly rounds: number;
  readonly sizeBytes: number;
  readonly signal: AbortSignal;
}

const COPY = "copy of the file";
const CURL_UP = "up: curl";
const CURL_DOWN = "down: curl";
const BUCKET = "bench";
const BLOCK_BYTES = 2 ** 20;
const CURL = ["--silent", "--show-error", "--fail"];
/** Google's client listens to one stream more often than the ten times from which Node warns. */
const LISTENERS = 50;

/** Uploads and downloads of one file, against a copy of it on the same disk. */
export async function measureStorage(
  subject: Subject,
  { rounds, sizeBytes, signal }: StorageOptions,
  report: Report,
): Promise<StorageFigures> {
  const folder = await mkdtemp(join(tmpdir(), "bench-storage-"));
  const step = report.step(`Storage, ${Math.round(sizeBytes / BLOCK_BYTES)} MiB`);
  try {
    setMaxListeners(LISTENERS);
    const hasCurl = await canRunCurl();
    const isCached = freemem() > 2 * sizeBytes;
    const file = join(folder, "file");
    await writeRandomFile(file, sizeBytes);
    const client = await storageClient(subject.address, PROJECT);
    const [bucket] = await client.createBucket(BUCKET);
    await bucket.upload(file, { destination: "stored" });
    await forgetPeakMemory(subject.pid);
    const contestants = [
      ...floors(file, join(folder, "copy")),
      ...uploads(bucket, subject.address, file, sizeBytes, hasCurl),
      ...downloads(bucket, subject.address, join(folder, "down"), hasCurl),
    ];
    const results = await interleave(contestants, {
      rounds,
      signal,
      onProgress: (detail) => step.update(detail),
    });
    const rates = (way: string): readonly number[] =>
      (results.get(way) ?? []).map((ms) => sizeBytes / 1000 / ms);
    step.done();
    return {
      sizeBytes,
      isCached,
      rows: contestants.map(({ name }) => {
        const curl = name.startsWith("up:") ? CURL_UP : CURL_DOWN;
        const isComparable = /^(up|down):/.test(name) && results.has(curl);
        return {
          way: name,
          megabytesPerSecond: spreadOf(rates(name)),
          ratio: ratioOf(rates(name), rates(COPY)),
          ...(isComparable ? { curlRatio: ratioOf(rates(name), rates(curl)) } : {}),
        };
      }),
      peakMemoryMiB: await readPeakMemoryMiB(subject.pid),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What the machine can do: nothing that stores the file can be faster than the copy, nor than its MD5 by one thread. */
function floors(file: string, copy: string): readonly Contestant<number>[] {
  return [
    { name: COPY, run: () => timedThenRemoved(() => copyFile(file, copy), copy) },
    {
      name: "copy, then fsync",
      run: () =>
        timedThenRemoved(async () => {
          await copyFile(file, copy);
          const copied = await open(copy, "r+");
          await copied.sync();
          await copied.close();
        }, copy),
    },
    {
      name: "MD5 of the file",
      run: () => timeMs(() => pipeline(createReadStream(file, STREAM), createHash("md5"))),
    },
  ];
}

const STREAM = { highWaterMark: BLOCK_BYTES };

/** What is removed before the system has written it back costs the next contestant nothing. */
async function timedThenRemoved(work: () => Promise<unknown>, path: string): Promise<number> {
  try {
    return await timeMs(work);
  } finally {
    await rm(path, { force: true });
  }
}

async function canRunCurl(): Promise<boolean> {
  const curl = await runCommand("curl", ["--version"]).catch(() => undefined);
  return curl?.code === 0;
}

function uploads(
  bucket: Bucket,
  address: Address,
  file: string,
  sizeBytes: number,
  hasCurl: boolean,
): readonly Contestant<number>[] {
  const transfers = new TransferManager(chunkClient(address).bucket(BUCKET));
  const upload = (name: string, work: (object: string) => Promise<unknown>) => ({
    name,
    run: async () => {
      const ms = await timeMs(() => work("uploaded"));
      const [{ size }] = await bucket.file("uploaded").getMetadata();
      if (Number(size) !== sizeBytes) throw new Error(`"${name}" stored ${size} bytes`);
      await bucket.file("uploaded").delete();
      return ms;
    },
  });
  const post = (object: string) =>
    requireCommand("curl", [
      ...[...CURL, "--output", "/dev/null"],
      // It streams the file: --data-binary reads all of it first, and refuses 1 GiB.
      ...["--header", "content-type: application/octet-stream", "--upload-file", file],
      ...["--request", "POST"],
      `${address.rest}/upload/storage/v1/b/${BUCKET}/o?uploadType=media&name=${object}`,
    ]);
  return [
    upload("up: client, resumable", (destination) =>
      bucket.upload(file, { destination, resumable: true }),
    ),
    upload("up: client, TransferManager in chunks", (uploadName) =>
      transfers.uploadFileInChunks(file, { uploadName }),
    ),
    ...(hasCurl ? [upload(CURL_UP, post)] : []),
  ];
}

function downloads(
  bucket: Bucket,
  { rest }: Address,
  target: string,
  hasCurl: boolean,
): readonly Contestant<number>[] {
  const url = `${rest}/storage/v1/b/${BUCKET}/o/stored?alt=media`;
  const fetchFile = async (): Promise<void> => {
    const answer = await fetch(url);
    if (!answer.ok || answer.body === null) throw new Error(`got HTTP ${answer.status}`);
    const body = Readable.fromWeb(answer.body as ReadableStream<Uint8Array>);
    await pipeline(body, createWriteStream(target, STREAM));
  };
  const download = (name: string, work: () => Promise<unknown>): Contestant<number> => ({
    name,
    run: () => timedThenRemoved(work, target),
  });
  return [
    download("down: client", () => bucket.file("stored").download({ destination: target })),
    download("down: fetch", fetchFile),
    ...(hasCurl
      ? [download(CURL_DOWN, () => requireCommand("curl", [...CURL, "--output", target, url]))]
      : []),
  ];
}

export function formatStorage({
  sizeBytes,
  isCached,
  rows,
  peakMemoryMiB,
}: StorageFigures): string {
  const table = formatTable(rows, [
    { head: "way", cell: ({ way }) => way, align: "left" },
    { head: "MB/s", cell: ({ megabytesPerSecond }) => formatNumber(megabytesPerSecond.median) },
    { head: "against the copy", cell: ({ ratio }) => formatRatio(ratio) },
    {
      head: "against curl",
      cell: ({ curlRatio }) => (curlRatio === undefined ? "" : formatRatio(curlRatio)),
    },
  ]);
  const cache = isCached ? "read from memory" : "larger than half of the free memory";
  const peak = peakMemoryMiB === undefined ? "not known here" : `${Math.round(peakMemoryMiB)} MiB`;
  return [
    `A file of ${Math.round(sizeBytes / BLOCK_BYTES)} MiB, ${cache}. Neither the emulator nor a plain copy waits for the disk.`,
    table,
    `Most memory that the emulator held: ${peak}.`,
  ].join("\n");
}
