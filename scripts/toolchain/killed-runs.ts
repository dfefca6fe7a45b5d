import { readFile, readdir, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

import { isProcessAlive } from "../../providers/process-alive.ts";

/** What the CLI writes into a lock of a backend that lies in a folder. */
interface Lock {
  readonly pid: number;
  readonly hostname: string;
}

/**
 * Mends what killed runs of this machine left in a backend that lies in a folder, so that the next command need not be
 * preceded by anything. Answers the dead processes whose locks were removed.
 */
export async function clearKilledRuns(backendFolder: string): Promise<number[]> {
  const folder = join(backendFolder, ".pulumi");
  const removed = await removeDeadLocks(join(folder, "locks"));
  const locks = await filesBelow(join(folder, "locks"));
  // History and backups grow with every run: they are only looked through after a kill.
  const suspect = removed.length > 0 ? folder : join(folder, "stacks");
  if (locks.every((name) => !name.endsWith(".json"))) await removeTornAttributes(suspect);
  return removed;
}

/** So that no `pulumi cancel` is needed. A lock of a process that lives, or of another machine, stays. */
async function removeDeadLocks(folder: string): Promise<number[]> {
  const removed: number[] = [];
  for (const name of (await filesBelow(folder)).filter((one) => one.endsWith(".json"))) {
    const path = join(folder, name);
    const lock = await readLock(path);
    if (lock === undefined || lock.hostname !== hostname() || (await runsPulumi(lock.pid)))
      continue;
    await unlink(path).catch(() => undefined);
    removed.push(lock.pid);
  }
  return removed;
}

/**
 * Beside each file of such a backend stand its attributes, which are written in place: a kill in that moment leaves them
 * torn, and from then on every command fails with "failed to load checkpoint: EOF". Nobody needs them; the state itself
 * is replaced whole. Only called when no run is at work.
 */
async function removeTornAttributes(folder: string): Promise<void> {
  const names = (await filesBelow(folder)).filter((one) => one.endsWith(".attrs"));
  for (const name of names) {
    const path = join(folder, name);
    if (!(await isJson(path))) await unlink(path).catch(() => undefined);
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  return readdir(folder, { recursive: true }).catch(() => []);
}

async function isJson(path: string): Promise<boolean> {
  try {
    JSON.parse(await readFile(path, "utf8"));
    return true;
  } catch {
    return false;
  }
}

async function readLock(path: string): Promise<Lock | undefined> {
  try {
    const lock = JSON.parse(await readFile(path, "utf8")) as Partial<Lock>;
    const { pid, hostname } = lock;
    return typeof pid === "number" && typeof hostname === "string" ? { pid, hostname } : undefined;
  } catch {
    return undefined; // gone, or being written
  }
}

/** Whether that process lives and is a Pulumi CLI; where that can't be told, every process counts as one. */
async function runsPulumi(pid: number): Promise<boolean> {
  if (!isProcessAlive(pid)) return false;
  const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "pulumi");
  return name.trim() === "pulumi";
}
