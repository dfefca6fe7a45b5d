import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";

import { deployedModels } from "../support/cloud-questions.ts";
import { StackProject } from "../support/stack-project.ts";

/** Two people with a stack of the same name, each with a backend of their own, in one Google Cloud project. */
describe("two stacks of one name from two backends", () => {
  let first: StackProject;
  let second: StackProject;
  let before: Awaited<ReturnType<StackProject["cloud"]>>;

  beforeAll(async () => {
    first = await StackProject.create({ servers: "light" });
    second = await StackProject.create({ beside: first });
    await first.up();
    before = await first.cloud();
  }, 240_000);

  afterAll(async () => {
    await second?.remove();
    await first?.remove();
  });

  async function predict(): Promise<unknown> {
    const endpoint = before.endpoints[0]?.name ?? "";
    const response = await fetch(`${first.emulator.address.rest}/v1/${endpoint}:predict`, {
      method: "POST",
      body: JSON.stringify({ instances: ["hello"] }),
    });
    return response.json();
  }

  async function uidOfFirst(): Promise<unknown> {
    return (await first.resource("StackIdentity")).outputs["uid"];
  }

  async function expectFirstUntouched(): Promise<void> {
    const { buckets, models, endpoints } = await first.cloud();
    const bucket = before.buckets[0]?.name;
    expect(buckets.filter(({ name }) => name === bucket)).toEqual(before.buckets);
    expect({ models, endpoints }).toEqual({ models: before.models, endpoints: before.endpoints });
    expect(await predict()).toMatchObject({ predictions: ["hello"] });
  }

  it("refuse the second one the bucket that is taken", async () => {
    const { code, output } = await second.tryUp();

    expect(code).not.toBe(0);
    expect(output).toContain(before.buckets[0]?.name ?? "no bucket");
    expect(output).toContain(`belongs to stack ${await uidOfFirst()} of vertex-diffusion`);
    await expectFirstUntouched();
  }, 180_000);

  it("refuse the second one, with a bucket of its own, the endpoint that is taken", async () => {
    await second.set({ bucketName: "a-bucket-of-its-own" });

    const { code, output } = await second.tryUp();

    expect(code).not.toBe(0);
    expect(output).toContain(`belongs to stack ${await uidOfFirst()} of vertex-diffusion`);
    await expectFirstUntouched();
  }, 180_000);

  it("leave the first one as it is, and answering, when the second one is destroyed", async () => {
    await second.destroy();

    expect((await first.cloud()).buckets).toHaveLength(1);
    await expectFirstUntouched();
    expect(deployedModels(await first.cloud())).toHaveLength(1);
    expect(await first.preview("--expect-no-changes")).toMatch(/unchanged/);
  }, 240_000);
});
