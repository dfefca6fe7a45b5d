import { connect } from "node:net";

import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";

import { projectNumberOf } from "../../emulator/projects.ts";
import { makeFolder, type StorageServer, startStorageServer } from "../support/storage-server.ts";

let folder: Awaited<ReturnType<typeof makeFolder>>;
let server: StorageServer;

beforeAll(async () => {
  folder = await makeFolder();
  server = await startStorageServer(folder.path, { now: () => new Date("2026-11-24T12:00:00Z") });
});

afterAll(async () => {
  await server.stop();
  await folder.remove();
});

interface Reply {
  status: number;
  body: Record<string, unknown>;
}

async function call(method: string, path: string, body?: unknown): Promise<Reply> {
  const response = await fetch(`${server.url}/storage/v1${path}`, {
    method,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? {} : JSON.parse(text) };
}

const create = (body: unknown): Promise<Reply> => call("POST", "/b?project=local-project", body);

function binding(member: string, conditional = false): Record<string, unknown> {
  const condition = { title: "t", expression: "true" };
  const role = "roles/storage.objectViewer";
  return { role, members: [member], ...(conditional ? { condition } : {}) };
}

describe("buckets of the local Cloud Storage", () => {
  it("fills in what Google fills in", async () => {
    const { status, body } = await create({ name: "defaults", location: "us-central1" });

    expect(status).toBe(200);
    expect(body).toEqual({
      kind: "storage#bucket",
      selfLink: `${server.url}/storage/v1/b/defaults`,
      id: "defaults",
      name: "defaults",
      projectNumber: projectNumberOf("local-project"),
      generation: expect.stringMatching(/^\d+$/),
      metageneration: "1",
      etag: "CAE=",
      timeCreated: "2026-11-24T12:00:00.000Z",
      updated: "2026-11-24T12:00:00.000Z",
      location: "US-CENTRAL1",
      locationType: "region",
      storageClass: "STANDARD",
      rpo: "DEFAULT",
      iamConfiguration: {
        bucketPolicyOnly: { enabled: false },
        uniformBucketLevelAccess: { enabled: false },
        publicAccessPrevention: "inherited",
      },
      softDeletePolicy: {
        retentionDurationSeconds: "604800",
        effectiveTime: "2026-11-24T12:00:00.000Z",
      },
    });
  });

  it("keeps every field that was sent", async () => {
    const sent = {
      labels: { "managed-by": "vertex-diffusion", env: "dev" },
      encryption: { defaultKmsKeyName: "projects/p/locations/l/keyRings/r/cryptoKeys/k" },
      lifecycle: {
        rule: [{ action: { type: "Delete" }, condition: { age: 3, matchesPrefix: ["a/"] } }],
      },
      versioning: { enabled: true },
      cors: [{ origin: ["*"], method: ["GET"], maxAgeSeconds: 60 }],
      website: { mainPageSuffix: "index.html" },
      autoclass: { enabled: true, terminalStorageClass: "NEARLINE" },
      storageClass: "NEARLINE",
    };

    await create({
      name: "whole",
      ...sent,
      softDeletePolicy: { retentionDurationSeconds: 0 },
      iamConfiguration: {
        uniformBucketLevelAccess: { enabled: true },
        publicAccessPrevention: "enforced",
      },
    });

    const { body } = await call("GET", "/b/whole?projection=full");
    expect(body).toMatchObject(sent);
    expect(body.softDeletePolicy).toMatchObject({ retentionDurationSeconds: "0" });
    const access = { enabled: true, lockedTime: "2027-02-22T12:00:00.000Z" };
    expect(body.iamConfiguration).toEqual({
      bucketPolicyOnly: access,
      uniformBucketLevelAccess: access,
      publicAccessPrevention: "enforced",
    });
  });

  it("merges a PATCH, deletes what is null and counts the metageneration", async () => {
    await create({ name: "patched", labels: { a: "1", b: "2" }, versioning: { enabled: true } });

    const { body } = await call("PATCH", "/b/patched", {
      labels: { a: null, c: "3" },
      location: "EU",
      lifecycle: { rule: [] },
      iamConfiguration: { uniformBucketLevelAccess: { enabled: true } },
    });

    expect(body).toMatchObject({
      labels: { b: "2", c: "3" },
      location: "US",
      versioning: { enabled: true },
      metageneration: "2",
      etag: "CAI=",
      iamConfiguration: { bucketPolicyOnly: { enabled: true } },
    });
    expect(body.labels).not.toHaveProperty("a");
    expect(body).not.toHaveProperty("lifecycle");
  });

  it("replaces the writable fields on PUT", async () => {
    await create({ name: "replaced", location: "EU", labels: { a: "1" } });

    const { body } = await call("PUT", "/b/replaced", { versioning: { enabled: true } });

    expect(body).toMatchObject({
      location: "EU",
      storageClass: "STANDARD",
      versioning: { enabled: true },
    });
    expect(body).not.toHaveProperty("labels");
  });

  it.each([
    { why: "is too short", name: "ab" },
    { why: "has upper case", name: "Bucket" },
    { why: "ends in a dash", name: "bucket-" },
    { why: "is too long", name: "a".repeat(64) },
    { why: "is an IP address", name: "192.168.5.4" },
    { why: "begins with goog", name: "goog-models" },
    { why: "contains google", name: "my-google-bucket" },
    { why: "contains a path", name: "a/../b" },
    { why: "is missing", name: undefined },
  ])("refuses a bucket name that $why", async ({ name }) => {
    const { status, body } = await create({ name });

    expect(status).toBe(400);
    expect(body).toMatchObject({
      error: { code: 400, errors: [{ domain: "global", reason: "invalid" }] },
    });
  });

  it.each([
    { what: "location", body: { location: "atlantis" } },
    { what: "storage class", body: { storageClass: "HOT" } },
    { what: "label", body: { labels: { Env: "x" } } },
  ])("refuses an unknown $what", async ({ body }) => {
    expect((await create({ name: "refused-field", ...body })).status).toBe(400);
    expect((await call("GET", "/b/refused-field")).status).toBe(404);
  });

  it("needs a project to create or list", async () => {
    expect((await call("POST", "/b", { name: "homeless" })).body).toMatchObject({
      error: { code: 400, errors: [{ reason: "required" }] },
    });
    expect((await call("GET", "/b")).status).toBe(400);
  });

  it("answers 409 for a name that is taken", async () => {
    await create({ name: "taken" });

    expect((await create({ name: "taken" })).body).toMatchObject({
      error: { code: 409, errors: [{ reason: "conflict" }] },
    });
  });

  it("answers 404 for a bucket that does not exist", async () => {
    expect(await call("GET", "/b/missing")).toEqual({
      status: 404,
      body: {
        error: {
          code: 404,
          message: "The specified bucket does not exist.",
          errors: [
            {
              message: "The specified bucket does not exist.",
              domain: "global",
              reason: "notFound",
            },
          ],
        },
      },
    });
  });

  it("refuses a change whose metageneration condition does not hold", async () => {
    await create({ name: "conditional" });

    const refused = await call("PATCH", "/b/conditional?ifMetagenerationMatch=7", {
      labels: { a: "1" },
    });

    expect(refused.status).toBe(412);
    expect((await call("GET", "/b/conditional")).body.metageneration).toBe("1");
  });

  it("keeps IAM policies and refuses one made from an old read", async () => {
    await create({ name: "policy" });
    const { body: before } = await call("GET", "/b/policy/iam");
    const bindings = [{ role: "roles/storage.objectViewer", members: ["user:a@example.com"] }];

    const { body: after } = await call("PUT", "/b/policy/iam", { bindings, etag: before.etag });
    const stale = await call("PUT", "/b/policy/iam", { bindings: [], etag: before.etag });

    expect(after).toMatchObject({ kind: "storage#policy", bindings });
    expect(stale.status).toBe(412);
    expect((await call("GET", "/b/policy/iam")).body).toEqual(after);
  });

  it.each([
    { why: "without a role", bindings: [{ members: ["user:a@b.c"] }], status: 400 },
    { why: "with a role that is none", bindings: [{ role: "viewer", members: [] }], status: 400 },
    { why: "with a member that is none", bindings: [binding("a@b.c")], status: 400 },
    { why: "with a condition of version 1", bindings: [binding("user:a@b.c", true)], status: 400 },
    { why: "that is public", bindings: [binding("allUsers")], status: 412 },
  ])("refuses an IAM policy $why", async ({ bindings, status }) => {
    await create({
      name: "bad-policy",
      iamConfiguration: {
        uniformBucketLevelAccess: { enabled: true },
        publicAccessPrevention: "enforced",
      },
    });

    expect((await call("PUT", "/b/bad-policy/iam", { bindings })).status).toBe(status);
  });

  it("keeps a conditional policy of version 3", async () => {
    await create({
      name: "conditional-policy",
      iamConfiguration: { uniformBucketLevelAccess: { enabled: true } },
    });
    const policy = { version: 3, bindings: [binding("user:a@b.c", true)] };

    const { body } = await call("PUT", "/b/conditional-policy/iam", policy);

    expect(body).toMatchObject(policy);
  });

  it("names the project's service agent by the project's number", async () => {
    expect((await call("GET", "/projects/local-project/serviceAccount")).body).toEqual({
      kind: "storage#serviceAccount",
      email_address: `service-${projectNumberOf("local-project")}@gs-project-accounts.iam.gserviceaccount.com`,
    });
  });

  it("lists a project's buckets page by page, by its id or its number", async () => {
    for (const name of ["page-a", "page-b", "page-c"]) {
      await call("POST", "/b?project=paged-project", { name });
    }

    const first = await call("GET", "/b?project=paged-project&maxResults=2");
    const second = await call(
      "GET",
      `/b?project=${projectNumberOf("paged-project")}&maxResults=2&pageToken=${String(first.body.nextPageToken)}`,
    );

    expect(first.body.items).toMatchObject([{ name: "page-a" }, { name: "page-b" }]);
    expect(second.body.items).toMatchObject([{ name: "page-c" }]);
    expect(second.body).not.toHaveProperty("nextPageToken");
  });

  it("answers what a provider asks before it deletes, then deletes", async () => {
    await create({ name: "deleted" });

    expect((await call("GET", "/b/deleted/anywhereCaches/?alt=json")).status).toBe(200);
    expect((await call("GET", "/b/deleted/o?versions=true")).body).toEqual({
      kind: "storage#objects",
    });
    expect((await call("DELETE", "/b/deleted")).status).toBe(204);
    expect((await call("DELETE", "/b/deleted")).status).toBe(404);
  });

  it("names a method that it does not serve", async () => {
    const { status, body } = await call("POST", "/b/defaults/notificationConfigs", {});

    expect(status).toBe(501);
    expect(body).toMatchObject({
      error: {
        message: expect.stringContaining("POST /storage/v1/b/defaults/notificationConfigs"),
      },
    });
  });

  it("refuses a metadata document over its limit and goes on with the connection", async () => {
    const { hostname, port, host } = new URL(server.url);
    const body = JSON.stringify({ name: "huge", labels: { a: "x".repeat(3 * 1024 * 1024) } });
    const socket = connect(Number(port), hostname);

    socket.write(
      `POST /storage/v1/b?project=p HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    socket.write(`GET /storage/v1/b/huge HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    let answers = "";
    for await (const chunk of socket) answers += String(chunk);

    expect([...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual([
      "413",
      "404",
    ]);
  });

  it.each([
    "/",
    "/_emulator/state",
    "/v1/projects/p/locations/l/models",
    "/v1beta1/projects/p",
    "/ui/x",
  ])("leaves %s to others", async (path) => {
    // The bare server answers 418 for what storage does not handle.
    expect((await fetch(`${server.url}${path}`)).status).toBe(418);
  });
});
