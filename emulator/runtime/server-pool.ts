import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { HttpAnswer } from "./http-client.ts";
import { ModelServer } from "./model-server.ts";
import type { ServerState } from "./model-server.ts";
import { runtimeByImage } from "./runtime-by-image.ts";
import { ServerCallError } from "./server-calls.ts";
import type { Payload, StreamedAnswer } from "./server-calls.ts";
import { ServerLog } from "./server-log.ts";
import type { ServerRuntime } from "./server-runtime.ts";
import type { ServerSpec } from "./server-spec.ts";

export type { ServerSpec, ServerState };

export interface ServerPoolOptions {
  readonly dataDir: string;
  /** Runs the supervisor of each server process; for the default runtime it needs what the servers need. */
  readonly python: string;
  /** How long a deploy may take until its model answers, milliseconds of real time. */
  readonly startupTimeoutMs: number;
  /** What stands in for the containers. @default by the image: TorchServe, or the project's own server */
  readonly runtime?: ServerRuntime;
}

/** How one server is. */
export interface ServerStatus {
  readonly id: string;
  readonly state: ServerState;
  /** Of the supervisor, which leads the server's process group; null between two containers. */
  readonly pid: number | null;
  /** Containers that took the place of another. */
  readonly restarts: number;
  /** When it came into its state, ISO 8601. */
  readonly since: string;
}

/**
 * How long predictions under way may take to end when their model is undeployed. Google's time is not known: this is the
 * grace that Kubernetes gives by default.
 */
export const DRAIN_MS = 30_000;

/** The servers of all deployed models. */
export class ServerPool {
  readonly #options: ServerPoolOptions;
  readonly #runtime: ServerRuntime;
  readonly #servers = new Map<string, ModelServer>();

  constructor(options: ServerPoolOptions) {
    this.#options = options;
    this.#runtime = options.runtime ?? runtimeByImage(options);
  }

  /** Starts a server and waits until its model answers. Throws ServerStartError; nothing runs then. */
  async start(spec: ServerSpec): Promise<void> {
    if (this.#servers.has(spec.id)) await this.stop(spec.id, { drainMs: 0 });
    const server = this.#add(spec);
    try {
      await server.deploy();
    } catch (error) {
      this.#remove(server);
      throw error;
    }
  }

  /** Starts a server that ran before this emulator was restarted, and keeps trying. */
  resume(spec: ServerSpec): void {
    this.#add(spec).resume();
  }

  /** Sends a prediction to the server. Throws ServerCallError when it does not answer, or gets no predictions now. */
  async predict(id: string, payload: Payload, timeoutMs: number): Promise<HttpAnswer> {
    return this.#serverOf(id).predict(payload, timeoutMs);
  }

  /**
   * Sends a prediction and hands its answer on as it comes; the time counts until its end. Leaving the loop over the
   * chunks, or the signal, closes the server's request. Throws ServerCallError, as the loop does.
   */
  async stream(
    id: string,
    payload: Payload,
    timeoutMs: number,
    cancel?: AbortSignal,
  ): Promise<StreamedAnswer> {
    return this.#serverOf(id).stream(payload, timeoutMs, cancel);
  }

  list(): ServerStatus[] {
    return [...this.#servers].map(([id, { state, pid, restarts, since }]) => ({
      id,
      state,
      pid: pid ?? null,
      restarts,
      since: since.toISOString(),
    }));
  }

  /** Ids of all servers that run or have left a log. */
  findIds(): string[] {
    const folder = join(this.#options.dataDir, "containers");
    return existsSync(folder) ? readdirSync(folder) : [];
  }

  /** What the server wrote over all its restarts, or the end of it. */
  readLog(id: string): string {
    return new ServerLog(this.#folderOf(id)).read();
  }

  /** Kills the server as if its machine had died; it is restarted as Vertex does. False when nothing runs. */
  kill(id: string): boolean {
    return this.#servers.get(id)?.kill() ?? false;
  }

  /**
   * Routes no more predictions to the server, waits for those under way, at most so long, and stops it with its
   * children. Its log stays until `forget`.
   */
  async stop(id: string, { drainMs = DRAIN_MS }: { drainMs?: number } = {}): Promise<void> {
    const server = this.#servers.get(id);
    if (server === undefined) return;
    await server.stop(drainMs);
    this.#remove(server);
  }

  /** Removes the folder of a stopped server. */
  forget(id: string): void {
    rmSync(this.#folderOf(id), { recursive: true, force: true });
  }

  /** Stops all servers at once, whatever is under way. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#servers.keys()].map((id) => this.stop(id, { drainMs: 0 })));
  }

  #serverOf(id: string): ModelServer {
    const server = this.#servers.get(id);
    if (server !== undefined) return server;
    throw new ServerCallError("NOT_READY", "The model server is not ready. Try again later.");
  }

  #add(spec: ServerSpec): ModelServer {
    const { python, startupTimeoutMs } = this.#options;
    const folder = this.#folderOf(spec.id);
    const server = new ModelServer({
      spec,
      folder,
      python,
      runtime: this.#runtime,
      startupTimeoutMs,
    });
    this.#servers.set(spec.id, server);
    return server;
  }

  /** Another server may have taken its place by now. */
  #remove(server: ModelServer): void {
    if (this.#servers.get(server.spec.id) === server) this.#servers.delete(server.spec.id);
  }

  #folderOf(id: string): string {
    return join(this.#options.dataDir, "containers", id);
  }
}
