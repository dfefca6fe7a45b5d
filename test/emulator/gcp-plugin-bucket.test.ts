import { afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import type { PluginResource, Properties } from "../support/gcp-plugin.ts";
import { UNKNOWN, setGcpPluginScene } from "../support/gcp-plugin-scene.ts";

const scene = setGcpPluginScene();

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
    bucket = scene.plugin.resource("gcp:storage/bucket:Bucket");
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
      await scene.send("PATCH", path, { labels: { foreign: "x" } });
      const recorded = (await bucket.read(id, { outputs, inputs })).outputs;
      const news = { ...inputs, labels: { owner: "b" } };

      const diff = await bucket.diff(id, recorded, news);
      const updated = await bucket.update(id, recorded, news);

      expect(diff).toMatchObject({
        replaces: [],
        detailed: { "labels.team": "DELETE", "labels.owner": "ADD" },
      });
      const effectiveLabels = { owner: "b", foreign: "x", "goog-pulumi-provisioned": "true" };
      expect((await scene.send("GET", path)).labels).toEqual(effectiveLabels);
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
      await scene.send("PATCH", path, { labels: { team: null }, versioning: { enabled: false } });

      const read = await bucket.read(id, { outputs, inputs });
      const diff = await bucket.diff(id, read.outputs, inputs);
      const repaired = await bucket.update(id, read.outputs, inputs);

      expect(read.inputs).toMatchObject({ labels: {}, versioning: { enabled: false } });
      expect(diff.detailed).toEqual({ "labels.team": "ADD", "versioning.enabled": "UPDATE" });
      expect(await bucket.diff(id, repaired, inputs)).toMatchObject({ changes: false });
      expect(await scene.send("GET", path)).toMatchObject({
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
      await scene.send("POST", `${upload}a%2Fb%20c.txt`, "first");
      await scene.send("POST", `${upload}a%2Fb%20c.txt`, "second version");

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
