import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";

import { crc32 } from "@node-rs/crc32";

/** Where a file's bytes go. */
export interface Place {
  readonly file: FileHandle;
  /** Byte where the first one goes. */
  readonly at: number;
  /** Bytes of the file that are wanted. */
  readonly size: number;
}

/** What was copied. */
export interface Copied {
  /** Bytes; fewer than wanted where the file is shorter. */
  readonly size: number;
  readonly crc32: number;
}

/** Bytes of one read and one write. Smaller and larger ones were no faster. */
const BLOCK_BYTES = 512 * 1024;

/** Blocks under way: as many as Node has threads for files, so that reads, writes and the checksum go on at once. */
const BLOCKS = 4;

/** Copies a file to a place in another, and answers the checksum of what was read. */
export async function copyTo(place: Place, path: string): Promise<Copied> {
  const source = await open(path, "r");
  let next = 0;
  let copied = 0;
  let checksum = 0;
  // The checksum takes the blocks in their order, whichever is read first.
  let turn = Promise.resolve();
  const copyBlocks = async (): Promise<void> => {
    const block = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, place.size));
    while (next < place.size) {
      const start = next;
      const length = Math.min(block.length, place.size - start);
      next += length;
      const before = turn;
      const mine = Promise.withResolvers<void>();
      turn = mine.promise;
      try {
        const { bytesRead } = await source.read(block, 0, length, start);
        await before;
        checksum = crc32(block.subarray(0, bytesRead), checksum);
        copied += bytesRead;
      } finally {
        mine.resolve();
      }
      await writeAt(place.file, block.subarray(0, length), place.at + start);
    }
  };
  try {
    const stopped = async (error: unknown): Promise<never> => {
      next = place.size;
      throw error;
    };
    // All of them, so that none still writes when the file is closed or removed.
    const ends = await Promise.allSettled(
      Array.from({ length: BLOCKS }, () => copyBlocks().catch(stopped)),
    );
    const failed = ends.find((end) => end.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return { size: copied, crc32: checksum };
  } finally {
    await source.close();
  }
}

/** Writes all of it: a disk that fills up takes a part first and says so only then. */
export async function writeAt(file: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}
