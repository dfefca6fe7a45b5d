import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { open } from "node:fs/promises";

import { crc32 } from "@node-rs/crc32";

/** Size and checksums of what a file holds. */
export interface Content {
  /** Bytes. */
  readonly size: number;
  /** SHA-256, hex. */
  readonly sha256: string;
  readonly crc32: number;
}

const PIECE_BYTES = 1024 * 1024;

/** Adds content up to its size and checksums. */
export class Checksums {
  private readonly hash: Hash = createHash("sha256");
  private checksum = 0;
  size = 0;

  add(piece: Uint8Array): void {
    this.hash.update(piece);
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    this.checksum = crc32(bytes, this.checksum);
    this.size += piece.length;
  }

  get content(): Content {
    return { size: this.size, sha256: this.hash.copy().digest("hex"), crc32: this.checksum };
  }
}

/** Reads a file whole; null where there is none. */
export async function readContent(path: string): Promise<Content | null> {
  const handle = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (handle === null) return null;
  const sums = new Checksums();
  for await (const piece of handle.createReadStream({ highWaterMark: PIECE_BYTES })) {
    sums.add(piece as Buffer);
  }
  return sums.content;
}
