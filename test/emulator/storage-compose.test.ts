import { createHash } from "node:crypto";
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { beforeEach, describe, expect, it } from "@jest/globals";

import { useStorageServer } from "../support/storage-scene.ts";

const server = useStorageServer("here");
const { call, save, at, names } = server;

beforeEach(async () => {
  await server.storage.reset();
  await server.makeBucket({ location: "US" });
});

async function compose(target: string, sources: readonly string[], query = "") {
  return call("POST", at(target, `/compose${query}`), {
    sourceObjects: sources.map((name) => ({ name })),
  });
}

async function read(name: string, range?: string): Promise<string> {
  const headers: Record<string, string> = range === undefined ? {} : { range: `bytes=${range}` };
  return (await call("GET", at(name, "?alt=media"), undefined, headers)).text;
}

describe("compose", () => {
  it("composes objects in the order given, without an MD5", async () => {
    await save("1", "one,");
    await save("2", "two");

    const { body } = await call("POST", `${at("12")}/compose`, {
      sourceObjects: [{ name: "1" }, { name: "2" }],
      destination: { contentType: "a/b" },
    });

    expect(body).toMatchObject({ size: "7", componentCount: 2, contentType: "a/b" });
    expect(body).not.toHaveProperty("md5Hash");
    expect((await call("GET", at("12", "?alt=media"))).text).toBe("one,two");
  });

  it("takes null for what is not said, as Google's Python client writes it", async () => {
    await save("1", "one");

    const { status } = await call("POST", at("whole", "/compose"), {
      sourceObjects: [
        { name: "1", generation: null, objectPreconditions: { ifGenerationMatch: null } },
      ],
      destination: { cacheControl: null },
    });

    expect(status).toBe(200);
    const { body } = await call("GET", at("whole"));
    expect(body).toMatchObject({ size: "3", componentCount: 1 });
    expect(body).not.toHaveProperty("cacheControl");
  });

  it("answers the CRC32C that the same bytes have when they are sent", async () => {
    await save("1", "one,".repeat(1000));
    await save("2", "");
    await save("3", "two".repeat(77));
    const sent = await save("sent", "one,".repeat(1000) + "two".repeat(77));

    const { body } = await call("POST", at("whole", "/compose"), {
      sourceObjects: [{ name: "1" }, { name: "2" }, { name: "3" }],
    });

    expect([body.crc32c, body.size]).toEqual([sent.body.crc32c, sent.body.size]);
  });

  it("deletes the sources when it is asked to, but not what it has just made", async () => {
    await save("1", "one,");
    await save("2", "two");

    const { status } = await call("POST", at("1", "/compose"), {
      sourceObjects: [{ name: "1" }, { name: "2" }],
      deleteSourceObjects: true,
    });

    expect(status).toBe(200);
    expect(await names("")).toEqual(["1"]);
    expect((await call("GET", at("1", "?alt=media"))).text).toBe("one,two");
  });

  it.each([
    { what: "no source", sources: [] },
    { what: "33 sources", sources: Array<unknown>(33).fill({ name: "1" }) },
    { what: "a source without a name", sources: [{}] },
  ])("refuses $what", async ({ sources }) => {
    await save("1");

    const { status } = await call("POST", at("whole", "/compose"), { sourceObjects: sources });

    expect(status).toBe(400);
  });

  it("leaves no data behind when a condition fails at the end", async () => {
    await save("1", "one");
    const before = await readdir(server.dataFolder);

    const { status } = await call("POST", at("1", "/compose?ifGenerationMatch=0"), {
      sourceObjects: [{ name: "1" }],
    });

    expect(status).toBe(412);
    expect(await readdir(server.dataFolder)).toEqual(before);
  });

  it("gives the object the metadata of the destination and of no source", async () => {
    await save("1", "one");
    await call("PATCH", at("1"), { metadata: { of: "the source" } });

    const { body } = await call("POST", at("whole", "/compose"), {
      sourceObjects: [{ name: "1" }],
      destination: { contentType: "application/zip", metadata: { of: "the whole" } },
    });

    expect(body).toMatchObject({
      contentType: "application/zip",
      metadata: { of: "the whole" },
    });
  });

  it("takes a source of the generation that was asked for, and refuses another", async () => {
    const { body: first } = await save("1", "one");
    await save("1", "another");
    const ask = (source: object) =>
      call("POST", at("whole", "/compose"), { sourceObjects: [{ name: "1", ...source }] });

    const gone = await ask({ generation: first.generation });
    const changed = await ask({ objectPreconditions: { ifGenerationMatch: first.generation } });

    expect([gone.status, changed.status]).toEqual([404, 412]);
    expect(await names("")).toEqual(["1"]);
  });

  it("refuses a source that there is not", async () => {
    await save("1");

    expect((await compose("whole", ["1", "2"])).status).toBe(404);
  });

  it("keeps its content when the sources are replaced or deleted", async () => {
    await save("1", "one,");
    await save("2", "two");
    await compose("whole", ["1", "2"]);

    await save("1", "other");
    await call("DELETE", at("2"));

    expect(await read("whole")).toBe("one,two");
  });

  it("copies no bytes", async () => {
    await save("1", "one,");
    await save("2", "two");
    const before = await readdir(server.dataFolder);

    await compose("whole", ["1", "2"]);

    const after = await readdir(server.dataFolder);
    const made = after.filter((name) => !before.includes(name));
    const links = await Promise.all(
      before.map(async (name) => (await stat(join(server.dataFolder, name))).nlink),
    );
    expect(made).toHaveLength(1);
    expect(links).toEqual([2, 2]);
  });
});

describe("a composed object", () => {
  beforeEach(async () => {
    await save("1", "0123");
    await save("2", "");
    await save("3", "456");
    await save("4", "789");
    await compose("whole", ["1", "2", "3", "4"]);
  });

  it.each([
    { range: "0-", content: "0123456789" },
    { range: "2-4", content: "234" },
    { range: "4-6", content: "456" },
    { range: "3-7", content: "34567" },
    { range: "9-9", content: "9" },
    { range: "-4", content: "6789" },
  ])("answers bytes $range of its components", async ({ range, content }) => {
    expect(await read("whole", range)).toBe(content);
  });

  it("is composed with others, and with itself", async () => {
    const { body } = await compose("whole", ["whole", "1", "whole"]);

    expect(body).toMatchObject({ size: "24", componentCount: 9 });
    expect(await read("whole")).toBe("012345678901230123456789");
  });

  it("is copied, with content that outlives it", async () => {
    await call("POST", at("whole", "/rewriteTo/b/here/o/copy"));
    await call("DELETE", at("whole"));

    expect(await read("copy")).toBe("0123456789");
  });

  it("leaves no data behind when it is deleted", async () => {
    for (const name of ["1", "2", "3", "4", "whole"]) await call("DELETE", at(name));

    expect(await readdir(server.dataFolder)).toEqual([]);
  });

  it("is one file where a file is needed", async () => {
    const target = join(server.folder, "whole.bin");

    await server.storage.objects.linkObjectTo("here", "whole", target);

    expect(await readFile(target, "utf8")).toBe("0123456789");
    await rm(target);
  });

  it("may be made of more pieces than are kept open at once", async () => {
    let expected = await read("whole");
    for (let round = 0; round < 3; round += 1) {
      await compose("whole", Array<string>(6).fill("whole"));
      expected = expected.repeat(6);
    }

    expect(md5Of(await read("whole"))).toBe(md5Of(expected));
  });
});

function md5Of(text: string): string {
  return createHash("md5").update(text).digest("hex");
}
