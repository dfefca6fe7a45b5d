import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { control, emulatorState, startTestEmulator } from "../support/emulator.ts";
import type { TestEmulator } from "../support/emulator.ts";
import { GcpPlugin } from "../support/gcp-plugin.ts";
import type { PluginResource, Properties } from "../support/gcp-plugin.ts";

const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

let emulator: TestEmulator;
let plugin: GcpPlugin;
beforeAll(async () => {
  emulator = await startTestEmulator();
  plugin = await GcpPlugin.start({
    GOOGLE_STORAGE_CUSTOM_ENDPOINT: `${emulator.address.rest}/storage/v1/`,
    GOOGLE_VERTEX_AI_CUSTOM_ENDPOINT: `${emulator.address.rest}/v1/`,
    GOOGLE_PROJECT: "local-project",
  });
  await plugin.configure();
});
afterEach(async () => {
  const { buckets, endpoints } = await emulatorState(emulator.address);
  expect({ buckets, endpoints }).toEqual({ buckets: [], endpoints: [] });
});
afterAll(async () => {
  await plugin.stop();
  await emulator.stop();
});

/** Calls the emulator as another client would. */
async function send(method: string, path: string, body?: unknown): Promise<Properties> {
  const response = await fetch(`${emulator.address.rest}${path}`, {
    method,
    ...(body !== undefined && {
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  });
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}`);
  const text = await response.text();
  return (text === "" ? {} : JSON.parse(text)) as Properties;
}

describe("gcp.storage.Bucket on the gcp plugin", () => {
  const id = "plugin-bucket";
  const path = `/storage/v1/b/${id}`;
  const declared = {
    name: id,
    location: "us-central1",
    labels: { team: "a" },
    uniformBucketLevelAccess: true,
    publicAccessPrevention: "enforced",
    softDeletePolicy: { retentionDurationSeconds: 0 },
    versioning: { enabled: true },
    lifecycleRules: [{ action: { type: "Delete" }, condition: { age: 3, matchesPrefixes: ["a"] } }],
  };
  let bucket: PluginResource;
  beforeAll(() => {
    bucket = plugin.resource("gcp:storage/bucket:Bucket");
  });

  describe("before it exists", () => {
    it("fills in the official provider's defaults", async () => {
      const { inputs, failures } = await bucket.check({ name: id, location: "EU" });

      expect(failures).toEqual({});
      expect(inputs).toEqual({
        name: id,
        location: "EU",
        forceDestroy: false,
        storageClass: "STANDARD",
      });
    });

    it("names every required input that is missing", async () => {
      const { failures } = await bucket.check({});

      expect(Object.keys(failures)).toEqual(["name", "location"]);
    });

    it("previews what is known and leaves to Google what is not", async () => {
      const { outputs } = await bucket.create({ ...declared, location: UNKNOWN }, true);

      expect(outputs).toMatchObject({
        name: id,
        location: UNKNOWN,
        url: UNKNOWN,
        project: "local-project",
        pulumiLabels: { team: "a", "goog-pulumi-provisioned": "true" },
      });
    });

    it("previews unknown labels as unknown", async () => {
      const { outputs } = await bucket.create({ ...declared, labels: { team: UNKNOWN } }, true);

      expect(outputs.effectiveLabels).toBe(UNKNOWN);
    });

    it("reads as gone", async () => {
      const read = await bucket.read(id, { outputs: declared, inputs: declared });

      expect(read.id).toBe("");
    });

    it("deletes without complaint", async () => {
      await expect(bucket.delete(id, { ...declared, forceDestroy: true })).resolves.toBeUndefined();
    });
  });

  describe("once created", () => {
    let inputs: Properties;
    let outputs: Properties;
    beforeEach(async () => {
      ({ inputs } = await bucket.check(declared));
      const created = await bucket.create(inputs);
      expect(created.id).toBe(id);
      outputs = created.outputs;
    });
    afterEach(() => bucket.delete(id, { ...outputs, forceDestroy: true }));

    it("has the outputs of @pulumi/gcp", () => {
      expect(outputs).toEqual({
        name: id,
        location: "US-CENTRAL1",
        project: "local-project",
        projectNumber: expect.any(Number),
        labels: { team: "a" },
        pulumiLabels: { team: "a", "goog-pulumi-provisioned": "true" },
        effectiveLabels: { team: "a", "goog-pulumi-provisioned": "true" },
        forceDestroy: false,
        deletionPolicy: "DELETE",
        storageClass: "STANDARD",
        uniformBucketLevelAccess: true,
        publicAccessPrevention: "enforced",
        softDeletePolicy: { retentionDurationSeconds: 0, effectiveTime: expect.any(String) },
        versioning: { enabled: true },
        hierarchicalNamespace: { enabled: false },
        lifecycleRules: [
          {
            action: { type: "Delete" },
            condition: { age: 3, matchesPrefixes: ["a"], withState: "ANY" },
          },
        ],
        rpo: expect.any(String),
        selfLink: expect.stringContaining(`/storage/v1/b/${id}`),
        url: `gs://${id}`,
        timeCreated: expect.any(String),
        updated: expect.any(String),
      });
    });

    it("differs in nothing from its own inputs", async () => {
      expect(await bucket.diff(id, outputs, inputs)).toEqual({
        changes: false,
        replaces: [],
        deleteBeforeReplace: false,
        detailed: {},
      });
    });

    it("reads back the same inputs and outputs", async () => {
      expect(await bucket.read(id, { outputs, inputs })).toEqual({ id, outputs, inputs });
    });

    it("changes labels in place and leaves labels of others", async () => {
      await send("PATCH", path, { labels: { foreign: "x" } });
      const recorded = (await bucket.read(id, { outputs, inputs })).outputs;
      const news = { ...inputs, labels: { owner: "b" } };

      const diff = await bucket.diff(id, recorded, news);
      const updated = await bucket.update(id, recorded, news);

      expect(diff).toMatchObject({
        replaces: [],
        detailed: { "labels.team": "DELETE", "labels.owner": "ADD" },
      });
      const effectiveLabels = { owner: "b", foreign: "x", "goog-pulumi-provisioned": "true" };
      expect((await send("GET", path)).labels).toEqual(effectiveLabels);
      expect(updated).toMatchObject({ labels: { owner: "b" }, effectiveLabels });
    });

    it.each([
      { change: { uniformBucketLevelAccess: false }, paths: ["uniformBucketLevelAccess"] },
      { change: { publicAccessPrevention: "inherited" }, paths: ["publicAccessPrevention"] },
      { change: { storageClass: "NEARLINE" }, paths: ["storageClass"] },
      { change: { versioning: { enabled: false } }, paths: ["versioning.enabled"] },
      { change: { lifecycleRules: [] }, paths: ["lifecycleRules"] },
      { change: { forceDestroy: true }, paths: ["forceDestroy"] },
    ])("changes $paths in place and then differs in nothing", async ({ change, paths }) => {
      const news = { ...inputs, ...change };

      const diff = await bucket.diff(id, outputs, news);
      const updated = await bucket.update(id, outputs, news);

      expect(diff.replaces).toEqual([]);
      expect(Object.keys(diff.detailed)).toEqual(paths);
      expect(await bucket.diff(id, updated, news)).toMatchObject({ changes: false });
      expect(await bucket.read(id, { outputs: updated, inputs: news })).toMatchObject({
        outputs: updated,
      });
    });

    it.each([
      { change: { location: "EU" }, path: "location", deleteFirst: true },
      { change: { location: UNKNOWN }, path: "location", deleteFirst: true },
      { change: { project: "other-project" }, path: "project", deleteFirst: true },
      { change: { name: "another-bucket" }, path: "name", deleteFirst: false },
    ])("is replaced by $change", async ({ change, path: replaced, deleteFirst }) => {
      expect(await bucket.diff(id, outputs, { ...inputs, ...change })).toEqual({
        changes: true,
        replaces: [replaced],
        deleteBeforeReplace: deleteFirst,
        detailed: { [replaced]: "UPDATE_REPLACE" },
      });
    });

    it("shows what was changed by hand, and repairs it", async () => {
      await send("PATCH", path, { labels: { team: null }, versioning: { enabled: false } });

      const read = await bucket.read(id, { outputs, inputs });
      const diff = await bucket.diff(id, read.outputs, inputs);
      const repaired = await bucket.update(id, read.outputs, inputs);

      expect(read.inputs).toMatchObject({ labels: {}, versioning: { enabled: false } });
      expect(diff.detailed).toEqual({ "labels.team": "ADD", "versioning.enabled": "UPDATE" });
      expect(await bucket.diff(id, repaired, inputs)).toMatchObject({ changes: false });
      expect(await send("GET", path)).toMatchObject({
        labels: { team: "a" },
        versioning: { enabled: true },
      });
    });

    it("leaves alone what the program says to ignore", async () => {
      const news = { ...inputs, labels: { team: "b" }, storageClass: "NEARLINE" };

      const diff = await bucket.diff(id, outputs, news, ["labels"]);

      expect(diff.detailed).toEqual({ storageClass: "UPDATE" });
    });

    it("is read by its id alone, for an import", async () => {
      const { inputs: imported } = await bucket.read(id);

      expect(imported).toMatchObject({
        name: id,
        location: "US-CENTRAL1",
        uniformBucketLevelAccess: true,
      });
    });

    it("can't be created twice", async () => {
      await expect(bucket.create(inputs)).rejects.toThrow(
        /^Could not create bucket "plugin-bucket": .*\(HTTP 409\)$/,
      );
    });

    it("is not deleted with objects in it unless forceDestroy is set", async () => {
      const upload = `/upload/storage/v1/b/${id}/o?uploadType=media&name=`;
      await send("POST", `${upload}a%2Fb%20c.txt`, "first");
      await send("POST", `${upload}a%2Fb%20c.txt`, "second version");

      await expect(bucket.delete(id, outputs)).rejects.toThrow(
        'Could not delete bucket "plugin-bucket": it is not empty. Set forceDestroy to true and run up, or remove its objects first.',
      );
      await bucket.delete(id, { ...outputs, forceDestroy: true });

      expect((await bucket.read(id, { outputs, inputs })).id).toBe("");
    });

    it("is kept by deletionPolicy PREVENT, and forgotten by ABANDON", async () => {
      await expect(bucket.delete(id, { ...outputs, deletionPolicy: "PREVENT" })).rejects.toThrow(
        'its deletionPolicy is "PREVENT"',
      );
      await bucket.delete(id, { ...outputs, deletionPolicy: "ABANDON" });

      expect((await bucket.read(id, { outputs, inputs })).id).toBe(id);
    });
  });
});

describe("gcp.vertex.AiEndpoint on the gcp plugin", () => {
  const TYPE = "gcp:vertex/aiEndpoint:AiEndpoint";
  const id = "projects/local-project/locations/us-central1/endpoints/123456";
  const path = `/v1/${id}`;
  const declared = {
    name: "123456",
    location: "us-central1",
    displayName: "endpoint",
    description: "text",
    labels: { team: "a" },
  };
  let endpoint: PluginResource;
  beforeAll(() => {
    endpoint = plugin.resource(TYPE);
  });

  it("names every required input that is missing", async () => {
    const { failures } = await endpoint.check({ trafficSplit: "half" });

    expect(Object.keys(failures)).toEqual(["name", "location", "displayName", "trafficSplit"]);
  });

  it("reads as gone, and deletes without complaint, where there is none", async () => {
    const recorded = { ...declared, project: "local-project" };

    expect((await endpoint.read(id, { outputs: recorded, inputs: declared })).id).toBe("");
    await expect(endpoint.delete(id, recorded)).resolves.toBeUndefined();
  });

  it("says why Google refused to create it", async () => {
    await expect(endpoint.create({ ...declared, name: "0123" })).rejects.toThrow(
      /^Could not create endpoint "projects\/local-project\/locations\/us-central1\/endpoints\/0123": .*\(HTTP 400\)$/s,
    );
  });

  it("says why its operation failed", async () => {
    const answers = [{ done: true, error: { code: 8, message: "no quota" }, name: "operations/1" }];
    const google = createServer((_request, response) => {
      response.end(JSON.stringify(answers.pop() ?? { name: "operations/1" }));
    });
    await new Promise<void>((resolve) => google.listen(0, "127.0.0.1", resolve));
    const { port } = google.address() as AddressInfo;
    const other = await GcpPlugin.start({
      GOOGLE_VERTEX_AI_CUSTOM_ENDPOINT: `http://127.0.0.1:${port}/v1/`,
      GOOGLE_PROJECT: "local-project",
    });
    await other.configure();

    await expect(other.resource(TYPE).create(declared)).rejects.toThrow(
      `Could not create endpoint "${id}": no quota`,
    );

    await other.stop();
    google.close();
  });

  it("is created although Google is unavailable for a moment", async () => {
    const fault = { method: "EndpointService.CreateEndpoint", status: "UNAVAILABLE", times: 2 };
    await control(emulator.address, "POST", "faults", fault);

    const { outputs } = await endpoint.create(declared);

    expect((await endpoint.read(id, { outputs, inputs: declared })).id).toBe(id);
    await endpoint.delete(id, outputs);
  });

  describe("once created", () => {
    let outputs: Properties;
    beforeEach(async () => {
      const created = await endpoint.create(declared);
      expect(created.id).toBe(id);
      outputs = created.outputs;
    });
    afterEach(() => endpoint.delete(id, outputs));

    it("has the outputs of @pulumi/gcp", () => {
      expect(outputs).toEqual({
        ...declared,
        project: "local-project",
        deletionPolicy: "DELETE",
        pulumiLabels: { team: "a", "goog-pulumi-provisioned": "true" },
        effectiveLabels: { team: "a", "goog-pulumi-provisioned": "true" },
        createTime: expect.any(String),
        updateTime: expect.any(String),
        dedicatedEndpointDns: "",
        deployedModels: [],
        etag: "",
        modelDeploymentMonitoringJob: "",
        trafficSplit: "{}",
      });
    });

    it("differs in nothing from its own inputs, and reads back the same", async () => {
      expect(await endpoint.diff(id, outputs, declared)).toMatchObject({ changes: false });
      expect(await endpoint.read(id, { outputs, inputs: declared })).toEqual({
        id,
        outputs,
        inputs: declared,
      });
    });

    it("changes names, labels and descriptions in place, and takes away what is left out", async () => {
      const { name, location } = declared;
      const news = { name, location, displayName: "new", labels: { owner: "b" } };

      const diff = await endpoint.diff(id, outputs, news);
      const updated = await endpoint.update(id, outputs, news);

      expect(diff).toMatchObject({
        replaces: [],
        detailed: {
          displayName: "UPDATE",
          description: "DELETE",
          "labels.team": "DELETE",
          "labels.owner": "ADD",
        },
      });
      expect(await send("GET", path)).toMatchObject({
        displayName: "new",
        labels: { owner: "b", "goog-pulumi-provisioned": "true" },
      });
      expect(updated).not.toHaveProperty("description");
      expect(await endpoint.diff(id, updated, news)).toMatchObject({ changes: false });
    });

    it.each([
      { change: { location: "europe-west4" }, path: "location", deleteFirst: true },
      { change: { project: "other-project" }, path: "project", deleteFirst: true },
      { change: { name: "654321" }, path: "name", deleteFirst: false },
    ])("is replaced by $change", async ({ change, path: replaced, deleteFirst }) => {
      expect(await endpoint.diff(id, outputs, { ...declared, ...change })).toEqual({
        changes: true,
        replaces: [replaced],
        deleteBeforeReplace: deleteFirst,
        detailed: { [replaced]: "UPDATE_REPLACE" },
      });
    });

    it("is replaced by a key or a network", async () => {
      const news = { ...declared, encryptionSpec: { kmsKeyName: "k" }, network: "n" };

      expect(await endpoint.diff(id, outputs, news)).toMatchObject({
        replaces: ["encryptionSpec", "network"],
        deleteBeforeReplace: true,
        detailed: { encryptionSpec: "ADD_REPLACE", network: "ADD_REPLACE" },
      });
    });

    it("shows what was changed by hand, and repairs it", async () => {
      await send("PATCH", `${path}?updateMask=displayName,labels`, {
        displayName: "by hand",
        labels: { team: "b", foreign: "x" },
      });

      const read = await endpoint.read(id, { outputs, inputs: declared });
      const diff = await endpoint.diff(id, read.outputs, declared);
      await endpoint.update(id, read.outputs, declared);

      expect(read.inputs).toMatchObject({ displayName: "by hand", labels: { team: "b" } });
      expect(diff.detailed).toEqual({ displayName: "UPDATE", "labels.team": "UPDATE" });
      expect(await send("GET", path)).toMatchObject({
        displayName: "endpoint",
        labels: { team: "a", foreign: "x" },
      });
    });

    it("is read by any form of its id, for an import", async () => {
      for (const form of [id, "local-project/us-central1/123456", "us-central1/123456"]) {
        const read = await endpoint.read(form);
        expect(read).toMatchObject({ id, inputs: { name: "123456", displayName: "endpoint" } });
      }
    });
  });
});
