import fc from "fast-check";

import { ARCHIVES, MACHINES } from "./program-settings.ts";
import type { Machine, ProgramSettings } from "./program-settings.ts";

/** One step of a program, as data: a program is shrunk step by step and printed in words. */
export type Step =
  | { readonly kind: "declare"; readonly change: Partial<ProgramSettings> }
  | { readonly kind: "up"; readonly endpointFirst: boolean }
  | { readonly kind: "destroy"; readonly endpointFirst: boolean };

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
  {
    weight: 2,
    arbitrary: fc.record({ rollout: fc.constantFrom("surge", "recreate", "canary") }),
  },
  { weight: 1, arbitrary: fc.record({ team: fc.constantFrom("art", "research") }) },
  { weight: 1, arbitrary: fc.record({ description: fc.constantFrom("one", "another") }) },
);

const endpointFirst = fc.boolean();

/** Steps of every kind as often as its weight says. */
export const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: change.map((given): Step => ({ kind: "declare", change: given })) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("up"), endpointFirst }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("destroy"), endpointFirst }) },
);

/** A step in words. */
export function wordsOf(step: Step): string {
  switch (step.kind) {
    case "declare":
      return `declare ${Object.entries(step.change)
        .map(([name, value]) => `${name} ${value}`)
        .join(", ")}`;
    case "up":
    case "destroy":
      return `${step.kind}${step.endpointFirst ? ", the endpoint before the model" : ""}`;
  }
}
