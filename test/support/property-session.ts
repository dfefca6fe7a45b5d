import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClockMode } from "../../emulator/clock.ts";
import { HTTP_STATUS } from "../../emulator/errors.ts";
import type { StatusName } from "../../emulator/errors.ts";
import type { EmulatorState } from "../../emulator/state.ts";
import { makeBucket, putObject } from "./bucket.ts";
import type { EmulatorProcess } from "./emulator-process.ts";
import { control, emulatorState } from "./emulator.ts";
import { startLightEmulatorProcess } from "./light-emulator-process.ts";
import { BUCKET, PARENT } from "./property-call.ts";
import { groupsOfFolder } from "./property-processes.ts";
import type { Observation } from "./property-observation.ts";
import { GPU_LIMIT } from "./property-reference.ts";
import type { ReferenceCloud } from "./property-reference.ts";
import { processesOfGroup } from "./runtime-processes.ts";
import { waitFor } from "./wait-for.ts";

/** Longest time until processes have ended or servers answer, milliseconds: machines that run tests are busy. */
export const SETTLE_MS = 30_000;
/** What every sequence finds in the bucket. */
const FIRST_OBJECT = "a/model.mar";

export interface Answer {
  /** "RESET" when the connection was dropped. */
  readonly status: StatusName | "OK" | "RESET";
  readonly body: Readonly<Record<string, unknown>>;
}

/** One emulator process for many sequences of calls, and what was said to it in the present one. */
export class PropertySession {
  readonly clock: ClockMode;
  readonly #dataDir: string;
  #emulator: EmulatorProcess;
  #trace: string[] = [];
  /** Groups seen so far: a server may be left whose supervisor is gone. */
  readonly #groups = new Set<number>();
  /** Everything seen after the last command. */
  observation: Observation | undefined;

  private constructor(clock: ClockMode, dataDir: string, emulator: EmulatorProcess) {
    this.clock = clock;
    this.#dataDir = dataDir;
    this.#emulator = emulator;
  }

  static async start(clock: ClockMode): Promise<PropertySession> {
    const dataDir = await mkdtemp(join(tmpdir(), "property-"));
    return new PropertySession(clock, dataDir, await startLightEmulatorProcess(dataDir, clock));
  }

  get url(): string {
    return this.#emulator.address.rest;
  }

  /** Empties the emulator and lays out what a sequence begins with. Throws when anything was left. */
  async begin(cloud: ReferenceCloud): Promise<void> {
    this.#trace = [];
    this.observation = undefined;
    await this.control("POST", "reset");
    const { buckets, models, endpoints, operations, servers } = await this.state();
    const left = [buckets, models, endpoints, operations, servers].flat();
    if (left.length > 0) throw new Error(`A reset left ${JSON.stringify(left)}.`);
    await this.expectNoServers();
    await this.control("PUT", "quotas", { "us-central1": { NVIDIA_L4: GPU_LIMIT } });
    await makeBucket(this.url, BUCKET);
    await putObject(this.url, BUCKET, FIRST_OBJECT, "an archive");
    cloud.objects[FIRST_OBJECT] = "an archive";
  }

  /** Notes what is done, for whoever reads a failure. */
  note(line: string): void {
    this.#trace.push(line);
  }

  get trace(): string {
    return this.#trace.map((line) => `  ${line}`).join("\n");
  }

  /** Calls the API; `path` is beside PARENT, or absolute from "/" on. */
  async send(verb: string, path: string, body?: unknown): Promise<Answer> {
    const said = `${verb} ${path}${body === undefined ? "" : ` ${JSON.stringify(body)}`}`;
    try {
      const answer = await this.read(verb, path, body);
      this.note(`${said} -> ${answer.status} ${messageOf(answer.body)}`);
      return answer;
    } catch (error) {
      // fetch's own class: Jest's globals are others than Node's.
      if ((error as Error).name !== "TypeError") throw error;
      this.note(`${said} -> connection lost`);
      return { status: "RESET", body: {} };
    }
  }

  /** The same without a note. Throws TypeError when the connection is lost. */
  async read(verb: string, path: string, body?: unknown): Promise<Answer> {
    const url = `${this.url}${path.startsWith("/") ? path : `/v1/${PARENT}/${path}`}`;
    const response = await fetch(url, {
      method: verb,
      headers: { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = (text === "" ? {} : JSON.parse(text)) as Answer["body"];
    return { status: response.ok ? "OK" : statusOf(response.status, json), body: json };
  }

  state(): Promise<EmulatorState> {
    return emulatorState({ rest: this.url });
  }

  control(method: "GET" | "POST" | "PUT" | "DELETE", path: string, body?: unknown) {
    return control({ rest: this.url }, method, path, body);
  }

  /** Ends the process and starts another on the same folder; in between, all servers must end by themselves. */
  async restart(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.note(`emulator restarted by ${signal}`);
    this.serverGroups();
    await this.#emulator.stop(signal);
    await this.expectNoServers();
    this.#emulator = await startLightEmulatorProcess(this.#dataDir, this.clock);
  }

  /** Process groups in which a server of this emulator lives; each is led by its supervisor. */
  serverGroups(): number[] {
    for (const group of groupsOfFolder(join(this.#dataDir, "containers"))) this.#groups.add(group);
    for (const group of this.#groups) {
      if (processesOfGroup(group).length === 0) this.#groups.delete(group);
    }
    return [...this.#groups].sort((a, b) => a - b);
  }

  /** Waits until no process of a server is left. */
  async expectNoServers(): Promise<void> {
    this.serverGroups();
    await waitFor("The end of all servers", () => this.serverGroups().length === 0, SETTLE_MS);
  }

  /** Ends the process; throws when a server outlives it. */
  async stop(): Promise<void> {
    await this.#emulator.stop("SIGTERM");
    await this.expectNoServers();
    await this.#removeFolder();
  }

  /** Ends whatever is left of a session that has failed. */
  async abandon(): Promise<void> {
    this.serverGroups();
    await this.#emulator.stop("SIGKILL");
    for (const group of this.serverGroups()) {
      try {
        process.kill(-group, "SIGKILL");
      } catch {
        // It has just ended by itself.
      }
    }
    await this.#removeFolder();
  }

  async #removeFolder(): Promise<void> {
    // A server that is being killed may still write into it.
    await rm(this.#dataDir, { recursive: true, force: true, maxRetries: 10 });
  }
}

function statusOf(httpStatus: number, body: Answer["body"]): StatusName {
  const error = body["error"] as { readonly status?: string } | undefined;
  if (error?.status !== undefined && error.status in HTTP_STATUS) return error.status as StatusName;
  // Cloud Storage names no canonical code.
  return httpStatus === 404 ? "NOT_FOUND" : "UNKNOWN";
}

function messageOf(body: Answer["body"]): string {
  const error = body["error"] as { readonly message?: string } | undefined;
  return error?.message ?? (typeof body["name"] === "string" ? body["name"] : "");
}
