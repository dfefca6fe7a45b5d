import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ServerLog } from "./server-log.ts";
import type { Launch } from "./server-runtime.ts";

const SUPERVISOR = join(import.meta.dirname, "supervise.py");

/** A server that did not come up, in the words of its own log. */
export class ServerStartError extends Error {
  override readonly name = "ServerStartError";

  constructor(reason: string, lastLogLines: string) {
    super(
      `model server never became ready: ${reason}. Please validate that your model file or container configuration are valid. Last log lines:\n${lastLogLines}`,
    );
  }
}

/** One running server, in a process group of its own that ends with it, with its supervisor and with the emulator. */
export class ServerProcess {
  readonly launch: Launch;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #hasExited = false;

  /** The Python runs the supervisor: any will do. */
  constructor(python: string, launch: Launch, log: ServerLog) {
    this.launch = launch;
    const output = openSync(log.file, "a");
    try {
      this.#child = spawn(python, ["-I", "-S", SUPERVISOR, launch.scratchDir, ...launch.command], {
        cwd: launch.folder,
        env: launch.env,
        detached: true,
        stdio: ["pipe", output, output],
      });
    } finally {
      closeSync(output);
    }
    this.#exited = new Promise((resolve) => {
      const ended = (): void => {
        // The supervisor takes its group along; this covers a supervisor that was itself killed.
        this.kill();
        this.#hasExited = true;
        removeScratch(launch.scratchDir);
        resolve();
      };
      this.#child.once("exit", ended);
      this.#child.once("error", ended);
    });
    this.#child.stdin?.on("error", () => undefined);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Resolves when the process has ended, for whatever reason. */
  async exited(): Promise<void> {
    await this.#exited;
  }

  /** Sends SIGTERM to the server, as a container's first process gets it. */
  terminate(): void {
    this.#child.kill("SIGTERM");
  }

  /** Sends SIGKILL to the process and all its children. */
  kill(): void {
    const { pid } = this.#child;
    if (pid === undefined || this.#hasExited) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // The group is gone already.
    }
  }

  /** Kills the process and all its children; resolves when they are gone. */
  async stop(): Promise<void> {
    this.#child.stdin?.destroy();
    this.kill();
    await this.#exited;
  }
}

function removeScratch(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // A dying child still wrote into it.
  }
}
