import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";

import * as model from "../../providers/model.ts";
import type { VertexModelInputs, VertexModelOutputs } from "../../providers/model.ts";
import { makeBucket, putObject } from "../support/bucket.ts";
import { MATRIX, READ_MATRIX } from "../support/fault-matrix.ts";
import type { FaultRow } from "../support/fault-matrix.ts";
import { startProviderEmulator } from "../support/provider-emulator.ts";
import type { ProviderEmulator } from "../support/provider-emulator.ts";
import { modelInputs } from "../support/provider-inputs.ts";
import { SmallEngine } from "../support/small-engine.ts";

const FIRST = modelInputs();
const SECOND = modelInputs({
  artifactUri: "gs://test-bucket/archives/two",
  versionAlias: "sha-000000000002",
});

let emulator: ProviderEmulator;
let engine: SmallEngine<VertexModelInputs, VertexModelOutputs>;

beforeAll(async () => {
  emulator = await startProviderEmulator();
});

afterAll(async () => {
  await emulator.stop();
});

beforeEach(async () => {
  await makeBucket(emulator.rest, "test-bucket");
  await putObject(emulator.rest, "test-bucket", "archives/one/model.mar", "one");
  await putObject(emulator.rest, "test-bucket", "archives/two/model.mar", "two");
  engine = new SmallEngine(model);
});

afterEach(async () => {
  expect(await emulator.leftFaults()).toEqual([]);
  await emulator.reset();
});

async function aliases(): Promise<string[]> {
  const { models } = await emulator.state();
  const all = models.flatMap((one) => one.versions.flatMap((version) => version.aliases));
  return all.filter((alias) => alias !== "default").sort();
}

/** An `up` that meets the fault ends as the row says; the next one leaves nothing to do, and the state says so. */
async function expectConverges(wanted: VertexModelInputs, verdict: FaultRow["verdict"]) {
  const first = await engine.up(wanted);
  if (verdict === "says why") {
    expect(first).toBeInstanceOf(Error);
    expect(String((first as Error).message)).toMatch(/^Could not .+ of model ".+": .+\.$/);
    expect(await engine.up(wanted)).not.toBeInstanceOf(Error);
  } else {
    expect(first).not.toBeInstanceOf(Error);
  }
  expect(await engine.up(wanted)).toBe("same");
  expect(engine.recorded).toMatchObject({ pending: null, drift: null });
}

describe.each(MATRIX)("$fault $when the work of", ({ declared, verdict }) => {
  it("the first UploadModel makes one version", async () => {
    await emulator.fault({ method: "UploadModel", ...declared });

    await expectConverges(FIRST, verdict);

    expect(await aliases()).toEqual(["sha-000000000001"]);
  });

  it("the next UploadModel makes one more version", async () => {
    await engine.up(FIRST);
    await emulator.fault({ method: "UploadModel", ...declared });

    await expectConverges(SECOND, verdict);

    expect(await aliases()).toEqual(["sha-000000000001", "sha-000000000002"]);
  });

  it("UpdateModel leaves the wanted description", async () => {
    await engine.up(FIRST);
    await emulator.fault({ method: "UpdateModel", ...declared });

    await expectConverges(modelInputs({ description: "New." }), verdict);

    expect(engine.recorded.description).toBe("New.");
  });

  it("DeleteModel leaves nothing", async () => {
    await engine.up(FIRST);
    await emulator.fault({ method: "DeleteModel", ...declared });

    const first = await engine.destroy();
    const second = await engine.destroy();

    expect(first instanceof Error ? "says why" : "converges").toBe(verdict);
    expect(second).toBe("deleted");
    expect((await emulator.state()).models).toEqual([]);
  });
});

describe.each(READ_MATRIX)("$fault of a read", ({ declared, verdict }) => {
  it.each(["GetModel", "ListModelVersions", "ListOperations"])(
    "(%s) makes one version all the same",
    async (method) => {
      await engine.up(FIRST);
      await emulator.fault({ method, ...declared });

      await expectReadConverges(verdict);

      expect(await aliases()).toEqual(["sha-000000000001", "sha-000000000002"]);
    },
  );

  it("(GetOperation) is nothing to the upload that it asks for", async () => {
    await engine.up(FIRST);
    await emulator.fault({ method: "GetOperation", ...declared });

    await expectConverges(SECOND, "converges");

    expect(await aliases()).toEqual(["sha-000000000001", "sha-000000000002"]);
  });
});

/** Like expectConverges, for a fault that may hit the read before the update. */
async function expectReadConverges(verdict: FaultRow["verdict"]): Promise<void> {
  const first = await engine.up(SECOND);
  expect(first instanceof Error ? "says why" : "converges").toBe(verdict);
  if (first instanceof Error) expect(await engine.up(SECOND)).toBe("updated");
  expect(await engine.up(SECOND)).toBe("same");
}
