/**
 * An emulator with light servers in a process of its own, so that a test can kill it. As a program, with the data folder and
 * the clock as arguments, it is that process: it prints its address as a line of JSON and runs until SIGTERM.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ClockMode } from "../../emulator/clock.ts";
import type { Address } from "../../emulator/data-folder.ts";
import type { EmulatorProcess } from "./emulator-process.ts";

const FILE = fileURLToPath(import.meta.url);

/** Starts the process on free ports and waits until it answers. */
export async function startLightEmulatorProcess(
  dataDir: string,
  clock: ClockMode,
): Promise<EmulatorProcess> {
  const child = spawn(process.execPath, [FILE, dataDir, clock], {
    env: { ...process.env, NODE_OPTIONS: "" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const line = await Promise.race([
    once(createInterface(child.stdout), "line"),
    exited.then(([code]) => {
      throw new Error(`The emulator ended without an address, with exit code ${String(code)}.`);
    }),
  ]);
  return {
    address: JSON.parse(String(line)) as Address,
    stop: async (signal) => {
      child.kill(signal);
      await exited;
    },
  };
}

async function main(dataDir: string, clock: ClockMode): Promise<void> {
  const { startEmulator } = await import("../../emulator/server.ts");
  const { LIGHT_PYTHON, lightServer } = await import("./light-server.ts");
  const emulator = await startEmulator({
    dataDir,
    clock,
    port: 0,
    grpcPort: 0,
    runtime: lightServer,
    python: LIGHT_PYTHON,
  });
  process.once("SIGTERM", () => void emulator.close().then(() => process.exit(0)));
  process.stdout.write(`${JSON.stringify(emulator.address)}\n`);
}

if (process.argv[1] === FILE) await main(process.argv[2] ?? "", process.argv[3] as ClockMode);
