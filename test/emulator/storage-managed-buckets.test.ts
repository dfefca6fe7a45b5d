import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { makeFolder, type StorageServer, startStorageServer } from "../support/storage-server.ts";

const MANAGED = "caip-tenant-0123";
const SOURCE = { bucket: "models", prefix: "archives/1/" };
const TARGET = { bucket: MANAGED, prefix: "copies/a/" };

let folder: Awaited<ReturnType<typeof makeFolder>>;
let server: StorageServer;

beforeEach(async () => {
  folder = await makeFolder();
  server = await startStorageServer(join(folder.path, "state"));
  await call("POST", "/storage/v1/b?project=p", { name: "models" });
});

afterEach(async () => {
  await server.stop();
  await folder.remove();
});

interface Reply {
  status: number;
  text: string;
  body: Record<string, unknown>;
}

async function call(method: string, path: string, body?: unknown): Promise<Reply> {
  const response = await fetch(server.url + path, {
    method,
    body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, text, body: text.startsWith("{") ? JSON.parse(text) : {} };
}

async function save(name: string, content: string): Promise<void> {
  const path = `/upload/storage/v1/b/models/o?uploadType=media&name=${encodeURIComponent(name)}`;
  expect((await call("POST", path, content)).status).toBe(200);
}

const at = (name: string, query = ""): string =>
  `/storage/v1/b/${MANAGED}/o/${encodeURIComponent(name)}${query}`;

const namesIn = (bucket: string): string[] =>
  server.storage.objects.listObjects(bucket, "").map(({ name }) => name);

describe("buckets that Google owns", () => {
  it("hold a copy of a folder that outlives it, and share its content", async () => {
    await save("archives/1/model.mar", "content");
    await save("archives/1/weights/a", "weights");
    await save("archives/10/model.mar", "other");
    const files = join(folder.path, "state", "data");
    const before = await readdir(files);

    await server.storage.objects.copyFolder(SOURCE, TARGET);

    const copied = (await readdir(files)).filter((file) => !before.includes(file));
    const links = await Promise.all(
      copied.map(async (file) => (await stat(join(files, file))).nlink),
    );
    expect(links).toEqual([2, 2]);
    await call("DELETE", "/storage/v1/b/models/o/archives%2F1%2Fmodel.mar");
    expect(namesIn(MANAGED)).toEqual(["copies/a/model.mar", "copies/a/weights/a"]);
    expect((await call("GET", at("copies/a/model.mar", "?alt=media"))).text).toBe("content");
    expect((await call("GET", `/${MANAGED}/copies/a/model.mar`)).text).toBe("content");
    const { body } = await call("GET", `/storage/v1/b/${MANAGED}/o?prefix=copies/a/w`);
    expect(body.items).toMatchObject([{ name: "copies/a/weights/a", size: "7" }]);
  });

  it("are no project's, and their name is taken", async () => {
    await server.storage.objects.copyFolder(SOURCE, TARGET);

    expect((await call("GET", "/storage/v1/b?project=p")).body.items).toMatchObject([
      { name: "models" },
    ]);
    expect(server.storage.summary()).toEqual({ buckets: [{ name: "models", objects: 0 }] });
    expect((await call("POST", "/storage/v1/b?project=p", { name: MANAGED })).status).toBe(409);
  });

  it.each([
    { method: "GET", path: `/storage/v1/b/${MANAGED}` },
    { method: "PATCH", path: `/storage/v1/b/${MANAGED}` },
    { method: "PUT", path: `/storage/v1/b/${MANAGED}` },
    { method: "DELETE", path: `/storage/v1/b/${MANAGED}` },
    { method: "GET", path: `/storage/v1/b/${MANAGED}/iam` },
    { method: "PUT", path: `/storage/v1/b/${MANAGED}/iam` },
    { method: "POST", path: `/upload/storage/v1/b/${MANAGED}/o?uploadType=media&name=x` },
    { method: "POST", path: `/upload/storage/v1/b/${MANAGED}/o?uploadType=resumable&name=x` },
    { method: "PATCH", path: at("copies/a/f") },
    { method: "PUT", path: at("copies/a/f") },
    { method: "DELETE", path: at("copies/a/f") },
    { method: "POST", path: `${at("x")}/compose` },
    { method: "POST", path: `/storage/v1/b/models/o/f/rewriteTo/b/${MANAGED}/o/x` },
    { method: "POST", path: `/storage/v1/b/models/o/f/copyTo/b/${MANAGED}/o/x` },
    { method: "PUT", path: `/${MANAGED}/x` },
    { method: "POST", path: `/${MANAGED}/x?uploads` },
    { method: "DELETE", path: `/${MANAGED}/copies/a/f` },
  ])("refuse $method $path", async ({ method, path }) => {
    await save("archives/1/f", "content");
    await save("f", "content");
    await server.storage.objects.copyFolder(SOURCE, TARGET);

    const { status, text } = await call(method, path, method === "GET" ? undefined : "{}");

    expect(status).toBe(403);
    expect(text).toMatch(/"reason":"forbidden"|<Code>AccessDenied<\/Code>/);
    expect(namesIn(MANAGED)).toEqual(["copies/a/f"]);
  });

  it("grant a viewer's permissions, and copies into a bucket of one's own", async () => {
    await save("archives/1/f", "content");
    await server.storage.objects.copyFolder(SOURCE, TARGET);

    const asked = "permissions=storage.objects.get&permissions=storage.objects.create";
    const held = await call("GET", `/storage/v1/b/${MANAGED}/iam/testPermissions?${asked}`);
    const copied = await call("POST", `${at("copies/a/f")}/copyTo/b/models/o/back`, {});

    expect(held.body.permissions).toEqual(["storage.objects.get"]);
    expect(copied.status).toBe(200);
  });

  it("lose a folder when it is removed, once or twice, and no other", async () => {
    await save("archives/1/f", "content");
    await server.storage.objects.copyFolder(SOURCE, TARGET);
    await server.storage.objects.copyFolder(SOURCE, { ...TARGET, prefix: "copies/b/" });

    await server.storage.objects.removeFolder(TARGET);
    await server.storage.objects.removeFolder(TARGET);
    await server.storage.objects.removeFolder({ bucket: "caip-tenant-never-made", prefix: "" });

    expect(namesIn(MANAGED)).toEqual(["copies/b/f"]);
    await expect(
      server.storage.objects.removeFolder({ bucket: "models", prefix: "" }),
    ).rejects.toThrow('"models" is no managed bucket.');
    expect(namesIn("models")).toEqual(["archives/1/f"]);
  });

  it("keep nothing of a copy that is refused half way", async () => {
    await save("archives/1/a", "content");
    await save(`archives/1/${"z".repeat(1000)}`, "content");
    const files = await readdir(join(folder.path, "state", "data"));

    const copied = server.storage.objects.copyFolder(SOURCE, {
      ...TARGET,
      prefix: `${"long".repeat(20)}/`,
    });

    await expect(copied).rejects.toMatchObject({ status: "INVALID_ARGUMENT" });
    expect(namesIn(MANAGED)).toEqual([]);
    expect(await readdir(join(folder.path, "state", "data"))).toEqual(files);
  });

  it("refuse an unknown source and a target that is a project's", async () => {
    await call("POST", "/storage/v1/b?project=p", { name: "target" });

    await expect(
      server.storage.objects.copyFolder({ bucket: "nowhere", prefix: "" }, TARGET),
    ).rejects.toMatchObject({ status: "NOT_FOUND" });
    await expect(
      server.storage.objects.copyFolder(SOURCE, { bucket: "target", prefix: "" }),
    ).rejects.toMatchObject({ status: "ALREADY_EXISTS" });
  });

  it("survive a restart with what is in them", async () => {
    await save("archives/1/f", "content");
    await server.storage.objects.copyFolder(SOURCE, TARGET);
    await server.stop();

    server = await startStorageServer(join(folder.path, "state"));

    expect((await call("GET", at("copies/a/f", "?alt=media"))).text).toBe("content");
    expect((await call("DELETE", at("copies/a/f"))).status).toBe(403);
    expect(server.storage.summary()).toEqual({ buckets: [{ name: "models", objects: 1 }] });
  });

  it("give an object as a file of its own name without copying it", async () => {
    await save("archives/1/model.mar", "content");
    await server.storage.objects.copyFolder(SOURCE, TARGET);
    const file = join(folder.path, "model.mar");

    await server.storage.objects.linkObjectTo(MANAGED, "copies/a/model.mar", file);

    expect((await stat(file)).nlink).toBe(3);
    await server.storage.objects.removeFolder(TARGET);
    expect(await readFile(file, "utf8")).toBe("content");
    await expect(
      server.storage.objects.linkObjectTo("models", "archives/1/model.mar", file),
    ).rejects.toMatchObject({ code: "EEXIST" });
  });
});
