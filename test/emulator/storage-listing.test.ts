import { beforeAll, describe, expect, it } from "@jest/globals";

import { compileGlob } from "../../emulator/storage/match-glob.ts";
import { useStorageServer } from "../support/storage-scene.ts";

const { call, makeBucket, save, names } = useStorageServer("listed");

beforeAll(async () => {
  await makeBucket({ versioning: { enabled: true } });
  for (const name of ["a", "b/1", "b/2", "c/", "d"]) await save(name);
  await save("a");
});

describe("matchGlob", () => {
  it.each([
    { glob: "*.mar", matched: ["model.mar"], not: ["a/model.mar", "model.marx"] },
    { glob: "**.mar", matched: ["model.mar", "a/b/model.mar", ".mar"], not: ["model.m"] },
    { glob: "a/*/c", matched: ["a/b/c", "a//c"], not: ["a/b/b/c", "a/c"] },
    { glob: "a/**/c", matched: ["a/b/c", "a/b/b/c"], not: ["b/a/x/c"] },
    { glob: "??", matched: ["ab", "\u{1f600}b"], not: ["a", "abc", "a/"] },
    { glob: "[a-cx]1", matched: ["a1", "c1", "x1"], not: ["d1", "11"] },
    { glob: "[!a-c]", matched: ["d"], not: ["a", "/"] },
    { glob: "{a,b{1,2}}.t", matched: ["a.t", "b1.t", "b2.t"], not: ["b.t", "a"] },
    { glob: "a\\*b\\{", matched: ["a*b{"], not: ["axb{"] },
    { glob: "a.b+c$", matched: ["a.b+c$"], not: ["axb+c$", "a.bbc"] },
  ])("$glob matches as documented", ({ glob, matched, not }) => {
    const matches = compileGlob(glob);

    expect([...matched, ...not].filter(matches)).toEqual(matched);
  });

  it.each(["{a", "[a", "a{b{c}", "x".repeat(1025), "{a,b}".repeat(10)])("%p is refused", (glob) => {
    expect(() => compileGlob(glob)).toThrow(expect.objectContaining({ httpStatus: 400 }));
  });

  it("takes no longer for a pattern made to be slow", () => {
    const matches = compileGlob(`${"*a".repeat(400)}b`);

    expect(matches("a".repeat(1024))).toBe(false);
  });

  it("selects what a list answers", async () => {
    expect(await names("matchGlob=*/[12]")).toEqual(["b/1", "b/2"]);
    expect(await names("matchGlob=**&prefix=b/")).toEqual(["b/1", "b/2"]);
  });
});

describe("lists", () => {
  it.each(["true", "True"])(
    "take %s for a boolean, as both of Google's clients write it",
    async (yes) => {
      expect(await names(`versions=${yes}&endOffset=b`)).toEqual(["a", "a"]);
      expect(await names(`delimiter=/&includeTrailingDelimiter=${yes}`)).toEqual(["a", "c/", "d"]);
    },
  );

  it.each([
    { query: "versions=yes", status: 400 },
    { query: "maxResults=0", status: 400 },
    { query: "pageToken=no!token", status: 400 },
    { query: "softDeleted=True", status: 501 },
  ])("answer $status to $query", async ({ query, status }) => {
    expect((await call("GET", `/storage/v1/b/listed/o?${query}`)).status).toBe(status);
  });

  it("of nothing have no items at all", async () => {
    const { body } = await call("GET", "/storage/v1/b/listed/o?prefix=none");

    expect(body).toEqual({ kind: "storage#objects" });
  });
});
