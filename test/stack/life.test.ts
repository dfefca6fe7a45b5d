import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { StackProject } from "../support/stack-project.ts";
import { control } from "../support/emulator.ts";
import { countCalls, documentedCalls } from "../support/api-calls.ts";
import type { CallCounts, CountedCommand } from "../support/api-calls.ts";
import { deployedModels, isEmpty, mutatingCalls } from "../support/cloud-questions.ts";

const KEY = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k";

const COUNTED: readonly CountedCommand[] = ["first up", "up, nothing changed", "up, new archive"];

/** One stack from its first `up` to its `destroy`; each step starts where the one before it ended. */
describe("the life of a stack", () => {
  let stack: StackProject;
  const counted: Record<string, CallCounts> = {};

  beforeAll(async () => {
    stack = await StackProject.create();
  }, 120_000);

  afterAll(async () => {
    await stack?.remove();
  });

  it("makes everything on the first up and serves all traffic from one model", async () => {
    await stack.up();

    counted["first up"] = await countCalls(stack.emulator.address);
    const cloud = await stack.cloud();
    expect(cloud.buckets).toEqual([expect.objectContaining({ objects: 1 })]);
    expect(cloud.models.map((model) => model.versions.length)).toEqual([1]);
    const [deployed] = deployedModels(cloud);
    expect(cloud.endpoints[0]?.trafficSplit).toEqual({ [deployed?.id ?? ""]: 100 });
  }, 180_000);

  it("changes nothing on the second up and makes no changing call", async () => {
    await control(stack.emulator.address, "DELETE", "requests");

    await stack.up();

    counted["up, nothing changed"] = await countCalls(stack.emulator.address);
    expect(await stack.lastChanges()).toEqual({ same: 16 });
    expect(await mutatingCalls(stack.emulator.address)).toEqual([]);
  }, 120_000);

  it("names old and new machine and accelerator in the preview of the production settings", async () => {
    await stack.set({
      machineType: "g2-standard-8",
      acceleratorType: "NVIDIA_L4",
      maxReplicas: "3",
      targetGpuPercent: "60",
    });

    const output = await stack.preview();

    expect(output).toContain("n1-standard-8");
    expect(output).toContain("g2-standard-8");
    expect(output).toContain("NVIDIA_TESLA_T4");
    expect(output).toContain("NVIDIA_L4");
  }, 120_000);

  it("rolls to the production settings: the new model is deployed before the old one is undeployed", async () => {
    const [before] = deployedModels(await stack.cloud());
    await control(stack.emulator.address, "DELETE", "requests");

    await stack.up();

    const after = deployedModels(await stack.cloud());
    expect(after).toHaveLength(1);
    expect(after[0]?.id).not.toBe(before?.id);
    const calls = await mutatingCalls(stack.emulator.address);
    expect(
      calls.filter((call) => /DeployModel$|UndeployModel$|UpdateEndpoint$/.test(call)),
    ).toEqual([
      "EndpointService.DeployModel",
      "EndpointService.UpdateEndpoint",
      "EndpointService.UndeployModel",
    ]);
    expect((await stack.resource("ModelDeployment")).outputs).toMatchObject({
      machineType: "g2-standard-8",
      acceleratorType: "NVIDIA_L4",
      maxReplicas: 3,
    });
  }, 180_000);

  it("has an empty preview afterwards", async () => {
    expect(await stack.preview("--expect-no-changes")).toMatch(/^ *16 unchanged$/m);
  }, 120_000);

  it("serves a changed archive from a new version and undeploys the old one", async () => {
    const [before] = deployedModels(await stack.cloud());
    await stack.writeHandlerFile("note.py", '"""Changes the archive."""\n');
    await control(stack.emulator.address, "DELETE", "requests");

    await stack.up();

    counted["up, new archive"] = await countCalls(stack.emulator.address);
    const cloud = await stack.cloud();
    expect(cloud.models[0]?.versions.map((version) => version.versionId)).toEqual(["1", "2"]);
    expect(deployedModels(cloud)).toEqual([expect.objectContaining({ modelVersionId: "2" })]);
    expect(deployedModels(cloud)[0]?.id).not.toBe(before?.id);
  }, 180_000);

  it("keeps the old model serving when the new archive does not start, and goes on when it is fixed", async () => {
    const before = await stack.cloud();
    await stack.writeHandlerFile("fail-at-load", "yes\n");

    const failed = await stack.tryUp();

    expect(failed.code).not.toBe(0);
    expect(failed.output).toContain("the light handler was told to fail at load");
    expect((await stack.cloud()).endpoints).toEqual(before.endpoints);

    await stack.removeHandlerFile("fail-at-load");
    await stack.up();

    expect((await stack.cloud()).endpoints).toEqual(before.endpoints);
  }, 240_000);

  it("replaces the endpoint in order: undeploy, delete, create, deploy", async () => {
    await control(stack.emulator.address, "DELETE", "requests");
    await stack.set({ kmsKey: KEY });

    await stack.up();

    const calls = await mutatingCalls(stack.emulator.address);
    expect(calls.filter((call) => /DeployModel$|UndeployModel$|teEndpoint$/.test(call))).toEqual([
      "EndpointService.UndeployModel",
      "EndpointService.DeleteEndpoint",
      "EndpointService.CreateEndpoint",
      "EndpointService.DeployModel",
    ]);
    expect(deployedModels(await stack.cloud())).toHaveLength(1);
  }, 240_000);

  it("refuses to be destroyed or replaced while it is protected, says what to do, and changes nothing", async () => {
    await stack.set({ protect: "true" });
    await stack.up();
    const before = await stack.cloud();
    await control(stack.emulator.address, "DELETE", "requests");

    const destroyed = await stack.run(["destroy", "--yes", "--skip-preview"]);
    await stack.set({}, "us-east1");
    const moved = await stack.tryUp();

    expect(destroyed.code).not.toBe(0);
    expect(destroyed.output).toContain("cannot be deleted");
    expect(destroyed.output).toContain("because it is protected");
    expect(moved.code).not.toBe(0);
    expect(moved.output).toContain("currently marked for protection");
    expect(await mutatingCalls(stack.emulator.address)).toEqual([]);
    expect(await stack.cloud()).toEqual(before);

    await stack.set({ protect: null });
    await stack.up();
  }, 240_000);

  it("leaves nothing after destroy, and deletes in order", async () => {
    await control(stack.emulator.address, "DELETE", "requests");

    await stack.destroy();

    expect(isEmpty(await stack.cloud())).toBe(true);
    const calls = await mutatingCalls(stack.emulator.address);
    const first = (method: string) => calls.indexOf(method);
    // The archives of two versions that served and of one that did not start.
    expect(calls.filter((call) => call === "storage.objects.delete")).toHaveLength(3);
    expect(calls).toHaveLength(7);
    expect(first("EndpointService.UndeployModel")).toBe(0);
    expect(first("EndpointService.DeleteEndpoint")).toBeGreaterThan(0);
    expect(first("ModelService.DeleteModel")).toBeGreaterThan(0);
    expect(first("storage.objects.delete")).toBeGreaterThan(first("ModelService.DeleteModel"));
    expect(first("storage.buckets.delete")).toBeGreaterThan(
      calls.lastIndexOf("storage.objects.delete"),
    );
  }, 180_000);

  it.each(COUNTED)("has made as many calls for %s as ARCHITECTURE.md says", (command) => {
    expect(counted[command]).toEqual(documentedCalls(command));
  });
});
