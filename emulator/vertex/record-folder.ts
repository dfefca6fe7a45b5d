import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Records of one kind, one JSON file each. A write has reached the file system before it returns, by a rename, so an
 * answered call survives kill -9 and no file is ever half written.
 */
export class RecordFolder<T extends { readonly name: string }> {
  readonly #folder: string;
  readonly #records = new Map<string, T>();
  #closed = false;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    for (const file of readdirSync(folder)) {
      if (!file.endsWith(".json")) {
        rmSync(join(folder, file), { force: true });
        continue;
      }
      const record = JSON.parse(readFileSync(join(folder, file), "utf8")) as T;
      this.#records.set(record.name, record);
    }
  }

  get(name: string): T | undefined {
    return this.#records.get(name);
  }

  /** All records by name. */
  list(): T[] {
    return [...this.#records.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  put(record: T): T {
    if (!this.#closed) {
      const file = this.#fileOf(record.name);
      writeFileSync(`${file}.new`, JSON.stringify(record));
      renameSync(`${file}.new`, file);
    }
    this.#records.set(record.name, record);
    return record;
  }

  delete(name: string): void {
    if (!this.#closed) rmSync(this.#fileOf(name), { force: true });
    this.#records.delete(name);
  }

  clear(): void {
    for (const name of [...this.#records.keys()]) this.delete(name);
  }

  /** Writes no more: the folder may belong to the next emulator now, while work of this one still ends. */
  close(): void {
    this.#closed = true;
  }

  /** Resource names hold slashes; encoded they are one file name and can't leave the folder. */
  #fileOf(name: string): string {
    return join(this.#folder, `${encodeURIComponent(name)}.json`);
  }
}
