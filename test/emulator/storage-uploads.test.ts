import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { connect } from "node:net";

import { beforeAll, describe, expect, it } from "@jest/globals";

import { crc, md5, useStorageServer } from "../support/storage-scene.ts";

const KIB = 1024;
const CHUNK = 256 * KIB;
const MIB = 1024 * KIB;

const server = useStorageServer("uploads");
const { md5Of } = server;

beforeAll(async () => {
  await server.makeBucket();
});

async function begin(
  name: string,
  headers: Record<string, string> = {},
  query = "",
): Promise<string> {
  const path = `/upload/storage/v1/b/uploads/o?uploadType=resumable&name=${name}${query}`;
  const response = await fetch(server.url + path, { method: "POST", headers });
  expect(response.status).toBe(200);
  return response.headers.get("location") ?? "";
}

async function put(
  uri: string,
  range: string,
  body?: Buffer,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(uri, {
    method: "PUT",
    headers: { "content-range": range, ...headers },
    body: body && new Uint8Array(body),
  });
}

async function insertMultipart(
  name: string,
  resource: Record<string, unknown>,
  media: Buffer,
  boundary: string,
): Promise<Response> {
  const body = Buffer.concat([
    Buffer.from(`--${boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n`),
    Buffer.from(JSON.stringify({ name, ...resource })),
    Buffer.from(`\r\n--${boundary}\r\ncontent-type: image/png\r\n\r\n`),
    media,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ]);
  return fetch(`${server.url}/upload/storage/v1/b/uploads/o?uploadType=multipart`, {
    method: "POST",
    headers: { "content-type": `multipart/related; boundary="${boundary}"` },
    body,
  });
}

describe("uploads in one request", () => {
  it("stores a media upload with its hashes", async () => {
    const content = randomBytes(100_000);

    const response = await fetch(
      `${server.url}/upload/storage/v1/b/uploads/o?uploadType=media&name=m`,
      {
        method: "POST",
        headers: { "content-type": "image/png" },
        body: content,
      },
    );

    expect(await response.json()).toMatchObject({
      bucket: "uploads",
      name: "m",
      contentType: "image/png",
      size: "100000",
      md5Hash: md5(content),
      crc32c: crc(content),
      metageneration: "1",
      storageClass: "STANDARD",
    });
    expect(response.headers.get("x-goog-hash")).toBe(`crc32c=${crc(content)},md5=${md5(content)}`);
    expect(await md5Of("m")).toBe(md5(content));
  });

  it("takes a multipart upload apart whose quoted boundary holds = signs", async () => {
    const boundary = "===============5424876346==";
    // What looks like a boundary, a line end at the end and a first "--" must all survive.
    const media = Buffer.concat([
      Buffer.from("--not a boundary\r\n--==============="),
      randomBytes(200_000),
      Buffer.from("\r\n"),
    ]);

    const response = await insertMultipart("a/b c", { metadata: { k: "v" } }, media, boundary);

    expect(await response.json()).toMatchObject({
      name: "a/b c",
      contentType: "image/png",
      metadata: { k: "v" },
    });
    expect(await md5Of("a/b c")).toBe(md5(media));
  });

  it.each([
    { claim: "md5Hash", resource: { md5Hash: md5(Buffer.from("other")) } },
    { claim: "crc32c", resource: { crc32c: crc(Buffer.from("other")) } },
  ])(
    "refuses content that does not have the stated $claim, and keeps nothing",
    async ({ resource }) => {
      const before = (await readdir(server.dataFolder)).length;

      const response = await insertMultipart("mismatch", resource, Buffer.from("content"), "b");

      expect(response.status).toBe(400);
      expect(await md5Of("mismatch")).toBe(404);
      expect(await readdir(server.dataFolder)).toHaveLength(before);
    },
  );

  it("accepts content that has the stated hashes", async () => {
    const media = Buffer.from("content");

    const resource = { md5Hash: md5(media), crc32c: crc(media) };

    expect((await insertMultipart("match", resource, media, "b")).status).toBe(200);
  });

  it("keeps nothing of a multipart body that ends too early", async () => {
    const response = await fetch(
      `${server.url}/upload/storage/v1/b/uploads/o?uploadType=multipart`,
      {
        method: "POST",
        headers: { "content-type": "multipart/related; boundary=b" },
        body: '--b\r\n\r\n{"name":"cut"}\r\n--b\r\n\r\nmedia without an end',
      },
    );

    expect(response.status).toBe(400);
    expect(await md5Of("cut")).toBe(404);
  });

  it.each([
    {
      why: "is empty of a bucket",
      path: "/upload/storage/v1/b/nowhere/o?uploadType=media&name=x",
      status: 404,
    },
    { why: "has no name", path: "/upload/storage/v1/b/uploads/o?uploadType=media", status: 400 },
    {
      why: "has an unknown type",
      path: "/upload/storage/v1/b/uploads/o?uploadType=x&name=x",
      status: 400,
    },
    {
      why: "has a name too long",
      path: `/upload/storage/v1/b/uploads/o?uploadType=media&name=${"x".repeat(1025)}`,
      status: 400,
    },
  ])("refuses an upload that $why, large as it is", async ({ path, status }) => {
    const response = await fetch(server.url + path, { method: "POST", body: Buffer.alloc(MIB) });

    expect(response.status).toBe(status);
  });
});

describe("resumable uploads", () => {
  it.each([
    { chunks: "one request", sizes: [2 * MIB + 5] },
    { chunks: "256 KiB chunks", sizes: [CHUNK, CHUNK, CHUNK, 7] },
    { chunks: "uneven multiples of 256 KiB", sizes: [3 * CHUNK, CHUNK, 2 * CHUNK, 1] },
  ])("takes $chunks", async ({ chunks, sizes }) => {
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const content = randomBytes(total);
    const name = encodeURIComponent(chunks);
    const uri = await begin(name, {
      "x-upload-content-length": String(total),
      "x-upload-content-type": "a/b",
    });

    let start = 0;
    let last = new Response();
    for (const size of sizes) {
      const end = start + size;
      last = await put(uri, `bytes ${start}-${end - 1}/${total}`, content.subarray(start, end));
      if (end < total) {
        expect([last.status, last.headers.get("range")]).toEqual([308, `bytes=0-${end - 1}`]);
        expect(await md5Of(chunks)).toBe(404);
      }
      start = end;
    }

    expect(await last.json()).toMatchObject({
      size: String(total),
      md5Hash: md5(content),
      contentType: "a/b",
    });
    expect(last.headers.get("x-goog-hash")).toBe(`crc32c=${crc(content)},md5=${md5(content)}`);
    expect(await md5Of(chunks)).toBe(md5(content));
  });

  it("answers a status query without a range before the first byte, and with one after", async () => {
    const uri = await begin("status");

    const before = await put(uri, "bytes */*");
    await put(uri, `bytes 0-${CHUNK - 1}/*`, randomBytes(CHUNK));
    const after = await put(uri, `bytes */${2 * CHUNK}`);

    expect([before.status, before.headers.get("range")]).toEqual([308, null]);
    expect([after.status, after.headers.get("range")]).toEqual([308, `bytes=0-${CHUNK - 1}`]);
  });

  it("learns the total with the last chunk", async () => {
    const content = randomBytes(CHUNK + 3);
    const uri = await begin("late-total");
    await put(uri, `bytes 0-${CHUNK - 1}/*`, content.subarray(0, CHUNK));

    const last = await put(
      uri,
      `bytes ${CHUNK}-${CHUNK + 2}/${CHUNK + 3}`,
      content.subarray(CHUNK),
    );

    expect(last.status).toBe(200);
    expect(await md5Of("late-total")).toBe(md5(content));
  });

  it("finishes on a query that states the total, when all has arrived", async () => {
    const content = randomBytes(CHUNK);
    const uri = await begin("by-query");
    await put(uri, `bytes 0-${CHUNK - 1}/*`, content);

    expect((await put(uri, `bytes */${CHUNK}`)).status).toBe(200);
    expect(await md5Of("by-query")).toBe(md5(content));
  });

  it("stores an empty object", async () => {
    const uri = await begin("empty");

    expect(await (await put(uri, "bytes */0")).json()).toMatchObject({
      size: "0",
      crc32c: "AAAAAA==",
    });
    expect(await md5Of("empty")).toBe(md5(Buffer.alloc(0)));
  });

  it("answers the object again when the last answer was lost", async () => {
    const uri = await begin("asked-again");
    const first = await (await put(uri, "bytes 0-3/4", Buffer.from("done"))).json();

    expect(await (await put(uri, "bytes */4")).json()).toEqual(first);
    expect(await (await put(uri, "bytes 0-3/4", Buffer.from("done"))).json()).toEqual(first);
  });

  it("skips bytes that have arrived already", async () => {
    const content = randomBytes(2 * CHUNK);
    const uri = await begin("overlap");
    await put(uri, `bytes 0-${CHUNK - 1}/*`, content.subarray(0, CHUNK));

    await put(uri, `bytes 0-${2 * CHUNK - 1}/${2 * CHUNK}`, content);

    expect(await md5Of("overlap")).toBe(md5(content));
  });

  it("refuses bytes after a gap", async () => {
    const uri = await begin("gap");

    const response = await put(uri, `bytes ${CHUNK}-${2 * CHUNK - 1}/*`, randomBytes(CHUNK));

    expect(response.status).toBe(503);
    expect((await put(uri, "bytes */*")).headers.get("range")).toBeNull();
  });

  it("refuses a chunk below 256 KiB that is not the last, and keeps whole multiples of a larger one", async () => {
    const uri = await begin("granularity");

    const small = await put(uri, "bytes 0-99/*", randomBytes(100));
    const odd = await put(uri, `bytes 0-${CHUNK + 99}/*`, randomBytes(CHUNK + 100));

    expect(small.status).toBe(400);
    expect([odd.status, odd.headers.get("range")]).toEqual([308, `bytes=0-${CHUNK - 1}`]);
  });

  it("keeps what arrived when the connection breaks in the middle of a chunk", async () => {
    const content = randomBytes(2 * MIB);
    const uri = new URL(await begin("broken"));
    const socket = connect(Number(uri.port), uri.hostname);
    socket.write(
      `PUT ${uri.pathname}${uri.search} HTTP/1.1\r\nHost: ${uri.host}\r\nContent-Length: ${content.length}\r\n` +
        `Content-Range: bytes 0-${content.length - 1}/${content.length}\r\n\r\n`,
    );
    await new Promise((resolve) => socket.write(content.subarray(0, MIB), resolve));
    socket.destroy();

    const status = await put(uri.href, "bytes */*");
    const start = Number(/^bytes=0-(\d+)$/.exec(status.headers.get("range") ?? "")?.[1] ?? -1) + 1;
    const last = await put(
      uri.href,
      `bytes ${start}-${2 * MIB - 1}/${2 * MIB}`,
      content.subarray(start),
    );

    expect(start).toBeLessThanOrEqual(MIB);
    expect(last.status).toBe(200);
    expect(await md5Of("broken")).toBe(md5(content));
  });

  it.each([
    { where: "the resource", headers: undefined, body: { md5Hash: md5(Buffer.from("other")) } },
    { where: "the last request", headers: { "x-goog-hash": "crc32c=AAAAAA==" }, body: {} },
  ])("refuses content that does not match the hash in $where", async ({ headers, body }) => {
    const start = await fetch(`${server.url}/upload/storage/v1/b/uploads/o?uploadType=resumable`, {
      method: "POST",
      body: JSON.stringify({ name: "bad-hash", ...body }),
    });
    const uri = start.headers.get("location") ?? "";

    const response = await put(uri, "bytes 0-6/7", Buffer.from("content"), headers);

    expect(response.status).toBe(400);
    expect(await md5Of("bad-hash")).toBe(404);
    expect((await put(uri, "bytes */*")).status).toBe(404);
  });

  it("checks ifGenerationMatch when it starts and again when it ends", async () => {
    const first = await begin("raced", {}, "&ifGenerationMatch=0");
    const second = await begin("raced", {}, "&ifGenerationMatch=0");
    await put(first, "bytes 0-0/1", Buffer.from("1"));

    expect((await put(second, "bytes 0-0/1", Buffer.from("2"))).status).toBe(412);
    const late = `${server.url}/upload/storage/v1/b/uploads/o?uploadType=resumable&name=raced&ifGenerationMatch=0`;
    expect((await fetch(late, { method: "POST" })).status).toBe(412);
    expect(await md5Of("raced")).toBe(md5(Buffer.from("1")));
  });

  it("forgets a cancelled upload", async () => {
    const uri = await begin("cancelled");

    expect((await fetch(uri, { method: "DELETE" })).status).toBe(499);
    expect((await put(uri, "bytes */*")).status).toBe(404);
  });

  it("refuses a total that is not the announced one", async () => {
    const uri = await begin("announced", { "x-upload-content-length": "5" });

    expect((await put(uri, "bytes 0-3/4", Buffer.from("four"))).status).toBe(400);
  });
});
