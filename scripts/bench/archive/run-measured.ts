import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { UserError } from "../../toolchain/user-error.ts";

/** What one process took. */
export interface ProcessFigures {
  /** From its start to its end. */
  readonly seconds: number;
  /** The most that it held; 0 where the system does not say. */
  readonly peakMemoryMiB: number;
}

const POLL_MS = 25;

/**
 * Runs a command to its end in a folder. Memory is the kernel's high-water mark, read while the process lives.
 *
 * @throws UserError with the command's last words when it fails.
 */
export async function runMeasured(
  command: readonly string[],
  folder: string,
): Promise<ProcessFigures> {
  const [file = "", ...args] = command;
  const started = performance.now();
  const child = spawn(file, args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  let words = "";
  child.stderr.on("data", (chunk: Buffer) => (words = `${words}${chunk.toString()}`.slice(-2_000)));
  let peakKiB = 0;
  const poll = setInterval(() => {
    void readPeakKiB(child.pid).then((peak) => (peakKiB = Math.max(peakKiB, peak)));
  }, POLL_MS);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  }).finally(() => clearInterval(poll));
  const seconds = (performance.now() - started) / 1000;
  if (code === 0) return { seconds, peakMemoryMiB: peakKiB / 1024 };
  throw new UserError(`"${command.join(" ")}" failed (${code}): ${words.trim()}`);
}

async function readPeakKiB(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0);
}
