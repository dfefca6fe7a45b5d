import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { StackProject } from "../support/stack-project.ts";
import { control } from "../support/emulator.ts";
import { deployedModels, isEmpty } from "../support/cloud-questions.ts";
import { waitDuring } from "../support/wait-for.ts";

/** Both are made by Google's own provider, side by side. */
const CREATES = ["storage.buckets.insert", "EndpointService.CreateEndpoint"];

describe("a bucket and an endpoint that kill -9 left unrecorded", () => {
  let stack: StackProject;

  beforeEach(async () => {
    stack = await StackProject.create({ servers: "light" });
  }, 120_000);

  afterEach(async () => {
    await stack?.remove();
  });

  /** Kills the CLI while the answers to both creates are held back: both are there, and the engine can't know. */
  async function killWhileCreating(): Promise<void> {
    for (const method of CREATES) {
      const fault = { method, stall: true, when: "after" };
      await control(stack.emulator.address, "POST", "faults", fault);
    }
    const up = stack.start(["up", "--yes", "--skip-preview"]);
    await waitDuring(
      up,
      "the making of bucket and endpoint",
      async () => {
        const { buckets, endpoints } = await stack.cloud();
        return buckets.length === 1 && endpoints.length === 1;
      },
      120_000,
    );
    await stack.killCli(up.pid);
    await up.ended;
    await control(stack.emulator.address, "DELETE", "faults");
    const recorded = (await stack.resources()).map(({ type }) => type);
    expect(recorded.filter((type) => type.startsWith("gcp:"))).toEqual([]);
    expect(recorded.filter((type) => type.endsWith(":Claim"))).toHaveLength(2);
  }

  it("are made way for in the next plain up", async () => {
    await killWhileCreating();

    await stack.up();

    const cloud = await stack.cloud();
    expect([cloud.buckets.length, cloud.endpoints.length]).toEqual([1, 1]);
    expect(deployedModels(cloud)).toHaveLength(1);
    expect(await stack.preview("--expect-no-changes")).toMatch(/^ *16 unchanged$/m);
  }, 300_000);

  it("are gone after destroy", async () => {
    await killWhileCreating();

    await stack.destroy();

    expect(isEmpty(await stack.cloud())).toBe(true);
  }, 300_000);
});
