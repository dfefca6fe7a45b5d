import { crc32c as nativeCrc32c } from "@node-rs/crc32";

/** Reversed Castagnoli polynomial (RFC 3720, appendix B.4). */
const POLYNOMIAL = 0x82f63b78;

/**
 * CRC32C of `bytes`, going on from `previous` (0 for the first piece). Incremental: feeding pieces one after the other
 * gives the checksum of the whole. Unsigned 32 bits.
 */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  return nativeCrc32c(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), previous);
}

/** A CRC32C as Cloud Storage writes it: base64 of the four bytes, most significant first. */
export function encodeCrc32c(crc: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc);
  return bytes.toString("base64");
}

export function decodeCrc32c(text: string): number {
  return Buffer.from(text, "base64").readUInt32BE();
}

/** The CRC32C of two contents one after the other, from that of each and the length of the second, bytes. */
export function combineCrc32c(first: number, second: number, secondLength: number): number {
  // Appending n bytes multiplies the first remainder by x^(8n), modulo the polynomial.
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
