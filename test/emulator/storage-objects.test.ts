import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { beforeEach, describe, expect, it } from "@jest/globals";

import { ApiError } from "../../emulator/errors.ts";
import { useStorageServer } from "../support/storage-scene.ts";

const calls: string[] = [];
/** What goes wrong around the next call; consumed by it. */
let fault: { when: "before" | "after" | "reset" } | undefined;

const server = useStorageServer("objects", {
  now: () => new Date("2026-11-24T12:00:00Z"),
  around: async (call, work) => {
    calls.push(`${call.method} ${call.resource}`);
    const planned = fault?.when;
    fault = undefined;
    if (planned === "reset") call.reset();
    if (planned === "before") throw new ApiError("UNAVAILABLE", "declared fault");
    const result = await work();
    if (planned === "after") throw new ApiError("UNAVAILABLE", "declared fault");
    return result;
  },
});
const { call, save, at, names } = server;

beforeEach(async () => {
  await server.storage.reset();
  await server.makeBucket();
  calls.length = 0;
});

describe("objects of the local Cloud Storage", () => {
  it("answers an object's resource, with links that lead back to it", async () => {
    const { body } = await save("a/b.txt");

    expect(body).toEqual({
      kind: "storage#object",
      id: `objects/a/b.txt/${String(body.generation)}`,
      selfLink: `${server.url}/storage/v1/b/objects/o/a%2Fb.txt`,
      mediaLink: expect.stringContaining(
        `${server.url}/download/storage/v1/b/objects/o/a%2Fb.txt?`,
      ),
      name: "a/b.txt",
      bucket: "objects",
      generation: expect.stringMatching(/^17955216\d{8}$/),
      metageneration: "1",
      contentType: "text/plain",
      storageClass: "STANDARD",
      size: "7",
      md5Hash: "mgNkuembtIDdJeHwKEyFVQ==",
      crc32c: "Ya91Mw==",
      etag: expect.any(String),
      timeCreated: "2026-11-24T12:00:00.000Z",
      updated: "2026-11-24T12:00:00.000Z",
      timeStorageClassUpdated: "2026-11-24T12:00:00.000Z",
      timeFinalized: "2026-11-24T12:00:00.000Z",
    });
    expect((await fetch(String(body.mediaLink))).status).toBe(200);
    expect((await call("GET", at("a/b.txt"))).body).toEqual(body);
  });

  it.each([
    { range: "bytes=2-4", status: 206, text: "nte", contentRange: "bytes 2-4/7" },
    { range: "bytes=5-", status: 206, text: "nt", contentRange: "bytes 5-6/7" },
    { range: "bytes=-3", status: 206, text: "ent", contentRange: "bytes 4-6/7" },
    { range: "bytes=3-99", status: 206, text: "tent", contentRange: "bytes 3-6/7" },
    { range: "lines=1-2", status: 200, text: "content", contentRange: null },
  ])("answers $status to $range", async ({ range, status, text, contentRange }) => {
    await save("ranged");

    const reply = await call("GET", at("ranged", "?alt=media"), undefined, { range });

    expect([reply.status, reply.text, reply.headers.get("content-range")]).toEqual([
      status,
      text,
      contentRange,
    ]);
  });

  it("answers 416 to a range behind the end", async () => {
    await save("ranged");

    const reply = await call("GET", at("ranged", "?alt=media"), undefined, { range: "bytes=7-" });

    expect(reply.status).toBe(416);
  });

  it("downloads with hash and generation headers on all three paths", async () => {
    const { body } = await save("dir/file");

    for (const path of [
      at("dir/file", "?alt=media"),
      `/download${at("dir/file", "?alt=media")}`,
      "/objects/dir/file",
    ]) {
      const reply = await call("GET", path);
      expect([
        reply.text,
        reply.headers.get("x-goog-hash"),
        reply.headers.get("x-goog-generation"),
      ]).toEqual([
        "content",
        `crc32c=${String(body.crc32c)},md5=${String(body.md5Hash)}`,
        body.generation,
      ]);
    }
    expect((await call("HEAD", "/objects/dir/file")).headers.get("content-length")).toBe("7");
  });

  it("lists with prefix, delimiter, offsets and pages, in the order of UTF-8", async () => {
    for (const name of ["b", "a/2", "a/1", "a", "\u{ff5e}", "\u{1f600}", "c/x/y"]) await save(name);

    expect(await names("")).toEqual(["a", "a/1", "a/2", "b", "c/x/y", "\u{ff5e}", "\u{1f600}"]);
    expect(await names("prefix=a/")).toEqual(["a/1", "a/2"]);
    expect(await names("startOffset=a/2&endOffset=c")).toEqual(["a/2", "b"]);
    const top = await call("GET", "/storage/v1/b/objects/o?delimiter=/&maxResults=2");
    expect(top.body).toMatchObject({ items: [{ name: "a" }], prefixes: ["a/"] });
    const next = await call(
      "GET",
      `/storage/v1/b/objects/o?delimiter=/&maxResults=2&pageToken=${String(top.body.nextPageToken)}`,
    );
    expect(next.body).toMatchObject({ items: [{ name: "b" }], prefixes: ["c/"] });
  });

  it("patches metadata key by key and counts the metageneration", async () => {
    await save("patched");
    await call("PATCH", at("patched"), { metadata: { a: "1", b: "2" }, cacheControl: "no-store" });

    const { body } = await call("PATCH", at("patched"), {
      metadata: { a: null },
      cacheControl: null,
    });

    expect(body).toMatchObject({
      metadata: { b: "2" },
      metageneration: "3",
      contentType: "text/plain",
    });
    expect(body).not.toHaveProperty("cacheControl");
    expect(body.metadata).not.toHaveProperty("a");
  });

  it.each([
    { condition: "ifGenerationMatch=0", status: 412 },
    { condition: "ifGenerationMatch=1", status: 412 },
    { condition: "ifGenerationNotMatch=0", status: 200 },
    { condition: "ifMetagenerationMatch=1", status: 200 },
    { condition: "ifMetagenerationMatch=2", status: 412 },
    { condition: "ifGenerationMatch=x", status: 400 },
  ])("answers $status to an overwrite with $condition", async ({ condition, status }) => {
    await save("present", "old");

    expect((await save("present", "new", `&${condition}`)).status).toBe(status);
    expect((await call("GET", at("present", "?alt=media"))).text).toBe(
      status === 200 ? "new" : "old",
    );
  });

  it("answers 304 to a read of what the caller has", async () => {
    const { body } = await save("known");
    const query = `?ifGenerationNotMatch=${String(body.generation)}`;

    expect((await call("GET", at("known", query))).status).toBe(304);
  });

  it.each([
    { header: "if-match", value: "same", status: 200 },
    { header: "if-match", value: "*", status: 200 },
    { header: "if-match", value: '"other", "another"', status: 412 },
    { header: "if-none-match", value: "same", status: 304 },
    { header: "if-none-match", value: "other", status: 200 },
  ])("answers $status to a read with $header: $value", async ({ header, value, status }) => {
    const { body } = await save("known");
    const headers = { [header]: value === "same" ? String(body.etag) : value };

    expect((await call("GET", at("known"), undefined, headers)).status).toBe(status);
    expect((await call("GET", at("known", "?alt=media"), undefined, headers)).status).toBe(status);
  });

  it.each([
    { what: "8 KiB of metadata", bytes: 8 * 1024, status: 200 },
    { what: "a byte more", bytes: 8 * 1024 + 1, status: 400 },
  ])("answers $status to $what", async ({ bytes, status }) => {
    await save("described");

    const { status: answered } = await call("PATCH", at("described"), {
      metadata: { k: "v".repeat(bytes - 1) },
    });

    expect(answered).toBe(status);
  });

  it("keeps the storage class that an object was made with", async () => {
    await save("cold", "x", "&kmsKeyName=k");

    const { body } = await call("PATCH", at("cold"), { storageClass: "ARCHIVE" });

    expect(body).toMatchObject({ storageClass: "STANDARD", kmsKeyName: "k" });
    expect(
      (await call("POST", at("cold", "/copyTo/b/objects/o/c"), { storageClass: "HOT" })).status,
    ).toBe(400);
  });

  it.each([
    { method: "PUT", path: "/objects/x?acl", headers: {} as Record<string, string> },
    { method: "PUT", path: "/objects/x?tagging", headers: {} as Record<string, string> },
    { method: "PUT", path: "/objects/x", headers: { "x-goog-copy-source": "objects/y" } },
    { method: "PUT", path: "/objects/x", headers: { "x-goog-encryption-key": "k" } },
  ])(
    "stores nothing for what it does not serve: $method $path $headers",
    async ({ method, path, headers }) => {
      expect((await call(method, path, "x", headers)).status).toBe(501);
      expect(await names("")).toEqual([]);
    },
  );

  it("gives every overwrite a higher generation, though the clock stands still", async () => {
    const first = await save("same");
    const second = await save("same");

    expect(BigInt(String(second.body.generation))).toBeGreaterThan(
      BigInt(String(first.body.generation)),
    );
    expect(
      (await call("GET", at("same", `?generation=${String(first.body.generation)}`))).status,
    ).toBe(404);
  });

  it("keeps former generations in a versioned bucket, until they are deleted one by one", async () => {
    await call("PATCH", "/storage/v1/b/objects", { versioning: { enabled: true } });
    const first = String((await save("v", "one")).body.generation);
    await save("v", "two");
    await call("DELETE", at("v"));

    expect((await call("GET", at("v"))).status).toBe(404);
    expect((await call("GET", at("v", `?alt=media&generation=${first}`))).text).toBe("one");
    expect(await names("versions=true")).toEqual(["v", "v"]);
    expect((await call("DELETE", "/storage/v1/b/objects")).status).toBe(409);
    const { body } = await call("GET", "/storage/v1/b/objects/o?versions=true");
    for (const { generation } of body.items as { generation: string }[]) {
      expect((await call("DELETE", at("v", `?generation=${generation}`))).status).toBe(204);
    }
    expect((await call("DELETE", "/storage/v1/b/objects")).status).toBe(204);
  });

  it("refuses access lists where access is uniform", async () => {
    await call("PATCH", "/storage/v1/b/objects", {
      iamConfiguration: { uniformBucketLevelAccess: { enabled: true } },
    });

    expect((await save("public", "x", "&predefinedAcl=publicRead")).status).toBe(400);
  });

  it("stores names that look like paths without leaving its folder", async () => {
    const name = "../../../../etc/escape";
    await save(name);

    expect((await call("GET", at(name, "?alt=media"))).text).toBe("content");
    await expect(readFile(join(server.folder, "etc/escape"))).rejects.toMatchObject({
      code: "ENOENT",
    });
  });

  it("gives other parts of the cloud lists of objects and their content as files", async () => {
    await save("archives/model.mar");
    await save("other");
    const target = join(server.folder, "model.mar");

    const found = server.storage.objects.listObjects("objects", "archives/");
    await server.storage.objects.linkObjectTo("objects", "archives/model.mar", target);

    expect(found).toMatchObject([{ bucket: "objects", name: "archives/model.mar", size: 7 }]);
    expect(await readFile(target, "utf8")).toBe("content");
    expect(() => server.storage.objects.listObjects("nowhere", "")).toThrow(
      expect.objectContaining({ status: "NOT_FOUND" }),
    );
    expect(server.storage.summary()).toEqual({ buckets: [{ name: "objects", objects: 2 }] });
  });

  it("wraps each call with its method and resource", async () => {
    await save("a");
    await call("GET", at("a"));
    await call("GET", "/storage/v1/b/objects");
    await call("PUT", "/objects/b", "x");

    expect(calls).toEqual([
      "storage.objects.insert b/objects/o/a",
      "storage.objects.get b/objects/o/a",
      "storage.buckets.get b/objects",
      "storage.objects.insert b/objects/o/b",
    ]);
  });

  it.each([
    { when: "before" as const, stored: 404 },
    { when: "after" as const, stored: 200 },
  ])("answers a fault declared $when the work as the API's error", async ({ when, stored }) => {
    fault = { when };

    const { status, body } = await save("faulty");

    expect(status).toBe(503);
    expect(body).toMatchObject({ error: { errors: [{ reason: "backendError" }] } });
    expect((await call("GET", at("faulty"))).status).toBe(stored);
  });

  it("answers a download whose answer is lost with the error, and the next one with the content", async () => {
    await save("lost");
    fault = { when: "after" };

    expect((await call("GET", at("lost", "?alt=media"))).status).toBe(503);
    expect((await call("GET", at("lost", "?alt=media"))).text).toBe("content");
  });

  it("drops the connection on a reset and serves the next caller", async () => {
    fault = { when: "reset" };

    await expect(call("GET", at("missing"))).rejects.toThrow("fetch failed");
    expect((await call("GET", at("missing"))).status).toBe(404);
  });

  it.each([
    { path: "/storage/v1/b/objects/o/missing", json: true },
    { path: "/objects/missing", json: false },
  ])("answers 404 for a missing object on $path", async ({ path, json }) => {
    const { status, text } = await call("GET", path);

    expect(status).toBe(404);
    expect(text).toContain(json ? '"No such object: objects/missing"' : "<Code>NoSuchKey</Code>");
  });
});
