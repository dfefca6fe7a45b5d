import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { call } from "./http-client.ts";
import type { Launch } from "./server-runtime.ts";

const SUPERVISOR = join(import.meta.dirname, "supervise.py");
/** A quick server is seen at once, a slow one is not asked too often. */
const FIRST_POLL_MS = 25;
const LONGEST_POLL_MS = 200;
/** A second failed load of the same bytes shows that a third would fail too. */
const FAILED_LOADS = 2;
const TAIL_LINES = 25;
export const LOG_FILE = "server.log";

/** A server that did not come up, in the words of its own log. */
export class ServerStartError extends Error {
  override readonly name = "ServerStartError";
  /** Another process took one of the chosen ports in between: a new try chooses others. */
  readonly isPortTaken: boolean;

  constructor(message: string, isPortTaken: boolean) {
    super(message);
    this.isPortTaken = isPortTaken;
  }
}

/** One running model server, its own process group. */
export class ServerProcess {
  readonly launch: Launch;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #hasExited = false;

  constructor(python: string, launch: Launch) {
    this.launch = launch;
    const log = openSync(logFile(launch.folder), "a");
    this.#child = spawn(python, ["-I", "-S", SUPERVISOR, launch.scratchDir, ...launch.command], {
      cwd: launch.folder,
      env: launch.env,
      detached: true,
      stdio: ["pipe", log, log],
    });
    closeSync(log);
    this.#exited = new Promise((resolve) => {
      const ended = (): void => {
        this.#hasExited = true;
        // The supervisor takes its group along; this covers a supervisor that was itself killed.
        this.#killGroup();
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

  get hasExited(): boolean {
    return this.#hasExited;
  }

  /** Resolves when the process has ended, for whatever reason. */
  async exited(): Promise<void> {
    await this.#exited;
  }

  /** Waits until the model answers. Throws ServerStartError as soon as it is clear that it will not. */
  async waitUntilReady(healthRoute: string, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    const health = { method: "GET", url: this.launch.url + healthRoute, timeoutMs: 5000 } as const;
    const { failedLoad, isModelLoaded = () => Promise.resolve(true) } = this.launch;
    let pollMs = FIRST_POLL_MS;
    while (!(await isModelLoaded()) || !(await isHealthy(health))) {
      if (this.#hasExited) throw this.#startError("the server process ended");
      if (failedLoad && countMatches(this.readLog(), failedLoad) >= FAILED_LOADS) {
        throw this.#startError("loading the model failed repeatedly");
      }
      if (Date.now() > deadline) {
        throw this.#startError(`the model did not answer within ${Math.round(timeoutMs / 1000)} s`);
      }
      await Promise.race([delay(pollMs), this.#exited]);
      pollMs = Math.min(pollMs * 2, LONGEST_POLL_MS);
    }
  }

  /** Kills the process and all its children; resolves when they are gone. */
  async stop(): Promise<void> {
    this.#child.stdin?.destroy();
    this.#killGroup();
    await this.#exited;
  }

  readLog(): string {
    return readServerLog(this.launch.folder);
  }

  #killGroup(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // The group is gone already.
    }
  }

  #startError(reason: string): ServerStartError {
    const log = this.readLog();
    return new ServerStartError(
      `model server never became ready: ${reason}. Please validate that your model file or container configuration are valid. Last log lines:\n${tailOf(log)}`,
      this.#hasExited && log.includes("Address already in use"),
    );
  }
}

export function logFile(folder: string): string {
  return join(folder, LOG_FILE);
}

/** What the server wrote so far, "" when it wrote nothing. */
export function readServerLog(folder: string): string {
  const file = logFile(folder);
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

/** The last lines that tell why: what the model's own process wrote, else all but the frontend's chatter. */
function tailOf(log: string): string {
  const lines = log.trimEnd().split("\n");
  const own = lines.flatMap((line) => / MODEL_LOG - (.*)$/.exec(line)?.[1] ?? []);
  const telling = lines.filter(
    (line) => !/\[DEBUG\]|TS_METRICS|ACCESS_LOG|^\s+at |epollEventLoop/.test(line),
  );
  return (own.length > 0 ? own : telling).slice(-TAIL_LINES).join("\n");
}

function countMatches(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

async function isHealthy(health: Parameters<typeof call>[0]): Promise<boolean> {
  try {
    return (await call(health)).status === 200;
  } catch {
    return false;
  }
}
