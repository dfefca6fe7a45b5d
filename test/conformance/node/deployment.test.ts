/** A model's life over gRPC with @google-cloud/aiplatform, in this project's own steps. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import type { Bucket } from "@google-cloud/storage";
import { packArchive } from "./support/archive.ts";
import { storageClient, vertexClients } from "./support/clients.ts";
import type { VertexClients } from "./support/clients.ts";
import { cpuImage, parentOf, prefixOf, readTarget } from "./support/target.ts";

const target = readTarget();
const parent = parentOf(target);
const name = `${prefixOf(target)}-node`;
const endpoint = `${parent}/endpoints/${name}`;
const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const FAILED_PRECONDITION = 9;
const HOUR_MS = 3_600_000;

// A machine on Google takes a quarter of an hour; on the local Vertex AI it takes seconds.
jest.setTimeout(HOUR_MS);

let folder: string;
let bucket: Bucket;
let clients: VertexClients;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "conformance-node-"));
  clients = vertexClients(target);
  [bucket] = await storageClient(target).createBucket(`${name}-deployment`, {
    location: target.region,
  });
  await bucket.upload(await packArchive(folder), { destination: "archive/model.mar" });
});

afterAll(async () => {
  await clients.close();
  await bucket.deleteFiles();
  await bucket.delete();
  await rm(folder, { recursive: true });
});

describe("a model in the registry", () => {
  it("is uploaded under a chosen id, as version 1 with the given aliases", async () => {
    const [operation] = await clients.models.uploadModel({
      parent,
      modelId: name,
      model: {
        displayName: name,
        artifactUri: `gs://${bucket.name}/archive`,
        containerSpec: { imageUri: cpuImage(target) },
        versionAliases: ["sha-0123456789ab"],
        labels: { suite: "node" },
      },
    });

    const [uploaded] = await operation.promise();

    expect(uploaded.modelVersionId).toBe("1");
    const [model] = await clients.models.getModel({
      name: `${parent}/models/${name}@sha-0123456789ab`,
    });
    expect(model).toMatchObject({ versionId: "1", displayName: name, labels: { suite: "node" } });
    expect(model.supportedDeploymentResourcesTypes).toContain("DEDICATED_RESOURCES");
  });

  it("is found by its display name and lists its versions", async () => {
    const [models] = await clients.models.listModels({ parent, filter: `display_name="${name}"` });
    const [versions] = await clients.models.listModelVersions({
      name: `${parent}/models/${name}`,
    });

    expect(models.map((model) => model.displayName)).toEqual([name]);
    expect(versions.map((version) => version.versionId)).toEqual(["1"]);
  });

  it("takes an alias from a version and gives it back", async () => {
    const version = `${parent}/models/${name}@1`;

    const [added] = await clients.models.mergeVersionAliases({
      name: version,
      versionAliases: ["live"],
    });
    const [removed] = await clients.models.mergeVersionAliases({
      name: version,
      versionAliases: ["-live"],
    });

    expect(added.versionAliases).toContain("live");
    expect(removed.versionAliases).not.toContain("live");
  });
});

describe("an endpoint", () => {
  it("is made under a chosen id by an operation that bears its metadata", async () => {
    const [operation] = await clients.endpoints.createEndpoint({
      parent,
      endpointId: name,
      endpoint: { displayName: name, labels: { suite: "node" } },
    });

    const [made] = await operation.promise();

    expect(made).toMatchObject({ displayName: name, labels: { suite: "node" } });
    expect(made.name).toMatch(new RegExp(`/endpoints/${name}$`));
    const [read] = await clients.endpoints.getEndpoint({ name: endpoint });
    expect(read.name).toBe(made.name);
  });

  it("is followed by the name of its operation alone, as after a crash", async () => {
    const [started] = await clients.endpoints.createEndpoint({
      parent,
      endpoint: { displayName: `${name}-followed` },
    });

    const resumed = await clients.endpoints.checkCreateEndpointProgress(started.name ?? "");
    await resumed.promise();

    const made = resumed.result as { name?: string };
    expect(made.name).toMatch(/\/endpoints\/[0-9]+$/);
    const [deletion] = await clients.endpoints.deleteEndpoint({ name: made.name ?? "" });
    await deletion.promise();
  });

  it("changes the fields of the mask", async () => {
    const [changed] = await clients.endpoints.updateEndpoint({
      endpoint: { name: endpoint, description: "changed", displayName: `${name}-not-this` },
      updateMask: { paths: ["description"] },
    });

    expect(changed).toMatchObject({ description: "changed", displayName: name });
  });

  it("answers NOT_FOUND under a name that it does not have", async () => {
    const call = clients.endpoints.getEndpoint({ name: `${parent}/endpoints/123456789` });

    await expect(call).rejects.toMatchObject({ code: NOT_FOUND });
  });
});

const describeMachines = target.machines ? describe : describe.skip;

describeMachines("a deployed model", () => {
  it("reports its stages, and then serves all traffic", async () => {
    const [operation] = await clients.endpoints.deployModel({
      endpoint,
      deployedModel: {
        id: "1234567890",
        model: `${parent}/models/${name}@1`,
        displayName: name,
        dedicatedResources: {
          machineSpec: { machineType: "n1-standard-2" },
          minReplicaCount: 1,
          maxReplicaCount: 1,
        },
      },
      trafficSplit: { "0": 100 },
    });
    const [response] = await operation.promise();

    expect(response.deployedModel).toMatchObject({ id: "1234567890", modelVersionId: "1" });
    const [served] = await clients.endpoints.getEndpoint({ name: endpoint });
    expect(served.trafficSplit).toEqual({ "1234567890": 100 });
    expect(served.deployedModels?.map((model) => model.displayName)).toEqual([name]);
  });

  it("answers predictions and names itself", async () => {
    const [answer] = await clients.predictions.predict({
      endpoint,
      instances: [
        { structValue: { fields: { prompt: { stringValue: "a" } } } },
        { structValue: { fields: { prompt: { stringValue: "b" } } } },
      ],
    });

    expect(answer.deployedModelId).toBe("1234567890");
    expect(answer.modelVersionId).toBe("1");
    expect(answer.predictions).toHaveLength(2);
    expect(JSON.stringify(answer.predictions?.[1])).toContain('"stringValue":"b"');
  });

  it("answers raw bodies with raw bodies", async () => {
    const [answer] = await clients.predictions.rawPredict({
      endpoint,
      httpBody: {
        contentType: "application/json",
        data: Buffer.from('{"instances": [{"prompt": "raw"}]}'),
      },
    });

    expect(JSON.parse(Buffer.from(answer.data as Uint8Array).toString())).toEqual({
      predictions: [{ echo: { prompt: "raw" } }],
    });
  });

  it("holds its model and its endpoint", async () => {
    const codes = await Promise.all([
      clients.models.deleteModel({ name: `${parent}/models/${name}` }).then(toEnd, codeOf),
      clients.endpoints.deleteEndpoint({ name: endpoint }).then(toEnd, codeOf),
    ]);

    // HTTP 400 is what is known of the refusals, not which of its two codes.
    for (const code of codes) expect([INVALID_ARGUMENT, FAILED_PRECONDITION]).toContain(code);
  });

  it("is gone after it was undeployed", async () => {
    const [operation] = await clients.endpoints.undeployModel({
      endpoint,
      deployedModelId: "1234567890",
    });
    await operation.promise();

    const [left] = await clients.endpoints.getEndpoint({ name: endpoint });
    expect(left.deployedModels).toEqual([]);
    expect(left.trafficSplit).toEqual({});
  });
});

describe("what was made", () => {
  it("is deleted, endpoint and model", async () => {
    const codes = [
      await clients.endpoints.deleteEndpoint({ name: endpoint }).then(toEnd),
      await clients.models.deleteModel({ name: `${parent}/models/${name}` }).then(toEnd),
    ];

    expect(codes).toEqual([undefined, undefined]);
    await expect(clients.endpoints.getEndpoint({ name: endpoint })).rejects.toMatchObject({
      code: NOT_FOUND,
    });
    await expect(
      clients.models.getModel({ name: `${parent}/models/${name}` }),
    ).rejects.toMatchObject({ code: NOT_FOUND });
  });
});

/** Waits for the end of an operation; answers the code of its failure, undefined when it went well. */
async function toEnd([operation]: readonly [
  { promise(): Promise<unknown> },
  ...unknown[],
]): Promise<unknown> {
  return operation.promise().then(() => undefined, codeOf);
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}
