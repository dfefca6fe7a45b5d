import { describe, expect, it } from "@jest/globals";

import * as upload from "../../providers/upload.ts";
import { rejectionOf } from "../support/provider-emulator.ts";
import { uploadInputs } from "../support/provider-inputs.ts";
import { ID, setUploadScene } from "../support/upload-scene.ts";

/** What a person must never read: an address's path or query, a key to an upload, a page. */
const SECRET = /upload_id|https?:\/\/[^\s"]*\/|<html/i;

const FAULTS = [
  { status: "UNAVAILABLE" },
  { status: "RESOURCE_EXHAUSTED" },
  { status: "INTERNAL" },
  { status: "DEADLINE_EXCEEDED" },
  { status: "ABORTED" },
  { reset: true },
] as const;

const ROWS = FAULTS.flatMap((fault) =>
  (["before", "after"] as const).map((when) => ({
    name: "reset" in fault ? "a reset" : fault.status,
    when,
    fault: { ...fault, when },
  })),
);

const scene = setUploadScene();

describe.each(ROWS)("$name $when the work of Cloud Storage", ({ fault }) => {
  it("is survived by a short upload, which makes one object", async () => {
    const inputs = uploadInputs(scene.sources.plan("one"));
    await scene.emulator.fault({ method: "storage.objects.insert", ...fault });

    const { outs } = await upload.create(inputs);

    expect(await scene.objectNames()).toEqual([`archives/${inputs.digest}/model.mar`]);
    expect(upload.diff(ID, outs, inputs).changes).toBe(false);
  });

  it("is survived by a delete, which leaves nothing", async () => {
    const { outs } = await upload.create(uploadInputs(scene.sources.plan("one")));
    await scene.emulator.fault({ method: "storage.objects.delete", ...fault });

    await upload.remove(ID, outs);

    expect(await scene.objectNames()).toEqual([]);
  });

  it("is survived by a read of the archive", async () => {
    const { outs } = await upload.create(uploadInputs(scene.sources.plan("one")));
    await scene.emulator.fault({ method: "storage.objects.get", ...fault });

    expect((await upload.read(ID, outs)).props).toEqual(outs);
  });

  it("is survived by a look at the bucket of an archive that was deleted", async () => {
    const { outs } = await upload.create(uploadInputs(scene.sources.plan("one")));
    await upload.remove(ID, outs);
    await scene.emulator.fault({ method: "storage.buckets.get", ...fault });

    expect((await upload.read(ID, outs)).props?.drift).toContain("was deleted");
  });

  it("is survived by the listing before a delete", async () => {
    const { outs } = await upload.create(uploadInputs(scene.sources.plan("one")));
    await scene.emulator.fault({ method: "storage.objects.list", ...fault });

    await upload.remove(ID, outs);

    expect(await scene.objectNames()).toEqual([]);
  });
});

describe("a fault of Cloud Storage that does not pass", () => {
  it.each([
    { name: "a reset", fault: { reset: true }, says: /nothing is made twice\.$/ },
    {
      name: "HTTP 503",
      fault: { status: "UNAVAILABLE" },
      says: /nothing is made twice\.$/,
    },
    {
      name: "HTTP 429",
      fault: { status: "RESOURCE_EXHAUSTED" },
      says: /Google was asked too often: run the same command again in a minute/,
    },
  ])("ends the upload after six tries of $name, and the next call sends it", async (row) => {
    const inputs = uploadInputs(scene.sources.plan("one"));
    await scene.emulator.calls();
    await scene.emulator.fault({ method: "storage.objects.insert", times: 6, ...row.fault });

    const error = await rejectionOf(upload.create(inputs));
    const tries = (await scene.emulator.calls()).filter(
      (call) => call === "storage.objects.insert",
    );
    const left = await scene.objectNames();
    await upload.create(inputs);

    expect(error.message).toMatch(/^Could not upload archive "gs:\/\/test-bucket\/archives\//);
    expect(error.message).toMatch(row.says);
    expect(error.message.replace(/^[^:]*:[^:]*: /, "")).not.toMatch(SECRET);
    expect(tries).toHaveLength(6);
    expect(left).toEqual([]);
    expect(await scene.objectNames()).toEqual([`archives/${inputs.digest}/model.mar`]);
  });
});
