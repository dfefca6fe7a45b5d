import { ratioOf, spreadOf } from "../measure.ts";
import type { Spread } from "../measure.ts";
import { formatNumber, formatRatio, formatTable } from "../table.ts";

/** What measure.py prints. */
export interface Measured {
  /** Name of the GPU, or "cpu". */
  readonly device: string;
  readonly model: string;
  readonly results: readonly {
    readonly way: string;
    /** Pictures asked for at once. */
    readonly batch: number;
    /** Of each round. */
    readonly seconds: readonly number[];
    /** How many of these inside of the diffusers pipeline's own call. */
    readonly insideSeconds: readonly number[];
    /** The most of the GPU's memory that was in use; 0 without a GPU. */
    readonly peakBytes: number;
  }[];
}

/** How fast one way makes pictures that are asked for together. */
export interface HandlerRow {
  readonly way: string;
  readonly batch: number;
  readonly imagesPerSecond: Spread;
  /** Of the bare pipeline's rate at the same batch, round by round. */
  readonly ofBare: Spread;
  /** Share of its time that is the diffusers pipeline's own call: what surrounds it is the rest. */
  readonly inPipeline: Spread;
  /** Of the rate of one prompt after the other, round by round. */
  readonly ofOneByOne: Spread;
  readonly peakBytes: number;
}

const BARE = "bare pipeline";
const ONE_BY_ONE = "prompt by prompt";

export function toRows({ results }: Measured): HandlerRow[] {
  return results.map(({ way, batch, seconds, insideSeconds, peakBytes }) => {
    const secondsOf = (name: string): readonly number[] =>
      results.find((other) => other.way === name && other.batch === batch)?.seconds ?? [];
    return {
      way,
      batch,
      imagesPerSecond: spreadOf(seconds.map((each) => batch / each)),
      ofBare: ratioOf(secondsOf(BARE), seconds),
      inPipeline: ratioOf(insideSeconds, seconds),
      ofOneByOne: ratioOf(secondsOf(ONE_BY_ONE), seconds),
      peakBytes,
    };
  });
}

/** The table for a person. `price`: dollars for an hour of the machine; undefined: none is shown. */
export function formatHandler(measured: Measured, steps: number, price: number | undefined): string {
  const isOnGpu = measured.device !== "cpu";
  const title = `${measured.model}, ${steps} steps; ${measured.device}`;
  return `${title}\n\n${formatTable(toRows(measured), [
    { head: "batch", cell: ({ batch }) => String(batch) },
    { head: "way", align: "left", cell: ({ way }) => way },
    { head: "images/s", cell: ({ imagesPerSecond }) => formatNumber(imagesPerSecond.median) },
    { head: "of the bare pipeline", cell: ({ ofBare }) => formatRatio(ofBare) },
    { head: "in the pipeline", cell: ({ inPipeline }) => formatRatio(inPipeline) },
    { head: "of prompt by prompt", cell: ({ ofOneByOne }) => formatRatio(ofOneByOne) },
    ...(isOnGpu
      ? [
          {
            head: "peak memory, GiB",
            cell: ({ peakBytes }: HandlerRow) => formatNumber(peakBytes / 2 ** 30),
          },
        ]
      : []),
    ...(price === undefined
      ? []
      : [
          {
            head: "dollars for 1000 images",
            cell: ({ imagesPerSecond }: HandlerRow) =>
              formatNumber((1000 * price) / 3600 / imagesPerSecond.median),
          },
        ]),
  ])}`;
}
