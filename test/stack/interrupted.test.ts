import { readdir, truncate } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { StackProject } from "../support/stack-project.ts";
import { control } from "../support/emulator.ts";
import { deployedModels, isEmpty, isHolding, mutatingCalls } from "../support/cloud-questions.ts";
import { waitDuring, waitFor } from "../support/wait-for.ts";

describe("a stack whose up was interrupted", () => {
  let stack: StackProject;

  beforeEach(async () => {
    stack = await StackProject.create({ servers: "light" });
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

    expect(await stack.lastChanges()).toEqual({ same: 15, update: 1 });
    expect((await stack.resource("ModelDeployment")).outputs["pending"]).toBeNull();
    expect(deployedModels(await stack.cloud())).toHaveLength(1);
    expect(await deployCalls(stack)).toHaveLength(1);
  }, 300_000);

  it("ends at the first Ctrl-C though the deploy runs on, and goes on with it in the next plain up", async () => {
    const fault = (await control(stack.emulator.address, "POST", "faults", {
      method: "DeployModel",
      hold: true,
    })) as { id: string };
    const up = stack.start(["up", "--yes", "--skip-preview"]);
    await waitDuring(up, "the deploy", () => deployIsRunning(stack), 120_000);

    up.kill("SIGINT");
    const cancelled = await up.ended;

    expect(cancelled.code).not.toBe(0);
    expect(cancelled.output).toContain("is not finished: the run was cancelled.");
    const recorded = await stack.resource("ModelDeployment");
    expect(recorded.outputs["pending"]).toMatchObject({ kind: "deployModel" });

    await control(stack.emulator.address, "DELETE", `faults?id=${fault.id}`);
    await stack.up();

    expect((await stack.resource("ModelDeployment")).outputs["pending"]).toBeNull();
    expect(deployedModels(await stack.cloud())).toHaveLength(1);
    expect(await deployCalls(stack)).toHaveLength(1);
  }, 300_000);

  it("leaves no provider process behind a CLI that was killed while it only read", async () => {
    await stack.up();
    await control(stack.emulator.address, "POST", "faults", {
      method: "ListModelVersions",
      stall: true,
    });
    const preview = stack.start(["preview"]);
    await waitDuring(preview, "the read", () => isHolding(stack.emulator.address), 60_000);
    expect(await stack.providerProcesses()).not.toEqual([]);

    await stack.killCli(preview.pid);

    await waitFor(
      "the provider's end",
      async () => (await stack.providerProcesses()).length === 0,
      30_000,
    );
    await preview.ended;
  }, 300_000);

  it("leaves no program and no provider behind a CLI that was killed before either did anything", async () => {
    const up = stack.start(["up", "--yes", "--skip-preview"]);
    await waitFor("a provider", async () => (await stack.providerProcesses()).length > 0, 60_000);
    const hosts = await stack.languageHosts(up.pid);

    process.kill(up.pid, "SIGKILL");

    await waitFor("their end", async () => (await stack.nodeProcesses()).length === 0, 30_000);
    for (const host of hosts) process.kill(host, "SIGKILL");
    await up.ended;
  }, 300_000);

  it("goes on after a kill that left the attributes of its state torn", async () => {
    const [state] = (await readdir(backend(stack), { recursive: true })).filter((name) =>
      /stacks.*test\.json\.attrs$/.test(name),
    );
    await truncate(join(backend(stack), state ?? "no attributes"));

    const listed = await stack.run(["stack", "output"]);

    expect(listed.code).toBe(0);
  }, 60_000);

  it("is empty after kill -9 in the first deploy, then destroy", async () => {
    await control(stack.emulator.address, "POST", "faults", { method: "DeployModel", hold: true });
    const up = stack.start(["up", "--yes", "--skip-preview"]);
    await waitDuring(up, "the deploy", () => deployIsRunning(stack), 120_000);
    await stack.killCli(up.pid);
    await up.ended;
    await control(stack.emulator.address, "DELETE", "faults");

    await stack.destroy();

    expect(isEmpty(await stack.cloud())).toBe(true);
  }, 300_000);
});

function backend(stack: StackProject): string {
  return join(stack.root, ".local/pulumi/backend");
}

async function deployIsRunning(stack: StackProject): Promise<boolean> {
  return (await stack.cloud()).endpoints[0]?.deploying.length === 1;
}

async function deployCalls(stack: StackProject): Promise<string[]> {
  const calls = await mutatingCalls(stack.emulator.address);
  return calls.filter((call) => call === "EndpointService.DeployModel");
}
