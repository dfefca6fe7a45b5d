import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";

import * as claim from "../../providers/claim.ts";
import type { ClaimInputs } from "../../providers/claim.ts";
import { changing } from "../support/deployment-scene.ts";
import { putObject } from "../support/bucket.ts";
import { rejectionOf, startProviderEmulator } from "../support/provider-emulator.ts";
import type { ProviderEmulator } from "../support/provider-emulator.ts";
import { ENDPOINT, OTHER_UID, STACK_UID } from "../support/provider-inputs.ts";
import { rest, restOperation } from "../support/vertex-rest.ts";

const CONTEXT = { emulator: true, stackUid: STACK_UID, project: "local-project" };
const BUCKET: ClaimInputs = {
  ...CONTEXT,
  kind: "bucket",
  bucket: "claimed-bucket",
  recorded: false,
};
const ENDPOINT_CLAIM: ClaimInputs = {
  ...CONTEXT,
  kind: "endpoint",
  endpoint: ENDPOINT,
  recorded: false,
  undeployTimeoutSeconds: 60,
  deleteTimeoutSeconds: 60,
};
const RECORDED = { recorded: true };
const PARENT = ENDPOINT.replace(/\/endpoints.*/, "");

function labelsOf(stackUid: string | undefined) {
  if (stackUid === undefined) return {};
  return { "managed-by": "vertex-diffusion", "vertex-diffusion-stack": stackUid };
}

describe("the claim of a bucket or an endpoint", () => {
  let emulator: ProviderEmulator;

  beforeAll(async () => {
    emulator = await startProviderEmulator();
  });

  afterAll(async () => {
    await emulator.stop();
  });

  beforeEach(async () => {
    await emulator.reset();
  });

  async function makeBucket(stackUid?: string): Promise<void> {
    await rest(emulator.rest, "POST", "/storage/v1/b?project=local-project", {
      name: "claimed-bucket",
      labels: labelsOf(stackUid),
    });
  }

  async function startEndpoint(stackUid?: string): Promise<string> {
    const { body } = await rest(
      emulator.rest,
      "POST",
      `/v1/${PARENT}/endpoints?endpointId=123456789`,
      {
        displayName: "one",
        labels: labelsOf(stackUid),
      },
    );
    return String(body.name);
  }

  async function makeEndpoint(stackUid?: string): Promise<void> {
    await restOperation(emulator.rest, "POST", `/v1/${PARENT}/endpoints?endpointId=123456789`, {
      displayName: "one",
      labels: labelsOf(stackUid),
    });
  }

  const things = [
    { what: "bucket", inputs: BUCKET, make: makeBucket },
    { what: "endpoint", inputs: ENDPOINT_CLAIM, make: makeEndpoint },
  ] as const;

  const left = async () => {
    const { buckets, endpoints } = await emulator.state();
    return buckets.length + endpoints.length;
  };

  it.each(things)("makes nothing where there is no $what", async ({ inputs }) => {
    const { id, outs } = await claim.create(inputs);

    expect(id).toBe(`${inputs.kind}-${STACK_UID}`);
    expect(outs).toEqual(inputs);
    expect(changing(await emulator.calls())).toEqual([]);
  });

  it.each(things)("changes only while the engine has no record of the $what", ({ inputs }) => {
    const same = { changes: false, replaces: [], deleteBeforeReplace: false };

    expect(claim.diff("", inputs, { ...inputs, ...RECORDED })).toEqual(same);
    expect(claim.diff("", inputs, inputs)).toEqual({ ...same, changes: true });
    expect(claim.diff("", { ...inputs, ...RECORDED }, inputs)).toEqual({ ...same, changes: true });
  });

  it.each(things)("deletes the empty $what of this stack that nobody recorded", async (thing) => {
    await thing.make(STACK_UID);

    await claim.update("", thing.inputs, thing.inputs);

    expect(await left()).toBe(0);
  });

  it.each(things)("leaves a recorded $what alone", async ({ inputs, make }) => {
    await make(STACK_UID);

    await claim.update("", inputs, { ...inputs, ...RECORDED });

    expect(await left()).toBe(1);
  });

  it.each(
    things.flatMap((thing) => [
      { ...thing, uid: OTHER_UID, owner: `stack ${OTHER_UID} of vertex-diffusion` },
      { ...thing, uid: undefined, owner: "nobody that vertex-diffusion knows" },
    ]),
  )("refuses a $what of $owner and leaves it", async ({ inputs, make, uid, owner }) => {
    await make(uid);

    const error = await rejectionOf(claim.create(inputs));
    await claim.remove("", inputs);

    expect(error.message).toMatch(
      /^Could not create (bucket|endpoint) "[\w-]+": it exists and belongs to /,
    );
    expect(error.message).toContain(owner);
    expect(await left()).toBe(1);
  });

  it("does not delete a bucket of this stack that holds somebody's objects", async () => {
    await makeBucket(STACK_UID);
    await putObject(emulator.rest, "claimed-bucket", "notes.txt", "mine");

    const error = await rejectionOf(claim.update("", BUCKET, BUCKET));

    expect(error.message).toContain("it holds objects that this stack did not put there");
    expect(await left()).toBe(1);
  });

  it.each(things)(
    "deletes the unrecorded $what when it is deleted itself; gone is success",
    async (thing) => {
      await thing.make(STACK_UID);

      await claim.remove("", thing.inputs);
      await claim.remove("", thing.inputs);

      expect(await left()).toBe(0);
    },
  );

  it("waits for the endpoint that a killed run is still making, then deletes it", async () => {
    const fault = await emulator.fault({ method: "CreateEndpoint", hold: true });
    await startEndpoint(STACK_UID);

    const making = claim.update("", ENDPOINT_CLAIM, ENDPOINT_CLAIM);
    await emulator.release(fault);
    await making;

    expect(await left()).toBe(0);
  });

  it.each(things)("finds a $what whose deletion was done but not answered", async (thing) => {
    await thing.make(STACK_UID);
    const method = thing.what === "bucket" ? "storage.buckets.delete" : "DeleteEndpoint";
    await emulator.fault({ method, when: "after", status: "UNAVAILABLE" });

    await claim.update("", thing.inputs, thing.inputs);

    expect(await left()).toBe(0);
    expect(await emulator.leftFaults()).toEqual([]);
  });
});
