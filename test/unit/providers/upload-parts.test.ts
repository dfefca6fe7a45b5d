import { describe, expect, it } from "@jest/globals";

import { PART_SIZES, planParts } from "../../../providers/upload-parts.ts";

const SIZES = { whole: 40, smallest: 10, step: 4 };
const GIB = 1024 ** 3;

describe("planParts", () => {
  it.each([
    { size: 0, ends: [0] },
    { size: 1, ends: [1] },
    { size: 10, ends: [10] },
    { size: 11, ends: [10, 11] },
    { size: 20, ends: [10, 20] },
    { size: 21, ends: [10, 20, 21] },
  ])("cuts $size bytes at $ends", ({ size, ends }) => {
    expect(planParts(size, SIZES).map(({ end }) => end)).toEqual(ends);
  });

  it.each([319, 320, 321, 352, 384, 385, 1_000_000])(
    "makes at most 32 parts of %d bytes, without a gap",
    (size) => {
      const parts = planParts(size, SIZES);

      expect(parts.length).toBeLessThanOrEqual(32);
      expect(parts.map(({ start }) => start)).toEqual([
        0,
        ...parts.slice(0, -1).map(({ end }) => end),
      ]);
      expect(parts.at(-1)?.end).toBe(size);
      expect(parts.every(({ start, end }) => end > start)).toBe(true);
    },
  );

  it("names a part by its place and the number of all", () => {
    expect(planParts(101, SIZES).map(({ name }) => name)).toEqual([
      ...["01", "02", "03", "04", "05", "06", "07", "08", "09", "10"].map((n) => `${n}-of-11`),
      "11-of-11",
    ]);
  });

  it("cuts 1 GiB into 32 parts of 32 MiB and 5 TiB into no more", () => {
    expect(planParts(GIB, PART_SIZES)).toHaveLength(32);
    expect(planParts(5 * 1024 * GIB, PART_SIZES)).toHaveLength(32);
  });
});
