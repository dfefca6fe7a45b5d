import { readFile, readdir } from "node:fs/promises";

interface Found {
  readonly pid: number;
  readonly parent: number;
  /** First word of its command line. */
  readonly program: string;
  readonly residentMiB: number;
}

/** Memory of the processes that stem from one, MiB together, by the file name of their program: { python: 812 }. */
export async function memoryBelow(ancestor: number): Promise<Readonly<Record<string, number>>> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = (await Promise.all(pids.map(look))).filter((each) => each !== null);
  const family = new Set([ancestor]);
  for (let size = 0; size < family.size;) {
    size = family.size;
    for (const { pid, parent } of found) if (family.has(parent)) family.add(pid);
  }
  const sums: Record<string, number> = {};
  for (const { pid, program, residentMiB } of found) {
    if (pid === ancestor || !family.has(pid)) continue;
    sums[program] = (sums[program] ?? 0) + residentMiB;
  }
  return sums;
}

/** Null for a process that ended meanwhile. */
async function look(pid: number): Promise<Found | null> {
  try {
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8");
    return {
      pid,
      parent: Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]),
      program: command.split("\0")[0]?.split("/").at(-1) ?? "",
      residentMiB: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024,
    };
  } catch {
    return null;
  }
}
