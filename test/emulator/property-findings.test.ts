import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { putObject } from "../support/bucket.ts";
import { control } from "../support/emulator.ts";
import { PARENT, startLightCloud } from "../support/light-cloud.ts";
import type { LightCloud } from "../support/light-cloud.ts";
import { waitForOperation } from "../support/vertex-rest.ts";
import type { RestAnswer, RestBody } from "../support/vertex-rest.ts";

/* What the property tests have found, in words: each was a sequence that they shrank. */

const RESOURCE_EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;

let cloud: LightCloud;

beforeEach(async () => {
  cloud = await startLightCloud();
});

afterEach(async () => {
  await cloud.stop();
});

/** Holds the operation that `start` begins until `meanwhile` is done; answers how it ended. */
async function during(
  method: string,
  start: () => Promise<RestAnswer>,
  meanwhile: () => Promise<unknown>,
): Promise<RestBody> {
  await control(cloud.emulator.address, "POST", "faults", { method, hold: true });
  const { body } = await start();
  await meanwhile();
  await control(cloud.emulator.address, "DELETE", "faults");
  return waitForOperation(cloud.emulator.address.rest, body.name);
}

function split(endpoint: string, trafficSplit: Record<string, number>): Promise<RestAnswer> {
  return cloud.call("PATCH", `endpoints/${endpoint}?updateMask=trafficSplit`, { trafficSplit });
}

async function versions(): Promise<RestBody["models"]> {
  return (await cloud.call("GET", "models/painter:listVersions")).body["models"];
}

describe("the etag of a model", () => {
  it("stays as it is while only another version changes", async () => {
    await cloud.uploaded({ modelId: "painter" });
    await cloud.uploaded({ parentModel: `${PARENT}/models/painter` });
    const { body: before } = await cloud.call("GET", "models/painter@1");

    await cloud.call("POST", "models/painter@2:mergeVersionAliases", { versionAliases: ["live"] });

    expect((await cloud.call("GET", "models/painter@1")).body).toEqual(before);
  });
});

describe("UploadModel", () => {
  it("gives a new version an alias once that was named twice", async () => {
    await cloud.uploaded({ modelId: "painter" });

    await cloud.uploaded({
      parentModel: `${PARENT}/models/painter`,
      model: { versionAliases: ["live", "live"] },
    });

    expect(await versions()).toMatchObject([{}, { versionAliases: ["live"] }]);
  });

  it("fails by the folder that the caller named when its archive is gone before it is copied", async () => {
    await putObject(cloud.emulator.address.rest, "light-bucket", "other/model.mar", "an archive");

    const operation = await during(
      "UploadModel",
      () => cloud.upload({ model: { artifactUri: "gs://light-bucket/other" } }),
      () =>
        fetch(`${cloud.emulator.address.rest}/storage/v1/b/light-bucket/o/other%2Fmodel.mar`, {
          method: "DELETE",
        }),
    );

    expect(operation.error).toMatchObject({
      code: FAILED_PRECONDITION,
      message: expect.stringContaining("gs://light-bucket/other"),
    });
  });
});

describe("DeleteModelVersion", () => {
  it("fails when its version has been made the default meanwhile: a model always has one", async () => {
    await cloud.uploaded({ modelId: "painter" });
    await cloud.uploaded({ parentModel: `${PARENT}/models/painter` });

    const operation = await during(
      "DeleteModelVersion",
      () => cloud.call("DELETE", "models/painter@2:deleteVersion"),
      () =>
        cloud.call("POST", "models/painter@2:mergeVersionAliases", { versionAliases: ["default"] }),
    );

    expect(operation.error?.code).toBe(FAILED_PRECONDITION);
    expect(await versions()).toMatchObject([{}, { versionAliases: ["default"] }]);
  });
});

describe("UndeployModel without a split", () => {
  beforeEach(async () => {
    await cloud.uploaded({ modelId: "painter" });
    await cloud.endpoint("100");
    await cloud.deployed({
      endpoint: "100",
      model: "painter",
      id: "1",
      trafficSplit: { "0": 100 },
    });
    for (const id of ["2", "3"]) await cloud.deployed({ endpoint: "100", model: "painter", id });
  });

  function undeployDuring(meanwhile: () => Promise<unknown>): Promise<RestBody> {
    return during(
      "UndeployModel",
      () => cloud.call("POST", "endpoints/100:undeployModel", { deployedModelId: "3" }),
      meanwhile,
    );
  }

  it("keeps the split that was set meanwhile", async () => {
    const operation = await undeployDuring(() => split("100", { "2": 100 }));

    expect(operation.error).toBeUndefined();
    const { body } = await cloud.call("GET", "endpoints/100");
    expect(body["trafficSplit"]).toEqual({ "2": 100 });
  });

  it("fails when its model has been given traffic meanwhile", async () => {
    const operation = await undeployDuring(() => split("100", { "1": 50, "3": 50 }));

    expect(operation.error?.code).toBe(FAILED_PRECONDITION);
    const { body } = await cloud.call("GET", "endpoints/100");
    expect(body["trafficSplit"]).toEqual({ "1": 50, "3": 50 });
  });
});

describe("MutateDeployedModel", () => {
  it("fails when others have taken the quota meanwhile", async () => {
    await control(cloud.emulator.address, "PUT", "quotas", { "us-central1": { NVIDIA_L4: 3 } });
    await cloud.uploaded({ modelId: "painter" });
    await cloud.endpoint("100");
    await cloud.endpoint("200");
    await cloud.deployed({ endpoint: "100", model: "painter", id: "1" });

    const operation = await during(
      "MutateDeployedModel",
      () =>
        cloud.call("POST", "endpoints/100:mutateDeployedModel", {
          deployedModel: { id: "1", dedicatedResources: { maxReplicaCount: 3 } },
          updateMask: "dedicatedResources.maxReplicaCount",
        }),
      () => cloud.deployed({ endpoint: "200", model: "painter", id: "1" }),
    );

    expect(operation.error?.code).toBe(RESOURCE_EXHAUSTED);
  });
});
