import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";

import { describe, expect, it } from "@jest/globals";

import { ReconcileError } from "../../providers/errors.ts";
import * as upload from "../../providers/upload.ts";
import { putObject } from "../support/bucket.ts";
import { rejectionOf } from "../support/provider-emulator.ts";
import { OTHER_UID, STACK_UID, uploadInputs } from "../support/provider-inputs.ts";
import { BUCKET, ID, setUploadScene } from "../support/upload-scene.ts";

const scene = setUploadScene();

function nameOf(digest: string): string {
  return `archives/${digest}/model.mar`;
}

describe("ArchiveUpload on the local Cloud Storage", () => {
  it("packs and uploads the archive, marked with its stack and its digest", async () => {
    const inputs = uploadInputs(scene.sources.plan("one"));

    const { id, outs } = await upload.create(inputs);

    const [metadata] = await scene.bucket().file(nameOf(inputs.digest)).getMetadata();
    expect(id).toBe(ID);
    expect(outs).toEqual({
      ...inputs,
      sizeBytes: Number(metadata.size),
      crc32c: metadata.crc32c,
      beside: {},
      schema: 2,
      pending: null,
      drift: null,
    });
    expect(metadata.contentType).toBe("application/zip");
    expect(metadata.metadata).toEqual({
      "vertex-diffusion-stack": STACK_UID,
      "vertex-diffusion-digest": inputs.digest,
      "vertex-diffusion-crc32c": metadata.crc32c,
    });
  });

  it("keeps no built archive on disk once it is in the bucket", async () => {
    await upload.create(uploadInputs(scene.sources.plan("one")));

    expect(readdirSync(".local/archives")).toEqual([]);
  });

  it("sends a long archive whole", async () => {
    const content = randomBytes(9 * 1024 * 1024);
    const inputs = uploadInputs(scene.sources.plan(content, "model.bin"));

    const { outs } = await upload.create(inputs);

    const [metadata] = await scene.bucket().file(nameOf(inputs.digest)).getMetadata();
    expect(outs.sizeBytes).toBeGreaterThan(content.length);
    expect(metadata).toMatchObject({ size: String(outs.sizeBytes), crc32c: outs.crc32c });
  });

  it("sends nothing when the archive is there already", async () => {
    const inputs = uploadInputs(scene.sources.plan("one"));
    const first = await upload.create(inputs);
    await scene.emulator.calls();

    const second = await upload.create(inputs);

    expect(await scene.emulator.calls()).toEqual(["storage.objects.get"]);
    expect(second).toEqual(first);
  });

  it("uploads a new digest beside the old one", async () => {
    const inputs = uploadInputs(scene.sources.plan("one"));
    const { outs } = await upload.create(inputs);
    const changed = uploadInputs(scene.sources.plan("two"));

    const changes = upload.diff(ID, outs, changed);
    await upload.update(ID, outs, changed);

    expect(changes).toEqual({ changes: true, replaces: [], deleteBeforeReplace: false });
    expect(await scene.objectNames()).toEqual(
      [nameOf(inputs.digest), nameOf(changed.digest)].sort(),
    );
  });

  it("reads what it made as it was recorded, without drift", async () => {
    const inputs = uploadInputs(scene.sources.plan("one"));
    const { outs } = await upload.create(inputs);
    await scene.emulator.calls();

    const found = await upload.read(ID, outs);

    expect(found).toEqual({ id: ID, props: outs, inputs });
    expect(await scene.emulator.calls()).toEqual(["storage.objects.get"]);
    expect(upload.diff(ID, outs, inputs).changes).toBe(false);
  });

  it("reports an object deleted by hand and uploads it again", async () => {
    const inputs = uploadInputs(scene.sources.plan("one"));
    const { outs } = await upload.create(inputs);
    await scene.bucket().file(nameOf(inputs.digest)).delete();

    const { props: drifted = outs, inputs: shown } = await upload.read(ID, outs);
    const { outs: repaired } = await upload.update(ID, drifted, inputs);

    const drift = `"gs://${BUCKET}/${nameOf(inputs.digest)}" was deleted`;
    expect(drifted.drift).toBe(drift);
    expect(shown).toHaveProperty("drift", drift);
    expect(upload.diff(ID, drifted, inputs).changes).toBe(true);
    expect(repaired).toEqual(outs);
    expect(await scene.objectNames()).toEqual([nameOf(inputs.digest)]);
  });

  it("reports an object overwritten by hand and refuses to touch what bears no mark", async () => {
    const inputs = uploadInputs(scene.sources.plan("one"));
    const { outs } = await upload.create(inputs);
    await putObject(scene.emulator.rest, BUCKET, nameOf(inputs.digest), "something else");

    const { props: drifted = outs } = await upload.read(ID, outs);
    const error = await rejectionOf(upload.update(ID, drifted, inputs));

    expect(drifted.drift).toBe(`"gs://${BUCKET}/${nameOf(inputs.digest)}" was overwritten`);
    expect(error.message).toContain("belongs to nobody that vertex-diffusion knows");
  });

  it("uploads again what was overwritten by hand under this stack's own marks", async () => {
    const inputs = uploadInputs(scene.sources.plan("one"));
    const { outs } = await upload.create(inputs);
    const file = scene.bucket().file(nameOf(inputs.digest));
    const [{ metadata }] = await file.getMetadata();
    await file.save("something else", { resumable: false, metadata: { metadata } });

    const { props: drifted = outs } = await upload.read(ID, outs);
    const { outs: repaired } = await upload.update(ID, drifted, inputs);

    expect(drifted.drift).toBe(`"gs://${BUCKET}/${nameOf(inputs.digest)}" was overwritten`);
    expect(repaired).toEqual(outs);
    expect((await file.getMetadata())[0].crc32c).toBe(outs.crc32c);
  });

  it("uploads again what was cut short by hand under this stack's own marks, though nothing was recorded", async () => {
    const inputs = uploadInputs(scene.sources.plan("one"));
    const { outs } = await upload.create(inputs);
    const file = scene.bucket().file(nameOf(inputs.digest));
    const [{ metadata }] = await file.getMetadata();
    const [content] = await file.download();
    await file.save(content.subarray(0, 100), { resumable: false, metadata: { metadata } });

    const { outs: repaired } = await upload.create(inputs);

    expect(repaired).toEqual(outs);
    expect((await file.download())[0]).toEqual(content);
  });

  it("takes an archive that was sent before checksums were noted for whole", async () => {
    const inputs = uploadInputs(scene.sources.plan("one"));
    const { outs } = await upload.create(inputs);
    const file = scene.bucket().file(nameOf(inputs.digest));
    await file.setMetadata({ metadata: { "vertex-diffusion-crc32c": null } });
    await scene.emulator.calls();

    const { outs: again } = await upload.create(inputs);

    expect(again).toEqual(outs);
    expect(await scene.emulator.calls()).toEqual(["storage.objects.get"]);
  });

  it("refuses an object of that name that somebody else put there, and leaves it as it is", async () => {
    const inputs = uploadInputs(scene.sources.plan("one"));
    await putObject(scene.emulator.rest, BUCKET, nameOf(inputs.digest), "theirs");

    const error = await rejectionOf(upload.create(inputs));

    expect(error).toBeInstanceOf(ReconcileError);
    expect(error.message).toBe(
      `Could not upload the archive: "gs://${BUCKET}/${nameOf(inputs.digest)}" belongs to nobody that vertex-diffusion knows (it bears no mark). Delete or move it, or choose another bucketName in the stack file.`,
    );
    expect((await scene.bucket().file(nameOf(inputs.digest)).download())[0].toString()).toBe(
      "theirs",
    );
  });

  it("refuses a source file that changed after the plan, names it and leaves no object", async () => {
    const inputs = uploadInputs(scene.sources.plan("one", "note.txt"));
    scene.sources.overwrite("note.txt", "two");

    const error = await rejectionOf(upload.create(inputs));

    expect(error.message).toBe(
      `Could not build the model archive: "note.txt" is not the file that this run started with (its content differs). Leave the files alone and run "up" again.`,
    );
    expect(await scene.objectNames()).toEqual([]);
  });

  it("makes one object when the answer to the upload is lost", async () => {
    const inputs = uploadInputs(scene.sources.plan("one"));
    await scene.emulator.fault({
      method: "storage.objects.insert",
      when: "after",
      status: "UNAVAILABLE",
    });

    const { outs } = await upload.create(inputs);

    expect(await scene.objectNames()).toEqual([nameOf(inputs.digest)]);
    expect((await upload.read(ID, outs)).props).toEqual(outs);
  });

  it("says what to grant when Google forbids the upload", async () => {
    const inputs = uploadInputs(scene.sources.plan("one"));
    await scene.emulator.fault({ method: "storage.objects.insert", status: "PERMISSION_DENIED" });

    const error = await rejectionOf(upload.create(inputs));

    expect(error.message).toMatch(
      /^Could not upload archive "gs:\/\/test-bucket\/archives\/[0-9a-f]{64}\/model.mar": .*Grant the caller/,
    );
    expect(await scene.objectNames()).toEqual([]);
  });

  it("does not take a read that Google refuses for a bucket that is gone", async () => {
    const { outs } = await upload.create(uploadInputs(scene.sources.plan("one")));
    await scene.bucket().deleteFiles();
    await scene.emulator.fault({ method: "storage.buckets.get", status: "PERMISSION_DENIED" });

    const error = await rejectionOf(upload.read(ID, outs));

    expect(error.message).toContain(`Could not read archive "gs://${BUCKET}/archives/`);
  });

  it("is gone with its bucket: read answers no id, delete is success", async () => {
    const { outs } = await upload.create(uploadInputs(scene.sources.plan("one")));
    await scene.bucket().deleteFiles();
    await scene.bucket().delete();

    expect(await upload.read(ID, outs)).toEqual({ id: "" });
    await upload.remove(ID, outs);
  });

  it("deletes all archives of this stack and nobody else's, also the second time", async () => {
    const { outs } = await upload.create(uploadInputs(scene.sources.plan("one")));
    await upload.update(ID, outs, uploadInputs(scene.sources.plan("two")));
    await upload.create(uploadInputs({ ...scene.sources.plan("three"), stackUid: OTHER_UID }));
    await putObject(scene.emulator.rest, BUCKET, "archives/notes.txt", "theirs");
    const theirs = scene.sources.plan("three").digest;

    await upload.remove(ID, outs);
    await upload.remove(ID, outs);

    expect(await scene.objectNames()).toEqual([nameOf(theirs), "archives/notes.txt"].sort());
  });

  it("leaves nothing in the emulator once archives and bucket are deleted", async () => {
    const { outs } = await upload.create(uploadInputs(scene.sources.plan("one")));

    await upload.remove(ID, outs);
    await scene.bucket().delete();

    expect((await scene.emulator.state()).buckets).toEqual([]);
  });
});
