import { constants } from "node:fs";
import { copyFile, type FileHandle, link, open } from "node:fs/promises";
import { Readable } from "node:stream";

/** Read size of downloads, bytes: large enough that a gigabyte is not sixteen thousand reads. */
const READ_CHUNK = 256 * 1024;
/** Bytes that copying content moves at once. */
const COPY_BLOCK = 1024 * 1024;

/** Content being written, front to back. */
export class DataWriter {
  readonly #file: FileHandle;
  #size: number;

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.#size = size;
  }

  /** Bytes written so far, those of earlier sessions included. */
  get size(): number {
    return this.#size;
  }

  async write(chunk: Uint8Array): Promise<void> {
    let done = 0;
    while (done < chunk.length) {
      const { bytesWritten } = await this.#file.write(chunk, done, chunk.length - done, this.#size);
      done += bytesWritten;
      this.#size += bytesWritten;
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

interface Piece {
  readonly file: FileHandle;
  readonly size: number;
}

/** Open content: one file, or several one after the other. Ends by reading it to the end or by `close`. */
export class DataReader {
  readonly #pieces: readonly Piece[];

  private constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
  }

  static async open(paths: readonly string[]): Promise<DataReader> {
    const pieces: Piece[] = [];
    try {
      for (const path of paths) {
        const file = await open(path, "r");
        pieces.push({ file, size: 0 });
        pieces[pieces.length - 1] = { file, size: (await file.stat()).size };
      }
      return new DataReader(pieces);
    } catch (error) {
      for (const { file } of pieces) await file.close();
      throw error;
    }
  }

  /** The bytes from `start` up to but without `end`; closes all files when the stream ends. */
  stream(start: number, end: number): Readable {
    const [only] = this.#pieces;
    if (only !== undefined && this.#pieces.length === 1) return readRange(only.file, start, end);
    const stream = Readable.from(this.#read(start, end), { objectMode: false });
    // Also of a stream that was given up before its first byte.
    return stream.once("close", () => void this.close());
  }

  async close(): Promise<void> {
    for (const { file } of this.#pieces) await file.close();
  }

  async *#read(start: number, end: number): AsyncGenerator<Buffer> {
    let offset = 0;
    for (const { file, size } of this.#pieces) {
      const from = Math.max(start - offset, 0);
      const to = Math.min(end - offset, size);
      offset += size;
      if (from < to) yield* readRange(file, from, to) as AsyncIterable<Buffer>;
    }
  }
}

function readRange(file: FileHandle, start: number, end: number): Readable {
  // `end` of a file stream is inclusive, so an empty range can't be said with it: read past the end instead.
  return end > start
    ? file.createReadStream({ start, end: end - 1, highWaterMark: READ_CHUNK })
    : file.createReadStream({ start: end, highWaterMark: 1 });
}

/** Writes the content of `files`, one after the other, into `target`, which must not exist. */
export async function concatenateFiles(files: readonly string[], target: string): Promise<void> {
  const writer = new DataWriter(await open(target, "wx"), 0);
  const buffer = new Uint8Array(COPY_BLOCK);
  try {
    for (const path of files) {
      const file = await open(path, "r");
      try {
        for (;;) {
          const { bytesRead } = await file.read(buffer, 0, COPY_BLOCK);
          if (bytesRead === 0) break;
          await writer.write(buffer.subarray(0, bytesRead));
        }
      } finally {
        await file.close();
      }
    }
  } finally {
    await writer.close();
  }
}

/** Puts the file at `target`, which must not exist: as a hard link, or a copy where the file system has none. */
export async function linkOrCopy(file: string, target: string): Promise<void> {
  try {
    await link(file, target);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!["EXDEV", "EPERM", "EMLINK", "ENOTSUP", "ENOSYS"].includes(code)) throw error;
    await copyFile(file, target, constants.COPYFILE_EXCL);
  }
}
