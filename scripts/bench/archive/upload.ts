import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { storageClient } from "../../../providers/clients.ts";
import { crc32cOfFile, encodeCrc32c } from "../../../providers/crc32c.ts";
import type { Report } from "../../toolchain/report.ts";
import { PROJECT } from "../emulator/subject.ts";
import type { Subject } from "../emulator/subject.ts";
import { interleave, ratioOf, spreadOf } from "../measure.ts";
import type { Spread } from "../measure.ts";
import { writeRandomFile } from "../random-file.ts";
import { formatNumber, formatRatio, formatTable } from "../table.ts";
import { runMeasured } from "./peak-of.ts";
import type { Run } from "./peak-of.ts";

/** How fast one way of uploading the file is. */
export interface UploadRow {
  readonly way: string;
  /** Megabytes (10^6 bytes) a second, with the start of its process. */
  readonly megabytesPerSecond: Spread;
  /** Against curl, round by round. */
  readonly ratio: Spread;
  /** The same without the start of the process, where it says how long its work took: `up` sends from one that runs. */
  readonly workRatio: Spread | undefined;
  /** The most that its process has held, MiB. */
  readonly peakMiB: number | undefined;
}

export interface UploadFigures {
  readonly sizeBytes: number;
  readonly rows: readonly UploadRow[];
}

export interface UploadOptions {
  readonly rounds: number;
  readonly sizeBytes: number;
  /** Interpreter that has google-cloud-storage. */
  readonly python: string;
  readonly signal: AbortSignal;
}

const BUCKET = "bench";
const OBJECT = "uploaded";
const CURL = "curl";

/** Uploads of one file to the local Cloud Storage by processes of their own, in turns, each checked by its CRC32C. */
export async function measureUploads(
  { address }: Subject,
  { rounds, sizeBytes, python, signal }: UploadOptions,
  report: Report,
): Promise<UploadFigures> {
  const folder = await mkdtemp(join(tmpdir(), "bench-upload-"));
  const step = report.step(`Upload, ${Math.round(sizeBytes / 2 ** 20)} MiB`);
  try {
    const file = join(folder, "file");
    await writeRandomFile(file, sizeBytes);
    const crc32c = encodeCrc32c(await crc32cOfFile(file, 0, sizeBytes));
    const [bucket] = await (await storageClient(address, PROJECT)).createBucket(BUCKET);
    const ways = waysOf(address.rest, file, python);
    const contestants = ways.map(({ name, command, args }) => ({
      name,
      run: async (): Promise<Run> => {
        const run = await runMeasured(command, args);
        const [found] = await bucket.file(OBJECT).getMetadata();
        if (found.crc32c !== crc32c) throw new Error(`"${name}" stored other bytes`);
        await bucket.deleteFiles();
        return run;
      },
    }));
    const results = await interleave(contestants, {
      rounds,
      signal,
      onProgress: (detail) => step.update(detail),
    });
    step.done();
    const rates = (way: string): number[] =>
      (results.get(way) ?? []).map(({ ms }) => sizeBytes / 1000 / ms);
    const workRates = (way: string): number[] =>
      (results.get(way) ?? []).flatMap(({ workMs }) =>
        workMs === undefined ? [] : sizeBytes / 1000 / workMs,
      );
    return {
      sizeBytes,
      rows: ways.map(({ name }) => {
        const peaks = (results.get(name) ?? []).flatMap(({ peakMiB }) => peakMiB ?? []);
        return {
          way: name,
          megabytesPerSecond: spreadOf(rates(name)),
          ratio: ratioOf(rates(name), rates(CURL)),
          workRatio:
            workRates(name).length === 0 ? undefined : ratioOf(workRates(name), rates(CURL)),
          peakMiB: peaks.length === 0 ? undefined : Math.max(...peaks),
        };
      }),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Way {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

function waysOf(rest: string, file: string, python: string): Way[] {
  const script = (name: string): string => join(import.meta.dirname, name);
  const target = [rest, BUCKET, OBJECT, file];
  const url = `${rest}/upload/storage/v1/b/${BUCKET}/o?uploadType=media&name=${OBJECT}`;
  const curl = ["--silent", "--show-error", "--fail", "--output", "/dev/null"];
  const body = ["--header", "content-type: application/zip", "--upload-file", file];
  return [
    { name: CURL, command: "curl", args: [...curl, ...body, "--request", "POST", url] },
    {
      name: "this project",
      command: process.execPath,
      args: [script("upload-ours.ts"), ...target],
    },
    {
      name: "Python transfer_manager, 4 workers",
      command: python,
      args: [script("upload_transfer_manager.py"), ...target],
    },
    {
      name: "Node client, bucket.upload()",
      command: process.execPath,
      args: [script("upload-client.ts"), ...target],
    },
  ];
}

export function formatUploads({ sizeBytes, rows }: UploadFigures): string {
  const table = formatTable(rows, [
    { head: "way", cell: ({ way }) => way, align: "left" },
    { head: "MB/s", cell: ({ megabytesPerSecond }) => formatNumber(megabytesPerSecond.median) },
    { head: "against curl", cell: ({ ratio }) => formatRatio(ratio) },
    {
      head: "without the process's start",
      cell: ({ workRatio }) => (workRatio === undefined ? "" : formatRatio(workRatio)),
    },
    {
      head: "peak memory, MiB",
      cell: ({ peakMiB }) => (peakMiB === undefined ? "" : formatNumber(peakMiB)),
    },
  ]);
  return [
    `Upload of ${Math.round(sizeBytes / 2 ** 20)} MiB to the local Cloud Storage, each by a process of its own, checked by its CRC32C. curl computes none.`,
    table,
  ].join("\n");
}
