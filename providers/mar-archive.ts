import { PassThrough } from "node:stream";
import type { Readable } from "node:stream";
import { crc32 } from "node:zlib";

import { Archiver } from "archiver";

import { centralDirectory, localHeader } from "./zip-records.ts";
import type { PlacedEntry, ZipEntry } from "./zip-records.ts";

/** Bytes that wait between reading and writing. */
const BUFFERED_BYTES = 4 * 1024 * 1024;

/** An entry whose bytes were not those that its header had announced. */
export class EntryMismatchError extends Error {
  constructor(name: string) {
    super(`the content of "${name}" is not what its header says`);
    this.name = "EntryMismatchError";
  }
}

/**
 * A ZIP archive whose bytes follow from its entries alone: archiver's queue and streams, with a format of our own. archiver's
 * ZIP format writes the size of a streamed entry after it, which TorchServe refuses for stored ones, computes its checksum
 * in JavaScript, and deflates with the zlib that Node was built with, whose output differs between builds.
 */
export class MarArchive extends Archiver {
  constructor() {
    super({ highWaterMark: BUFFERED_BYTES });
    // What archiver's own formats (its index.js) set.
    const core = this as unknown as ArchiverCore;
    core._format = "mar";
    core._module = new MarFormat();
    core._modulePipe();
  }

  /** Adds an entry; resolves when its last byte is on its way. `packed`: the bytes as they stand in the archive. */
  add(entry: ZipEntry, packed: Buffer | Readable): Promise<void> {
    return new Promise((resolve, reject) => {
      this.once("error", reject);
      // archiver pipes a stream into its own, and a pipe passes no error on.
      if (!Buffer.isBuffer(packed)) packed.once("error", reject);
      this.once("entry", () => {
        this.off("error", reject);
        resolve();
      });
      this.append(packed, { ...entry });
    });
  }
}

/** The parts of archiver's class that a format plugs into, which its types leave out. */
interface ArchiverCore {
  _format: string;
  _module: MarFormat;
  _modulePipe(): void;
}

/** The format as archiver calls it: `append` one entry at a time, then `finalize`. */
class MarFormat extends PassThrough {
  private readonly entries: PlacedEntry[] = [];
  private offset = 0;

  constructor() {
    super({ highWaterMark: BUFFERED_BYTES });
  }

  append(packed: Buffer | Readable, entry: ZipEntry, done: (error?: Error) => void): void {
    this.entries.push({ ...entry, offset: this.offset });
    this.send(localHeader(entry));
    if (Buffer.isBuffer(packed)) {
      this.send(packed);
      done();
      return;
    }
    let checksum = 0;
    let size = 0;
    packed.on("data", (chunk: Buffer) => {
      checksum = crc32(chunk, checksum);
      size += chunk.length;
      if (this.send(chunk)) return;
      packed.pause();
      this.once("drain", () => packed.resume());
    });
    packed.once("error", done);
    packed.once("end", () => {
      const isAsAnnounced = checksum === entry.crc32 && size === entry.packedSize;
      done(isAsAnnounced ? undefined : new EntryMismatchError(entry.name));
    });
  }

  finalize(): void {
    this.end(centralDirectory(this.entries, this.offset));
  }

  private send(bytes: Buffer): boolean {
    this.offset += bytes.length;
    return this.write(bytes);
  }
}
