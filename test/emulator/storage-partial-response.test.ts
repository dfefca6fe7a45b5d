import { beforeAll, describe, expect, it } from "@jest/globals";

import type { JsonObject } from "../../emulator/storage/json.ts";
import { parseFields, selectFields } from "../../emulator/storage/partial-response.ts";
import { useStorageServer } from "../support/storage-scene.ts";

const server = useStorageServer("partial");
const { save } = server;

beforeAll(async () => {
  await server.makeBucket();
  for (const name of ["a", "b"]) await save(name);
});

describe("the fields parameter", () => {
  const resource: JsonObject = {
    kind: "k",
    name: "n",
    owner: { id: 1, entity: { deep: true, other: 2 } },
    items: [{ name: "a", size: "1" }, { name: "b" }, { size: "3" }],
  };

  it.each([
    { fields: "name", selected: { name: "n" } },
    { fields: "name,kind", selected: { kind: "k", name: "n" } },
    { fields: "*", selected: resource },
    { fields: "owner/entity/deep", selected: { owner: { entity: { deep: true } } } },
    { fields: "owner(id,entity/other)", selected: { owner: { id: 1, entity: { other: 2 } } } },
    { fields: "owner/*/deep", selected: { owner: { entity: { deep: true } } } },
    { fields: "items/name", selected: { items: [{ name: "a" }, { name: "b" }, {}] } },
    {
      fields: "items(name,size),nextPageToken",
      selected: { items: resource.items ?? null },
    },
    { fields: "items/name,items/size", selected: { items: resource.items ?? null } },
    { fields: "owner/id, owner", selected: { owner: resource.owner ?? null } },
    { fields: "name/inside", selected: {} },
    { fields: "unknown", selected: {} },
  ])("$fields selects that and no more", ({ fields, selected }) => {
    expect(selectFields(resource, parseFields(fields))).toEqual(selected);
  });

  it.each([
    "",
    ",",
    "a,",
    "a b",
    "a(",
    "a(b",
    "a(b))",
    "a/",
    "/a",
    "a//b",
    "(a)",
    "a()",
    "a;b",
    "a*",
  ])("is refused as %p", (fields) => {
    expect(() => parseFields(fields)).toThrow(
      expect.objectContaining({ httpStatus: 400, reason: "invalidParameter" }),
    );
  });
});

describe("partial answers of the local Cloud Storage", () => {
  it.each([
    { path: "/b?project=p&fields=items/name", body: { items: [{ name: "partial" }] } },
    { path: "/b/partial?fields=name", body: { name: "partial" } },
    { path: "/b/partial/o/a?fields=name,size", body: { name: "a", size: "7" } },
    {
      path: "/b/partial/o?maxResults=1&fields=items(name),nextPageToken",
      body: { items: [{ name: "a" }], nextPageToken: expect.any(String) },
    },
  ])("$path answers no more than was asked for", async ({ path, body }) => {
    const response = await fetch(`${server.url}/storage/v1${path}`);

    expect(await response.json()).toEqual(body);
  });

  it("are given of a new object too", async () => {
    expect((await save("new", "content", "&fields=name")).body).toEqual({ name: "new" });
  });

  it("keep a download and an error whole", async () => {
    const object = `${server.url}/storage/v1/b/partial/o`;

    expect(await (await fetch(`${object}/a?alt=media&fields=name`)).text()).toBe("content");
    expect(await (await fetch(`${object}/none?fields=name`)).json()).toHaveProperty("error.code");
  });

  it("are refused before anything is done where the selection can't be read", async () => {
    const refused = await save("never", "content", "&fields=name(");

    expect(refused.body).toMatchObject({
      error: { code: 400, errors: [{ reason: "invalidParameter" }] },
    });
    expect((await fetch(`${server.url}/storage/v1/b/partial/o/never`)).status).toBe(404);
  });
});
