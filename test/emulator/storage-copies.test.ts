import { readdir } from "node:fs/promises";

import { beforeEach, describe, expect, it } from "@jest/globals";

import { useStorageServer } from "../support/storage-scene.ts";

const MIB = 1024 * 1024;

const server = useStorageServer("here");
const { call, save, at, names } = server;

beforeEach(async () => {
  await server.storage.reset();
  await server.makeBucket({ location: "US" });
  await call("POST", "/storage/v1/b?project=p", { name: "there", location: "EU" });
});

describe("objects made of objects", () => {
  it("rewrites with metadata kept, or replaced where the request says any", async () => {
    await save("source");
    await call("PATCH", at("source"), { metadata: { kept: "yes" } });

    const kept = await call(
      "POST",
      `${at("source")}/rewriteTo/b/here/o/${encodeURIComponent("x/kept")}`,
    );
    const replaced = await call("POST", `${at("source")}/rewriteTo/b/here/o/replaced`, {
      contentType: "a/b",
    });

    expect(kept.body).toMatchObject({
      done: true,
      objectSize: "7",
      resource: { name: "x/kept", contentType: "text/plain", metadata: { kept: "yes" } },
    });
    expect(replaced.body).toMatchObject({ resource: { contentType: "a/b" } });
    expect(replaced.body.resource).not.toHaveProperty("metadata");
  });

  it("copies content that outlives its source", async () => {
    await save("source");
    await call("POST", `${at("source")}/copyTo/b/here/o/copy`);
    await call("DELETE", at("source"));

    expect((await call("GET", at("copy", "?alt=media"))).text).toBe("content");
  });

  it("refuses a rewrite whose conditions on source or target do not hold", async () => {
    await save("source");
    await save("target");
    const path = `${at("source")}/rewriteTo/b/here/o/target`;

    expect((await call("POST", `${path}?ifGenerationMatch=0`)).status).toBe(412);
    expect((await call("POST", `${path}?ifSourceGenerationMatch=1`)).status).toBe(412);
    expect((await call("POST", `${at("missing")}/rewriteTo/b/here/o/t`)).status).toBe(404);
  });
});

describe("rewrite", () => {
  const path = at("big", "/rewriteTo/b/there/o/copy");
  const limit = `maxBytesRewrittenPerCall=${MIB}`;

  beforeEach(async () => {
    await save("big", "x".repeat(2 * MIB + 1));
  });

  it("goes on over several calls when it is told to, and makes the object in the last", async () => {
    const first = await call("POST", `${path}?${limit}`);
    const token = String(first.body.rewriteToken);
    const second = await call("POST", `${path}?${limit}&rewriteToken=${token}`);
    expect((await call("GET", "/storage/v1/b/there/o/copy")).status).toBe(404);
    const next = String(second.body.rewriteToken);
    const third = await call("POST", `${path}?${limit}&rewriteToken=${next}`);

    expect(first.body).toMatchObject({
      done: false,
      totalBytesRewritten: String(MIB),
      objectSize: String(2 * MIB + 1),
    });
    expect(second.body).toMatchObject({ done: false, totalBytesRewritten: String(2 * MIB) });
    expect(third.body).toMatchObject({ done: true, resource: { name: "copy", bucket: "there" } });
    expect(third.body).not.toHaveProperty("rewriteToken");
  });

  it("does all at once within one location and class, whatever it is told", async () => {
    const { body } = await call("POST", at("big", `/rewriteTo/b/here/o/copy?${limit}`));

    expect(body).toMatchObject({ done: true });
  });

  it.each([
    { why: "of another target", query: limit, other: at("big", "/rewriteTo/b/there/o/other") },
    { why: "with another limit", query: `maxBytesRewrittenPerCall=${2 * MIB}`, other: path },
    { why: "of a source since overwritten", query: limit, other: path, overwrite: true },
  ])("refuses the token $why", async ({ query, other, overwrite }) => {
    const { body } = await call("POST", `${path}?${limit}`);
    if (overwrite) await save("big", "y".repeat(2 * MIB + 1));

    const refused = await call(
      "POST",
      `${other}?${query}&rewriteToken=${String(body.rewriteToken)}`,
    );

    expect(refused.status).toBe(400);
  });

  it.each(["0", "1000000", "x"])("refuses %s bytes a call", async (bytes) => {
    expect((await call("POST", `${path}?maxBytesRewrittenPerCall=${bytes}`)).status).toBe(400);
  });
});

describe("move", () => {
  it("gives an object another name, with its content and metadata", async () => {
    const saved = await save("old", "content");
    await call("PATCH", at("old"), { metadata: { kept: "yes" } });

    const { body } = await call("POST", at("old", "/moveTo/o/a%2Fnew"));

    expect(body).toMatchObject({
      name: "a/new",
      metadata: { kept: "yes" },
      md5Hash: saved.body.md5Hash,
      metageneration: "1",
    });
    expect(await names("")).toEqual(["a/new"]);
    expect((await call("GET", at("a/new", "?alt=media"))).text).toBe("content");
  });

  it("replaces what has the name, unless a condition forbids it", async () => {
    await save("old", "new content");
    await save("taken", "former content");
    const before = (await readdir(server.dataFolder)).length;

    const refused = await call("POST", at("old", "/moveTo/o/taken?ifGenerationMatch=0"));
    const moved = await call("POST", at("old", "/moveTo/o/taken"));

    expect([refused.status, moved.status]).toEqual([412, 200]);
    expect((await call("GET", at("taken", "?alt=media"))).text).toBe("new content");
    expect(await readdir(server.dataFolder)).toHaveLength(before - 1);
  });
});
