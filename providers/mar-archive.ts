import { PassThrough, Writable } from "node:stream";
import type { FileHandle } from "node:fs/promises";
import { pipeline } from "node:stream/promises";

import { Archiver } from "archiver";

import { copyTo, writeAt } from "./file-copy.ts";
import { centralDirectory, localHeader } from "./zip-records.ts";
import type { PlacedEntry, ZipEntry } from "./zip-records.ts";

/** An entry whose bytes were not those that its header had announced. */
export class EntryMismatchError extends Error {
  constructor(name: string) {
    super(`the content of "${name}" is not what its header says`);
    this.name = "EntryMismatchError";
  }
}

/** Bytes of the archive's file that are not streamed but copied there. */
interface Gap {
  readonly at: number;
  readonly size: number;
}

/**
 * A ZIP archive whose bytes follow from its entries alone: archiver's queue and streams, with a format of our own. archiver's
 * ZIP format writes the size of a streamed entry after it, which TorchServe refuses for stored ones, computes its checksum
 * in JavaScript, and deflates with the zlib that Node was built with, whose output differs between builds. Long files go
 * around the streams, straight to their place: through them they take five times as long as a plain copy.
 */
export class MarArchive extends Archiver {
  private readonly written: Promise<void>;

  /** @param target the file that it becomes, empty and open for writing; whoever opened it closes it. */
  constructor(target: FileHandle) {
    super();
    const gaps: Gap[] = [];
    // What archiver's own formats (its index.js) set.
    const core = this as unknown as ArchiverCore;
    core._format = "mar";
    core._module = new MarFormat(target, gaps);
    core._modulePipe();
    this.written = pipeline(this, new GapWriter(target, gaps));
    // Whoever adds or ends sees the failure; until then it must not count as unhandled.
    this.written.catch(() => undefined);
  }

  /**
   * Adds an entry; resolves when its last byte is on its way. `packed`: the bytes as they stand in the archive, or the path
   * of the file that has them.
   */
  add(entry: ZipEntry, packed: Buffer | string): Promise<void> {
    const isPath = typeof packed === "string";
    const added = new Promise<void>((resolve, reject) => {
      this.once("error", reject);
      this.once("entry", () => {
        this.off("error", reject);
        resolve();
      });
      // archiver takes bytes or a stream; what is copied instead goes with the entry's data.
      this.append(isPath ? Buffer.alloc(0) : packed, {
        ...entry,
        ...(isPath && { copiedFrom: packed }),
      });
    });
    return Promise.race([added, this.written]);
  }

  /** Writes the directory; resolves when the whole archive is in its file. */
  async complete(): Promise<void> {
    await this.finalize();
    await this.written;
  }
}

/** The parts of archiver's class that a format plugs into, which its types leave out. */
interface ArchiverCore {
  _format: string;
  _module: MarFormat;
  _modulePipe(): void;
}

interface MarEntry extends ZipEntry {
  /** Path of the file that has its bytes. */
  readonly copiedFrom?: string;
}

/** The format as archiver calls it: `append` one entry at a time, then `finalize`. */
class MarFormat extends PassThrough {
  private readonly target: FileHandle;
  private readonly gaps: Gap[];
  private readonly entries: PlacedEntry[] = [];
  private offset = 0;

  constructor(target: FileHandle, gaps: Gap[]) {
    super();
    this.target = target;
    this.gaps = gaps;
  }

  append(packed: Buffer, entry: MarEntry, done: (error?: Error) => void): void {
    this.entries.push({ ...entry, offset: this.offset });
    this.send(localHeader(entry));
    if (entry.copiedFrom === undefined) {
      this.send(packed);
      done();
      return;
    }
    const gap = { at: this.offset, size: entry.packedSize };
    this.gaps.push(gap);
    this.offset += gap.size;
    copyTo({ file: this.target, ...gap }, entry.copiedFrom).then((copied) => {
      const isAsAnnounced = copied.crc32 === entry.crc32 && copied.size === entry.packedSize;
      done(isAsAnnounced ? undefined : new EntryMismatchError(entry.name));
    }, done);
  }

  finalize(): void {
    this.end(centralDirectory(this.entries, this.offset));
  }

  private send(bytes: Buffer): void {
    this.offset += bytes.length;
    this.write(bytes);
  }
}

/** Writes what is streamed around the gaps. A gap is known before the bytes after it come, and no chunk reaches across. */
class GapWriter extends Writable {
  private readonly target: FileHandle;
  private readonly gaps: Gap[];
  private position = 0;

  constructor(target: FileHandle, gaps: Gap[]) {
    super();
    this.target = target;
    this.gaps = gaps;
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    while (this.gaps[0]?.at === this.position) this.position += this.gaps.shift()?.size ?? 0;
    const at = this.position;
    this.position += chunk.length;
    writeAt(this.target, chunk, at).then(() => done(), done);
  }
}
