import type { EmulatorState } from "../../emulator/state.ts";
import { control } from "./emulator.ts";

/** All deployed models of all endpoints. */
export function deployedModels(cloud: EmulatorState) {
  return cloud.endpoints.flatMap((endpoint) => endpoint.deployedModels);
}

/** Whether nothing is left of any stack: no bucket, model, endpoint or server process. */
export function isEmpty(cloud: EmulatorState): boolean {
  const { buckets, models, endpoints, servers } = cloud;
  return buckets.length + models.length + endpoints.length + servers.length === 0;
}

interface LoggedCall {
  readonly method: string;
  readonly status: string;
}

/** Short names of the calls since the log was cleared that change something and were answered OK, in order. */
export async function mutatingCalls(address: { readonly rest: string }): Promise<string[]> {
  const { requests } = (await control(address, "GET", "requests")) as { requests: LoggedCall[] };
  return requests
    .filter((call) => call.status === "OK")
    .map((call) => call.method.replace(/^google\.cloud\.aiplatform\.\w+\./, ""))
    .filter((method) => !/(^|\.)(get|list|Get|List|Wait)|Operations\./.test(method));
}

/** Whether a declared fault now keeps a call from its answer or an operation from its end. */
export async function isHolding(address: { readonly rest: string }): Promise<boolean> {
  const { faults } = (await control(address, "GET", "faults")) as { faults: { holding: number }[] };
  return faults.some((fault) => fault.holding > 0);
}
