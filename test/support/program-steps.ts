import fc from "fast-check";

import { disturbance, wordsOfDisturbance } from "./program-disturbances.ts";
import type { Disturbance } from "./program-disturbances.ts";
import { drift } from "./program-drifts.ts";
import type { Drift } from "./program-drifts.ts";
import { ARCHIVES, MACHINES } from "./program-settings.ts";
import type { Machine, ProgramSettings } from "./program-settings.ts";

/** One step of a program, as data: a program is shrunk step by step and printed in words. */
export type Step =
  | { readonly kind: "drift"; readonly drift: Drift }
  | ({ readonly kind: "up"; readonly change: Partial<ProgramSettings> } & Run)
  | ({ readonly kind: "destroy" } & Run);

/** A run of the engine, and what goes wrong in it. */
export interface Run {
  readonly endpointFirst: boolean;
  readonly disturbances: readonly Disturbance[];
}

const replicas = fc
  .constantFrom([1, 1], [1, 2], [2, 2], [2, 3])
  .map(([minReplicas = 1, maxReplicas = 1]) => ({ minReplicas, maxReplicas }));

const change: fc.Arbitrary<Partial<ProgramSettings>> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ archive: fc.nat(ARCHIVES - 1) }) },
  {
    weight: 2,
    arbitrary: fc.record({ machine: fc.constantFrom(...(Object.keys(MACHINES) as Machine[])) }),
  },
  { weight: 2, arbitrary: replicas },
  { weight: 2, arbitrary: fc.record({ keepVersions: fc.constantFrom(2, 1, 3) }) },
  { weight: 3, arbitrary: fc.constant({}) },
  {
    weight: 2,
    arbitrary: fc.record({ rollout: fc.constantFrom("surge", "recreate", "canary") }),
  },
  { weight: 1, arbitrary: fc.record({ team: fc.constantFrom("art", "research") }) },
  { weight: 1, arbitrary: fc.record({ description: fc.constantFrom("one", "another") }) },
);

const run = {
  endpointFirst: fc.boolean(),
  disturbances: fc.noBias(fc.array(disturbance, { maxLength: 2, size: "max" })),
};

/** Steps of every kind as often as its weight says. */
export const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("up"), change, ...run }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("drift"), drift }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("destroy"), ...run }) },
);

/** A step in words. */
export function wordsOf(step: Step): string {
  if (step.kind === "drift") return `by hand: ${step.drift.what} (${step.drift.which})`;
  const change = step.kind === "up" ? Object.entries(step.change) : [];
  return [
    `${step.kind}${step.endpointFirst ? " with the endpoint before the model" : ""}`,
    ...change.map(([name, value]) => `${name} ${value}`),
    ...step.disturbances.map(
      (one, index) => `${index === 0 ? "" : "then "}${wordsOfDisturbance(one)}`,
    ),
  ].join(", ");
}
