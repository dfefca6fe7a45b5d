import { randomBytes } from "node:crypto";

import { describe, expect, it } from "@jest/globals";

import * as upload from "../../providers/upload.ts";
import type { ArchiveUploadOutputs } from "../../providers/upload.ts";
import type { PartSizes } from "../../providers/upload-parts.ts";
import { pruneArchives } from "../../providers/versions.ts";
import { STACK_UID, uploadInputs } from "../support/provider-inputs.ts";
import { BUCKET, ID, setUploadScene } from "../support/upload-scene.ts";

const KIB = 1024;
const SIZES: PartSizes = { whole: 256 * KIB, smallest: 128 * KIB, step: KIB };
const UNET = "weights/unet/model.safetensors";
const INDEX = "weights/model_index.json";
/** Longer than what goes in one request. */
const WEIGHTS = { [INDEX]: "{}", [UNET]: randomBytes(600 * KIB) };

const scene = setUploadScene();

const object = (digest: string, path: string) => scene.bucket().file(`archives/${digest}/${path}`);
const inputsOf = (content: string, weights: Readonly<Record<string, string | Buffer>> = WEIGHTS) =>
  uploadInputs(scene.sources.plan(content, "note.txt", weights));

async function create(inputs: upload.ArchiveUploadInputs): Promise<ArchiveUploadOutputs> {
  const { outs } = await upload.create(inputs, SIZES);
  await scene.emulator.calls();
  return outs;
}

describe("weights beside an archive", () => {
  it("stand in its folder with their bytes and marks, and no part of them stays", async () => {
    const inputs = inputsOf("one");

    const outs = await create(inputs);

    expect(await scene.objectNames()).toEqual(
      [INDEX, UNET, "model.mar"].map((path) => `archives/${inputs.digest}/${path}`).sort(),
    );
    const [content] = await object(inputs.digest, UNET).download();
    expect(content.equals(WEIGHTS[UNET] as Buffer)).toBe(true);
    const [metadata] = await object(inputs.digest, UNET).getMetadata();
    expect(metadata.metadata).toMatchObject({
      "vertex-diffusion-stack": STACK_UID,
      "vertex-diffusion-digest": inputs.digest,
    });
    expect(outs.beside).toEqual({
      [INDEX]: (await object(inputs.digest, INDEX).getMetadata())[0].crc32c,
      [UNET]: metadata.crc32c,
    });
  });

  it("reach the next archive's folder by a copy within Cloud Storage: only the archive is sent", async () => {
    const first = await create(inputsOf("one"));
    const second = inputsOf("two");

    const { outs } = await upload.update(ID, first, second, SIZES);

    expect(await scene.changes()).toEqual({
      "storage.objects.rewrite": 2,
      "storage.objects.insert": 1,
    });
    expect(outs.beside).toEqual(first.beside);
    const [content] = await object(second.digest, UNET).download();
    expect(content.equals(WEIGHTS[UNET] as Buffer)).toBe(true);
  });

  it("are sent where they changed, and copied where not", async () => {
    const first = await create(inputsOf("one"));
    const second = inputsOf("one", { ...WEIGHTS, [INDEX]: "[]" });

    await upload.update(ID, first, second, SIZES);

    expect(await scene.changes()).toEqual({
      "storage.objects.rewrite": 1,
      "storage.objects.insert": 2,
    });
    expect((await object(second.digest, INDEX).download())[0].toString()).toBe("[]");
  });

  it("are left alone where all is as it was", async () => {
    const inputs = inputsOf("one");
    const outs = await create(inputs);

    const { props } = await upload.read(ID, outs);

    expect(props?.drift).toBeNull();
    expect(upload.diff(ID, props!, inputs).changes).toBe(false);
    expect(await scene.changes()).toEqual({});
  });

  it.each([
    {
      what: "deleted",
      spoil: async (digest: string) => {
        await object(digest, UNET).delete();
      },
    },
    {
      what: "overwritten",
      spoil: async (digest: string) => {
        const metadata = (await object(digest, UNET).getMetadata())[0].metadata ?? {};
        await object(digest, UNET).save("other", { resumable: false, metadata: { metadata } });
      },
    },
  ])("are drift where one was $what by hand, and the next up puts it back", async (row) => {
    const inputs = inputsOf("one");
    const outs = await create(inputs);
    await row.spoil(inputs.digest);

    const { props } = await upload.read(ID, outs);
    expect(props?.drift).toBe(`"gs://${BUCKET}/archives/${inputs.digest}/${UNET}" was ${row.what}`);
    expect(upload.diff(ID, props!, inputs).changes).toBe(true);
    const mended = await upload.update(ID, props!, inputs, SIZES);

    expect(mended.outs).toEqual(outs);
    const [content] = await object(inputs.digest, UNET).download();
    expect(content.equals(WEIGHTS[UNET] as Buffer)).toBe(true);
  });

  it("are never put in the place of somebody else's", async () => {
    const inputs = inputsOf("one");
    await object(inputs.digest, UNET).save("theirs", { resumable: false });

    const created = upload.create(inputs, SIZES);

    await expect(created).rejects.toThrow(
      `Could not upload the weights: "gs://${BUCKET}/archives/${inputs.digest}/${UNET}" belongs to nobody that vertex-diffusion knows`,
    );
    expect((await object(inputs.digest, UNET).download())[0].toString()).toBe("theirs");
  });

  it("are refused where the local file is not the one that was planned", async () => {
    const inputs = inputsOf("one");
    scene.sources.overwrite(UNET, "changed since");

    const created = upload.create(inputs, SIZES);

    await expect(created).rejects.toThrow(
      `"${UNET}" is not the file that this run started with (its content differs)`,
    );
  });

  it("go with their archive: when it is pruned, and when all are deleted", async () => {
    const first = inputsOf("one");
    const outs = await create(first);
    const second = inputsOf("two");
    const { outs: latest } = await upload.update(ID, outs, second, SIZES);
    const artifactUri = `gs://${BUCKET}/archives/${second.digest}`;

    await pruneArchives(scene.bucket().storage, BUCKET, STACK_UID, [{ artifactUri }]);

    const left = await scene.objectNames();
    expect(left).toHaveLength(3);
    expect(left.every((name) => name.includes(second.digest))).toBe(true);
    await upload.remove(ID, latest);
    expect(await scene.objectNames()).toEqual([]);
  });
});
