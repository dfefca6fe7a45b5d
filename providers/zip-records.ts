/**
 * The records of a ZIP file with all sizes and checksums ahead of the contents (PKWARE APPNOTE 6.3.10, sections 4.3 to 4.5).
 * TorchServe reads archives as a stream, and Java's ZipInputStream refuses a stored entry whose size comes after it.
 */

export const STORED = 0;
export const DEFLATED = 8;

/** One entry as its records show it. */
export interface ZipEntry {
  /** Path inside the archive, with forward slashes. */
  readonly name: string;
  readonly method: typeof STORED | typeof DEFLATED;
  /** CRC-32 of the content. */
  readonly crc32: number;
  /** Bytes of the content. */
  readonly size: number;
  /** Bytes of it in the archive. */
  readonly packedSize: number;
}

/** An entry with the place of its local header, in bytes from the archive's start. */
export interface PlacedEntry extends ZipEntry {
  readonly offset: number;
}

/** From here on a 32-bit field holds this value and the true one stands in the ZIP64 extra field. */
const ZIP64_LIMIT = 0xffffffff;
const ZIP64_COUNT_LIMIT = 0xffff;
const VERSION_PLAIN = 20;
const VERSION_ZIP64 = 45;
/** High byte 3: made on Unix, so that the upper half of the external attributes is a file mode. */
const MADE_BY = (3 << 8) | VERSION_ZIP64;
/** 1 January 1980, ZIP's first day: the same in every archive. */
const DATE = 0x0021;
const TIME = 0;
/** A regular file, rw-r--r--, whatever it is on disk. */
const MODE = 0o100644;
/** Names are UTF-8. */
const FLAG_UTF8 = 1 << 11;

export function localHeader(entry: ZipEntry): Buffer {
  const name = Buffer.from(entry.name);
  const isLong = entry.size >= ZIP64_LIMIT || entry.packedSize >= ZIP64_LIMIT;
  // APPNOTE 4.5.3: in a local header both sizes are there or neither.
  const extra = isLong ? zip64Extra([entry.size, entry.packedSize]) : Buffer.alloc(0);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(isLong ? VERSION_ZIP64 : VERSION_PLAIN, 4);
  writeCommon(header, 6, entry, isLong);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(extra.length, 28);
  return Buffer.concat([header, name, extra]);
}

/** The central directory and what ends the file. `offset`: where it begins. */
export function centralDirectory(entries: readonly PlacedEntry[], offset: number): Buffer {
  const headers = entries.map(centralHeader);
  const size = headers.reduce((sum, header) => sum + header.length, 0);
  const isLong =
    offset >= ZIP64_LIMIT || size >= ZIP64_LIMIT || entries.length >= ZIP64_COUNT_LIMIT;
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(entries.length, ZIP64_COUNT_LIMIT), 8);
  end.writeUInt16LE(Math.min(entries.length, ZIP64_COUNT_LIMIT), 10);
  end.writeUInt32LE(Math.min(size, ZIP64_LIMIT), 12);
  end.writeUInt32LE(Math.min(offset, ZIP64_LIMIT), 16);
  const zip64End = isLong ? [zip64Directory(entries.length, size, offset)] : [];
  return Buffer.concat([...headers, ...zip64End, end]);
}

function centralHeader(entry: PlacedEntry): Buffer {
  const name = Buffer.from(entry.name);
  const isLong = entry.size >= ZIP64_LIMIT || entry.packedSize >= ZIP64_LIMIT;
  const isFar = entry.offset >= ZIP64_LIMIT;
  const values = [
    ...(isLong ? [entry.size, entry.packedSize] : []),
    ...(isFar ? [entry.offset] : []),
  ];
  const extra = values.length > 0 ? zip64Extra(values) : Buffer.alloc(0);
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(MADE_BY, 4);
  header.writeUInt16LE(isLong || isFar ? VERSION_ZIP64 : VERSION_PLAIN, 6);
  writeCommon(header, 8, entry, isLong);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(extra.length, 30);
  header.writeUInt32LE(MODE * 0x10000, 38);
  header.writeUInt32LE(Math.min(entry.offset, ZIP64_LIMIT), 42);
  return Buffer.concat([header, name, extra]);
}

/** The fields that both headers have in the same order: flags, method, time, checksum, sizes. */
function writeCommon(header: Buffer, at: number, entry: ZipEntry, isLong: boolean): void {
  header.writeUInt16LE(FLAG_UTF8, at);
  header.writeUInt16LE(entry.method, at + 2);
  header.writeUInt16LE(TIME, at + 4);
  header.writeUInt16LE(DATE, at + 6);
  header.writeUInt32LE(entry.crc32, at + 8);
  header.writeUInt32LE(isLong ? ZIP64_LIMIT : entry.packedSize, at + 12);
  header.writeUInt32LE(isLong ? ZIP64_LIMIT : entry.size, at + 16);
}

function zip64Extra(values: readonly number[]): Buffer {
  const extra = Buffer.alloc(4 + 8 * values.length);
  extra.writeUInt16LE(0x0001, 0);
  extra.writeUInt16LE(8 * values.length, 2);
  values.forEach((value, index) => extra.writeBigUInt64LE(BigInt(value), 4 + 8 * index));
  return extra;
}

/** ZIP64's end of central directory, and the record that says where it is. */
function zip64Directory(count: number, size: number, offset: number): Buffer {
  const end = Buffer.alloc(56);
  end.writeUInt32LE(0x06064b50, 0);
  // The size of what follows this field.
  end.writeBigUInt64LE(44n, 4);
  end.writeUInt16LE(MADE_BY, 12);
  end.writeUInt16LE(VERSION_ZIP64, 14);
  end.writeBigUInt64LE(BigInt(count), 24);
  end.writeBigUInt64LE(BigInt(count), 32);
  end.writeBigUInt64LE(BigInt(size), 40);
  end.writeBigUInt64LE(BigInt(offset), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(offset + size), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([end, locator]);
}
