import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Report } from "../../toolchain/report.ts";
import { interleave, ratioOf, spreadOf } from "../measure.ts";
import type { Contestant, Spread } from "../measure.ts";
import { formatNumber, formatRatio, formatTable } from "../table.ts";
import { runMeasured } from "./peak-of.ts";
import type { Run } from "./peak-of.ts";
import { LONG_FILE, writeRandomWeights } from "./random-weights.ts";

/** How fast one way of packing a folder is. */
export interface PackRow {
  readonly way: string;
  /** Seconds of the whole process. */
  readonly seconds: Spread;
  /** Against a plain copy of the weights, round by round. */
  readonly ratio: Spread;
  /** The same without the start of the process, where it says how long its work took: `up` packs in one that runs. */
  readonly workRatio: Spread | undefined;
  /** The most that its process held; undefined where the system does not say. */
  readonly peakMiB: number | undefined;
}

export interface PackFigures {
  readonly sizeBytes: number;
  readonly rows: readonly PackRow[];
}

export interface PackOptions {
  readonly rounds: number;
  /** Of the weights. */
  readonly sizeBytes: number;
  /** Command of torch-model-archiver. */
  readonly torchModelArchiver: readonly string[];
  readonly signal: AbortSignal;
}

const COPY = "cp";
const BLOCK_BYTES = 2 ** 20;
const PACK_ONE = fileURLToPath(new URL("pack-one.ts", import.meta.url));
/** Where the product builds, and where it remembers hashes. */
const BUILT = ".local/archives";
const HASHES = ".local/file-hashes.json";

/** Packs the same handler and random weights in several ways. Each run is a process of its own. */
export async function measurePack(options: PackOptions, report: Report): Promise<PackFigures> {
  const { rounds, sizeBytes, signal } = options;
  const folder = await mkdtemp(join(tmpdir(), "bench-pack-"));
  const step = report.step(`Packing ${Math.round(sizeBytes / BLOCK_BYTES)} MiB`);
  try {
    await writeSources(folder, sizeBytes);
    const results = await interleave(contestants(folder, options), {
      rounds,
      signal,
      onProgress: (detail) => step.update(detail),
    });
    const seconds = (name: string) => (results.get(name) ?? []).map(({ ms }) => ms / 1000);
    const rows = [...results].map(([way, runs]) => ({
      way,
      seconds: spreadOf(seconds(way)),
      ratio: ratioOf(seconds(way), seconds(COPY)),
      workRatio: workRatioOf(runs, seconds(COPY)),
      peakMiB: highest(runs),
    }));
    step.done();
    return { sizeBytes, rows };
  } catch (error) {
    step.fail("stopped");
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export function formatPack({ sizeBytes, rows }: PackFigures): string {
  const title = `Packing ${formatNumber(sizeBytes / 2 ** 30)} GiB of weights, against cp of them`;
  return `${title}\n\n${formatTable(rows, [
    { head: "way", align: "left", cell: ({ way }) => way },
    { head: "seconds", cell: ({ seconds }) => formatNumber(seconds.median) },
    { head: "of cp's time", cell: ({ ratio }) => formatRatio(ratio) },
    {
      head: "without the process's start",
      cell: ({ workRatio }) => (workRatio === undefined ? "" : formatRatio(workRatio)),
    },
    {
      head: "peak memory, MiB",
      cell: ({ peakMiB }) => (peakMiB === undefined ? "" : formatNumber(peakMiB)),
    },
  ])}`;
}

function workRatioOf(runs: readonly Run[], copySeconds: readonly number[]): Spread | undefined {
  const seconds = runs.flatMap(({ workMs }) => (workMs === undefined ? [] : workMs / 1000));
  return seconds.length === 0 ? undefined : ratioOf(seconds, copySeconds);
}

function highest(runs: readonly Run[]): number | undefined {
  const peaks = runs.flatMap(({ peakMiB }) => peakMiB ?? []);
  return peaks.length === 0 ? undefined : Math.max(...peaks);
}

function contestants(folder: string, { torchModelArchiver }: PackOptions): Contestant<Run>[] {
  const packOne = (kind: "product" | "naive") => [process.execPath, PACK_ONE, kind];
  const run = (
    name: string,
    command: readonly string[],
    { removed = [], isSlow = false }: { removed?: readonly string[]; isSlow?: boolean } = {},
  ) => ({
    name,
    isSlow,
    run: async () => {
      for (const path of removed) await rm(join(folder, path), { recursive: true, force: true });
      const [file = "", ...args] = command;
      const figures = await runMeasured(file, args, folder);
      for (const path of ["copy", BUILT, "theirs", "naive.mar"]) {
        await rm(join(folder, path), { recursive: true, force: true });
      }
      return figures;
    },
  });
  return [
    run(COPY, ["cp", LONG_FILE, "copy"]),
    run("ours", packOne("product")),
    run("ours, weights not yet hashed", packOne("product"), { removed: [HASHES] }),
    run(
      "torch-model-archiver",
      [
        ...["sh", "-c", 'mkdir theirs && exec "$@" --force', "sh", ...torchModelArchiver],
        ...["--model-name", "model", "--version", "1.0", "--export-path", "theirs"],
        ...["--handler", "handler/handler.py", "--extra-files", "weights"],
      ],
      { isSlow: true },
    ),
    run("archiver with its defaults", packOne("naive"), { isSlow: true }),
  ];
}

/** A project's folder with a handler and random weights. */
async function writeSources(folder: string, sizeBytes: number): Promise<void> {
  await writeFile(
    join(folder, "Pulumi.bench.yaml"),
    "config:\n  vertex-diffusion:weights: weights\n",
  );
  await mkdir(join(folder, "handler"));
  await writeFile(
    join(folder, "handler/handler.py"),
    "def handle(data, context):\n    return data\n".repeat(100),
  );
  await writeRandomWeights(folder, sizeBytes);
}
