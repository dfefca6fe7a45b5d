import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Verdict } from "./check-loop.ts";
import { checksOf } from "./checks.ts";
import type { Checks } from "./checks.ts";
import { watchContainer } from "./container-watch.ts";
import type { ContainerEnd } from "./container-watch.ts";
import type { HttpAnswer } from "./http-client.ts";
import { withRoute } from "./http-client.ts";
import { pause } from "./pause.ts";
import { ServerCallError, ServerCalls } from "./server-calls.ts";
import type { Payload, StreamedAnswer } from "./server-calls.ts";
import { LOG_FILE, ServerLog } from "./server-log.ts";
import { ServerProcess, ServerStartError } from "./server-process.ts";
import type { ServerRuntime } from "./server-runtime.ts";
import type { ServerSpec } from "./server-spec.ts";
import { splitEnvironment } from "./spec-environment.ts";

/**
 * STARTING until it answers for the first time, RESTARTING while another container takes the place of one that ended,
 * UNHEALTHY while it runs and gets no predictions, DRAINING from the moment that it is to be stopped.
 */
export type ServerState = "STARTING" | "READY" | "UNHEALTHY" | "RESTARTING" | "DRAINING";

export interface ModelServerOptions {
  readonly spec: ServerSpec;
  /** The server's own; its log stays there over all restarts. */
  readonly folder: string;
  /** Runs the supervisor. */
  readonly python: string;
  readonly runtime: ServerRuntime;
  readonly startupTimeoutMs: number;
}

const COMMAND_NOTICE =
  "command and args of the container spec are not run: the emulator starts its own server";
/** The first restart comes at once; each one soon after another waits twice as long. */
const RESTART_PAUSE_MS = 1000;
const LONGEST_RESTART_PAUSE_MS = 30_000;
/** A container that ran this long is not restarted "soon after another". */
const LASTING_RUN_MS = 60_000;
/** From the last prediction's start to SIGTERM, so that a server which then stops listening has got it. */
const HANDOVER_MS = 200;

/** One deployed model's server: container after container, checked, restarted and asked as Vertex does it. */
export class ModelServer {
  readonly spec: ServerSpec;
  readonly log: ServerLog;
  readonly #options: ModelServerOptions;
  readonly #checks: Checks;
  readonly #notices: readonly string[];
  readonly #calls = new ServerCalls();
  readonly #draining = new AbortController();
  readonly #stopped = new AbortController();
  #life = Promise.resolve();
  #process: ServerProcess | undefined;
  #state: ServerState = "STARTING";
  #since = new Date();
  #restarts = 0;

  constructor(options: ModelServerOptions) {
    const { kept, dropped } = splitEnvironment(options.spec.env);
    this.spec = { ...options.spec, env: kept };
    this.log = new ServerLog(options.folder);
    this.#options = options;
    this.#checks = checksOf(this.spec);
    this.#notices = [...this.#checks.notices, ...noticesOf(this.spec, dropped)];
  }

  get state(): ServerState {
    return this.#state;
  }

  /** When it came into its state. */
  get since(): Date {
    return this.#since;
  }

  get restarts(): number {
    return this.#restarts;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts it with an empty log and waits until the model answers. Throws ServerStartError; nothing runs then. */
  async deploy(): Promise<void> {
    rmSync(this.#options.folder, { recursive: true, force: true });
    const ready = Promise.withResolvers<void>();
    const timeoutMs = this.spec.deploymentTimeoutMs ?? this.#options.startupTimeoutMs;
    const over = new AbortController();
    const { signal } = over;
    const fail = (reason: string): void => ready.reject(this.#startError(reason));
    void pause(timeoutMs, signal).then(() => {
      if (!signal.aborted) fail(`the model did not answer within ${timeoutMs / 1000} s`);
    });
    this.#stopped.signal.addEventListener("abort", () => fail("it was stopped"), { signal });
    try {
      this.#begin(ready);
      await ready.promise;
    } catch (error) {
      await this.stop(0);
      throw error;
    } finally {
      over.abort();
    }
  }

  /** Starts it with the log that it has, and keeps trying. */
  resume(): void {
    this.#enter("RESTARTING");
    this.#begin(undefined);
  }

  /** Sends a prediction. Throws ServerCallError. */
  async predict(payload: Payload, timeoutMs: number): Promise<HttpAnswer> {
    return this.#calls.predict(this.#readyUrl(), payload, timeoutMs);
  }

  /** Sends a prediction whose answer is handed on as it comes. Throws ServerCallError. */
  async stream(payload: Payload, timeoutMs: number, cancel?: AbortSignal): Promise<StreamedAnswer> {
    return this.#calls.stream(this.#readyUrl(), payload, timeoutMs, cancel);
  }

  /** Kills the process and its children as if their machine had died; it is then restarted. False when none runs. */
  kill(): boolean {
    if (this.#process === undefined) return false;
    this.log.note("the server is killed as if its machine had died");
    this.#process.kill();
    return true;
  }

  /** Takes no more predictions, waits at most so long for those under way, and ends the process and its children. */
  async stop(drainMs: number): Promise<void> {
    this.#enter("DRAINING");
    // As a kubelet: a container that is told to end is checked no longer.
    this.#draining.abort();
    if (drainMs > 0) await Promise.all([this.#calls.drained(drainMs), this.#askToEnd(drainMs)]);
    this.#stopped.abort();
    await this.#process?.stop();
    await this.#life;
    this.#calls.closeConnections();
  }

  /** Tells a server that can to end by itself, and waits for that at most so long. */
  async #askToEnd(withinMs: number): Promise<void> {
    const running = this.#process;
    if (running?.launch.endsAtSigterm !== true) return;
    const ended = new AbortController();
    void running.exited().then(() => ended.abort());
    // What was sent at the last moment reaches the server before the signal does.
    if (this.#calls.underWay > 0) await pause(HANDOVER_MS, ended.signal);
    this.log.note("the server is told to end");
    running.terminate();
    await pause(withinMs, ended.signal);
    if (!ended.signal.aborted) {
      this.log.note(`the server is killed: it did not end within ${withinMs / 1000} s`);
    }
  }

  #readyUrl(): string {
    if (this.#state === "READY" && this.#process !== undefined) {
      return withRoute(this.#process.launch.url, this.spec.predictRoute);
    }
    throw new ServerCallError("NOT_READY", "The model server is not ready. Try again later.");
  }

  #enter(state: ServerState): void {
    if (this.#state === state || this.#state === "DRAINING") return;
    this.#state = state;
    this.#since = new Date();
  }

  #begin(deploy: PromiseWithResolvers<void> | undefined): void {
    for (const notice of this.#notices) this.log.note(notice);
    this.#life = this.#live(deploy);
  }

  /** Container after container, until it is stopped or its deploy has failed. */
  async #live(deploy: PromiseWithResolvers<void> | undefined): Promise<void> {
    let soon = 0;
    let alike = 0;
    let last = "";
    let hasAnswered = false;
    const answered = (): void => {
      hasAnswered = true;
      deploy?.resolve();
    };
    for (;;) {
      const startedAt = performance.now();
      const end = await this.#runContainer(answered);
      if (this.#state === "DRAINING") return;
      alike = end.why === last ? alike + 1 : 1;
      last = end.why;
      if (deploy !== undefined && !hasAnswered && alike >= (end.limit ?? Infinity)) {
        deploy.reject(end.error ?? this.#startError(end.why));
        return;
      }
      this.#enter("RESTARTING");
      this.#restarts += 1;
      this.log.note(`container restarted: ${end.why}`);
      if (performance.now() - startedAt >= LASTING_RUN_MS) soon = 0;
      const pauseMs = soon === 0 ? 0 : RESTART_PAUSE_MS * 2 ** (soon - 1);
      soon += 1;
      await pause(Math.min(pauseMs, LONGEST_RESTART_PAUSE_MS), this.#stopped.signal);
      if (this.#stopped.signal.aborted) return;
    }
  }

  /** Starts a process and looks after it. Resolves, with nothing running, when it must be restarted or was stopped. */
  async #runContainer(answered: () => void): Promise<ContainerEnd> {
    const logged = this.log.length();
    try {
      this.#process = await this.#launch();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return { why: `it could not be started: ${why}`, limit: 1, error };
    }
    const running = this.#process;
    const over = new AbortController();
    try {
      // Stopped while the process was being made: stop() had nothing to kill.
      if (this.#stopped.signal.aborted) return { why: "it was stopped" };
      return await watchContainer({
        running,
        checks: this.#checks,
        log: this.log,
        logged,
        signal: AbortSignal.any([over.signal, this.#draining.signal]),
        onHealth: (verdict) => {
          // An attempt may end together with its container.
          if (over.signal.aborted) return;
          this.#route(verdict);
          if (verdict === "passing") answered();
        },
      });
    } finally {
      over.abort();
      this.#enter("RESTARTING");
      await running.stop();
      this.#process = undefined;
    }
  }

  #route(verdict: Verdict): void {
    const { name, failureThreshold } = this.#checks.health;
    if (verdict === "failing" && this.#state === "READY") {
      this.log.note(`the ${name} failed ${failureThreshold} times in a row: no more predictions`);
      this.#enter("UNHEALTHY");
    } else if (verdict === "passing") {
      if (this.#state === "UNHEALTHY") this.log.note(`the ${name} passes: predictions again`);
      this.#enter("READY");
    }
  }

  async #launch(): Promise<ServerProcess> {
    const { folder, python, runtime } = this.#options;
    mkdirSync(folder, { recursive: true });
    // Nothing of an earlier container may be taken for this one's.
    for (const name of readdirSync(folder)) {
      if (name !== LOG_FILE) rmSync(join(folder, name), { recursive: true, force: true });
    }
    return new ServerProcess(python, await runtime(this.spec, folder), this.log);
  }

  #startError(reason: string): ServerStartError {
    return new ServerStartError(reason, this.log.tail());
  }
}

/** Names only: values may be secret. */
function noticesOf({ command = [], args = [] }: ServerSpec, dropped: readonly string[]): string[] {
  const commands = command.length + args.length === 0 ? [] : [COMMAND_NOTICE];
  const variables = dropped.map(
    (name) =>
      `the variable ${JSON.stringify(name)} of the container spec is not passed on: it could change how the emulator's own server is run`,
  );
  return [...commands, ...variables];
}
