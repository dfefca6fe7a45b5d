import { open } from "node:fs/promises";

import { crc32c } from "@node-rs/crc32";

/** Reversed Castagnoli polynomial (RFC 3720, appendix B.4). */
const POLYNOMIAL = 0x82f63b78;

/** Bytes that are read at once. */
const BLOCK_BYTES = 256 * 1024;

/** CRC32C of a file's bytes from `start` up to but without `end`. */
export async function crc32cOfFile(path: string, start: number, end: number): Promise<number> {
  const file = await open(path, "r");
  try {
    // One block for all reads: a new one for each costs more than the checksum.
    const block = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, end - start));
    let checksum = 0;
    for (let at = start; at < end;) {
      const length = Math.min(block.length, end - at);
      const { bytesRead } = await file.read(block, 0, length, at);
      if (bytesRead === 0) break;
      checksum = crc32c(block.subarray(0, bytesRead), checksum);
      at += bytesRead;
    }
    return checksum;
  } finally {
    await file.close();
  }
}

/** A CRC32C as Cloud Storage writes it: base64 of the four bytes, most significant first. */
export function encodeCrc32c(checksum: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(checksum);
  return bytes.toString("base64");
}

/** CRC32C of two contents one after the other, from that of each and the length of the second in bytes. */
export function combineCrc32c(first: number, second: number, secondLength: number): number {
  // A CRC is a remainder modulo the polynomial: n bytes more multiply the first one by x^(8n).
  let shift = 0x80000000;
  let power = 0x00800000;
  for (let rest = secondLength; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) shift = multiply(power, shift);
    power = multiply(power, power);
  }
  return (multiply(shift, first) ^ second) >>> 0;
}

/** Product of two reversed polynomials over GF(2), modulo that of CRC32C; the highest bit stands for x^0. */
function multiply(a: number, b: number): number {
  let product = 0;
  let factor = b;
  for (let bit = 0x80000000; bit !== 0; bit >>>= 1) {
    if (a & bit) product ^= factor;
    factor = factor & 1 ? (factor >>> 1) ^ POLYNOMIAL : factor >>> 1;
  }
  return product >>> 0;
}
