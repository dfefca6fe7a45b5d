import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { StackProject } from "../support/stack-project.ts";
import { control } from "../support/emulator.ts";
import { deployedModels, isEmpty } from "../support/cloud-questions.ts";
import { waitDuring } from "../support/wait-for.ts";

/** Both are made by Google's own provider, the endpoint once the bucket is there. */
const MADE = [
  { kind: "buckets", method: "storage.buckets.insert", recorded: [] },
  {
    kind: "endpoints",
    method: "EndpointService.CreateEndpoint",
    recorded: ["gcp:storage/bucket:Bucket"],
  },
] as const;

describe.each(MADE)(
  "one of the $kind that kill -9 left unrecorded",
  ({ kind, method, recorded }) => {
    let stack: StackProject;

    beforeEach(async () => {
      stack = await StackProject.create({ servers: "light" });
      await killWhileCreating();
    }, 300_000);

    afterEach(async () => {
      await stack?.remove();
    });

    /** Kills the CLI while the answer to the create is held back: it is there, and the engine can't know. */
    async function killWhileCreating(): Promise<void> {
      const { address } = stack.emulator;
      await control(address, "POST", "faults", { method, stall: true, when: "after" });
      const up = stack.start(["up", "--yes", "--skip-preview"]);
      const isMade = async () => (await stack.cloud())[kind].length === 1;
      await waitDuring(up, `the making of one of the ${kind}`, isMade, 120_000);
      await stack.killCli(up.pid);
      await up.ended;
      await control(address, "DELETE", "faults");
      const types = (await stack.resources()).map(({ type }) => type);
      expect(types.filter((type) => type.startsWith("gcp:"))).toEqual(recorded);
      expect(types).toContain("pulumi-nodejs:dynamic/vertex-diffusion:Claim");
    }

    it("is made way for in the next plain up", async () => {
      await stack.up();

      const cloud = await stack.cloud();
      expect([cloud.buckets.length, cloud.endpoints.length]).toEqual([1, 1]);
      expect(deployedModels(cloud)).toHaveLength(1);
      expect(await stack.preview("--expect-no-changes")).toMatch(/^ *16 unchanged$/m);
    }, 300_000);

    it("is gone after destroy", async () => {
      await stack.destroy();

      expect(isEmpty(await stack.cloud())).toBe(true);
    }, 300_000);
  },
);
