import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { titleOf } from "../support/kill-points.ts";
import type { KillPoint } from "../support/kill-points.ts";
import { KilledStack } from "../support/kill-run.ts";

/** A dozen of the crash level's kill points, in two stacks that go on living; every kind of kill in each. */
const LIVES: readonly (readonly KillPoint[])[] = [
  [
    { phase: "create", method: "EndpointService.DeployModel", when: "running", kill: "CLI" },
    { phase: "rollout", method: "EndpointService.DeployModel", when: "running", kill: "provider" },
    { phase: "rollout", method: "EndpointService.UpdateEndpoint", when: "after", kill: "CLI" },
    { phase: "rollout", method: "EndpointService.UndeployModel", when: "running", kill: "Ctrl-C" },
    { phase: "rollout", method: "ModelService.DeleteModelVersion", when: "running", kill: "CLI" },
    { phase: "destroy", method: "EndpointService.UndeployModel", when: "running", kill: "CLI" },
  ],
  [
    { phase: "create", method: "EndpointService.CreateEndpoint", when: "running", kill: "CLI" },
    { phase: "rollout", method: "storage.objects.insert", when: "after", kill: "provider" },
    {
      phase: "rollout",
      method: "ModelService.UploadModel",
      when: "running",
      kill: "language host",
    },
    {
      phase: "rollout",
      method: "EndpointService.DeployModel",
      when: "after",
      kill: "Ctrl-C twice",
    },
    { phase: "rollout", method: "ModelService.MergeVersionAliases", when: "before", kill: "CLI" },
    { phase: "destroy", method: "ModelService.DeleteModel", when: "running", kill: "provider" },
  ],
];

describe.each(LIVES.map((points, index) => ({ name: `stack ${index + 1}`, points })))(
  "after each kill in the life of $name the next plain command brings what is declared",
  ({ points }) => {
    let stack: KilledStack;

    beforeAll(async () => {
      stack = await KilledStack.create();
    }, 120_000);

    afterAll(async () => {
      await stack?.remove();
    });

    it.each(points.map((point) => ({ title: titleOf(point), point })))(
      "$title",
      async ({ point }) => {
        expect((await stack.killAt(point)).problems).toEqual([]);
      },
      300_000,
    );
  },
);
