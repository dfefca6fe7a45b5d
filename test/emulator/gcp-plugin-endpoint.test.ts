import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { control } from "../support/emulator.ts";
import { GcpPlugin } from "../support/gcp-plugin.ts";
import type { PluginResource, Properties } from "../support/gcp-plugin.ts";
import { setGcpPluginScene } from "../support/gcp-plugin-scene.ts";

const scene = setGcpPluginScene();

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
    endpoint = scene.plugin.resource(TYPE);
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
    await control(scene.emulator.address, "POST", "faults", fault);

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
        trafficSplit: "",
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
      expect(await scene.send("GET", path)).toMatchObject({
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
      await scene.send("PATCH", `${path}?updateMask=displayName,labels`, {
        displayName: "by hand",
        labels: { team: "b", foreign: "x" },
      });

      const read = await endpoint.read(id, { outputs, inputs: declared });
      const diff = await endpoint.diff(id, read.outputs, declared);
      await endpoint.update(id, read.outputs, declared);

      expect(read.inputs).toMatchObject({ displayName: "by hand", labels: { team: "b" } });
      expect(diff.detailed).toEqual({ displayName: "UPDATE", "labels.team": "UPDATE" });
      expect(await scene.send("GET", path)).toMatchObject({
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
