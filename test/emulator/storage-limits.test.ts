import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";

import { beforeEach, describe, expect, it } from "@jest/globals";

import { useStorageServer } from "../support/storage-scene.ts";

const CHUNK = 256 * 1024;
const WEEK_MS = 7 * 86_400_000;
const OVER_5_TIB = String(5 * 1024 ** 4 + 1);

/** How far the storage's clock is ahead. */
let passedMs = 0;
const server = useStorageServer("limited", { now: () => new Date(Date.now() + passedMs) });
const { call, save } = server;

beforeEach(async () => {
  passedMs = 0;
  await server.storage.reset();
  await server.makeBucket();
});

async function begin(name: string, headers: Record<string, string> = {}): Promise<Response> {
  const path = `/upload/storage/v1/b/limited/o?uploadType=resumable&name=${name}`;
  return fetch(server.url + path, { method: "POST", headers });
}

function put(uri: string, range: string, body?: Uint8Array<ArrayBuffer>): Promise<Response> {
  return fetch(uri, { method: "PUT", headers: { "content-range": range }, body });
}

const filesLeft = (): Promise<string[]> => readdir(server.dataFolder);

describe("an object of more than 5 TiB", () => {
  it("is refused when it is announced", async () => {
    const begun = await begin("large", { "x-upload-content-length": OVER_5_TIB });

    expect(begun.status).toBe(413);
  });

  it("is refused when a chunk states it", async () => {
    const uri = (await begin("large")).headers.get("location") ?? "";

    expect((await put(uri, `bytes 0-0/${OVER_5_TIB}`, new Uint8Array(1))).status).toBe(413);
  });
});

describe("an upload that nobody ends", () => {
  it("is forgotten a week after it began, with what had arrived, when the next begins", async () => {
    const uri = (await begin("abandoned")).headers.get("location") ?? "";
    await put(uri, `bytes 0-${CHUNK - 1}/*`, new Uint8Array(randomBytes(CHUNK)));
    expect(await filesLeft()).toHaveLength(1);

    passedMs = WEEK_MS + 1;
    const late = await put(uri, "bytes */*");
    await begin("next");

    expect(late.status).toBe(404);
    expect(await filesLeft()).toEqual([]);
  });

  it("of the XML API is forgotten with its parts likewise", async () => {
    const begun = await call("POST", "/limited/abandoned?uploads");
    const id = /<UploadId>(.*)<\/UploadId>/.exec(begun.text)?.[1];
    const part = `/limited/abandoned?partNumber=1&uploadId=${id}`;
    expect((await call("PUT", part, "content")).status).toBe(200);

    passedMs = WEEK_MS + 1;
    const late = await call("PUT", part, "content");
    await call("POST", "/limited/next?uploads");

    expect(late.status).toBe(404);
    expect(await filesLeft()).toEqual([]);
  });

  it("leaves its object alone when it has ended", async () => {
    const uri = (await begin("ended")).headers.get("location") ?? "";
    await put(uri, "bytes 0-0/1", new Uint8Array(1));

    passedMs = WEEK_MS + 1;
    await begin("next");

    expect(await filesLeft()).toHaveLength(1);
    expect((await call("GET", "/storage/v1/b/limited/o/ended?alt=media")).text).toBe("\0");
  });
});

describe("names", () => {
  it.each([
    { what: "1024 bytes", name: "é".repeat(512), status: 200 },
    { what: "1025 bytes", name: `${"é".repeat(512)}x`, status: 400 },
    { what: "a line end", name: "a\nb", status: 400 },
    { what: "nothing but ..", name: "..", status: 400 },
    { what: "the reserved beginning", name: ".well-known/acme-challenge/x", status: 400 },
  ])("of $what are answered $status", async ({ name, status }) => {
    expect((await save(name)).status).toBe(status);
  });
});
