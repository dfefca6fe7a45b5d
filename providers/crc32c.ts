import { createReadStream } from "node:fs";

import { crc32c } from "@node-rs/crc32";

/** Reversed Castagnoli polynomial (RFC 3720, appendix B.4). */
const POLYNOMIAL = 0x82f63b78;

/** Large enough that a gigabyte is not sixteen thousand reads. */
export const READ_BYTES = 256 * 1024;

/** CRC32C of a file's bytes from `start` up to but without `end`. */
export async function crc32cOfFile(path: string, start: number, end: number): Promise<number> {
  let checksum = 0;
  if (start >= end) return checksum;
  const content = createReadStream(path, { start, end: end - 1, highWaterMark: READ_BYTES });
  for await (const chunk of content) checksum = crc32c(chunk as Buffer, checksum);
  return checksum;
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
