import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { type AuthClient, PassThroughClient } from "google-auth-library";
import { type Bucket, Storage, TransferManager } from "@google-cloud/storage";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";

import { makeFolder, type StorageServer, startStorageServer } from "../support/storage-server.ts";

type RequestOptions = Parameters<PassThroughClient["request"]>[0];

const MIB = 1024 * 1024;

let folder: Awaited<ReturnType<typeof makeFolder>>;
let server: StorageServer;
let client: Storage;
let bucket: Bucket;

beforeAll(async () => {
  folder = await makeFolder();
  server = await startStorageServer(join(folder.path, "state"));
  client = clientFor(server.url);
  [bucket] = await client.createBucket("client-bucket", {
    location: "us-central1",
    labels: { env: "test" },
    iamConfiguration: { uniformBucketLevelAccess: { enabled: true } },
  } as Parameters<Storage["createBucket"]>[1]);
});

afterAll(async () => {
  await server.stop();
  await folder.remove();
});

/** Google's client, told nothing but host, project and "no credentials". */
function clientFor(apiEndpoint: string, authClient: AuthClient = new PassThroughClient()): Storage {
  return new Storage({ apiEndpoint, projectId: "local-project", authClient });
}

/**
 * TransferManager.uploadFileInChunks writes its own URLs, `https://BUCKET.HOSTNAME/OBJECT`, whatever the endpoint says:
 * only a transport can lead them to the emulator. The hostname must be a name: `BUCKET.127.0.0.1` is no valid URL.
 */
class PathStyleTransport extends PassThroughClient {
  override request<T>(
    options: RequestOptions,
  ): ReturnType<typeof PassThroughClient.prototype.request<T>> {
    const [, name, path] = /^https:\/\/([^/]+)\.localhost\/(.*)$/s.exec(String(options.url)) ?? [];
    if (name === undefined) return super.request<T>(options);
    return super.request<T>({ ...options, url: `${server.url}/${name}/${path}` });
  }
}

describe("@google-cloud/storage against the local Cloud Storage", () => {
  it("reads back a bucket with every field that it was made with", async () => {
    const [metadata] = await bucket.getMetadata();

    expect(metadata).toMatchObject({
      name: "client-bucket",
      location: "US-CENTRAL1",
      labels: { env: "test" },
      iamConfiguration: { uniformBucketLevelAccess: { enabled: true } },
    });
  });

  it.each([{ resumable: true }, { resumable: false }])(
    "saves and downloads a file, resumable $resumable",
    async ({ resumable }) => {
      const content = randomBytes(700_001);
      const file = bucket.file(`saved/resumable ${resumable}.bin`);

      await file.save(content, {
        resumable,
        validation: "crc32c",
        metadata: { metadata: { who: "me" } },
      });

      const [downloaded] = await file.download();
      expect(downloaded.equals(content)).toBe(true);
      const [metadata] = await file.getMetadata();
      expect(metadata).toMatchObject({ size: "700001", metadata: { who: "me" } });
    },
  );

  it("sends a stream in chunks", async () => {
    const content = randomBytes(3 * MIB + 17);
    const file = bucket.file("chunked.bin");

    await pipeline(
      Readable.from(content),
      file.createWriteStream({ resumable: true, chunkSize: MIB, validation: "md5" }),
    );

    expect((await file.download())[0].equals(content)).toBe(true);
  });

  it("resumes an upload by its uri where an earlier stream broke off", async () => {
    const content = randomBytes(2 * MIB);
    const file = bucket.file("resumed.bin");
    const [uri] = await file.createResumableUpload();
    await fetch(uri, {
      method: "PUT",
      headers: { "content-range": `bytes 0-${MIB - 1}/*` },
      body: content.subarray(0, MIB),
    });

    await pipeline(
      Readable.from(content.subarray(MIB)),
      file.createWriteStream({ uri, offset: MIB, isPartialUpload: false, validation: false }),
    );

    expect((await file.download())[0].equals(content)).toBe(true);
  });

  it("uploads a file from disk with its CRC32C checked", async () => {
    const path = join(folder.path, "upload.bin");
    await writeFile(path, randomBytes(MIB + 1));

    const [file] = await bucket.upload(path, {
      destination: "from disk.bin",
      validation: "crc32c",
    });

    const target = join(folder.path, "download.bin");
    await file.download({ destination: target });
    expect((await readFile(target)).equals(await readFile(path))).toBe(true);
  });

  it("stores gzipped content and downloads it unpacked", async () => {
    const file = bucket.file("text.txt");

    await file.save("a ".repeat(10_000), { gzip: true, resumable: false });

    expect((await file.download())[0].toString()).toBe("a ".repeat(10_000));
  });

  it("lists by prefix, folder by folder and page by page", async () => {
    for (const name of ["a/1", "a/2", "b/1", "c"]) await bucket.file(`list/${name}`).save("x");

    const [all] = await bucket.getFiles({ prefix: "list/" });
    const [top, , response] = await bucket.getFiles({
      prefix: "list/",
      delimiter: "/",
      autoPaginate: false,
    });
    const [paged] = await bucket.getFiles({ prefix: "list/", maxResults: 1 });

    expect(all.map(({ name }) => name)).toEqual(["list/a/1", "list/a/2", "list/b/1", "list/c"]);
    expect(top.map(({ name }) => name)).toEqual(["list/c"]);
    expect(response).toMatchObject({ prefixes: ["list/a/", "list/b/"] });
    expect(paged).toHaveLength(1);
  });

  it("lists what matches a glob, and folders that are objects too", async () => {
    for (const name of ["a.mar", "b/c.mar", "b/"]) await bucket.file(`glob/${name}`).save("x");

    const [matched] = await bucket.getFiles({ matchGlob: "glob/*.mar" });
    const [top] = await bucket.getFiles({
      prefix: "glob/",
      delimiter: "/",
      includeTrailingDelimiter: true,
      autoPaginate: false,
    });

    expect(matched.map(({ name }) => name)).toEqual(["glob/a.mar"]);
    expect(top.map(({ name }) => name)).toEqual(["glob/a.mar", "glob/b/"]);
  });

  it("moves a file in one step", async () => {
    const file = bucket.file("moved/before.txt");
    await file.save("content");

    await file.moveFileAtomic("moved/after.txt");

    expect(await file.exists()).toEqual([false]);
    expect((await bucket.file("moved/after.txt").download())[0].toString()).toBe("content");
  });

  it("keeps a file under a hold", async () => {
    const file = bucket.file("held.txt");
    await file.save("content");
    await file.setMetadata({ temporaryHold: true });

    await expect(file.delete()).rejects.toMatchObject({ code: 403 });
  });

  it("reads and changes a bucket's policy", async () => {
    const [policy] = await bucket.iam.getPolicy();
    policy.bindings.push({ role: "roles/storage.objectViewer", members: ["user:a@example.com"] });

    const [changed] = await bucket.iam.setPolicy(policy);

    expect(changed.etag).not.toBe(policy.etag);
    await expect(bucket.iam.setPolicy(policy)).rejects.toMatchObject({ code: 412 });
    expect((await bucket.iam.testPermissions("storage.objects.get"))[0]).toEqual({
      "storage.objects.get": true,
    });
  });

  it("changes metadata, copies and deletes a file", async () => {
    const file = bucket.file("before.txt");
    await file.save("content", { metadata: { metadata: { kept: "yes", dropped: "yes" } } });

    await file.setMetadata({ contentType: "text/x", metadata: { dropped: null, added: "yes" } });
    const [copy] = await file.copy(bucket.file("after.txt"));
    await file.delete();

    const [metadata] = await copy.getMetadata();
    expect(metadata).toMatchObject({
      contentType: "text/x",
      metadata: { kept: "yes", added: "yes" },
    });
    expect(metadata.metadata).not.toHaveProperty("dropped");
    expect(await file.exists()).toEqual([false]);
  });

  it("composes files", async () => {
    await bucket.file("part-1").save("one ");
    await bucket.file("part-2").save("two");

    await bucket.combine(["part-1", "part-2"], "whole");

    expect((await bucket.file("whole").download())[0].toString()).toBe("one two");
  });

  it("composes files as they were seen, in the place of what was seen", async () => {
    const parts = ["seen-1", "seen-2"].map((name) => bucket.file(name));
    for (const part of parts) await part.save(`${part.name} `);
    const combine = (ifGenerationMatch: number) =>
      bucket.combine(parts, bucket.file("seen"), { ifGenerationMatch });

    const [whole] = await combine(0);
    const [{ componentCount, generation }] = await whole.getMetadata();
    await expect(combine(0)).rejects.toMatchObject({ code: 412 });
    await combine(Number(generation));
    await bucket.file("seen-2").save("another");

    expect(componentCount).toBe(2);
    // The client asks for the generation that it knows, which is gone.
    await expect(bucket.combine(parts, "seen-again")).rejects.toMatchObject({ code: 404 });
    expect((await bucket.file("seen").download())[0].toString()).toBe("seen-1 seen-2 ");
  });

  it("refuses to overwrite under ifGenerationMatch 0", async () => {
    const file = bucket.file("once", { preconditionOpts: { ifGenerationMatch: 0 } });
    await file.save("first");

    await expect(file.save("second")).rejects.toMatchObject({ code: 412 });
  });

  it.each([{ validation: "md5" as const }, { validation: "crc32c" as const }])(
    "uploads a file in parallel parts, checked by $validation",
    async ({ validation }) => {
      const endpoint = server.url.replace("127.0.0.1", "localhost");
      const transported = clientFor(endpoint, new PathStyleTransport());
      const path = join(folder.path, `parts-${validation}.bin`);
      await writeFile(path, randomBytes(5 * MIB + 5));
      const transfer = new TransferManager(transported.bucket("client-bucket"));

      await transfer.uploadFileInChunks(path, {
        uploadName: `parts-${validation}.bin`,
        chunkSizeBytes: 5 * MIB,
        validation,
      });

      const [downloaded] = await bucket.file(`parts-${validation}.bin`).download();
      expect(downloaded.equals(await readFile(path))).toBe(true);
    },
  );

  it("downloads a file in parallel ranges", async () => {
    const content = randomBytes(5 * MIB + 3);
    await bucket.file("ranges.bin").save(content);
    const destination = join(folder.path, "ranges.bin");

    await new TransferManager(bucket).downloadFileInChunks("ranges.bin", {
      destination,
      chunkSizeBytes: MIB,
    });

    expect((await readFile(destination)).equals(content)).toBe(true);
  });

  it("refuses to delete a bucket until its files are gone", async () => {
    await client.createBucket("short-lived");
    const doomed = client.bucket("short-lived");
    await doomed.file("f").save("x");
    await expect(doomed.delete()).rejects.toMatchObject({ code: 409 });

    await doomed.deleteFiles();
    await doomed.delete();

    expect(await doomed.exists()).toEqual([false]);
  });
});
