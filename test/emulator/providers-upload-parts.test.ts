import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { sendObject } from "../../providers/send-object.ts";
import * as upload from "../../providers/upload.ts";
import type { PartSizes } from "../../providers/upload-parts.ts";
import { startCuttingProxy } from "../support/cutting-proxy.ts";
import type { CuttingProxy } from "../support/cutting-proxy.ts";
import { rejectionOf } from "../support/provider-emulator.ts";
import { OTHER_UID, STACK_UID, uploadInputs } from "../support/provider-inputs.ts";
import { BUCKET, ID, setUploadScene } from "../support/upload-scene.ts";
import { waitFor } from "../support/wait-for.ts";

const KIB = 1024;
const SIZES: PartSizes = { whole: 256 * KIB, smallest: 128 * KIB, step: KIB };
/** Its archive is a bit longer: five parts. */
const LONG = randomBytes(600 * KIB);
const SECRET = /upload_id|https?:\/\/[^\s"]*\/|<html/i;

const scene = setUploadScene();

const nameOf = (digest: string): string => `archives/${digest}/model.mar`;
const partOf = (digest: string, part: string): string => `archives/.parts/${digest}/${part}`;

/** Waits until so many parts have arrived. */
async function arrivedParts(count: number): Promise<void> {
  const haveArrived = async () => (await scene.objectNames()).length === count;
  await waitFor(`The arrival of ${count} parts`, haveArrived, 30_000);
}

async function putPart(
  digest: string,
  part: string,
  content: string,
  stackUid?: string,
): Promise<void> {
  const metadata = stackUid === undefined ? {} : { "vertex-diffusion-stack": stackUid };
  const file = scene.bucket().file(partOf(digest, part));
  await file.save(content, { resumable: false, metadata: { metadata } });
}

describe("an archive that is sent in parts", () => {
  it("becomes one object with its marks, and no part stays", async () => {
    const inputs = uploadInputs(scene.sources.plan(LONG, "model.bin"));
    await scene.emulator.calls();

    const { id, outs } = await upload.create(inputs, SIZES);

    expect(await scene.changes()).toEqual({
      "storage.objects.insert": 5,
      "storage.objects.compose": 1,
      "storage.objects.delete": 5,
    });
    const [metadata] = await scene.bucket().file(nameOf(inputs.digest)).getMetadata();
    expect(metadata).toMatchObject({
      contentType: "application/zip",
      componentCount: 5,
      size: String(outs.sizeBytes),
      crc32c: outs.crc32c,
      metadata: {
        "vertex-diffusion-stack": STACK_UID,
        "vertex-diffusion-digest": inputs.digest,
        "vertex-diffusion-crc32c": outs.crc32c,
      },
    });
    expect(await scene.objectNames()).toEqual([nameOf(inputs.digest)]);
    expect((await upload.read(id, outs)).props).toEqual(outs);
  });

  it("has the same checksum as one that is sent whole", async () => {
    const inputs = uploadInputs(scene.sources.plan(LONG, "model.bin"));
    const { outs: inParts } = await upload.create(inputs, SIZES);
    await upload.remove(ID, inParts);

    const { outs: whole } = await upload.create(inputs);

    expect(whole).toEqual(inParts);
  });

  it("marks its parts, so that destroy of a run that was stopped leaves nothing", async () => {
    const inputs = uploadInputs(scene.sources.plan(LONG, "model.bin"));
    await scene.emulator.fault({ method: "storage.objects.compose", status: "PERMISSION_DENIED" });
    await rejectionOf(upload.create(inputs, SIZES));
    const left = await scene.objectNames();

    await upload.remove(ID, {
      ...inputs,
      sizeBytes: 0,
      crc32c: "",
      beside: {},
      schema: 2,
      pending: null,
      drift: null,
    });

    expect(left).toHaveLength(5);
    expect(await scene.objectNames()).toEqual([]);
  });

  it("sweeps the parts of a run that was killed when all was done but this", async () => {
    const inputs = uploadInputs(scene.sources.plan(LONG, "model.bin"));
    const { outs } = await upload.create(inputs, SIZES);
    await putPart(inputs.digest, "02-of-05", "left", STACK_UID);
    await putPart(inputs.digest, "notes.txt", "theirs");
    await scene.emulator.calls();

    const { outs: again } = await upload.create(inputs, SIZES);

    expect(again).toEqual(outs);
    expect(await scene.changes()).toEqual({ "storage.objects.delete": 1 });
    expect(await scene.objectNames()).toEqual([
      partOf(inputs.digest, "notes.txt"),
      nameOf(inputs.digest),
    ]);
  });

  it("replaces a part of its own stack that is not of these bytes", async () => {
    const inputs = uploadInputs(scene.sources.plan(LONG, "model.bin"));
    await putPart(inputs.digest, "02-of-05", "of another build", STACK_UID);

    await upload.create(inputs, SIZES);

    expect(await scene.objectNames()).toEqual([nameOf(inputs.digest)]);
  });

  it("refuses a part that somebody else put there, and leaves it as it is", async () => {
    const inputs = uploadInputs(scene.sources.plan(LONG, "model.bin"));
    await putPart(inputs.digest, "02-of-05", "theirs", OTHER_UID);

    const error = await rejectionOf(upload.create(inputs, SIZES));

    expect(error.message).toBe(
      `Could not upload the archive: "gs://${BUCKET}/${partOf(inputs.digest, "02-of-05")}" belongs to stack ${OTHER_UID} of vertex-diffusion. Delete or move it, then run the same command again.`,
    );
    const [content] = await scene.bucket().file(partOf(inputs.digest, "02-of-05")).download();
    expect(content.toString()).toBe("theirs");
  });

  it.each([
    {
      what: "replaced",
      change: (digest: string) => putPart(digest, "02-of-05", "other bytes", STACK_UID),
    },
    {
      what: "deleted",
      change: async (digest: string) => {
        await scene.bucket().file(partOf(digest, "02-of-05")).delete();
      },
    },
  ])("sends a part again that was $what before all had arrived", async ({ change }) => {
    const inputs = uploadInputs(scene.sources.plan(LONG, "model.bin"));
    const { outs: expected } = await upload.create(inputs, SIZES);
    await upload.remove(ID, expected);
    await scene.emulator.calls();
    const stalled = await scene.emulator.fault({ method: "storage.objects.compose", stall: true });

    const uploading = upload.create(inputs, SIZES);
    await arrivedParts(5);
    await change(inputs.digest);
    await scene.emulator.release(stalled);
    const { outs } = await uploading;

    expect(outs).toEqual(expected);
    expect(await scene.objectNames()).toEqual([nameOf(inputs.digest)]);
  });

  it("takes the place of what was seen at its name, and of nothing that came since", async () => {
    const inputs = uploadInputs(scene.sources.plan(LONG, "model.bin"));
    const stalled = await scene.emulator.fault({ method: "storage.objects.compose", stall: true });

    const uploading = rejectionOf(upload.create(inputs, SIZES));
    await arrivedParts(5);
    await scene.bucket().file(nameOf(inputs.digest)).save("theirs", { resumable: false });
    await scene.emulator.release(stalled);

    expect((await uploading).message).toContain("belongs to nobody that vertex-diffusion knows");
    const [content] = await scene.bucket().file(nameOf(inputs.digest)).download();
    expect(content.toString()).toBe("theirs");
  });
});

describe("kill -9 in the middle of an upload", () => {
  it("costs only the parts that had not arrived: another process goes on", async () => {
    const inputs = uploadInputs(scene.sources.plan(LONG, "model.bin"));
    const stalled = await scene.emulator.fault({
      method: "storage.objects.insert",
      resource: "02-of-05",
      stall: true,
    });
    const script = join(import.meta.dirname, "..", "fixtures", "upload-once.ts");
    const child = spawn(process.execPath, [script, JSON.stringify(inputs), JSON.stringify(SIZES)], {
      stdio: "inherit",
      env: { ...process.env, NODE_OPTIONS: "" },
    });
    await arrivedParts(4);
    child.kill("SIGKILL");
    await once(child, "exit");
    await scene.emulator.release(stalled);
    await scene.emulator.calls();

    const { outs } = await upload.create(inputs, SIZES);

    expect(await scene.changes()).toEqual({
      "storage.objects.insert": 1,
      "storage.objects.compose": 1,
      "storage.objects.delete": 5,
    });
    expect(await scene.objectNames()).toEqual([nameOf(inputs.digest)]);
    const [metadata] = await scene.bucket().file(nameOf(inputs.digest)).getMetadata();
    expect(metadata).toMatchObject({ size: String(outs.sizeBytes), crc32c: outs.crc32c });
  });
});

const FAULTS = [
  { status: "UNAVAILABLE" },
  { status: "RESOURCE_EXHAUSTED" },
  { reset: true },
] as const;

const ROWS = FAULTS.flatMap((fault) =>
  (["before", "after"] as const).flatMap((when) =>
    [
      { method: "storage.objects.insert", resource: "03-of-05" },
      { method: "storage.objects.list", resource: "" },
      { method: "storage.objects.compose", resource: "" },
      { method: "storage.objects.delete", resource: "03-of-05" },
    ].map(({ method, resource }) => ({
      name: "reset" in fault ? "a reset" : fault.status,
      when,
      method,
      fault: { method, when, ...fault, ...(resource === "" ? {} : { resource }) },
    })),
  ),
);

describe("an upload in parts", () => {
  it.each(ROWS)("survives $name $when the work of $method", async ({ fault }) => {
    const inputs = uploadInputs(scene.sources.plan(LONG, "model.bin"));
    await scene.emulator.fault(fault);

    const { outs } = await upload.create(inputs, SIZES);

    expect(await scene.objectNames()).toEqual([nameOf(inputs.digest)]);
    expect((await upload.read(ID, outs)).props).toEqual(outs);
  });

  it("ends when one part never arrives, and the next call sends only that", async () => {
    const inputs = uploadInputs(scene.sources.plan(LONG, "model.bin"));
    const fault = await scene.emulator.fault({
      method: "storage.objects.insert",
      resource: "03-of-05",
      status: "UNAVAILABLE",
      times: 1000,
    });

    const error = await rejectionOf(upload.create(inputs, SIZES));
    await scene.emulator.release(fault);
    await scene.emulator.calls();
    await upload.create(inputs, SIZES);

    expect(error.message).toMatch(/nothing is made twice\.$/);
    expect(await scene.changes()).toMatchObject({ "storage.objects.insert": 1 });
  });
});

describe("an upload whose bytes are disturbed on the way", () => {
  let proxy: CuttingProxy;
  const address = process.env.VERTEX_DIFFUSION_EMULATOR;

  beforeEach(async () => {
    proxy = await startCuttingProxy(scene.emulator.rest);
    process.env.VERTEX_DIFFUSION_EMULATOR = `http://${proxy.address}`;
  });

  afterEach(async () => {
    process.env.VERTEX_DIFFUSION_EMULATOR = address;
    await proxy.stop();
  });

  it.each([
    { what: "whole", sizes: { ...SIZES, whole: 1024 * KIB }, again: 600 },
    { what: "in parts", sizes: SIZES, again: 4 * 128 },
  ])("is complete after a cut when it is sent $what", async ({ sizes, again }) => {
    const inputs = uploadInputs(scene.sources.plan(LONG, "model.bin"));
    proxy.cut(100 * KIB);

    const { outs } = await upload.create(inputs, sizes);

    expect(await scene.objectNames()).toEqual([nameOf(inputs.digest)]);
    expect((await upload.read(ID, outs)).props).toEqual(outs);
    expect(proxy.sentBytes()).toBeLessThan(LONG.length + (again + 100) * KIB);
  });

  it.each([
    { what: "whole", sizes: { ...SIZES, whole: 1024 * KIB } },
    { what: "in parts", sizes: SIZES },
  ])("is refused by its checksum when it is sent $what", async ({ sizes }) => {
    const inputs = uploadInputs(scene.sources.plan(LONG, "model.bin"));
    proxy.flip(64 * KIB);

    const error = await rejectionOf(upload.create(inputs, sizes));
    const left = await scene.objectNames();
    const { outs } = await upload.create(inputs, sizes);

    expect(error.message).toMatch(/^Could not upload archive .*crc32c/i);
    expect(left).not.toContain(nameOf(inputs.digest));
    expect((await upload.read(ID, outs)).props).toEqual(outs);
  });

  it("says neither an address nor a key when it can't go on", async () => {
    const inputs = uploadInputs(scene.sources.plan(LONG, "model.bin"));
    proxy.cut(10 * KIB, 1000);

    const error = await rejectionOf(upload.create(inputs, SIZES));

    expect(error.message.replace(/^[^:]*:[^:]*: /, "")).not.toMatch(SECRET);
    expect(error.message).toMatch(/nothing is made twice\.$/);
  });
});

describe("sendObject", () => {
  it.each([
    { size: 0, parts: undefined },
    { size: 1, parts: undefined },
    { size: SIZES.whole, parts: undefined },
    { size: SIZES.whole + 1, parts: 3 },
    { size: 3 * SIZES.smallest, parts: 3 },
    { size: 3 * SIZES.smallest + 1, parts: 4 },
    { size: 32 * SIZES.smallest, parts: 32 },
    { size: 32 * SIZES.smallest + 1, parts: 32 },
  ])("makes of $size bytes one object of $parts parts", async ({ size, parts }) => {
    const content = randomBytes(size);
    writeFileSync("file", content);
    const file = scene.bucket().file("sent");
    const shown: string[] = [];

    await sendObject({
      file,
      path: "file",
      contentType: "application/zip",
      marks: { "vertex-diffusion-stack": STACK_UID },
      ifGenerationMatch: 0,
      partsPrefix: "parts/",
      sizes: SIZES,
      onProgress: (progress) => shown.push(String(progress)),
      onArrival: () => undefined,
    });

    const [metadata] = await file.getMetadata();
    expect(metadata.componentCount).toBe(parts);
    expect((await file.download())[0].equals(content)).toBe(true);
    expect(await scene.objectNames()).toEqual(["sent"]);
    expect(shown.at(-1) ?? "100 % of 0.0 MB").toMatch(/^100 % of /);
  });
});
