import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";

import { deployedModels, isHolding, mutatingCalls } from "../support/cloud-questions.ts";
import { control } from "../support/emulator.ts";
import { StackProject } from "../support/stack-project.ts";
import { waitDuring } from "../support/wait-for.ts";

/** What the light server does, each another archive to the stack: its variables are part of the version. */
const OLD = { LIGHT_PICTURE: "old" };
const NEW = { LIGHT_PICTURE: "new" };
const FAILING = { LIGHT_PICTURE: "failing", LIGHT_ERROR: "500" };
const CANARY = {
  rollout: "canary",
  canarySteps: [20, 100],
  canaryBakeSeconds: "0",
  canaryMinSamples: "2",
};

let stack: StackProject;

/** The old one with all requests. */
async function makeStack(): Promise<void> {
  stack = await StackProject.create({ servers: "light" });
  await stack.set({ env: OLD });
  await stack.up();
}

describe("a rollout", () => {
  beforeEach(makeStack, 240_000);

  afterEach(async () => {
    await stack?.remove();
  });

  it("is refused for want of a second accelerator before the old one is touched, and goes on as recreate", async () => {
    const quotas = { "us-central1": { NVIDIA_TESLA_T4: 1 } };
    await control(stack.emulator.address, "PUT", "quotas", quotas);
    await clearCalls();
    await stack.set({ env: NEW });

    const surge = await stack.tryUp();

    expect(surge.code).not.toBe(0);
    expect(surge.output).toContain("custom_model_serving_nvidia_t4_gpus (limit 1 in us-central1");
    expect(surge.output).toContain('set "rollout: recreate", which undeploys it first');
    expect(await deploymentCalls()).toEqual([]);
    expect(await served()).toEqual({ 1: 100 });

    await stack.set({ rollout: "recreate" });
    expect(await stack.preview()).toContain("the endpoint is down until the new one answers");
    await stack.up();

    expect(await deploymentCalls()).toEqual(["UndeployModel", "DeployModel"]);
    expect(await served()).toEqual({ 2: 100 });
    await expectEmptyPreview();
  }, 300_000);

  it("as a canary is rolled back when the new one answers errors, goes on when it is fixed, and survives kill -9", async () => {
    await stack.set({ ...CANARY, env: FAILING });

    const failed = await stack.tryUp();

    expect(failed.code).not.toBe(0);
    expect(failed.output).toMatch(
      /The canary of "sha-\w+" at endpoint ".*" was rolled back at 20 %: it answered an error \(.*told to answer an error.*\)\. ".*" serves all requests\./,
    );
    expect(await served()).toEqual({ 1: 100 });
    expect((await stack.resource("ModelDeployment")).outputs["refused"]).toMatchObject({
      step: 20,
      reason: expect.stringContaining("it answered an error"),
    });
    const refused = await stack.preview();
    expect(refused).toMatch(/is refused: its canary was rolled back at 20 %, because it answered/);

    await stack.set({ env: NEW });
    await control(stack.emulator.address, "POST", "faults", {
      method: "UpdateEndpoint",
      stall: true,
      when: "after",
    });
    const up = stack.start(["up", "--yes", "--skip-preview"]);
    const isHeld = () => isHolding(stack.emulator.address);
    await waitDuring(up, "the first step of the canary", isHeld, 120_000);
    expect(await served()).toEqual({ 1: 80, 3: 20 });
    await stack.killCli(up.pid);
    await up.ended;
    await control(stack.emulator.address, "DELETE", "faults");
    await stack.up();

    expect(await served()).toEqual({ 3: 100 });
    expect((await stack.resource("ModelDeployment")).outputs).toMatchObject({
      refused: null,
      versionId: "3",
    });
    await expectEmptyPreview();
  }, 300_000);
});

/** One stack; the second step starts where the first one ended. */
describe("a split of two versions", () => {
  beforeAll(makeStack, 240_000);

  afterAll(async () => {
    await stack?.remove();
  });

  it("is held while canaryPercent is set, with nothing to do for up and preview, and promoted without it", async () => {
    await stack.set({ canaryPercent: "25", env: NEW });
    await stack.up();
    await clearCalls();

    await stack.up();

    expect(await stack.lastChanges()).toEqual({ same: 16 });
    expect(await mutatingCalls(stack.emulator.address)).toEqual([]);
    expect(await served()).toEqual({ 1: 75, 2: 25 });
    await expectEmptyPreview();

    await stack.set({ canaryPercent: null });
    await stack.up();

    expect(await served()).toEqual({ 2: 100 });
  }, 300_000);

  it("goes back and forward by npm run rollback, and serves the pinned one whatever is declared", async () => {
    const back = await stack.script("rollback", "--stack", "test", "--yes");

    expect(back.output).toMatch(/^ {2}version 1 .*<- to be pinned$/m);
    expect(back.code).toBe(0);
    const pin = await stackFilePin();
    expect(pin).toMatch(/^sha-[0-9a-f]{12}$/);
    expect(await served()).toEqual({ 1: 100 });
    expect(await servedByOutput()).toBe("1");

    await stack.set({ env: { LIGHT_PICTURE: "newest" }, pin });
    const pinned = await stack.up();

    expect(pinned).toContain(`Pinned to ${pin}, not what archive and container declare`);
    expect((await stack.cloud()).models[0]?.versions).toHaveLength(3);
    expect(await served()).toEqual({ 1: 100 });
    expect(await stack.preview("--expect-no-changes")).toContain(`Pinned to ${pin}`);

    await stack.set({ pin: "sha-0123456789ab" });
    const unknown = await stack.run(["preview"]);

    expect(unknown.code).not.toBe(0);
    expect(unknown.output).toMatch(/no version of model ".*" bears that alias\. There are "sha-/);
    expect(unknown.output).toContain(`"${pin}" (version 1, live)`);

    await stack.set({ pin });
    const forward = await stack.script("rollback", "--stack", "test", "--forward", "--yes");

    expect(forward.code).toBe(0);
    expect(forward.output).not.toContain("Pinned to");
    expect(await stackFilePin()).toBeUndefined();
    expect(await served()).toEqual({ 3: 100 });
    expect(await servedByOutput()).toBe("3");
  }, 400_000);
});

/** Number of the version that each deployed model serves -> its share of the requests. */
async function served(): Promise<Record<string, number>> {
  const cloud = await stack.cloud();
  const { trafficSplit = {} } = cloud.endpoints[0] ?? {};
  return Object.fromEntries(
    deployedModels(cloud).map(({ id, modelVersionId }) => [modelVersionId, trafficSplit[id] ?? 0]),
  );
}

/** Calls since the log was cleared that change what the endpoint serves. */
async function deploymentCalls(): Promise<string[]> {
  const calls = await mutatingCalls(stack.emulator.address);
  return calls.flatMap((call) => /^EndpointService\.(\w+)$/.exec(call)?.[1] ?? []);
}

async function clearCalls(): Promise<void> {
  await control(stack.emulator.address, "DELETE", "requests");
}

async function expectEmptyPreview(): Promise<void> {
  expect(await stack.preview("--expect-no-changes")).toMatch(/^ *16 unchanged$/m);
}

async function stackFilePin(): Promise<string | undefined> {
  const text = await readFile(join(stack.root, "Pulumi.test.yaml"), "utf8");
  return /^ *vertex-diffusion:pin: (.*)$/m.exec(text)?.[1];
}

/** Number of the version that the stack's output `model` names. */
async function servedByOutput(): Promise<string | undefined> {
  const { output } = await stack.run(["stack", "output", "model"]);
  return output.trim().split("@")[1];
}
