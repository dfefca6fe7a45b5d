const MIB = 1024 * 1024;

/** How a file is cut, in bytes. */
export interface PartSizes {
  /** A file of at most this goes in one request. */
  readonly whole: number;
  /** No part but the last is smaller. */
  readonly smallest: number;
  /** Parts are multiples of this. */
  readonly step: number;
}

/** A lost connection costs at most one of these for each request that was under way. */
export const PART_SIZES: PartSizes = { whole: 32 * MIB, smallest: 16 * MIB, step: MIB };

/** Cloud Storage composes at most so many objects at once. */
const MAX_PARTS = 32;

/** Bytes of a file from `start` up to but without `end`. */
export interface Part {
  /** "05-of-16": the same for the same size, so that another process finds what has arrived. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Cuts a file of `size` bytes into equal parts and a last one. */
export function planParts(size: number, { smallest, step }: PartSizes): Part[] {
  const length = Math.max(smallest, Math.ceil(size / MAX_PARTS / step) * step);
  const count = Math.max(1, Math.ceil(size / length));
  return Array.from({ length: count }, (_, index) => ({
    name: `${twoDigits(index + 1)}-of-${twoDigits(count)}`,
    start: index * length,
    end: Math.min(size, (index + 1) * length),
  }));
}

function twoDigits(number: number): string {
  return String(number).padStart(2, "0");
}
