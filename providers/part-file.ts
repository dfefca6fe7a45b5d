import { open, readdir, rename, rm, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";

import { Checksums } from "./content.ts";
import type { Content } from "./content.ts";
import { isProcessAlive } from "./process-alive.ts";

/** Another process's part that has not grown for so long is nobody's: process numbers come again, and machines share folders. */
const DESERTED_MS = 120_000;

const PIECE_BYTES = 1024 * 1024;

/**
 * The beginning of a file that is being fetched, `NAME.PID.part` in a folder. Only the process PID writes to it; one that a
 * dead process left is taken over by renaming it, which only one can do.
 */
export class PartFile {
  readonly path: string;
  private readonly handle: FileHandle;
  private sums = new Checksums();

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.handle = handle;
  }

  /** The part of a file, longest first of those that were left, or a new one. Null while another process writes to one. */
  static async claim(folder: string, name: string): Promise<PartFile | null> {
    const path = join(folder, `${name}.${process.pid}.part`);
    for (const left of await listParts(folder, name)) {
      if (left.isInUse) return null;
      if (left.path === path) break;
      // Another process was quicker where it is gone.
      if (await rename(left.path, path).then(isDone, isMissing)) break;
    }
    const part = new PartFile(path, await open(path, "a+"));
    await part.readOn();
    return part;
  }

  /** Bytes that are there. */
  get size(): number {
    return this.sums.size;
  }

  get content(): Content {
    return this.sums.content;
  }

  async append(piece: Uint8Array): Promise<void> {
    await this.handle.appendFile(piece);
    this.sums.add(piece);
  }

  /** Forgets what is there. */
  async restart(): Promise<void> {
    await this.handle.truncate(0);
    this.sums = new Checksums();
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  /** Takes the part away as the file that it has become. */
  async finish(path: string): Promise<void> {
    await this.handle.close();
    await rename(this.path, path);
  }

  async remove(): Promise<void> {
    await this.handle.close();
    await rm(this.path, { force: true });
  }

  private async readOn(): Promise<void> {
    const buffer = Buffer.allocUnsafe(PIECE_BYTES);
    for (;;) {
      const { bytesRead } = await this.handle.read(buffer, 0, buffer.length, this.size);
      if (bytesRead === 0) return;
      this.sums.add(buffer.subarray(0, bytesRead));
    }
  }
}

/** Bytes of a file that earlier runs have fetched. */
export async function partBytes(folder: string, name: string): Promise<number> {
  return (await listParts(folder, name))[0]?.size ?? 0;
}

interface Part {
  readonly path: string;
  readonly size: number;
  /** Whether another process is writing to it. */
  readonly isInUse: boolean;
}

/** Those in use first, then the longest. */
async function listParts(folder: string, name: string): Promise<Part[]> {
  const parts: Part[] = [];
  for (const file of await readdir(folder)) {
    const pid = Number(/\.(\d+)\.part$/.exec(file)?.[1] ?? 0);
    if (file !== `${name}.${pid}.part`) continue;
    const path = join(folder, file);
    const stats = await stat(path).catch(() => null);
    if (stats === null) continue;
    const isFresh = Date.now() - stats.mtimeMs < DESERTED_MS;
    const isInUse = pid !== process.pid && isFresh && isProcessAlive(pid);
    parts.push({ path, size: stats.size, isInUse });
  }
  return parts.sort((a, b) => Number(b.isInUse) - Number(a.isInUse) || b.size - a.size);
}

const isDone = () => true;

function isMissing(error: NodeJS.ErrnoException): boolean {
  if (error.code === "ENOENT") return false;
  throw error;
}
