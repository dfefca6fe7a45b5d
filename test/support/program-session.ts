import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { enterArchiveSources } from "./archive-sources.ts";
import type { ArchiveSources } from "./archive-sources.ts";
import type { EmulatorProcess } from "./emulator-process.ts";
import { control, emulatorState } from "./emulator.ts";
import { startLightEmulatorProcess } from "./light-emulator-process.ts";
import { readState } from "./program-engine.ts";
import type { EngineCommand, EngineState } from "./program-engine.ts";
import { layOutForeignThings } from "./program-foreign.ts";
import { lookAround } from "./program-observation.ts";
import type { SeenCloud } from "./program-observation.ts";
import { ARCHIVES } from "./program-settings.ts";
import { ProgramWorker } from "./program-worker.ts";
import type { WorkerResult } from "./program-worker.ts";

/** The processes of many programs, and what was said and done in the present one. */
export class ProgramSession {
  /** Digests of the archives to choose from. */
  readonly digests: readonly string[];
  readonly #folder: string;
  readonly #sources: ArchiveSources;
  readonly #sourcesFolder: string;
  #emulator: EmulatorProcess;
  #worker: ProgramWorker;
  /** Takes the place of one that is killed: a process needs a while to load the clients. */
  #spare: ProgramWorker;
  #trace: string[] = [];
  #programs = 0;

  private constructor(folder: string, emulator: EmulatorProcess) {
    this.#folder = folder;
    this.#emulator = emulator;
    this.#sources = enterArchiveSources();
    this.#sourcesFolder = process.cwd();
    this.digests = Array.from(
      { length: ARCHIVES },
      (_, index) => this.#sources.plan(`archive ${index}`, `note-${index}.txt`).digest,
    );
    this.#worker = this.#startWorker();
    this.#spare = this.#startWorker();
  }

  static async start(): Promise<ProgramSession> {
    const folder = await mkdtemp(join(tmpdir(), "program-"));
    const emulator = await startLightEmulatorProcess(join(folder, "cloud"), "fast");
    return new ProgramSession(folder, emulator);
  }

  get url(): string {
    return this.#emulator.address.rest;
  }

  get state(): EngineState {
    return readState(this.#statePath);
  }

  /** Empties cloud and state. Throws when anything was left. */
  async begin(): Promise<void> {
    this.#trace = [];
    this.#programs += 1;
    await this.control("DELETE", "faults");
    await this.control("POST", "reset");
    const { buckets, models, endpoints, servers } = await emulatorState({ rest: this.url });
    const left = [buckets, models, endpoints, servers].flat();
    if (left.length > 0) throw new Error(`A reset left ${JSON.stringify(left)}.`);
    await layOutForeignThings(this.url);
  }

  /** Notes what is done, for whoever reads a failure. */
  note(line: string): void {
    this.#trace.push(line);
  }

  get trace(): readonly string[] {
    return this.#trace;
  }

  look(): Promise<SeenCloud> {
    return lookAround(this.url);
  }

  control(method: "GET" | "POST" | "PUT" | "DELETE", path: string, body?: unknown) {
    return control({ rest: this.url }, method, path, body);
  }

  /** Runs one command of the engine. */
  run(command: EngineCommand): Promise<WorkerResult> {
    return this.#worker.run(this.#statePath, command);
  }

  /** kill -9 of the engine's process; another one waits for the next command. */
  async killWorker(): Promise<void> {
    await this.#worker.kill();
    this.#worker = this.#spare;
    this.#spare = this.#startWorker();
  }

  /** Ends the emulator and starts another on its folder, on other ports. */
  async restartEmulator(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    await this.#emulator.stop(signal);
    this.#emulator = await startLightEmulatorProcess(join(this.#folder, "cloud"), "fast");
  }

  async stop(): Promise<void> {
    await Promise.all([this.#worker.kill(), this.#spare.kill()]);
    await this.#emulator.stop("SIGTERM");
    this.#sources.remove();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 10 });
  }

  get #statePath(): string {
    return join(this.#folder, `state-${this.#programs}.json`);
  }

  #startWorker(): ProgramWorker {
    return ProgramWorker.start(this.#sourcesFolder, join(this.#folder, "cloud"));
  }
}
