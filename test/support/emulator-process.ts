import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Address } from "../../emulator/data-folder.ts";

const MAIN = join(import.meta.dirname, "..", "..", "emulator", "main.ts");

/** The emulator as a person starts it: a process of its own. */
export interface EmulatorProcess {
  readonly address: Address;
  /** Sends a signal and waits for the end. */
  stop(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
}

/** Starts the command on free ports and waits for its line of JSON. */
export async function startEmulatorProcess(
  dataDir: string,
  args: readonly string[] = [],
): Promise<EmulatorProcess> {
  const child = spawnEmulator(["--port", "0", "--grpc-port", "0", "--data", dataDir, ...args]);
  const address = await firstLine(child);
  return {
    address: JSON.parse(address) as Address,
    stop: async (signal) => {
      const exited = new Promise((resolve) => child.once("exit", resolve));
      child.kill(signal);
      await exited;
    },
  };
}

/** Runs the command to its end. */
export async function runEmulator(
  args: readonly string[],
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawnEmulator(args);
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stdout, stderr };
}

function spawnEmulator(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, NODE_OPTIONS: "" },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("The emulator has no standard output.");
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  for await (const line of createInterface(child.stdout)) return line;
  throw new Error(`The emulator ended without an address: ${stderr}`);
}
