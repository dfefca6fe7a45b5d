import { randomBytes } from "node:crypto";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { makeFolder, startStorageProcess, type StorageProcess } from "../support/storage-server.ts";

const CHUNK = 256 * 1024;

let folder: Awaited<ReturnType<typeof makeFolder>>;
let state: string;
let child: StorageProcess | undefined;

beforeEach(async () => {
  folder = await makeFolder();
  state = join(folder.path, "state");
});

afterEach(async () => {
  await kill();
  await folder.remove();
});

/** Starts the storage in a process of its own; answers its address. */
async function start(): Promise<string> {
  child = await startStorageProcess(state);
  return child.url;
}

async function kill(): Promise<void> {
  await child?.kill();
}

async function json(url: string, init?: RequestInit): Promise<Record<string, unknown>> {
  return (await (await fetch(url, init)).json()) as Record<string, unknown>;
}

function createBucket(url: string): Promise<Record<string, unknown>> {
  const body = JSON.stringify({ name: "kept", labels: { a: "1" } });
  return json(`${url}/storage/v1/b?project=p`, { method: "POST", body });
}

describe("the local Cloud Storage after kill -9 and a restart", () => {
  it("has every answered write and no unanswered one", async () => {
    const before = await start();
    const bucket = await createBucket(before);
    const upload = `${before}/upload/storage/v1/b/kept/o?uploadType=media&name=`;
    await json(`${upload}old`, { method: "POST", body: "gone" });
    const object = await json(`${upload}old`, { method: "POST", body: "content" });
    await json(`${upload}deleted`, { method: "POST", body: "x" });
    await fetch(`${before}/storage/v1/b/kept/o/deleted`, { method: "DELETE" });
    await kill();

    const after = await start();

    const inHere = (resource: Record<string, unknown>): unknown =>
      JSON.parse(JSON.stringify(resource).replaceAll(before, after));
    expect(await json(`${after}/storage/v1/b/kept`)).toEqual(inHere(bucket));
    expect(await json(`${after}/storage/v1/b/kept/o`)).toEqual({
      kind: "storage#objects",
      items: [inHere(object)],
    });
    expect(await (await fetch(`${after}/storage/v1/b/kept/o/old?alt=media`)).text()).toBe(
      "content",
    );
    expect(await readdir(join(state, "data"))).toHaveLength(1);
  });

  it("resumes an upload that was half done, with hashes over the whole", async () => {
    const content = randomBytes(3 * CHUNK);
    const before = await start();
    await createBucket(before);
    const begun = await fetch(
      `${before}/upload/storage/v1/b/kept/o?uploadType=resumable&name=half`,
      {
        method: "POST",
      },
    );
    const uri = begun.headers.get("location") ?? "";
    await fetch(uri, {
      method: "PUT",
      headers: { "content-range": `bytes 0-${2 * CHUNK - 1}/*` },
      body: new Uint8Array(content.subarray(0, 2 * CHUNK)),
    });
    await kill();

    const after = await start();

    expect((await fetch(`${after}/storage/v1/b/kept/o/half`)).status).toBe(404);
    const again = uri.replace(before, after);
    const status = await fetch(again, { method: "PUT", headers: { "content-range": "bytes */*" } });
    expect(status.headers.get("range")).toBe(`bytes=0-${2 * CHUNK - 1}`);
    const finished = await fetch(again, {
      method: "PUT",
      headers: { "content-range": `bytes ${2 * CHUNK}-${3 * CHUNK - 1}/${3 * CHUNK}` },
      body: new Uint8Array(content.subarray(2 * CHUNK)),
    });
    const download = await fetch(`${after}/storage/v1/b/kept/o/half?alt=media`);
    const downloaded = Buffer.from(await download.arrayBuffer());
    expect(downloaded.equals(content)).toBe(true);
    expect(finished.headers.get("x-goog-hash")).toBe(download.headers.get("x-goog-hash"));
  });

  it("answers a finished upload's object to a client that lost the answer", async () => {
    const before = await start();
    await createBucket(before);
    const begun = await fetch(`${before}/upload/storage/v1/b/kept/o?uploadType=resumable&name=f`, {
      method: "POST",
    });
    const uri = begun.headers.get("location") ?? "";
    const object = await json(uri, { method: "PUT", body: "content" });
    await kill();

    const after = await start();

    const again = await json(uri.replace(before, after), {
      method: "PUT",
      headers: { "content-range": "bytes */7" },
    });
    expect(again.generation).toBe(object.generation);
  });

  it("clears away what a crash left of unanswered writes", async () => {
    await createBucket(await start());
    await kill();
    const stray = "0".repeat(32);
    await writeFile(join(state, "data", stray), "bytes of an upload that was never answered");
    await writeFile(join(state, "objects", `${stray}.${stray}.tmp`), '{"half": ');

    const after = await start();

    expect(await json(`${after}/storage/v1/b/kept/o`)).toEqual({ kind: "storage#objects" });
    expect(await readdir(join(state, "data"))).toEqual([]);
    expect(await readdir(join(state, "objects"))).toEqual([]);
  });
});
