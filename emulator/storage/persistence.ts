import { randomBytes } from "node:crypto";
import { constants, type ReadStream } from "node:fs";
import {
  copyFile,
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";

/** The kinds of documents; one folder each. */
export type DocumentKind = "buckets" | "objects" | "uploads";

const KINDS: readonly DocumentKind[] = ["buckets", "objects", "uploads"];
const DATA = "data";
const ID = /^[0-9a-f]{32}$/;
/** Read size of downloads, bytes: large enough that a gigabyte is not sixteen thousand reads. */
const READ_CHUNK = 256 * 1024;
/** Bytes that copying content moves at once. */
const COPY_BLOCK = 1024 * 1024;

/**
 * The only disk access of the storage emulator. Documents are JSON files that appear whole or not at all (temporary file,
 * then rename); data files hold content and are never changed once a document of an object names them. Every file is
 * named by an id of this class, never by what a client sent, so no name can leave the folder.
 */
export class Persistence {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Opens the folder, making it when it is missing. */
  static async open(folder: string): Promise<Persistence> {
    const persistence = new Persistence(folder);
    await persistence.#makeFolders();
    return persistence;
  }

  /** A new id for a document or a data file: 32 hexadecimal digits. */
  newId(): string {
    return randomBytes(16).toString("hex");
  }

  async readDocuments(kind: DocumentKind): Promise<unknown[]> {
    const documents: unknown[] = [];
    for (const file of await readdir(join(this.#folder, kind))) {
      const path = join(this.#folder, kind, file);
      // A temporary file is a write that a crash cut off before anyone was told of it.
      if (file.endsWith(".json")) documents.push(JSON.parse(await readFile(path, "utf8")));
      else await rm(path, { force: true });
    }
    return documents;
  }

  /** Writes the document; when this resolves, a killed process finds it again. */
  async writeDocument(kind: DocumentKind, id: string, document: object): Promise<void> {
    const path = this.#path(kind, id);
    const temporary = `${path}.${this.newId()}.tmp`;
    await writeFile(temporary, JSON.stringify(document));
    await rename(temporary, `${path}.json`);
  }

  async removeDocument(kind: DocumentKind, id: string): Promise<void> {
    await rm(`${this.#path(kind, id)}.json`, { force: true });
  }

  async createData(id: string): Promise<DataWriter> {
    return new DataWriter(await open(this.#path(DATA, id), "wx"), 0);
  }

  /** Opens unfinished data to write on where it ends. */
  async continueData(id: string): Promise<DataWriter> {
    const file = await open(this.#path(DATA, id), constants.O_RDWR | constants.O_CREAT);
    return new DataWriter(file, (await file.stat()).size);
  }

  /** Bytes of the data file; 0 where there is none. */
  async dataSize(id: string): Promise<number> {
    const file = await open(this.#path(DATA, id), "r").catch(() => undefined);
    if (!file) return 0;
    try {
      return (await file.stat()).size;
    } finally {
      await file.close();
    }
  }

  /** Opens data for reading. What is open can be read to its end, also when the object is deleted meanwhile. */
  async openData(id: string): Promise<DataReader> {
    return new DataReader(await open(this.#path(DATA, id), "r"));
  }

  /** Gives the same content a second id without copying bytes; data is immutable, so both may share them. */
  async linkData(from: string, to: string): Promise<void> {
    await link(this.#path(DATA, from), this.#path(DATA, to));
  }

  /** Writes the content of `pieces`, one after the other, into a new data file; removes it when it throws. */
  async concatenateData(pieces: readonly string[], id: string): Promise<void> {
    const [only] = pieces;
    if (only !== undefined && pieces.length === 1) return this.linkData(only, id);
    const writer = await this.createData(id);
    const buffer = new Uint8Array(COPY_BLOCK);
    try {
      for (const piece of pieces) {
        const file = await open(this.#path(DATA, piece), "r");
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
    } catch (error) {
      await this.removeData(id);
      throw error;
    } finally {
      await writer.close();
    }
  }

  /** Puts the content at `targetFile`, which must not exist: as a hard link, or a copy where the file system has none. */
  async linkDataTo(id: string, targetFile: string): Promise<void> {
    try {
      await link(this.#path(DATA, id), targetFile);
    } catch (error) {
      const { code = "" } = error as NodeJS.ErrnoException;
      if (!["EXDEV", "EPERM", "EMLINK", "ENOTSUP", "ENOSYS"].includes(code)) throw error;
      await copyFile(this.#path(DATA, id), targetFile, constants.COPYFILE_EXCL);
    }
  }

  async removeData(id: string): Promise<void> {
    await rm(this.#path(DATA, id), { force: true });
  }

  /** Removes every data file that no document names: what a crash left behind. */
  async removeDataExcept(kept: ReadonlySet<string>): Promise<void> {
    for (const file of await readdir(join(this.#folder, DATA))) {
      if (!kept.has(file)) await rm(join(this.#folder, DATA, file), { force: true });
    }
  }

  /** Removes everything. */
  async clear(): Promise<void> {
    for (const folder of [...KINDS, DATA]) {
      await rm(join(this.#folder, folder), { recursive: true, force: true });
    }
    await this.#makeFolders();
  }

  async #makeFolders(): Promise<void> {
    for (const folder of [...KINDS, DATA]) {
      await mkdir(join(this.#folder, folder), { recursive: true });
    }
  }

  #path(folder: string, id: string): string {
    if (!ID.test(id)) throw new Error(`"${id}" is no id of the storage folder.`);
    return join(this.#folder, folder, id);
  }
}

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

/** Open content. Ends by reading it to the end or by `close`. */
export class DataReader {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** The bytes from `start` up to but without `end`; closes the file when the stream ends. */
  stream(start: number, end: number): ReadStream {
    // `end` of a file stream is inclusive, so an empty range can't be said with it: read past the end instead.
    return end > start
      ? this.#file.createReadStream({ start, end: end - 1, highWaterMark: READ_CHUNK })
      : this.#file.createReadStream({ start: end, highWaterMark: 1 });
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
