import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import {
  makeFolder,
  startStorageProcess,
  storageCaller,
  type StorageProcess,
} from "../support/storage-server.ts";

const MIB = 1024 * 1024;
/** Long enough that it is written in several steps. */
const LONG = "new content ".repeat((3 * MIB) / 12);
const TIMEOUT_MS = 180_000;

let folder: Awaited<ReturnType<typeof makeFolder>>;
let state: string;
let server: StorageProcess;
const { call, save, at } = storageCaller(() => server.url, "killed");

beforeEach(async () => {
  folder = await makeFolder();
  state = join(folder.path, "state");
  server = await startStorageProcess(state);
});

afterEach(async () => {
  await server.kill();
  await folder.remove();
});

/** MD5 of each object's content by its name, after comparing it with the hash that the storage says. */
type Contents = Record<string, string>;

async function contents(): Promise<Contents> {
  const { body } = await call("GET", "/storage/v1/b/killed/o?versions=true");
  const found: Contents = {};
  for (const { name, md5Hash } of (body.items ?? []) as { name: string; md5Hash?: string }[]) {
    const md5 = md5Of((await call("GET", at(name, "?alt=media"))).text);
    expect(md5Hash ?? md5).toBe(md5);
    found[name] = md5;
  }
  return found;
}

const md5Of = (text: string): string => createHash("md5").update(text).digest("base64");

function withHashes(texts: Record<string, string>): Contents {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, md5Of(text)]));
}

const filesIn = async (part: string): Promise<number> => (await readdir(join(state, part))).length;

async function emptyBucket(): Promise<void> {
  for (const name of Object.keys(await contents())) await call("DELETE", at(name));
  await call("POST", "/storage/v1/b?project=p", { name: "killed" });
}

interface Operation {
  readonly what: string;
  readonly before: Record<string, string>;
  readonly after: Record<string, string>;
  /** Data files that wait for the operation, beside the objects'. */
  readonly waiting: number;
  /** Makes what the operation needs beside `before`; answers what `run` must know. */
  readonly prepare: () => Promise<string>;
  readonly run: (prepared: string) => Promise<{ status: number }>;
}

const nothing = async (): Promise<string> => "";

const OPERATIONS: readonly Operation[] = [
  {
    what: "a simple upload over another object",
    before: { a: "old" },
    after: { a: LONG },
    waiting: 0,
    prepare: nothing,
    run: () => save("a", LONG),
  },
  {
    what: "the last chunk of a resumable upload",
    before: { a: "old" },
    after: { a: LONG },
    waiting: 1,
    prepare: async () => {
      const path = "/upload/storage/v1/b/killed/o?uploadType=resumable&name=a";
      const { headers } = await call("POST", path);
      const uri = new URL(headers.get("location") ?? "");
      const range = `bytes 0-${MIB - 1}/${LONG.length}`;
      await call("PUT", uri.pathname + uri.search, LONG.slice(0, MIB), { "content-range": range });
      return uri.pathname + uri.search;
    },
    run: (uri) => {
      // From the beginning: how much of a chunk outlived the kill is not this test's.
      const range = `bytes 0-${LONG.length - 1}/${LONG.length}`;
      return call("PUT", uri, LONG, { "content-range": range });
    },
  },
  {
    what: "the completion of an XML multipart upload",
    before: { a: "old" },
    after: { a: `${"p".repeat(5 * MIB)}end` },
    waiting: 2,
    prepare: async () => {
      const { text } = await call("POST", "/killed/a?uploads");
      const id = /<UploadId>(.*)<\/UploadId>/.exec(text)?.[1] ?? "";
      await call("PUT", `/killed/a?partNumber=1&uploadId=${id}`, "p".repeat(5 * MIB));
      await call("PUT", `/killed/a?partNumber=2&uploadId=${id}`, "end");
      return id;
    },
    run: (id) => {
      const part = (number: number, text: string): string =>
        `<Part><PartNumber>${number}</PartNumber><ETag>${createHash("md5").update(text).digest("hex")}</ETag></Part>`;
      const parts = part(1, "p".repeat(5 * MIB)) + part(2, "end");
      const body = `<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`;
      return call("POST", `/killed/a?uploadId=${id}`, body);
    },
  },
  {
    what: "a rewrite over another object",
    before: { a: "old", source: "new" },
    after: { a: "new", source: "new" },
    waiting: 0,
    prepare: nothing,
    run: () => call("POST", at("source", "/rewriteTo/b/killed/o/a")),
  },
  {
    what: "a compose over one of its sources",
    before: { a: "one,", b: "two" },
    after: { a: "one,two", b: "two" },
    waiting: 0,
    prepare: nothing,
    run: () => call("POST", at("a", "/compose"), { sourceObjects: [{ name: "a" }, { name: "b" }] }),
  },
  {
    what: "a compose into a new object",
    before: { a: "one,", b: "two," },
    after: { a: "one,", b: "two,", whole: "one,two,one,one,two," },
    waiting: 0,
    prepare: nothing,
    run: () =>
      call("POST", at("whole", "/compose"), {
        sourceObjects: ["a", "b", "a", "a", "b"].map((name) => ({ name })),
      }),
  },
  {
    what: "a move over another object",
    before: { a: "old", source: "new" },
    after: { a: "new" },
    waiting: 0,
    prepare: nothing,
    run: () => call("POST", at("source", "/moveTo/o/a")),
  },
  {
    what: "a delete",
    before: { a: "old", b: "kept" },
    after: { b: "kept" },
    waiting: 0,
    prepare: nothing,
    run: () => call("DELETE", at("a")),
  },
];

describe("kill -9 before each change of the disk", () => {
  it.each(OPERATIONS)(
    "in $what leaves all of it or nothing, and no data that is nobody's",
    async ({ before, after, waiting, prepare, run }) => {
      const [was, becomes] = [withHashes(before), withHashes(after)];
      let killed = 0;
      for (let step = 1; ; step++) {
        await emptyBucket();
        for (const [name, text] of Object.entries(before)) await save(name, text);
        const prepared = await prepare();
        await server.killBefore(step);

        const answer = await run(prepared).catch(() => undefined);
        const isAnswered = answer?.status === 200 || answer?.status === 204;
        expect(isAnswered || answer === undefined).toBe(true);
        await server.kill();
        server = await startStorageProcess(state);

        const found = await contents();
        const isDone = isAnswered || JSON.stringify(found) !== JSON.stringify(was);
        expect(found).toEqual(isDone ? becomes : was);
        const objects = Object.keys(found).length;
        expect(await filesIn("objects")).toBe(objects);
        expect(await filesIn("data")).toBe(objects + (isDone ? 0 : waiting));
        if (!isDone) {
          expect((await run(prepared)).status).toBeLessThan(300);
          expect(await contents()).toEqual(becomes);
        }
        if (isAnswered) break;
        killed++;
      }
      expect(killed).toBeGreaterThan(1);
    },
    TIMEOUT_MS,
  );
});
