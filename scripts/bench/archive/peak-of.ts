import { spawn } from "node:child_process";
import { readPeakMemoryMiB } from "../machine.ts";

/** What one run of a command took. */
export interface Run {
  readonly ms: number;
  /** The most that its process has held, MiB, seen every 50 ms; undefined where the system does not say. */
  readonly peakMiB: number | undefined;
  /** What the command itself says that its work took, without the start of its process: a number of milliseconds on stdout. */
  readonly workMs: number | undefined;
}

const LOOK_MS = 50;

/** Runs a command to its end, in a folder where one is given. Throws what it wrote when it fails. */
export async function runMeasured(
  command: string,
  args: readonly string[],
  cwd?: string,
): Promise<Run> {
  const started = performance.now();
  const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let peakMiB: number | undefined;
  const look = setInterval(() => {
    void readPeakMemoryMiB(child.pid ?? 0).then((seen) => (peakMiB = seen ?? peakMiB));
  }, LOOK_MS);
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  let words = "";
  child.stderr.on("data", (chunk: Buffer) => (words += chunk.toString()));
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    if (code !== 0) throw new Error(`"${command}" ended with ${code}: ${words.slice(-2000)}`);
    const workMs = Number.parseFloat(output);
    return {
      ms: performance.now() - started,
      peakMiB,
      workMs: Number.isNaN(workMs) ? undefined : workMs,
    };
  } finally {
    clearInterval(look);
  }
}
