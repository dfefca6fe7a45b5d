import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { StackProject } from "../support/stack-project.ts";
import { countCalls, documentedCalls } from "../support/api-calls.ts";
import { control } from "../support/emulator.ts";
import { deployedModels, isEmpty, mutatingCalls } from "../support/cloud-questions.ts";
import { waitFor } from "../support/wait-for.ts";

/** Longer than the gcp plugin takes to start, and its deletion of an endpoint takes longer still, as in the cloud. */
const PLUGIN_STARTS_SECONDS = 5;
const DELETION_TAKES_MS = 10_000;

describe("a stack that moves to another region", () => {
  let stack: StackProject;

  beforeAll(async () => {
    stack = await StackProject.create({ servers: "light" });
    await stack.up();
  }, 180_000);

  afterAll(async () => {
    await stack?.remove();
  });

  it("is undeployed and deleted there, then made and deployed here, however late the provider takes over the region", async () => {
    const { address } = stack.emulator;
    const held = (await control(address, "POST", "faults", {
      method: "DeleteEndpoint",
      hold: true,
    })) as { id: string };
    await stack.delayGcpPlugin(PLUGIN_STARTS_SECONDS);
    await control(address, "DELETE", "requests");
    await stack.set({}, "us-east1");

    const release = async () => {
      const isDeleting = async () =>
        (await mutatingCalls(address)).includes("EndpointService.DeleteEndpoint");
      await waitFor("the deletion of the endpoint", isDeleting, 120_000);
      await sleep(DELETION_TAKES_MS);
      await control(address, "DELETE", `faults?id=${held.id}`);
    };
    await Promise.all([stack.up(), release()]);

    const calls = await mutatingCalls(address);
    const first = (method: string) => calls.indexOf(method);
    expect(first("EndpointService.UndeployModel")).toBeLessThan(first("ModelService.DeleteModel"));
    expect(first("EndpointService.UndeployModel")).toBeLessThan(
      first("EndpointService.DeleteEndpoint"),
    );
    expect(first("ModelService.DeleteModel")).toBeLessThan(first("EndpointService.DeployModel"));
    const cloud = await stack.cloud();
    expect([...cloud.models, ...cloud.endpoints].map(({ name }) => name.split("/")[3])).toEqual([
      "us-east1",
      "us-east1",
    ]);
    expect(deployedModels(cloud)).toHaveLength(1);
  }, 240_000);

  it("has nothing to do afterwards", async () => {
    expect(await stack.preview("--expect-no-changes")).toMatch(/^ *16 unchanged$/m);
  }, 120_000);

  it("leaves nothing after destroy, with as many calls as ARCHITECTURE.md says", async () => {
    await control(stack.emulator.address, "DELETE", "requests");

    await stack.destroy();

    expect(isEmpty(await stack.cloud())).toBe(true);
    expect(await countCalls(stack.emulator.address)).toEqual(documentedCalls("destroy"));
  }, 120_000);
});
