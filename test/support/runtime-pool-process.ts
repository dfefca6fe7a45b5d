import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { ServerSpec, ServerState, ServerStatus } from "../../emulator/runtime/server-pool.ts";
import { waitFor } from "./wait-for.ts";

const SCRIPT = join(import.meta.dirname, "..", "fixtures", "runtime-pool.ts");

export interface PoolProcessOptions {
  readonly dataDir: string;
  readonly python: string;
  /** The light server, else TorchServe. */
  readonly isLight: boolean;
  readonly spec: ServerSpec;
}

/** Another process that has a server, as the emulator has. */
export interface PoolProcess {
  /** Waits until the server is in the state; its process group is what is answered. */
  waitForState(state: ServerState, restarts: number, timeoutMs: number): Promise<number>;
  /** Sends a signal to the process that has the server, and waits for its end. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
}

export function startPoolProcess(options: PoolProcessOptions): PoolProcess {
  const child = spawn(process.execPath, [SCRIPT, JSON.stringify(options)], {
    env: { ...process.env, NODE_OPTIONS: "" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  let status: ServerStatus | null = null;
  createInterface(child.stdout).on("line", (line) => {
    status = JSON.parse(line) as ServerStatus | null;
  });
  return {
    waitForState: async (state, restarts, timeoutMs) => {
      let group: number | null = null;
      await waitFor(
        `State ${state} after ${restarts} restarts`,
        () => {
          if (status?.state === state && status.restarts >= restarts) group = status.pid;
          return group !== null;
        },
        timeoutMs,
      );
      return group ?? 0;
    },
    end: async (signal) => {
      child.kill(signal);
      await exited;
    },
  };
}
