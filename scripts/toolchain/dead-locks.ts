import { readFile, readdir, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

/** What the CLI writes into a lock of a backend that lies in a folder. */
interface Lock {
  readonly pid: number;
  readonly hostname: string;
}

/**
 * Removes the locks that runs of this machine left behind when they were killed, so that the next command need not be
 * preceded by `pulumi cancel`. A lock of a process that lives, or of another machine, stays. Answers the dead processes.
 */
export async function removeDeadLocks(backendFolder: string): Promise<number[]> {
  const folder = join(backendFolder, ".pulumi/locks");
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const removed: number[] = [];
  for (const name of names.filter((one) => one.endsWith(".json"))) {
    const path = join(folder, name);
    const lock = await readLock(path);
    if (lock === undefined || lock.hostname !== hostname() || (await runsPulumi(lock.pid)))
      continue;
    await unlink(path).catch(() => undefined);
    removed.push(lock.pid);
  }
  return removed;
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
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "pulumi");
  return name.trim() === "pulumi";
}
