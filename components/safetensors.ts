import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";

import { ArchiveSourceError } from "./source-folder.ts";

/** A header is at most this long (the format's own limit). */
const HEADER_LIMIT_BYTES = 100_000_000;

/**
 * Names of the tensors in a .safetensors file: 8 bytes of length, JSON, then the tensors.
 *
 * @throws ArchiveSourceError where the header is broken or the file's length is not what it says.
 */
export function readTensorNames(root: string, source: string): string[] {
  try {
    const file = openSync(join(root, source), "r");
    try {
      return readNames(file, source);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (error instanceof ArchiveSourceError) throw error;
    throw notWhole(source, (error as Error).message);
  }
}

function readNames(file: number, source: string): string[] {
  const { size } = fstatSync(file);
  const length = size < 8 ? 0 : Number(readBytes(file, 8, 0).readBigUInt64LE());
  if (size < 8 || length > Math.min(HEADER_LIMIT_BYTES, size - 8)) {
    throw notWhole(source, "its header is cut off");
  }
  const header = JSON.parse(readBytes(file, length, 8).toString("utf8")) as Record<string, Tensor>;
  const tensors = Object.entries(header).filter(([name]) => name !== "__metadata__");
  const end = tensors.reduce((last, [, tensor]) => Math.max(last, tensor.data_offsets[1]), 0);
  const needed = 8 + length + end;
  if (size !== needed) {
    throw notWhole(source, `it has ${size} bytes, and its header says ${needed}`);
  }
  return tensors.map(([name]) => name);
}

interface Tensor {
  /** Begin and end, in bytes after the header. */
  readonly data_offsets: readonly [number, number];
}

function readBytes(file: number, length: number, position: number): Buffer {
  const bytes = Buffer.alloc(length);
  readSync(file, bytes, 0, length, position);
  return bytes;
}

function notWhole(source: string, why: string): ArchiveSourceError {
  return new ArchiveSourceError(
    "weights",
    `"${source}" is no whole .safetensors file: ${why}. Copy it again.`,
  );
}
