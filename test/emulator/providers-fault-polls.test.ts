import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";

import * as model from "../../providers/model.ts";
import type { VertexModelOutputs } from "../../providers/model.ts";
import { makeBucket, putObject } from "../support/bucket.ts";
import { changing } from "../support/deployment-scene.ts";
import { rejectionOf, startProviderEmulator } from "../support/provider-emulator.ts";
import type { PartialFailure, ProviderEmulator } from "../support/provider-emulator.ts";
import { MODEL, modelInputs } from "../support/provider-inputs.ts";

const WANTED = modelInputs();

let emulator: ProviderEmulator;

beforeAll(async () => {
  emulator = await startProviderEmulator();
});

afterAll(async () => {
  await emulator.stop();
});

beforeEach(async () => {
  await makeBucket(emulator.rest, "test-bucket");
  await putObject(emulator.rest, "test-bucket", "archives/one/model.mar", "one");
  await emulator.calls();
});

afterEach(async () => {
  await emulator.reset();
});

async function versionIds(): Promise<string[]> {
  const { models } = await emulator.state();
  return models.flatMap((one) => one.versions.map((version) => version.versionId));
}

const POLLS = [
  { name: "UNAVAILABLE", fault: { status: "UNAVAILABLE" } },
  { name: "INTERNAL", fault: { status: "INTERNAL" } },
  { name: "PERMISSION_DENIED", fault: { status: "PERMISSION_DENIED" } },
  { name: "UNAUTHENTICATED", fault: { status: "UNAUTHENTICATED" } },
  { name: "RESOURCE_EXHAUSTED", fault: { status: "RESOURCE_EXHAUSTED" } },
  { name: "a reset", fault: { reset: true } },
];

describe.each(POLLS)("a poll answered with $name", ({ fault }) => {
  it("is asked again: the operation's end is seen", async () => {
    await emulator.fault({ method: "GetOperation", times: 2, ...fault });

    const { outs } = await model.create(WANTED);

    expect(outs).toMatchObject({ versionId: "1", pending: null });
    expect(changing(await emulator.calls())).toEqual(["ModelService.UploadModel"]);
  });

  it("for longer than the patience leaves the operation pending, and the next call waits for it", async () => {
    const held = await emulator.fault({ method: "UploadModel", hold: true });
    const refused = await emulator.fault({ method: "GetOperation", times: 1000, ...fault });

    const error: unknown = await rejectionOf(model.create(WANTED));
    const failure = error as PartialFailure<VertexModelOutputs>;
    const stillRefused: unknown = await rejectionOf(
      model.update(MODEL, failure.properties, WANTED),
    );
    await emulator.release(refused);
    const updating = model.update(MODEL, failure.properties, WANTED);
    await emulator.release(held);
    const { outs } = await updating;

    expect(failure.properties.pending).toMatchObject({ kind: "uploadModel" });
    expect(failure.reasons[0]).toMatch(
      /^The upload of model "diffusion-test" is not finished: Google did not say for 1 s how it goes on \(.+\)\. Operation "projects\/.+" may still run;/,
    );
    expect(stillRefused).toMatchObject({
      id: MODEL,
      properties: { pending: { operation: failure.properties.pending.operation } },
    });
    expect(outs).toMatchObject({ versionId: "1", pending: null });
    expect(changing(await emulator.calls())).toEqual(["ModelService.UploadModel"]);
    expect(await versionIds()).toEqual(["1"]);
  });
});

describe("a refused look at the operations in flight", () => {
  it.each([
    { name: "UNAVAILABLE", fault: { status: "UNAVAILABLE" } },
    { name: "a reset", fault: { reset: true } },
  ])("is repeated after $name before anything is started", async ({ fault }) => {
    await emulator.fault({ method: "ListOperations", ...fault });

    await model.create(WANTED);

    expect(await versionIds()).toEqual(["1"]);
  });

  it("starts nothing when it stays refused", async () => {
    await emulator.fault({ method: "ListOperations", status: "PERMISSION_DENIED" });

    const error = await rejectionOf(model.create(WANTED));

    expect(error.message).toContain("Grant the caller");
    expect(changing(await emulator.calls())).toEqual([]);
  });
});
