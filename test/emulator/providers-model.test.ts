import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";

import * as claim from "../../providers/claim.ts";
import * as model from "../../providers/model.ts";
import type { VertexModelInputs, VertexModelOutputs } from "../../providers/model.ts";
import { makeBucket, putObject } from "../support/bucket.ts";
import { rejectionOf, startProviderEmulator } from "../support/provider-emulator.ts";
import type { PartialFailure, ProviderEmulator } from "../support/provider-emulator.ts";
import { MODEL, OTHER_UID, STACK_UID, modelInputs } from "../support/provider-inputs.ts";
import { vertexClients } from "../support/vertex-clients.ts";
import type { VertexClients } from "../support/vertex-clients.ts";

/** Calls that change something. */
const CHANGING = /\.(Upload|Update|Delete|Merge)/;

const FIRST = modelInputs();
const SECOND = modelInputs({
  artifactUri: "gs://test-bucket/archives/two",
  versionAlias: "sha-000000000002",
});

let emulator: ProviderEmulator;
let google: VertexClients;

beforeAll(async () => {
  emulator = await startProviderEmulator();
  google = vertexClients(emulator.grpc);
});

afterAll(async () => {
  await google.close();
  await emulator.stop();
});

beforeEach(async () => {
  await makeBucket(emulator.rest, "test-bucket");
  await putObject(emulator.rest, "test-bucket", "archives/one/model.mar", "one");
  await putObject(emulator.rest, "test-bucket", "archives/two/model.mar", "two");
  await emulator.calls();
});

afterEach(async () => {
  expect(await emulator.leftFaults()).toEqual([]);
  await emulator.reset();
});

/** Versions of the stack's model with their aliases, by number. */
async function versions(): Promise<Record<string, readonly string[]>> {
  const { models } = await emulator.state();
  const entries = models.flatMap((one) => one.versions.map((v) => [v.versionId, v.aliases]));
  return Object.fromEntries(entries) as Record<string, readonly string[]>;
}

async function changingCalls(): Promise<string[]> {
  return (await emulator.calls()).filter((call) => CHANGING.test(call));
}

async function created(inputs: VertexModelInputs = FIRST): Promise<VertexModelOutputs> {
  const { outs } = await model.create(inputs);
  await emulator.calls();
  return outs;
}

/** What a refresh records: read's props, where it is expected to find something. */
async function refreshed(recorded: VertexModelOutputs): Promise<VertexModelOutputs> {
  const { props } = await model.read(MODEL, recorded);
  if (props === undefined) throw new Error("read found nothing");
  return props;
}

describe("VertexModel on the local Vertex AI", () => {
  it("uploads a model with the chosen id, the alias of its version and the stack's marks", async () => {
    const { id, outs } = await model.create(FIRST);

    const [found] = await google.models.getModel({ name: MODEL });
    expect(id).toBe(MODEL);
    expect(outs).toEqual({
      ...FIRST,
      modelName: MODEL,
      versionId: "1",
      schema: 2,
      pending: null,
      drift: null,
    });
    expect(found.labels).toEqual({
      team: "art",
      "managed-by": "vertex-diffusion",
      "vertex-diffusion-stack": STACK_UID,
    });
    expect(await versions()).toEqual({ "1": ["default", "sha-000000000001"] });
  });

  it("changes nothing when nothing changed", async () => {
    const outs = await created();

    const { outs: again } = await model.update(MODEL, outs, FIRST);

    expect(await changingCalls()).toEqual([]);
    expect(again).toEqual(outs);
    expect(model.diff(MODEL, outs, FIRST).changes).toBe(false);
  });

  it("reads what it made as it was recorded, without drift and without looking at operations", async () => {
    const outs = await created();

    const found = await model.read(MODEL, outs);

    expect(found).toEqual({ id: MODEL, props: outs, inputs: FIRST });
    expect(await emulator.calls()).toEqual(["ModelService.GetModel"]);
  });

  it("uploads another serving spec as a version of the same model", async () => {
    const outs = await created();

    const { outs: updated } = await model.update(MODEL, outs, SECOND);

    expect(updated.versionId).toBe("2");
    expect(Object.keys(await versions())).toEqual(["1", "2"]);
    expect((await emulator.state()).models).toHaveLength(1);
  });

  it("uploads nothing when it goes back to a version that exists", async () => {
    const outs = await created();
    const { outs: second } = await model.update(MODEL, outs, SECOND);
    await emulator.calls();

    const { outs: back } = await model.update(MODEL, second, FIRST);

    expect(await changingCalls()).toEqual([]);
    expect(back).toEqual(outs);
  });

  it.each<{ field: string; changes: Partial<VertexModelInputs>; seen: object }>([
    { field: "displayName", changes: { displayName: "New" }, seen: { displayName: "New" } },
    { field: "description", changes: { description: "New." }, seen: { description: "New." } },
    {
      field: "labels",
      changes: { labels: { team: "science" } },
      seen: {
        labels: {
          team: "science",
          "managed-by": "vertex-diffusion",
          "vertex-diffusion-stack": STACK_UID,
        },
      },
    },
  ])("changes $field in place, without a new version", async ({ changes, seen }) => {
    const outs = await created();
    const wanted = modelInputs(changes);

    const answer = model.diff(MODEL, outs, wanted);
    await model.update(MODEL, outs, wanted);

    expect(answer).toEqual({ changes: true, replaces: [], deleteBeforeReplace: false });
    expect(await changingCalls()).toEqual(["ModelService.UpdateModel"]);
    expect((await google.models.getModel({ name: MODEL }))[0]).toMatchObject(seen);
    expect(Object.keys(await versions())).toEqual(["1"]);
  });

  it("changes the labels also where later versions were uploaded, which bear labels of their own on Vertex AI", async () => {
    const { outs: second } = await model.update(MODEL, await created(), SECOND);
    const wanted = { ...SECOND, labels: { purpose: "posters" } };

    const { outs } = await model.update(MODEL, second, wanted);

    expect(await refreshed(outs)).toEqual(outs);
    expect(model.diff(MODEL, await refreshed(outs), wanted).changes).toBe(false);
  });

  it("takes away what a version's own labels hide of the model's", async () => {
    const outs = await created();
    await google.models.updateModel({
      model: { name: `${MODEL}@1`, labels: { team: "thieves", left: "here" } },
      updateMask: { paths: ["labels"] },
    });

    const drifted = await refreshed(outs);
    await model.update(MODEL, drifted, FIRST);

    expect(drifted.labels).toEqual({ team: "thieves", left: "here" });
    expect(await refreshed(outs)).toEqual(outs);
  });

  it("sees labels changed by hand and puts them back", async () => {
    const outs = await created();
    await google.models.updateModel({
      model: { name: MODEL, labels: { team: "thieves", "vertex-diffusion-stack": STACK_UID } },
      updateMask: { paths: ["labels"] },
    });

    const drifted = await refreshed(outs);
    const answer = model.diff(MODEL, drifted, FIRST);
    await model.update(MODEL, drifted, FIRST);

    expect(drifted.labels).toEqual({ team: "thieves" });
    expect(answer.changes).toBe(true);
    expect(await refreshed(outs)).toEqual(outs);
  });

  it("sees a version deleted by hand and uploads it again", async () => {
    const outs = await created();
    const { outs: second } = await model.update(MODEL, outs, SECOND);
    await google.models.mergeVersionAliases({ name: `${MODEL}@2`, versionAliases: ["default"] });
    const [operation] = await google.models.deleteModelVersion({ name: `${MODEL}@1` });
    await operation.promise();

    const drifted = await refreshed(outs);
    const answer = model.diff(MODEL, drifted, FIRST);
    const { outs: repaired } = await model.update(MODEL, drifted, FIRST);

    expect(second.versionId).toBe("2");
    expect(drifted).toMatchObject({
      versionId: "",
      drift: 'no version of model "diffusion-test" bears "sha-000000000001" any more',
    });
    expect(answer.changes).toBe(true);
    expect(repaired).toMatchObject({ versionId: "3", drift: null });
  });

  it("is gone when the model is gone", async () => {
    const outs = await created();
    const [operation] = await google.models.deleteModel({ name: MODEL });
    await operation.promise();

    expect(await model.read(MODEL, outs)).toEqual({ id: "" });
  });

  it("keeps what is recorded when Google can't be reached: that does not mean gone", async () => {
    const outs = await created();
    await emulator.fault({ method: "GetModel", status: "UNAVAILABLE", times: 6 });

    const error = await rejectionOf(model.read(MODEL, outs));

    expect(error.message).toContain(`Could not read model "${MODEL}": `);
    expect(error.message).toContain("Run the same command again; nothing is made twice.");
  });

  it("refuses the model of another stack, naming the owner, and changes nothing of it", async () => {
    await created(modelInputs({ stackUid: OTHER_UID }));

    const error = await rejectionOf(model.create(FIRST));

    expect(error.message).toBe(
      `Could not use model "${MODEL}": it belongs to stack ${OTHER_UID} of vertex-diffusion. Its id is made from the stack's name: use another stack name, or delete it by hand if nobody needs it.`,
    );
    expect(await changingCalls()).toEqual([]);
  });

  it("makes one version when the answer to the upload is lost", async () => {
    await emulator.fault({ method: "UploadModel", when: "after", status: "UNAVAILABLE" });

    const { outs } = await model.create(FIRST);

    expect(outs.versionId).toBe("1");
    expect(await versions()).toEqual({ "1": ["default", "sha-000000000001"] });
  });

  it("says what Google says when an upload is refused", async () => {
    const error = await rejectionOf(
      model.create(modelInputs({ artifactUri: "gs://test-bucket/archives/none" })),
    );

    expect(error.message).toMatch(
      /^Could not upload version "sha-000000000001" of model "projects\/.*": .*archives\/none/,
    );
    expect(error).not.toHaveProperty("properties");
    expect((await emulator.state()).models).toEqual([]);
  });
});

describe("an upload that outlives its deadline", () => {
  const impatient = modelInputs({ uploadTimeoutSeconds: 1 });

  async function leaveRunning(): Promise<{
    fault: string;
    failure: PartialFailure<VertexModelOutputs>;
  }> {
    const fault = await emulator.fault({ method: "UploadModel", hold: true });
    const error: unknown = await rejectionOf(model.create(impatient));
    return { fault, failure: error as PartialFailure<VertexModelOutputs> };
  }

  it("is a partial failure that keeps id, inputs and the operation", async () => {
    const { fault, failure } = await leaveRunning();

    const [{ name: operation = "" } = {}] = (await emulator.state()).operations;
    expect(failure.id).toBe(MODEL);
    expect(failure.properties).toEqual({
      ...impatient,
      modelName: MODEL,
      versionId: "",
      schema: 2,
      pending: { operation, kind: "uploadModel", startedAt: expect.any(String) },
      drift: null,
    });
    expect(failure.reasons).toEqual([
      `The upload of model "diffusion-test" is not finished: it did not finish within 1 s (uploadTimeoutSeconds). Operation "${operation}" may still run; run the same command again, it waits for that operation and does nothing twice. For a longer wait, "npm run pulumi -- config set uploadTimeoutSeconds 2".`,
    ]);
    await emulator.release(fault);
  });

  it("is present for read, which waits for nothing, and a change for diff", async () => {
    const { fault, failure } = await leaveRunning();

    const found = await model.read(MODEL, failure.properties);

    expect(found).toEqual({ id: MODEL, props: failure.properties });
    expect(model.diff(MODEL, failure.properties, impatient).changes).toBe(true);
    await emulator.release(fault);
  });

  it("is awaited by the next update, which clears it and makes no second version", async () => {
    const { fault, failure } = await leaveRunning();
    await emulator.calls();

    const updating = model.update(MODEL, failure.properties, FIRST);
    await emulator.release(fault);
    const { outs } = await updating;

    expect(outs).toMatchObject({ pending: null, versionId: "1" });
    expect(await changingCalls()).toEqual([]);
    expect(Object.keys(await versions())).toEqual(["1"]);
  });

  it("is awaited also by a create that knows nothing of it", async () => {
    const { fault } = await leaveRunning();
    await emulator.calls();

    const creating = model.create(FIRST);
    await emulator.release(fault);
    const { outs } = await creating;

    expect(outs.versionId).toBe("1");
    expect(await changingCalls()).toEqual([]);
  });

  it("is made anew by the next update when it has failed since", async () => {
    const { fault, failure } = await leaveRunning();
    await deleteObject("archives/one/model.mar");
    await emulator.release(fault);

    const { outs } = await model.update(MODEL, failure.properties, SECOND);

    expect(outs).toMatchObject({ pending: null, versionId: "1", versionAlias: "sha-000000000002" });
  });

  it("is awaited by delete, which then leaves nothing", async () => {
    const { fault, failure } = await leaveRunning();

    const deleting = model.remove(MODEL, failure.properties);
    await emulator.release(fault);
    await deleting;

    expect((await emulator.state()).models).toEqual([]);
  });
});

async function deleteObject(name: string): Promise<void> {
  const path = `storage/v1/b/test-bucket/o/${encodeURIComponent(name)}`;
  const response = await fetch(`${emulator.rest}/${path}`, { method: "DELETE" });
  expect(response.status).toBe(204);
}

describe("deleting a VertexModel", () => {
  it("deletes the model with all its versions, and is success also the second time", async () => {
    const outs = await created();
    const { outs: second } = await model.update(MODEL, outs, SECOND);

    await model.remove(MODEL, second);
    await model.remove(MODEL, second);

    expect((await emulator.state()).models).toEqual([]);
  });

  it("leaves the model of another stack alone", async () => {
    const theirs = await created(modelInputs({ stackUid: OTHER_UID }));

    await model.remove(MODEL, { ...theirs, stackUid: STACK_UID });

    expect((await emulator.state()).models).toHaveLength(1);
  });

  it("is done by the claim for an upload that the engine never recorded", async () => {
    const { emulator: local, stackUid, project, modelName } = FIRST;
    const inputs = {
      ...{ emulator: local, stackUid, project, kind: "model" as const },
      ...{ modelName, deleteTimeoutSeconds: 60 },
    };
    const { id, outs } = await claim.create(inputs);
    await created();

    await claim.remove(id, outs);
    await claim.remove(id, outs);

    expect((await emulator.state()).models).toEqual([]);
  });
});
