import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { deployedModels, isHolding, mutatingCalls } from "../support/cloud-questions.ts";
import { control } from "../support/emulator.ts";
import { HAND_BUCKET, makeByHand } from "../support/hand-made.ts";
import type { HandMade } from "../support/hand-made.ts";
import { StackProject } from "../support/stack-project.ts";
import { rest } from "../support/vertex-rest.ts";
import { waitDuring } from "../support/wait-for.ts";

const PARENT = "projects/local-project/locations/us-central1";

/** What the tutorial's Python code made comes under management; each step starts where the one before it ended. */
describe("an endpoint, a model and a deployment made by hand", () => {
  let stack: StackProject;
  let made: HandMade;
  /** Everything that serves, as it was made. */
  let before: unknown;

  beforeAll(async () => {
    stack = await StackProject.create({ servers: "light" });
    made = await makeByHand(stack.emulator.address.rest);
    before = await serving();
  }, 120_000);

  afterAll(async () => {
    await stack?.remove();
  });

  async function serving() {
    const { endpoints, servers } = await stack.cloud();
    return { endpoints, servers };
  }

  async function labels() {
    const names = [`endpoints/${made.endpoint}`, `models/${made.model}`];
    const answers = await Promise.all(
      names.map((name) => rest(stack.emulator.address.rest, "GET", `/v1/${PARENT}/${name}`)),
    );
    return answers.map(({ body }) => body["labels"]);
  }

  /** An `up` that is killed after this call of the takeover has done its work: the engine has no record of it. */
  async function killAfter(method: string): Promise<void> {
    const { address } = stack.emulator;
    await control(address, "POST", "faults", { method, stall: true, when: "after" });
    const up = stack.start(["up", "--yes", "--skip-preview"]);
    await waitDuring(up, "the marking of the endpoint", () => isHolding(address), 120_000);
    await stack.killCli(up.pid);
    await up.ended;
    await control(address, "DELETE", "faults");
  }

  it("are looked at by the preview, which refuses a version that does not serve", async () => {
    const adopt = { endpoint: made.endpoint, model: made.model, version: 2 };
    await stack.set({ adopt });

    const { code, output } = await stack.run(["preview"]);

    expect(code).not.toBe(0);
    expect(output).toContain(
      `Could not adopt version 2 of model "${PARENT}/models/${made.model}": there is none; the model has 1.`,
    );
  }, 120_000);

  it("are in the next preview as what is taken over, with nothing deployed anew", async () => {
    // Ids as a person copies them, without quotes: more digits than a JavaScript number holds.
    const [endpoint, model] = [BigInt(made.endpoint), BigInt(made.model)];
    await stack.set({ adopt: { endpoint, model, version: 1 } });

    const output = await stack.preview();

    expect(output).toMatch(
      new RegExp(
        `takes over "sd-deployed-by-hand" \\(${made.deployedModelId}\\) with version 1 as sha-[0-9a-f]{12}: nothing is deployed anew`,
      ),
    );
    expect(output).toMatch(/= +gcp:vertex:AiEndpoint +endpoint +import/);
  }, 120_000);

  it("are as they were made after kill -9 of the takeover and destroy", async () => {
    await killAfter("EndpointService.UpdateEndpoint");
    expect(await labels()).toEqual([
      expect.objectContaining({ "managed-by": "vertex-diffusion" }),
      expect.objectContaining({ "managed-by": "vertex-diffusion" }),
    ]);

    await stack.destroy();

    expect(await serving()).toEqual(before);
    expect(await labels()).toEqual([{ team: "art" }, { team: "art" }]);
    expect((await stack.cloud()).buckets).toEqual([expect.objectContaining({ name: HAND_BUCKET })]);
  }, 240_000);

  it("are taken over by the up after another kill -9, without an upload of a model or a deploy", async () => {
    await killAfter("ModelService.UpdateModel");
    await control(stack.emulator.address, "DELETE", "requests");

    await stack.up();

    expect(await serving()).toEqual(before);
    const calls = await mutatingCalls(stack.emulator.address);
    expect(calls.filter((call) => !/storage|MergeVersionAliases|Update/.test(call))).toEqual([]);
    expect((await stack.resource("ModelDeployment")).outputs).toMatchObject({
      deployedModelId: made.deployedModelId,
      versionId: "1",
    });
    expect(await labels()).toEqual([
      expect.objectContaining({ team: "art", "managed-by": "vertex-diffusion" }),
      expect.objectContaining({ team: "art", "managed-by": "vertex-diffusion" }),
    ]);
  }, 240_000);

  it("have an empty preview afterwards", async () => {
    expect(await stack.preview("--expect-no-changes")).toMatch(/^ *18 unchanged$/m);
  }, 120_000);

  it("roll forward to a changed archive: a new version of the same model on the same endpoint", async () => {
    await stack.writeHandlerFile("note.py", '"""Changes the archive."""\n');

    await stack.up();

    const cloud = await stack.cloud();
    expect(deployedModels(cloud)).toEqual([expect.objectContaining({ modelVersionId: "2" })]);
    expect(cloud.endpoints).toEqual([expect.objectContaining({ displayName: "sd-endpoint" })]);
    expect(cloud.models).toEqual([
      expect.objectContaining({ displayName: "stable-diffusion-1-5" }),
    ]);
    expect(cloud.models[0]?.versions.map(({ versionId }) => versionId)).toEqual(["1", "2"]);
    expect(await stack.preview("--expect-no-changes")).toMatch(/^ *18 unchanged$/m);
  }, 240_000);

  it("are said to go when the setting is taken out: the stack would make its own", async () => {
    await stack.set({ adopt: null });

    const output = await stack.preview();

    expect(output).toContain(
      `"adopt" was taken out of Pulumi.test.yaml: endpoint "${made.endpoint}" and model "${made.model}", which this stack took over, are deleted`,
    );
    expect(output).toMatch(/\+- +gcp:vertex:AiEndpoint +endpoint +replace/);
  }, 120_000);

  it("are gone after destroy, and the bucket made by hand is not", async () => {
    await stack.destroy();

    const { buckets, models, endpoints, servers } = await stack.cloud();
    expect({ models, endpoints, servers }).toEqual({ models: [], endpoints: [], servers: [] });
    expect(buckets).toEqual([expect.objectContaining({ name: HAND_BUCKET, objects: 1 })]);
  }, 180_000);
});
