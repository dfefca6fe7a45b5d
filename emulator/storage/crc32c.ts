/** Reversed Castagnoli polynomial (RFC 3720, appendix B.4). */
const POLYNOMIAL = 0x82f63b78;

/** Slicing-by-16: table k holds, at k * 256, the CRC of a byte followed by k zero bytes. */
const TABLES = buildTables();

function buildTables(): Int32Array {
  const tables = new Int32Array(16 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[byte] = crc;
  }
  for (let index = 256; index < tables.length; index++) {
    const previous = tables[index - 256]!;
    tables[index] = (previous >>> 8) ^ tables[previous & 0xff]!;
  }
  return tables;
}

/**
 * CRC32C of `bytes`, going on from `previous` (0 for the first piece). Incremental: feeding pieces one after the other
 * gives the checksum of the whole. Unsigned 32 bits.
 */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  const tables = TABLES;
  const { length, byteOffset } = bytes;
  let crc = ~previous;
  let at = 0;
  for (; at < length && (byteOffset + at) % 4 !== 0; at++) {
    crc = (crc >>> 8) ^ tables[(crc ^ bytes[at]!) & 0xff]!;
  }
  // Four bytes at once, least significant first: every machine that Node runs this on is little-endian.
  const words = new Int32Array(bytes.buffer, byteOffset + at, (length - at) >>> 2);
  let word = 0;
  for (const end = words.length - 3; word < end; word += 4) {
    const a = words[word]! ^ crc;
    const b = words[word + 1]!;
    const c = words[word + 2]!;
    const d = words[word + 3]!;
    crc =
      tables[3840 + (a & 0xff)]! ^
      tables[3584 + ((a >>> 8) & 0xff)]! ^
      tables[3328 + ((a >>> 16) & 0xff)]! ^
      tables[3072 + (a >>> 24)]! ^
      tables[2816 + (b & 0xff)]! ^
      tables[2560 + ((b >>> 8) & 0xff)]! ^
      tables[2304 + ((b >>> 16) & 0xff)]! ^
      tables[2048 + (b >>> 24)]! ^
      tables[1792 + (c & 0xff)]! ^
      tables[1536 + ((c >>> 8) & 0xff)]! ^
      tables[1280 + ((c >>> 16) & 0xff)]! ^
      tables[1024 + (c >>> 24)]! ^
      tables[768 + (d & 0xff)]! ^
      tables[512 + ((d >>> 8) & 0xff)]! ^
      tables[256 + ((d >>> 16) & 0xff)]! ^
      tables[d >>> 24]!;
  }
  for (at += word * 4; at < length; at++) {
    crc = (crc >>> 8) ^ tables[(crc ^ bytes[at]!) & 0xff]!;
  }
  return ~crc >>> 0;
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
