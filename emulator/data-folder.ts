import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** Where a running emulator is reached. */
export interface Address {
  /** "http://127.0.0.1:8085" */
  readonly rest: string;
  /** "127.0.0.1:8086" */
  readonly grpc: string;
  readonly pid: number;
  /** Absolute path of the data folder. */
  readonly data: string;
}

/** The data folder is in use. The message is for a person. */
export class DataFolderInUseError extends Error {
  override readonly name = "DataFolderInUseError";
}

interface Owner {
  readonly pid: number;
  /** Start time of the process: a pid alone may since belong to another. */
  readonly startedAt: string;
}

/** The folder of one emulator: owned by one living process, with its address inside. */
export class DataFolder {
  readonly path: string;

  /** Takes the folder. Throws DataFolderInUseError while another living emulator has it. */
  constructor(path: string) {
    this.path = resolve(path);
    mkdirSync(this.path, { recursive: true });
    if (this.#tryLock()) return;
    const owner = readOwner(this.#lockFile);
    if (owner !== undefined && startTimeOf(owner.pid) === owner.startedAt) {
      throw new DataFolderInUseError(
        `The emulator was not started: the data folder "${this.path}" is in use by the emulator with process id ${owner.pid}. Stop it, or choose another folder with --data.`,
      );
    }
    rmSync(this.#lockFile, { force: true });
    if (!this.#tryLock()) {
      throw new DataFolderInUseError(
        `The emulator was not started: another one is just taking the data folder "${this.path}".`,
      );
    }
  }

  /** Writes address.json, whole or not at all. */
  writeAddress(address: Address): void {
    writeFileSync(`${this.#addressFile}.new`, `${JSON.stringify(address)}\n`);
    renameSync(`${this.#addressFile}.new`, this.#addressFile);
  }

  /** Gives the folder up. */
  release(): void {
    rmSync(this.#addressFile, { force: true });
    rmSync(this.#lockFile, { force: true });
  }

  get #lockFile(): string {
    return join(this.path, "owner.json");
  }

  get #addressFile(): string {
    return join(this.path, "address.json");
  }

  #tryLock(): boolean {
    const owner: Owner = { pid: process.pid, startedAt: startTimeOf(process.pid) ?? "" };
    try {
      writeFileSync(this.#lockFile, JSON.stringify(owner), { flag: "wx" });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    }
  }
}

function readOwner(file: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Owner;
  } catch {
    return undefined;
  }
}

/** undefined when no such process lives. Where the system tells no start time, "" for every living process. */
function startTimeOf(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return undefined;
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Field 22, counted after the command name, which may hold spaces.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}
