import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { readServerLog, ServerProcess, ServerStartError } from "./server-process.ts";
import type { ServerRuntime } from "./server-runtime.ts";
import type { ServerSpec } from "./server-spec.ts";
import { torchServe } from "./torchserve.ts";

export type { ServerSpec };

export type ServerState = "STARTING" | "READY" | "RESTARTING";

interface Entry {
  readonly spec: ServerSpec;
  process: ServerProcess | undefined;
  state: ServerState;
  stopping: boolean;
}

export interface ServerPoolOptions {
  readonly dataDir: string;
  /** Runs the supervisor of each server process; for the default runtime it needs TorchServe. */
  readonly python: string;
  /** How long a server may take until its model answers, milliseconds of real time. */
  readonly startupTimeoutMs: number;
  /** What stands in for the containers. @default TorchServe */
  readonly runtime?: ServerRuntime;
}

const PORT_TRIES = 3;
const RESTART_DELAY_MS = 1000;
const LONGEST_RESTART_DELAY_MS = 30_000;

/** The server processes of all deployed models. */
export class ServerPool {
  readonly #options: ServerPoolOptions;
  readonly #runtime: ServerRuntime;
  readonly #entries = new Map<string, Entry>();

  constructor(options: ServerPoolOptions) {
    this.#options = options;
    this.#runtime = options.runtime ?? torchServe(options);
  }

  /** Starts a server and waits until its model answers. Throws ServerStartError; nothing runs then. */
  async start(spec: ServerSpec): Promise<void> {
    const entry: Entry = { spec, process: undefined, state: "STARTING", stopping: false };
    this.#entries.set(spec.id, entry);
    try {
      await this.#launchOnFreePorts(entry);
    } catch (error) {
      await this.stop(spec.id);
      throw error;
    }
  }

  /** Starts a server that ran before this emulator was restarted, and keeps trying. */
  resume(spec: ServerSpec): void {
    const entry: Entry = { spec, process: undefined, state: "RESTARTING", stopping: false };
    this.#entries.set(spec.id, entry);
    void this.#keepTrying(entry);
  }

  /** Where predictions of a ready server go; undefined while it does not answer. */
  predictUrl(id: string): string | undefined {
    const entry = this.#entries.get(id);
    if (entry?.state !== "READY" || entry.process === undefined) return undefined;
    return entry.process.launch.url + entry.spec.predictRoute;
  }

  list(): { id: string; state: ServerState; pid: number | null }[] {
    return [...this.#entries.values()].map((entry) => ({
      id: entry.spec.id,
      state: entry.state,
      pid: entry.process?.pid ?? null,
    }));
  }

  /** Ids of all servers that run or have left a log. */
  findIds(): string[] {
    const folder = join(this.#options.dataDir, "containers");
    return existsSync(folder) ? readdirSync(folder) : [];
  }

  readLog(id: string): string {
    return readServerLog(this.#folderOf(id));
  }

  /** Stops the server and its children. Its log stays until `forget`. */
  async stop(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    entry.stopping = true;
    this.#entries.delete(id);
    await entry.process?.stop();
  }

  /** Removes the folder of a stopped server. */
  forget(id: string): void {
    rmSync(this.#folderOf(id), { recursive: true, force: true });
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#entries.keys()].map((id) => this.stop(id)));
  }

  async #launchOnFreePorts(entry: Entry): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await this.#launch(entry);
        return;
      } catch (error) {
        const isPortTaken = error instanceof ServerStartError && error.isPortTaken;
        if (!isPortTaken || entry.stopping || tries === PORT_TRIES) throw error;
      }
    }
  }

  async #launch(entry: Entry): Promise<void> {
    const folder = this.#folderOf(entry.spec.id);
    // Nothing of an earlier run may count as this run's log.
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const launch = await this.#runtime(entry.spec, folder);
    if (entry.stopping) return;
    const server = new ServerProcess(this.#options.python, launch);
    entry.process = server;
    await server.waitUntilReady(entry.spec.healthRoute, this.#options.startupTimeoutMs);
    entry.state = "READY";
    void server.exited().then(() => this.#keepTrying(entry));
  }

  /** Restarts a server that ended by itself, as Vertex restarts a container, with growing pauses. */
  async #keepTrying(entry: Entry): Promise<void> {
    for (let pauseMs = RESTART_DELAY_MS; !entry.stopping; pauseMs *= 2) {
      entry.state = "RESTARTING";
      try {
        await this.#launch(entry);
        return;
      } catch {
        await entry.process?.stop();
        await delay(Math.min(pauseMs, LONGEST_RESTART_DELAY_MS), undefined, { ref: false });
      }
    }
  }

  #folderOf(id: string): string {
    return join(this.#options.dataDir, "containers", id);
  }
}
