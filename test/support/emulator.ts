import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Address } from "../../emulator/data-folder.ts";
import { startEmulator } from "../../emulator/server.ts";
import type { Emulator, EmulatorOptions } from "../../emulator/server.ts";
import type { EmulatorState } from "../../emulator/state.ts";

/** An emulator of a test's own, on free ports and in a folder that goes with it. */
export interface TestEmulator {
  readonly address: Address;
  /** Stops it and starts another on the same folder, as a restart does. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts one whose operations take no time, unless told otherwise. */
export async function startTestEmulator(
  options: Partial<EmulatorOptions> = {},
): Promise<TestEmulator> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "vertex-emulator-")));
  const settings = { clock: "fast", ...options, dataDir, port: 0, grpcPort: 0 } as const;
  let emulator: Emulator = await startEmulator(settings);
  return {
    get address() {
      return emulator.address;
    },
    restart: async () => {
      await emulator.close();
      emulator = await startEmulator(settings);
    },
    stop: async () => {
      await emulator.close();
      await rm(dataDir, { recursive: true });
    },
  };
}

/** Everything that the emulator holds, by name. */
export async function emulatorState(address: { readonly rest: string }): Promise<EmulatorState> {
  return (await control(address, "GET", "state")) as EmulatorState;
}

/** Calls a control route and answers its JSON. Throws on anything but 200. */
export async function control(
  address: { readonly rest: string },
  method: "GET" | "POST" | "PUT" | "DELETE",
  path: string,
  body?: unknown,
): Promise<unknown> {
  const response = await fetch(`${address.rest}/_emulator/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} /_emulator/${path} answered ${text}`);
  return JSON.parse(text);
}
