import { createHash } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import type { BigIntStats } from "node:fs";
import { dirname } from "node:path";

import { crc32 } from "@node-rs/crc32";

/** What a file's content comes to. */
export interface FileHash {
  /** Bytes. */
  readonly size: number;
  /** SHA-256, hex. */
  readonly sha256: string;
  readonly crc32: number;
}

/** A hash with what the file looked like when it was read; times in nanoseconds, as text since JSON has no such numbers. */
interface Remembered extends FileHash {
  readonly mtimeNs: string;
  readonly ctimeNs: string;
}

/** Shorter files are read again: that takes no longer than to remember them. */
const REMEMBERED_FROM_BYTES = 1024 * 1024;

/**
 * A file that was changed this recently may change again without its times showing it (file systems keep them in steps of
 * up to 2 s). Its hash is not remembered: git's rule for racily clean files.
 */
const RACY_NS = 2_000_000_000n;

/** Files over this many are forgotten, the oldest first. */
const REMEMBERED_FILES = 5_000;

const PIECE_BYTES = 1024 * 1024;

/**
 * Hashes of files by device, inode, size and times, kept in a file: a preview reads gigabytes of weights once and not again
 * until they change.
 */
export class FileHashes {
  private readonly path: string;
  private readonly nowMs: () => number;
  private readonly remembered: Map<string, Remembered>;
  private isChanged = false;

  /** Reads what earlier runs remembered; a file that can't be read or understood counts as none. */
  constructor(path: string, nowMs: () => number = Date.now) {
    this.path = path;
    this.nowMs = nowMs;
    this.remembered = readRemembered(path);
  }

  /** Throws what reading the file throws. */
  hashOf(path: string): FileHash {
    const before = statSync(path, { bigint: true });
    const key = `${before.dev}:${before.ino}`;
    const known = this.remembered.get(key);
    if (known !== undefined && isAsIn(known, before)) return toHash(known);
    const startedNs = BigInt(this.nowMs()) * 1_000_000n;
    const hash = readAndHash(path, Number(before.size));
    const latestNs = before.mtimeNs > before.ctimeNs ? before.mtimeNs : before.ctimeNs;
    if (hash.size >= REMEMBERED_FROM_BYTES && latestNs + RACY_NS < startedNs) {
      // Last in the map: the oldest are forgotten first.
      this.remembered.delete(key);
      this.remembered.set(key, {
        ...hash,
        mtimeNs: String(before.mtimeNs),
        ctimeNs: String(before.ctimeNs),
      });
      this.isChanged = true;
    }
    return hash;
  }

  /** Keeps what is new for later runs. Where nothing can be written, they read the files again. */
  save(): void {
    if (!this.isChanged) return;
    const files = Object.fromEntries([...this.remembered].slice(-REMEMBERED_FILES));
    const unfinished = `${this.path}.${process.pid}`;
    try {
      mkdirSync(dirname(this.path), { recursive: true });
      writeFileSync(unfinished, JSON.stringify({ schema: 1, files }));
      renameSync(unfinished, this.path);
      this.isChanged = false;
    } catch {
      // A folder that can't be written to costs time, nothing else.
    }
  }
}

function readRemembered(path: string): Map<string, Remembered> {
  try {
    const { schema, files } = JSON.parse(readFileSync(path, "utf8")) as {
      schema: number;
      files: Record<string, Remembered>;
    };
    return schema === 1 ? new Map(Object.entries(files)) : new Map();
  } catch {
    return new Map();
  }
}

function isAsIn(known: Remembered, found: BigIntStats): boolean {
  return (
    BigInt(known.size) === found.size &&
    known.mtimeNs === String(found.mtimeNs) &&
    known.ctimeNs === String(found.ctimeNs)
  );
}

function toHash({ size, sha256, crc32: checksum }: Remembered): FileHash {
  return { size, sha256, crc32: checksum };
}

function readAndHash(path: string, expectedSize: number): FileHash {
  const hash = createHash("sha256");
  // One byte more, so that a file that has grown meanwhile is read to its end all the same.
  const buffer = Buffer.allocUnsafe(Math.min(PIECE_BYTES, expectedSize + 1));
  let checksum = 0;
  let size = 0;
  const file = openSync(path, "r");
  try {
    for (let read = readSync(file, buffer); read > 0; read = readSync(file, buffer)) {
      const piece = buffer.subarray(0, read);
      hash.update(piece);
      checksum = crc32(piece, checksum);
      size += read;
    }
  } finally {
    closeSync(file);
  }
  return { size, sha256: hash.digest("hex"), crc32: checksum };
}
