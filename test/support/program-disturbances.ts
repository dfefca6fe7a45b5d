import fc from "fast-check";

import type { StatusName } from "../../emulator/errors.ts";

type When = "before" | "after";

/**
 * What goes wrong in a run. `at` counts the changing calls that go well since its beginning, or since what went wrong before.
 * A killed run's last call is done never, later, before the kill, or its operation is running then; such an operation goes on
 * at once, or when the next run waits for it.
 */
export type Disturbance =
  | {
      readonly kind: "kill";
      readonly at: number;
      readonly moment: "never" | "later" | "after" | "running";
      readonly release: "now" | "next";
    }
  | {
      readonly kind: "refuse";
      readonly at: number;
      readonly when: When;
      readonly status: StatusName;
      readonly times: number;
    }
  | { readonly kind: "reset"; readonly at: number; readonly when: When }
  | { readonly kind: "hold"; readonly at: number }
  | { readonly kind: "restart"; readonly at: number; readonly when: When }
  | { readonly kind: "failing deploy"; readonly stage: string }
  | {
      readonly kind: "refuse read";
      readonly method: string;
      readonly status: StatusName;
      readonly times: number;
    };

const LONG_RUNNING: ReadonlySet<string> = new Set([
  ...["CreateEndpoint", "DeleteEndpoint", "DeployModel", "UndeployModel", "MutateDeployedModel"],
  ...["UploadModel", "DeleteModel", "DeleteModelVersion"],
]);

/** Whether a method answers with an operation. */
export function isLongRunning(method: string): boolean {
  return LONG_RUNNING.has(method.replace(/^.*Service\./, ""));
}

/** The fault of a disturbance that waits for one method of its own. */
export function faultOf(disturbance: Disturbance): object | undefined {
  switch (disturbance.kind) {
    case "failing deploy":
      return disturbance.stage === NO_CAPACITY
        ? { method: "DeployModel", noCapacity: true }
        : { method: "DeployModel", stage: disturbance.stage };
    case "refuse read": {
      const { method, status, times } = disturbance;
      return { method, status, times };
    }
    default:
      return undefined;
  }
}

const NO_CAPACITY = "no capacity";

const at = fc.nat(6);
const when = fc.constantFrom<When>("before", "after");
const status = fc.constantFrom<StatusName>(
  ...(["UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED", "INTERNAL"] as const),
  ...(["RESOURCE_EXHAUSTED", "PERMISSION_DENIED"] as const),
);
/** More than are tried, too. */
const times = fc.constantFrom(1, 2, 7);

const READS = [
  ...["EndpointService.GetEndpoint", "ModelService.GetModel", "ModelService.ListModelVersions"],
  ...["storage.objects.get", "storage.objects.list", "storage.buckets.get"],
  ...["Operations.GetOperation", "Operations.ListOperations"],
] as const;

/** One thing that goes wrong. */
export const disturbance: fc.Arbitrary<Disturbance> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant("kill"),
      at,
      moment: fc.constantFrom("never", "later", "after", "running", "running"),
      release: fc.constantFrom("now", "next"),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("refuse"), at, when, status, times }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("reset"), at, when }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("hold"), at }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart"), at, when }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("failing deploy"),
      stage: fc.constantFrom(
        "PREPARING_MODEL",
        "STARTING_MODEL_SERVER",
        "FINISHING_UP",
        NO_CAPACITY,
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("refuse read"),
      method: fc.constantFrom(...READS),
      status,
      times,
    }),
  },
);

/** A disturbance in words. */
export function wordsOfDisturbance(one: Disturbance): string {
  switch (one.kind) {
    case "kill": {
      const end = {
        never: "before the work of that call, which is never done",
        later: "before the work of that call, which is done later",
        after: "after the work of that call",
        running: `while its operation runs, which goes on ${one.release === "now" ? "at once" : "when the next run waits for it"}`,
      };
      return `kill -9 after ${one.at} changing calls, ${end[one.moment]}`;
    }
    case "refuse":
      return `${one.status} ${one.when} the work of the changing call after ${one.at} others, ${one.times} times`;
    case "reset":
      return `a reset ${one.when} the work of the changing call after ${one.at} others`;
    case "hold":
      return `a slow changing call after ${one.at} others`;
    case "restart":
      return `the emulator killed and restarted ${one.when} the work of the changing call after ${one.at} others`;
    case "failing deploy":
      return `a deploy that fails at ${one.stage}`;
    case "refuse read":
      return `${one.status} for ${one.method}, ${one.times} times`;
  }
}
