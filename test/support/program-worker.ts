/**
 * The process in which the engine and the reconcilers run, so that kill -9 is real. As a program it is that process: it
 * takes commands one at a time from its parent and ends with it.
 */
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { EngineCommand, EngineResult } from "./program-engine.ts";

const FILE = fileURLToPath(import.meta.url);

/** How a command ended; "killed": its process was. */
export type WorkerResult = EngineResult | "killed";

interface WorkerRequest {
  readonly statePath: string;
  readonly command: EngineCommand;
}

/** A worker from its parent's side. */
export class ProgramWorker {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Starts one in the folder of the archives' plans, led to the emulator of that data folder. */
  static start(folder: string, dataDir: string): ProgramWorker {
    const child = fork(FILE, [], {
      cwd: folder,
      execArgv: [],
      env: {
        ...process.env,
        NODE_OPTIONS: "",
        VERTEX_DIFFUSION_EMULATOR: join(dataDir, "address.json"),
        VERTEX_DIFFUSION_POLL_MS: "20",
        VERTEX_DIFFUSION_PATIENCE_MS: "600",
      },
    });
    return new ProgramWorker(child);
  }

  /** Runs one command. Throws when the process ends by itself. */
  async run(statePath: string, command: EngineCommand): Promise<WorkerResult> {
    const ended = new AbortController();
    const { signal } = ended;
    try {
      const answered = once(this.#child, "message", { signal });
      const exited = once(this.#child, "exit", { signal });
      this.#child.send({ statePath, command } satisfies WorkerRequest);
      const [answer] = (await Promise.race([
        answered,
        exited.then(([code, cause]: unknown[]) => {
          if (cause === "SIGKILL") return ["killed"];
          throw new Error(`The worker ended with exit code ${String(code)}.`);
        }),
      ])) as [WorkerResult];
      return answer;
    } finally {
      ended.abort();
    }
  }

  /** kill -9; waits for the end. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }
}

async function main(): Promise<void> {
  const { runEngine } = await import("./program-engine.ts");
  process.once("disconnect", () => process.exit(0));
  process.on("message", ({ statePath, command }: WorkerRequest) => {
    void runEngine(statePath, command).then((result) => process.send?.(result));
  });
}

if (process.argv[1] === FILE) await main();
