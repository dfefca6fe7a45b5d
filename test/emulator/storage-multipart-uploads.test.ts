import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";

import { beforeAll, describe, expect, it } from "@jest/globals";

import { crc, md5, useStorageServer } from "../support/storage-scene.ts";

const MIB = 1024 * 1024;

const server = useStorageServer("uploads");
const { md5Of } = server;

beforeAll(async () => {
  await server.makeBucket();
});

describe("XML multipart uploads", () => {
  const path = "/uploads/folder/parts.bin";

  async function start(): Promise<string> {
    const response = await fetch(`${server.url}${path}?uploads`, {
      method: "POST",
      headers: { "content-type": "a/b", "x-goog-meta-k": "v" },
    });
    return /<UploadId>(.*)<\/UploadId>/.exec(await response.text())?.[1] ?? "";
  }

  async function putPart(
    id: string,
    number: number,
    body: Buffer,
    headers = {},
  ): Promise<Response> {
    const url = `${server.url}${path}?partNumber=${number}&uploadId=${id}`;
    return fetch(url, { method: "PUT", body: new Uint8Array(body), headers });
  }

  function complete(id: string, parts: { number: number; etag: string }[]): Promise<Response> {
    const listed = parts.map(
      ({ number, etag }) =>
        `<Part><PartNumber>${number}</PartNumber><ETag>${etag.replaceAll('"', "&quot;")}</ETag></Part>`,
    );
    return fetch(`${server.url}${path}?uploadId=${id}`, {
      method: "POST",
      body: `<CompleteMultipartUpload>${listed.join("")}</CompleteMultipartUpload>`,
    });
  }

  it("strings parts together in order of their numbers, whatever order they came in", async () => {
    const content = randomBytes(5 * MIB + 9);
    const id = await start();
    const two = await putPart(id, 2, content.subarray(5 * MIB));
    const one = await putPart(id, 1, content.subarray(0, 5 * MIB));
    expect(await md5Of("folder/parts.bin")).toBe(404);

    const done = await complete(id, [
      { number: 1, etag: one.headers.get("etag") ?? "" },
      { number: 2, etag: two.headers.get("etag") ?? "" },
    ]);

    expect(done.status).toBe(200);
    expect(await md5Of("folder/parts.bin")).toBe(md5(content));
    const resource = await fetch(`${server.url}/storage/v1/b/uploads/o/folder%2Fparts.bin`);
    const metadata = (await resource.json()) as Record<string, unknown>;
    expect(metadata).toMatchObject({
      contentType: "a/b",
      metadata: { k: "v" },
      crc32c: crc(content),
    });
    expect(metadata).not.toHaveProperty("md5Hash");
    expect((await complete(id, [])).status).toBe(404);
  });

  it("answers both hashes of a part", async () => {
    const part = await putPart(await start(), 1, Buffer.from("x"));

    expect(part.headers.get("x-goog-hash")).toBe(
      `crc32c=${crc(Buffer.from("x"))},md5=${md5(Buffer.from("x"))}`,
    );
  });

  it("refuses a part whose Content-MD5 is another's", async () => {
    const response = await putPart(await start(), 1, Buffer.from("x"), {
      "content-md5": md5(Buffer.from("y")),
    });

    expect(response.status).toBe(400);
    expect(await response.text()).toContain("<Code>InvalidArgument</Code>");
  });

  it("refuses a part below 5 MiB that is not the last", async () => {
    const id = await start();
    const one = await putPart(id, 1, Buffer.from("x"));
    const two = await putPart(id, 2, Buffer.from("y"));

    const response = await complete(id, [
      { number: 1, etag: one.headers.get("etag") ?? "" },
      { number: 2, etag: two.headers.get("etag") ?? "" },
    ]);

    expect(response.status).toBe(400);
  });

  it("forgets an aborted upload and its parts", async () => {
    const before = (await readdir(server.dataFolder)).length;
    const id = await start();
    await putPart(id, 1, Buffer.from("x"));

    expect((await fetch(`${server.url}${path}?uploadId=${id}`, { method: "DELETE" })).status).toBe(
      204,
    );
    expect((await putPart(id, 2, Buffer.from("y"))).status).toBe(404);
    expect(await readdir(server.dataFolder)).toHaveLength(before);
  });
});
