import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { StackProject } from "../support/stack-project.ts";
import { control } from "../support/emulator.ts";
import { deployedModels, isEmpty, mutatingCalls } from "../support/cloud-questions.ts";
import { waitFor } from "../support/wait-for.ts";

describe("a stack whose up was interrupted", () => {
  let stack: StackProject;

  beforeEach(async () => {
    stack = await StackProject.create();
  }, 120_000);

  afterEach(async () => {
    await stack?.remove();
  });

  it("waits in the next plain up for the deploy that outlived its deadline, and deploys nothing twice", async () => {
    await stack.set({ deployTimeoutSeconds: "3" });
    const fault = (await control(stack.emulator.address, "POST", "faults", {
      method: "DeployModel",
      hold: true,
    })) as { id: string };

    const first = await stack.tryUp();

    expect(first.code).not.toBe(0);
    expect(first.output).toContain("is not finished: it did not finish within 3 s");
    const recorded = await stack.resource("ModelDeployment");
    expect(recorded.outputs["pending"]).toMatchObject({ kind: "deployModel" });

    await stack.set({ deployTimeoutSeconds: "300" });
    setTimeout(
      () => void control(stack.emulator.address, "DELETE", `faults?id=${fault.id}`),
      4_000,
    );
    await stack.up();

    expect(await stack.lastChanges()).toEqual({ same: 13, update: 1 });
    expect((await stack.resource("ModelDeployment")).outputs["pending"]).toBeNull();
    expect(deployedModels(await stack.cloud())).toHaveLength(1);
    const deploys = await mutatingCalls(stack.emulator.address);
    expect(deploys.filter((call) => call.endsWith("DeployModel"))).toEqual([
      "EndpointService.DeployModel",
    ]);
  }, 300_000);

  it("is empty after kill -9 in the first deploy, then destroy", async () => {
    await control(stack.emulator.address, "POST", "faults", { method: "DeployModel", hold: true });
    const up = stack.start(["up", "--yes", "--skip-preview"]);
    await waitFor(
      "the deploy",
      async () => (await stack.cloud()).endpoints[0]?.deploying.length === 1,
      120_000,
    );
    await stack.killCli(up.pid);
    await up.ended;
    await control(stack.emulator.address, "DELETE", "faults");

    await stack.run(["cancel", "--yes"]);
    await stack.destroy();

    expect(isEmpty(await stack.cloud())).toBe(true);
  }, 300_000);
});
