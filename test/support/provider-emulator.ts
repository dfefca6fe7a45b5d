import { join } from "node:path";

import type { EmulatorOptions } from "../../emulator/server.ts";
import type { EmulatorState } from "../../emulator/state.ts";
import type { PendingOperation } from "../../providers/errors.ts";
import { control, emulatorState, startTestEmulator } from "./emulator.ts";

/** An emulator that the reconcilers of this process talk to. */
export interface ProviderEmulator {
  /** REST base address. */
  readonly rest: string;
  /** gRPC address, "host:port". */
  readonly grpc: string;
  state(): Promise<EmulatorState>;
  /** Declares a fault and answers its id. */
  fault(fault: Readonly<Record<string, unknown>>): Promise<string>;
  /** Deletes a fault; an operation that it held goes on. */
  release(fault: string): Promise<void>;
  /** Faults that were declared and hit nothing, or hold something. */
  leftFaults(): Promise<readonly unknown[]>;
  /** Names of the methods called since the last time, in order: "ModelService.UploadModel". */
  calls(): Promise<string[]>;
  setQuotas(table: unknown): Promise<void>;
  /** Removes all that it holds and all faults. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts one and leads this process's reconcilers to it. Nothing is slow: operations take no time, polls 20 ms, patience 0.6 s. */
export async function startProviderEmulator(
  options: Partial<EmulatorOptions> = {},
): Promise<ProviderEmulator> {
  const emulator = await startTestEmulator(options);
  const { address } = emulator;
  process.env.VERTEX_DIFFUSION_EMULATOR = join(address.data, "address.json");
  process.env.VERTEX_DIFFUSION_POLL_MS = "20";
  process.env.VERTEX_DIFFUSION_PATIENCE_MS = "600";
  const quotas = await control(address, "GET", "quotas");
  return {
    rest: address.rest,
    grpc: address.grpc,
    state: () => emulatorState(address),
    fault: async (fault) => {
      const { id } = (await control(address, "POST", "faults", fault)) as { id: string };
      return id;
    },
    release: async (fault) => {
      await control(address, "DELETE", `faults?id=${fault}`);
    },
    leftFaults: async () => {
      const { faults } = (await control(address, "GET", "faults")) as { faults: unknown[] };
      return faults;
    },
    calls: async () => {
      const answer = await control(address, "GET", "requests");
      await control(address, "DELETE", "requests");
      return (answer as { requests: { method: string }[] }).requests.map((one) =>
        one.method.replace("google.cloud.aiplatform.v1.", ""),
      );
    },
    setQuotas: async (table) => {
      await control(address, "PUT", "quotas", table);
    },
    reset: async () => {
      await control(address, "DELETE", "faults");
      await control(address, "PUT", "quotas", quotas);
      await control(address, "POST", "reset");
      await control(address, "DELETE", "requests");
    },
    stop: () => emulator.stop(),
  };
}

/** What the engine records of a change whose end was not seen. */
export interface PartialFailure<Outputs> {
  readonly id: string;
  readonly properties: Outputs & { readonly pending: PendingOperation };
  readonly reasons: readonly string[];
}

/** The error that a call rejects with. Throws when it does not. */
export async function rejectionOf(call: Promise<unknown>): Promise<Error> {
  try {
    await call;
  } catch (error) {
    return error as Error;
  }
  throw new Error("the call was expected to fail, but went well");
}
