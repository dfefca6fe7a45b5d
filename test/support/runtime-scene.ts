import { rmSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Payload } from "../../emulator/runtime/server-calls.ts";
import { ServerPool } from "../../emulator/runtime/server-pool.ts";
import type { ServerSpec, ServerState, ServerStatus } from "../../emulator/runtime/server-pool.ts";
import type { ServerRuntime } from "../../emulator/runtime/server-runtime.ts";
import { LIGHT_PYTHON, lightServer } from "./light-server.ts";
import { waitFor } from "./wait-for.ts";

/** Longest time until a light server came into a state, milliseconds: machines that run tests are busy. */
export const STATE_MS = 20_000;

/** A pool of server processes in a folder of a test's own. */
export interface RuntimeScene {
  readonly pool: ServerPool;
  /** A file of this scene, for the light server's switches. */
  file(name: string): string;
  switchOn(name: string): void;
  switchOff(name: string): void;
  /** Status of the server "one". Throws when there is none. */
  one(): ServerStatus;
  waitForState(state: ServerState, restarts?: number): Promise<void>;
  stop(): Promise<void>;
}

export async function setRuntimeScene(
  runtime: ServerRuntime = lightServer,
  python = LIGHT_PYTHON,
): Promise<RuntimeScene> {
  const folder = await mkdtemp(join(tmpdir(), "runtime-"));
  const pool = new ServerPool({
    dataDir: join(folder, "data"),
    python,
    startupTimeoutMs: 60_000,
    runtime,
  });
  const file = (name: string): string => join(folder, name);
  const one = (): ServerStatus => {
    const status = pool.list().find(({ id }) => id === "one");
    if (status === undefined) throw new Error('there is no server "one"');
    return status;
  };
  return {
    pool,
    file,
    switchOn: (name) => writeFileSync(file(name), ""),
    switchOff: (name) => rmSync(file(name)),
    one,
    waitForState: (state, restarts = 0) =>
      waitFor(
        `State ${state} after ${restarts} restarts`,
        () => one().state === state && one().restarts >= restarts,
        STATE_MS,
      ),
    stop: async () => {
      await pool.stopAll();
      await rm(folder, { recursive: true });
    },
  };
}

/** The server "one" with health at /ping and predictions at /predict. */
export function lightSpec(overrides: Partial<ServerSpec> = {}): ServerSpec {
  return {
    id: "one",
    imageUri: "",
    archive: "",
    env: {},
    healthRoute: "/ping",
    predictRoute: "/predict",
    ...overrides,
  };
}

export function jsonPayload(content: unknown): Payload {
  return { contentType: "application/json", body: Buffer.from(JSON.stringify(content)) };
}
