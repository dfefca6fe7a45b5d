import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { link, mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { concatenateFiles, DataReader, DataWriter, linkOrCopy } from "./data-files.ts";

/** The kinds of documents; one folder each. */
export type DocumentKind = "buckets" | "objects" | "uploads";

const KINDS: readonly DocumentKind[] = ["buckets", "objects", "uploads"];
const DATA = "data";
const ID = /^[0-9a-f]{32}$/;
/** Content of more pieces than this is copied into one file: a reader has all of its pieces open. */
const MAX_PIECES = 64;

/**
 * The only disk access of the storage emulator. Documents are JSON files that appear whole or not at all (temporary file,
 * then rename); data files hold content and are never changed once a document of an object names them. Composed content is
 * a folder of links to that of its components, so that composing gigabytes moves none. Every file is named by an id of this
 * class, never by what a client sent, so no name can leave the folder.
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
    return DataReader.open(await this.#dataFiles(id));
  }

  /** Gives the same content a second id without copying bytes; data is immutable, so both may share them. */
  async linkData(from: string, to: string): Promise<void> {
    const files = await this.#dataFiles(from);
    const [only] = files;
    if (only === this.#path(DATA, from)) await link(only, this.#path(DATA, to));
    else await this.#linkPieces(files, to);
  }

  /** Makes the content of `pieces`, one after the other, new data; leaves nothing of it when it throws. */
  async concatenateData(pieces: readonly string[], id: string): Promise<void> {
    const [only] = pieces;
    if (only !== undefined && pieces.length === 1) return this.linkData(only, id);
    const files: string[] = [];
    for (const piece of pieces) files.push(...(await this.#dataFiles(piece)));
    try {
      if (files.length > MAX_PIECES) await concatenateFiles(files, this.#path(DATA, id));
      else await this.#linkPieces(files, id);
    } catch (error) {
      await this.removeData(id);
      throw error;
    }
  }

  /** Links a file into the folder of composed content as its `index`-th piece. */
  async linkPiece(file: string, id: string, index: number): Promise<void> {
    await link(file, join(this.#path(DATA, id), String(index).padStart(2, "0")));
  }

  /**
   * Puts the content at `targetFile`, which must not exist: as a hard link, or a copy where the file system has none or the
   * content is composed.
   */
  async linkDataTo(id: string, targetFile: string): Promise<void> {
    const files = await this.#dataFiles(id);
    const [only] = files;
    if (only !== undefined && files.length === 1) await linkOrCopy(only, targetFile);
    else await concatenateFiles(files, targetFile);
  }

  async removeData(id: string): Promise<void> {
    await rm(this.#path(DATA, id), { recursive: true, force: true });
  }

  /** Removes all data that no document names: what a crash left behind. */
  async removeDataExcept(kept: ReadonlySet<string>): Promise<void> {
    for (const file of await readdir(join(this.#folder, DATA))) {
      if (!kept.has(file))
        await rm(join(this.#folder, DATA, file), { recursive: true, force: true });
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

  /** The files that hold the content, in order: itself, or the pieces in the folder of composed content. */
  async #dataFiles(id: string): Promise<string[]> {
    const path = this.#path(DATA, id);
    try {
      const pieces = await readdir(path);
      return pieces.sort().map((piece) => join(path, piece));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOTDIR") throw error;
      return [path];
    }
  }

  async #linkPieces(files: readonly string[], id: string): Promise<void> {
    await mkdir(this.#path(DATA, id));
    for (const [index, file] of files.entries()) await this.linkPiece(file, id, index);
  }

  #path(folder: string, id: string): string {
    if (!ID.test(id)) throw new Error(`"${id}" is no id of the storage folder.`);
    return join(this.#folder, folder, id);
  }
}
