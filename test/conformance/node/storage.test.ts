/** @google-cloud/storage, with its TransferManager. */
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { TransferManager } from "@google-cloud/storage";
import type { Bucket } from "@google-cloud/storage";
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { chunkStorageClient, storageClient } from "./support/clients.ts";
import { prefixOf, readTarget } from "./support/target.ts";

const MIB = 1024 * 1024;
const target = readTarget();
const storage = storageClient(target);

jest.setTimeout(5 * 60_000);

let folder: string;
let bucket: Bucket;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "conformance-storage-"));
  [bucket] = await storage.createBucket(`${prefixOf(target)}-node-storage`, {
    location: target.region,
    iamConfiguration: { uniformBucketLevelAccess: { enabled: true } },
    labels: { suite: "node" },
  } as Parameters<typeof storage.createBucket>[1]);
});

afterAll(async () => {
  await bucket.deleteFiles();
  await bucket.delete();
  await rm(folder, { recursive: true });
});

async function fileOf(name: string, content: Buffer): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

describe("@google-cloud/storage", () => {
  it("reads a bucket back with the fields that it was made with", async () => {
    const [metadata] = await bucket.getMetadata();

    expect(metadata).toMatchObject({
      name: bucket.name,
      location: target.region.toUpperCase(),
      labels: { suite: "node" },
      iamConfiguration: { uniformBucketLevelAccess: { enabled: true } },
    });
  });

  it.each([{ resumable: true }, { resumable: false }])(
    "uploads and downloads a file with its checksum verified, resumable $resumable",
    async ({ resumable }) => {
      const content = randomBytes(MIB + 1);
      const path = await fileOf(`sent-${resumable}`, content);
      const destination = `files/${resumable}.bin`;

      await bucket.upload(path, {
        destination,
        resumable,
        validation: "crc32c",
        metadata: { metadata: { who: "a test" } },
      });

      const [back] = await bucket.file(destination).download({ validation: "crc32c" });
      const [metadata] = await bucket.file(destination).getMetadata();
      expect(back.equals(content)).toBe(true);
      expect(metadata.metadata).toEqual({ who: "a test" });
    },
  );

  it("sends a resumable upload in chunks", async () => {
    const content = randomBytes(MIB + 1);
    const path = await fileOf("chunked", content);

    await bucket.upload(path, { destination: "chunked.bin", chunkSize: 256 * 1024 });

    const [back] = await bucket.file("chunked.bin").download();
    expect(back.equals(content)).toBe(true);
  });

  it("does not overwrite what it expected not to be there", async () => {
    const file = bucket.file("guarded");
    await file.save("first", { preconditionOpts: { ifGenerationMatch: 0 } });

    await expect(
      file.save("second", { preconditionOpts: { ifGenerationMatch: 0 } }),
    ).rejects.toMatchObject({ code: 412 });
  });

  it("lists folders by a delimiter", async () => {
    for (const name of ["tree/a", "tree/b/c", "tree/d/e"]) await bucket.file(name).save("x");

    const [files, , answer] = await bucket.getFiles({
      prefix: "tree/",
      delimiter: "/",
      autoPaginate: false,
    });

    expect(files.map((file) => file.name)).toEqual(["tree/a"]);
    expect((answer as { prefixes?: string[] }).prefixes).toEqual(["tree/b/", "tree/d/"]);
  });

  it("copies within the cloud", async () => {
    await bucket.file("source").save("copied");

    await bucket.file("source").copy(bucket.file("target"));

    const [back] = await bucket.file("target").download();
    expect(back.toString()).toBe("copied");
  });
});

describe("TransferManager", () => {
  it("sends one file in chunks and fetches it in chunks", async () => {
    const content = randomBytes(12 * MIB + 3);
    const path = await fileOf("large", content);
    const chunked = chunkStorageClient(target).bucket(bucket.name);
    const back = join(folder, "large-back");

    await new TransferManager(chunked).uploadFileInChunks(path, {
      uploadName: "large.bin",
      chunkSizeBytes: 5 * MIB,
      concurrencyLimit: 3,
    });
    await new TransferManager(bucket).downloadFileInChunks("large.bin", {
      chunkSizeBytes: 5 * MIB,
      concurrencyLimit: 3,
      destination: back,
      validation: "crc32c",
    });

    expect((await readFile(back)).equals(content)).toBe(true);
  });

  it("sends and fetches many files", async () => {
    const contents = [1, 2, 3].map((size) => randomBytes(size * 1000));
    const paths = await Promise.all(
      contents.map((content, index) => fileOf(`many-${index}`, content)),
    );
    const manager = new TransferManager(bucket);

    await manager.uploadManyFiles(paths, {
      customDestinationBuilder: (path) => `many/${basename(path)}`,
    });
    await manager.downloadManyFiles("many/", { passthroughOptions: { destination: folder } });

    const back = await Promise.all(
      paths.map((path) => readFile(join(folder, "many", basename(path)))),
    );
    expect(back).toEqual(contents);
  });
});
