import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { CUSTOM_IMAGE, contractServer } from "../support/contract-server.ts";
import { PARENT, startLightCloud } from "../support/light-cloud.ts";
import type { LightCloud } from "../support/light-cloud.ts";
import { vertexClients } from "../support/vertex-clients.ts";
import type { VertexClients } from "../support/vertex-clients.ts";
import type { RestBody } from "../support/vertex-rest.ts";
import { waitFor } from "../support/wait-for.ts";

jest.setTimeout(60_000);

const SOON_MS = 20_000;
const ROUTES = { healthRoute: "/health", predictRoute: "/generate" };

let cloud: LightCloud;
let clients: VertexClients;
let root: string;
let folders = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "custom-container-"));
  cloud = await startLightCloud({ runtime: contractServer });
  clients = vertexClients(cloud.emulator.address.grpc);
});

afterAll(async () => {
  await clients.close();
  await cloud.stop();
  await rm(root, { recursive: true });
});

interface Deployed {
  /** Of the endpoint. */
  readonly id: string;
  readonly operation: RestBody;
  /** A file of the contract server's. */
  file(name: string): string;
  variables(): Promise<Record<string, string>>;
}

/** Deploys a model with the project's own image, as "7" on an endpoint of its own. */
async function deploy(
  container: Readonly<Record<string, unknown>> = ROUTES,
  switches: Readonly<Record<string, string>> = {},
  model: Readonly<Record<string, unknown>> = {},
): Promise<Deployed> {
  folders += 1;
  const id = String(100 + folders);
  const folder = await mkdtemp(join(root, "files-"));
  const { env = [], ...rest } = container;
  const switched = Object.entries({ ...switches, CONTRACT_FILES: folder });
  await cloud.uploaded({
    modelId: `model-${id}`,
    container: {
      imageUri: CUSTOM_IMAGE,
      ...rest,
      env: [...(env as unknown[]), ...switched.map(([name, value]) => ({ name, value }))],
    },
    model,
  });
  await cloud.endpoint(id);
  const deployed = { endpoint: id, model: `model-${id}`, id: "7", trafficSplit: { 0: 100 } };
  const operation = await cloud.deployed(deployed);
  return {
    id,
    operation,
    file: (name) => join(folder, name),
    variables: async () => {
      const [prediction] = await predict(id, { instances: ["environment"] });
      return prediction?.["instance"] as Record<string, string>;
    },
  };
}

async function predict(endpoint: string, body: unknown): Promise<Record<string, unknown>[]> {
  const answer = await cloud.call("POST", `endpoints/${endpoint}:predict`, body);
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return answer.body["predictions"] as Record<string, unknown>[];
}

/** A request with a body as it is. */
async function post(endpoint: string, method: string, contentType: string, body: string) {
  return fetch(`${cloud.emulator.address.rest}/v1/${PARENT}/endpoints/${endpoint}:${method}`, {
    method: "POST",
    headers: { "content-type": contentType },
    body,
  });
}

describe("the project's own container", () => {
  it("has the contract's variables, and a port of its own where each container would have the declared one", async () => {
    const ports = [{ containerPort: 7080 }];
    const env = [{ name: "DECLARED_PORT", value: "$(AIP_HTTP_PORT)" }];
    const one = await deploy({ ...ROUTES, ports, env });
    const two = await deploy({ ...ROUTES, ports, env });

    const [first, second] = [await one.variables(), await two.variables()];

    expect(first).toMatchObject({
      AIP_HEALTH_ROUTE: "/health",
      AIP_PREDICT_ROUTE: "/generate",
      AIP_STORAGE_URI: expect.stringMatching(/^gs:\/\/caip-tenant-local\/.+/) as unknown,
      AIP_MODE: "PREDICTION",
      AIP_FRAMEWORK: "CUSTOM_CONTAINER",
      AIP_ENDPOINT_ID: one.id,
      AIP_DEPLOYED_MODEL_ID: "7",
      STORAGE_EMULATOR_HOST: cloud.emulator.address.rest,
      DECLARED_PORT: "7080",
    });
    expect(first["AIP_HTTP_PORT"]).toMatch(/^\d+$/);
    expect(first["AIP_HTTP_PORT"]).not.toBe("7080");
    expect(second["AIP_HTTP_PORT"]).not.toBe(first["AIP_HTTP_PORT"]);
  });

  it("is asked at the contract's own routes when its model names none", async () => {
    const { id, operation, variables } = await deploy({});

    const route = `/v1/endpoints/${id}/deployedModels/7`;
    expect(operation.error).toBeUndefined();
    expect(await variables()).toMatchObject({
      AIP_HEALTH_ROUTE: route,
      AIP_PREDICT_ROUTE: `${route}:predict`,
    });
  });

  it("needs no artifacts", async () => {
    const { operation, variables } = await deploy(ROUTES, {}, { artifactUri: "" });

    expect(operation.error).toBeUndefined();
    expect(await variables()).toMatchObject({ AIP_STORAGE_URI: "" });
  });

  it("fails its deploy when its health route never answers well", async () => {
    const { operation } = await deploy(
      { ...ROUTES, deploymentTimeout: "1.5s" },
      { CONTRACT_SICK: "yes" },
    );

    expect(operation.error).toMatchObject({ code: 9 });
    expect(operation.error?.message).toContain(
      "Error: model server never became ready: the model did not answer within 1.5 s. Please validate that your model file or container configuration are valid.",
    );
  });

  it("fails its deploy when it ends twice, with what it said", async () => {
    const { operation } = await deploy(ROUTES, { CONTRACT_FAILS: "yes" });

    expect(operation.error?.message).toMatch(
      /model server never became ready: its process ended\.[^]*the contract server was told to fail/,
    );
  });
});

describe("a request to the project's own container", () => {
  let endpoint: Deployed;

  beforeAll(async () => {
    endpoint = await deploy();
  });

  it("brings instances and parameters by Predict", async () => {
    const body = { instances: [{ prompt: "a" }, "b"], parameters: { steps: 2 } };

    expect(await predict(endpoint.id, body)).toEqual([
      { instance: { prompt: "a" }, parameters: { steps: 2 } },
      { instance: "b", parameters: { steps: 2 } },
    ]);
    expect(await predict(endpoint.id, { instances: ["b"] })).toEqual([
      { instance: "b", parameters: null },
    ]);
  });

  it("brings any body by RawPredict, and its answer is the container's", async () => {
    const answer = await post(endpoint.id, "rawPredict", "image/x-own", "\u0001 not JSON {");

    expect(answer.headers.get("content-type")).toBe("image/x-own");
    expect(await answer.text()).toBe("\u0001 not JSON {");
  });

  it("is answered event by event by StreamRawPredict, over REST and over gRPC", async () => {
    const body = JSON.stringify({ events: ["step 1", "step 2", "picture"] });
    const whole = "data: step 1\n\ndata: step 2\n\ndata: picture\n\n";

    const answer = await post(endpoint.id, "streamRawPredict", "application/json", body);
    const overRest: string[] = [];
    for await (const part of answer.body as unknown as AsyncIterable<Uint8Array>) {
      overRest.push(Buffer.from(part).toString());
      // The server writes the others only after this one has come.
      if (overRest.length === 1) await writeFile(endpoint.file("gate"), "");
    }
    await rm(endpoint.file("gate"));
    const stream = clients.predictions.streamRawPredict({
      endpoint: `${PARENT}/endpoints/${endpoint.id}`,
      httpBody: { contentType: "application/json", data: Buffer.from(body) },
    });
    const overGrpc: string[] = [];
    for await (const part of stream as AsyncIterable<{ data: Buffer }>) {
      overGrpc.push(part.data.toString());
      if (overGrpc.length === 1) await writeFile(endpoint.file("gate"), "");
    }

    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    expect([overRest[0], overRest.join("")]).toEqual(["data: step 1\n\n", whole]);
    expect([overGrpc[0], overGrpc.join("")]).toEqual(["data: step 1\n\n", whole]);
  });
});

describe("UndeployModel of the project's own container", () => {
  it("sends SIGTERM while a prediction is under way, which is answered before the server ends by itself", async () => {
    const { id, file } = await deploy();
    const isThere = (name: string) =>
      waitFor(`The file "${name}"`, () => existsSync(file(name)), SOON_MS);

    const prediction = predict(id, { instances: ["gated"] });
    await isThere("called");
    const undeployed = cloud.operation("POST", `endpoints/${id}:undeployModel`, {
      deployedModelId: "7",
    });
    await isThere("told");
    await writeFile(file("gate"), "");

    expect(await prediction).toEqual([{ instance: "gated", parameters: null }]);
    expect((await undeployed).error).toBeUndefined();
    expect(existsSync(file("ended"))).toBe(true);
  });
});
