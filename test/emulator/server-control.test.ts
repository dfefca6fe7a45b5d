import { request } from "node:http";
import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { makeBucket, putObject } from "../support/bucket.ts";
import { control, emulatorState, startTestEmulator } from "../support/emulator.ts";
import type { TestEmulator } from "../support/emulator.ts";
import { vertexClients } from "../support/vertex-clients.ts";
import { rest, restOperation, waitForOperation } from "../support/vertex-rest.ts";

const PARENT = "projects/local-project/locations/us-central1";
const IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.2-4:latest";
const UNAVAILABLE = 14;

// Google's clients take seconds to load on a busy machine.
jest.setTimeout(60_000);

let emulator: TestEmulator;
let base: string;

beforeEach(async () => {
  emulator = await startTestEmulator();
  base = emulator.address.rest;
});

afterEach(async () => {
  await emulator.stop();
});

async function createEndpoint(id: string) {
  return restOperation(base, "POST", `/v1/${PARENT}/endpoints?endpointId=${id}`, {
    displayName: "an endpoint",
  });
}

async function uploadModel(imageUri = IMAGE) {
  await makeBucket(base, "control-bucket");
  await putObject(base, "control-bucket", "m/model.mar", "not an archive");
  return restOperation(base, "POST", `/v1/${PARENT}/models:upload`, {
    modelId: "sd",
    model: {
      displayName: "sd",
      artifactUri: "gs://control-bucket/m",
      containerSpec: { imageUri },
    },
  });
}

function deployment(more: Record<string, unknown> = {}, resources: Record<string, unknown> = {}) {
  const machineSpec = {
    machineType: "n1-standard-8",
    acceleratorType: "NVIDIA_TESLA_T4",
    acceleratorCount: 1,
    ...more,
  };
  return {
    deployedModel: {
      id: "7",
      model: `${PARENT}/models/sd`,
      dedicatedResources: { machineSpec, minReplicaCount: 1, ...resources },
    },
    trafficSplit: { "0": 100 },
  };
}

const deployPath = `/v1/${PARENT}/endpoints/1:deployModel`;

describe("declared faults", () => {
  it("refuse as many calls as declared, over gRPC too, and then no more", async () => {
    const clients = vertexClients(emulator.address.grpc);
    await control(emulator.address, "POST", "faults", {
      method: "ModelService.GetModel",
      status: "UNAVAILABLE",
    });
    const get = () =>
      clients.models.getModel({ name: `${PARENT}/models/none` }, { retry: { retryCodes: [] } });

    const codes = [await get().catch(codeOf), await get().catch(codeOf)];
    await clients.close();

    expect(codes).toEqual([UNAVAILABLE, 5]);
  });

  it("lose the answer of a call whose work was done", async () => {
    await control(emulator.address, "POST", "faults", {
      method: "EndpointService.CreateEndpoint",
      when: "after",
      status: "UNAVAILABLE",
    });

    await expect(createEndpoint("1")).rejects.toThrow("UNAVAILABLE");

    const { operations, endpoints } = await emulatorState(emulator.address);
    await waitForOperation(base, operations[0]?.name ?? "none");
    expect([operations.length, endpoints.length]).toEqual([1, 1]);
  });

  it.each([
    { transport: "REST", method: "storage.buckets.list" },
    { transport: "gRPC", method: "EndpointService.ListEndpoints" },
  ])("reset a connection over $transport", async ({ transport, method }) => {
    await control(emulator.address, "POST", "faults", { method, reset: true });
    const clients = vertexClients(emulator.address.grpc);

    const outcome =
      transport === "REST"
        ? await fetch(`${base}/storage/v1/b?project=local-project`).catch(() => "reset")
        : await clients.endpoints
            .listEndpoints({ parent: PARENT }, { retry: { retryCodes: [] } })
            .catch((error: Error) => error.message);
    await clients.close();

    expect(outcome).toMatch(/reset|ECONNRESET|UNAVAILABLE: Connection dropped/);
  });

  it("keep an operation from ending until they are deleted", async () => {
    const { id } = (await control(emulator.address, "POST", "faults", {
      method: "EndpointService.CreateEndpoint",
      hold: true,
    })) as { id: string };
    const path = `/v1/${PARENT}/endpoints?endpointId=1`;
    const { body } = await rest(base, "POST", path, { displayName: "held" });

    const held = await rest(base, "POST", `/v1/${body.name}:wait`, { timeout: "0.2s" });
    await control(emulator.address, "DELETE", `faults?id=${id}`);
    const ended = await waitForOperation(base, body.name);

    expect([held.body.done, ended.done]).toEqual([undefined, true]);
    expect(await control(emulator.address, "GET", "faults")).toEqual({ faults: [] });
  });

  it("fail a deploy operation at the declared stage and leave nothing half made", async () => {
    await uploadModel();
    await createEndpoint("1");
    await control(emulator.address, "POST", "faults", {
      method: "DeployModel",
      stage: "ADDING_NODES_TO_CLUSTER",
      status: "RESOURCE_EXHAUSTED",
      message: "no capacity",
    });

    const operation = await restOperation(base, "POST", deployPath, deployment());

    expect(operation.error).toEqual({ code: 8, message: "no capacity" });
    expect(operation["metadata"]).toMatchObject({ deploymentStage: "FAILED_TO_DEPLOY" });
    const { endpoints, servers } = await emulatorState(emulator.address);
    expect(endpoints).toMatchObject([{ deployedModels: [], deploying: [], trafficSplit: {} }]);
    expect(servers).toEqual([]);
  });
});

describe("a held deploy operation", () => {
  async function holdDeploy() {
    await uploadModel();
    await createEndpoint("1");
    await control(emulator.address, "POST", "faults", { method: "DeployModel", hold: true });
    const { body } = await rest(base, "POST", deployPath, deployment());
    return body.name;
  }

  it.each([
    { what: "a second deploy", verb: "POST", path: deployPath, body: deployment() },
    { what: "the endpoint's deletion", verb: "DELETE", path: `/v1/${PARENT}/endpoints/1` },
    { what: "the model's deletion", verb: "DELETE", path: `/v1/${PARENT}/models/sd` },
  ])("keeps the emulator from $what", async ({ what, verb, path, body }) => {
    await holdDeploy();

    const answer = await rest(base, verb, path, body);

    const status = what === "a second deploy" ? "ALREADY_EXISTS" : "FAILED_PRECONDITION";
    expect(answer.body.error?.status).toBe(status);
  });

  it("has failed as interrupted after a restart, and the endpoint is free again", async () => {
    const name = await holdDeploy();

    await emulator.restart();
    base = emulator.address.rest;
    const { body } = await rest(base, "GET", `/v1/${name}`);
    const deletion = await restOperation(base, "DELETE", `/v1/${PARENT}/endpoints/1`);

    expect(body).toMatchObject({ done: true, error: { code: 10 } });
    expect(deletion.error).toBeUndefined();
  });
});

describe("DeployModel", () => {
  it.each([
    { problem: "a GPU that the machine does not take", more: { acceleratorType: "NVIDIA_L4" } },
    { problem: "a count that the machine does not offer", more: { acceleratorCount: 3 } },
    { problem: "an unknown machine", more: { machineType: "n9-standard-8" } },
    { problem: "a G2 machine without its GPU", more: { machineType: "g2-standard-8" } },
  ])("refuses $problem as INVALID_ARGUMENT", async ({ more }) => {
    await uploadModel();
    await createEndpoint("1");

    const { body } = await rest(base, "POST", deployPath, deployment(more));

    expect(body.error?.status).toBe("INVALID_ARGUMENT");
  });

  it.each([
    { problem: "no replica", resources: { minReplicaCount: 0 } },
    { problem: "min above max", resources: { minReplicaCount: 3, maxReplicaCount: 2 } },
    { problem: "required above min", resources: { requiredReplicaCount: 2 } },
  ])("refuses $problem as INVALID_ARGUMENT", async ({ resources }) => {
    await uploadModel();
    await createEndpoint("1");

    const { body } = await rest(base, "POST", deployPath, deployment({}, resources));

    expect(body.error?.status).toBe("INVALID_ARGUMENT");
  });

  it.each([
    { problem: "that totals 99", trafficSplit: { "0": 99 } },
    { problem: "over a model that is not there", trafficSplit: { "0": 50, "8": 50 } },
  ])("refuses a split $problem", async ({ trafficSplit }) => {
    await uploadModel();
    await createEndpoint("1");

    const { body } = await rest(base, "POST", deployPath, { ...deployment(), trafficSplit });

    expect(body.error?.status).toBe("INVALID_ARGUMENT");
  });

  it("refuses what is over a quota and names the metric", async () => {
    await uploadModel();
    await createEndpoint("1");
    await control(emulator.address, "PUT", "quotas", { "us-central1": { NVIDIA_TESLA_T4: 3 } });

    const over = deployment({}, { minReplicaCount: 1, maxReplicaCount: 4 });
    const { status, body } = await rest(base, "POST", deployPath, over);

    expect([status, body.error?.status]).toEqual([429, "RESOURCE_EXHAUSTED"]);
    expect(body.error?.message).toContain(
      "aiplatform.googleapis.com/custom_model_serving_nvidia_t4_gpus",
    );
  });

  it("fails for an image that the emulator has no server for, and names it and those that it has one for", async () => {
    await uploadModel("us-docker.pkg.dev/my-project/mine/image@sha256:0");
    await createEndpoint("1");

    const operation = await restOperation(base, "POST", deployPath, deployment());

    expect(operation.error?.message).toBe(
      'The container image "us-docker.pkg.dev/my-project/mine/image@sha256:0" could not be started: the emulator runs no foreign images, only its own stand-ins for us|europe|asia-docker.pkg.dev/vertex-ai/prediction/pytorch-{cpu|gpu}.X-Y and for this project\'s own REGISTRY/.../vertex-diffusion.',
    );
  });
});

describe("a manual clock", () => {
  it("lets an operation end only when it is moved", async () => {
    await control(emulator.address, "POST", "clock", { mode: "manual" });
    const path = `/v1/${PARENT}/endpoints?endpointId=1`;
    const { body } = await rest(base, "POST", path, { displayName: "slow" });

    const before = await rest(base, "GET", `/v1/${body.name}`);
    await control(emulator.address, "POST", "clock", { advanceMs: 300 });
    const after = await waitForOperation(base, body.name);

    expect([before.body.done, after.done]).toEqual([undefined, true]);
  });
});

describe("the request log", () => {
  it("names method, resource, outcome and caller of each Google call and of no control call", async () => {
    await emulatorState(emulator.address);
    await rest(base, "GET", `/v1/${PARENT}/endpoints/9`);

    expect(await control(emulator.address, "GET", "requests")).toEqual({
      requests: [
        {
          time: expect.stringMatching(/Z$/),
          method: "google.cloud.aiplatform.v1.EndpointService.GetEndpoint",
          resource: `${PARENT}/endpoints/9`,
          status: "NOT_FOUND",
          caller: "rest node",
          durationMs: expect.any(Number),
        },
      ],
    });
  });

  it("keeps an idle connection longer than a busy client pauses", async () => {
    const answer = await fetch(`${emulator.address.rest}/_emulator/health`);

    expect(answer.headers.get("keep-alive")).toBe("timeout=610");
  });

  it("names the client of Cloud Storage too", async () => {
    await fetch(`${base}/storage/v1/b?project=local-project`, {
      headers: { "user-agent": "a client of 2026" },
    });

    expect(await control(emulator.address, "GET", "requests")).toMatchObject({
      requests: [{ method: "storage.buckets.list", caller: "rest a client of 2026" }],
    });
  });
});

describe("a web page in this machine's browser", () => {
  /** fetch sets no Host, so the request is made by hand. */
  async function statusFor(method: string, headers: Record<string, string>): Promise<number> {
    return new Promise((resolve, reject) => {
      const url = `${emulator.address.rest}/_emulator/health`;
      const outgoing = request(url, { method, headers }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      outgoing.on("error", reject);
      outgoing.end();
    });
  }

  it.each(["POST", "PUT", "DELETE", "PATCH"])("may not %s", async (method) => {
    expect(await statusFor(method, { origin: "http://evil.example" })).toBe(403);
    expect(await statusFor(method, {})).toBe(404);
  });

  it("may not read under a name of its own that leads here", async () => {
    expect(await statusFor("GET", { host: "evil.example:8085" })).toBe(403);
  });

  it.each([
    ...["localhost:8085", "127.0.0.1:8085", "[::1]:8085", "us-central1-aiplatform.googleapis.com"],
    "100.us-central1-1.prediction.vertexai.goog",
  ])("is told from a client that calls %s", async (host) => {
    expect(await statusFor("GET", { host })).toBe(200);
  });
});

describe("POST /_emulator/reset", () => {
  it("leaves nothing", async () => {
    await uploadModel();
    await createEndpoint("1");

    await control(emulator.address, "POST", "reset");

    expect(await emulatorState(emulator.address)).toEqual({
      buckets: [],
      models: [],
      endpoints: [],
      operations: [],
      servers: [],
    });
  });
});

function codeOf(error: { code?: number }): number | undefined {
  return error.code;
}
