import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { control } from "../support/emulator.ts";
import { PARENT, startLightCloud } from "../support/light-cloud.ts";
import type { LightCloud } from "../support/light-cloud.ts";
import { vertexClients } from "../support/vertex-clients.ts";
import type { VertexClients } from "../support/vertex-clients.ts";
import { waitFor } from "../support/wait-for.ts";

const SOON_MS = 30_000;

jest.setTimeout(60_000);

let cloud: LightCloud;
let clients: VertexClients;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "predictions-"));
  cloud = await startLightCloud();
  clients = vertexClients(cloud.emulator.address.grpc);
  await cloud.uploaded({ modelId: "streams", container: { predictRoute: "/stream" } });
  const env = [{ name: "LIGHT_SLOW_MS", value: "700" }];
  await cloud.uploaded({ modelId: "slow", container: { env } });
  for (const [endpoint, model] of Object.entries({ 100: "streams", 200: "slow" })) {
    await cloud.endpoint(endpoint);
    await cloud.deployed({ endpoint, model, id: "7", trafficSplit: { 0: 100 } });
  }
});

afterAll(async () => {
  await clients.close();
  await cloud.stop();
  await rm(folder, { recursive: true });
});

/** A body that lets the light server write a chunk, and the others once the gate is there. */
function streamed(name: string, chunks: readonly string[]) {
  const gate = join(folder, `${name}.gate`);
  const closed = join(folder, `${name}.closed`);
  return { gate, closed, body: JSON.stringify({ chunks, gate, closed }) };
}

async function openStream(body: string): Promise<IncomingMessage> {
  const url = `${cloud.emulator.address.rest}/v1/${PARENT}/endpoints/100:streamRawPredict`;
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method: "POST" }, resolve);
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

describe("StreamRawPredict", () => {
  it("hands a part on over REST while the container still writes", async () => {
    const { gate, body } = streamed("rest", ["first;", "second;", "third"]);
    const response = await openStream(body);
    const parts: string[] = [];

    for await (const part of response) {
      parts.push(String(part));
      if (parts.length === 1) await writeFile(gate, "");
    }

    expect(parts[0]).toBe("first;");
    expect(parts.join("")).toBe("first;second;third");
    expect(response.headers["content-type"]).toBe("text/plain");
    expect(response.headers["x-vertex-ai-deployed-model-id"]).toBe("7");
  });

  it("hands a part on over gRPC while the container still writes", async () => {
    const { gate, body } = streamed("grpc", ["first;", "second"]);
    const parts: string[] = [];

    const stream = clients.predictions.streamRawPredict({
      endpoint: `${PARENT}/endpoints/100`,
      httpBody: { contentType: "application/json", data: Buffer.from(body) },
    });
    for await (const part of stream as AsyncIterable<{ contentType: string; data: Buffer }>) {
      expect(part.contentType).toBe("text/plain");
      parts.push(part.data.toString());
      if (parts.length === 1) await writeFile(gate, "");
    }

    expect(parts.join("")).toBe("first;second");
  });

  it("ends the container's request when its caller goes away", async () => {
    const { closed, body } = streamed("left", ["first", "never"]);
    const response = await openStream(body);
    response.on("error", () => undefined);
    await new Promise((resolve) => response.once("data", resolve));

    response.destroy();

    await waitFor(
      "the end of the container's request",
      async () => (await readFile(closed).catch(() => undefined)) !== undefined,
      SOON_MS,
    );
  });

  it("refuses an endpoint that is not there, as any method does", async () => {
    const { status, body } = await cloud.call("POST", "endpoints/404:streamRawPredict", {});

    expect([status, body.error?.status]).toEqual([404, "NOT_FOUND"]);
  });
});

describe("limits", () => {
  const SHARED_BYTES = 1_500_000;
  const DEDICATED_BYTES = 10_000_000;
  const EMPTY_BODY_BYTES = JSON.stringify({ instances: [""] }).length;

  beforeAll(async () => {
    await cloud.uploaded({ modelId: "echo" });
    const dedicatedEndpointEnabled = true;
    const clientConnectionConfig = { inferenceTimeout: "0.2s" };
    await cloud.endpoint("600");
    await cloud.endpoint("700", { dedicatedEndpointEnabled });
    await cloud.endpoint("800", { dedicatedEndpointEnabled, clientConnectionConfig });
    for (const [endpoint, model] of Object.entries({ 600: "echo", 700: "echo", 800: "slow" })) {
      await cloud.deployed({ endpoint, model, trafficSplit: { 0: 100 } });
    }
  });

  /** Sends one instance that makes a request of so many bytes, to the host that serves the endpoint. */
  async function predict(endpoint: string, bytes: number): Promise<{ code: number; text: string }> {
    const { body } = await cloud.call("GET", `endpoints/${endpoint}`);
    const dns = body["dedicatedEndpointDns"] as string | undefined;
    const url = `${cloud.emulator.address.rest}/v1/${PARENT}/endpoints/${endpoint}:predict`;
    const instance = "x".repeat(Math.max(0, bytes - EMPTY_BODY_BYTES));
    return new Promise((resolve, reject) => {
      const headers = dns === undefined ? {} : { host: dns };
      const outgoing = request(url, { method: "POST", headers }, (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("end", () => resolve({ code: response.statusCode ?? 0, text }));
      });
      outgoing.on("error", reject);
      outgoing.end(JSON.stringify({ instances: [instance] }));
    });
  }

  it("let 1.4 MB through a shared endpoint and 9.9 MB through a dedicated one", async () => {
    expect((await predict("600", 1_400_000)).code).toBe(200);
    expect((await predict("700", 9_900_000)).code).toBe(200);
  });

  it.each([
    ["a shared", "600", SHARED_BYTES],
    ["a dedicated", "700", DEDICATED_BYTES],
  ])("refuse a request above those of %s endpoint", async (_what, endpoint, limit) => {
    const { code, text } = await predict(endpoint, limit + 1);

    expect(code).toBe(400);
    expect(text).toContain(`Request payload size exceeds the limit: ${limit} bytes`);
  });

  it("refuse an answer above that of a shared endpoint", async () => {
    // The answer's frame, {"predictions": [""]}, is longer than the request's.
    const { code, text } = await predict("600", SHARED_BYTES);

    expect(code).toBe(400);
    expect(text).toContain(`Response payload size exceeds the limit: ${SHARED_BYTES} bytes`);
  });

  it("end a prediction after a dedicated endpoint's own inference timeout", async () => {
    const { code, text } = await predict("800", 100);

    expect(code).toBe(504);
    expect(text).toContain("within 0.2 s");
  });
});

describe("a server that is killed", () => {
  it("answers UNAVAILABLE and comes back", async () => {
    await control(cloud.emulator.address, "POST", "faults", { method: "Predict", kill: true });

    const { status, body } = await cloud.call("POST", "endpoints/200:predict", { instances: [1] });

    expect([status, body.error?.status]).toEqual([503, "UNAVAILABLE"]);
    await waitFor(
      "a prediction of the restarted server",
      async () =>
        (await cloud.call("POST", "endpoints/200:predict", { instances: [1] })).status === 200,
      SOON_MS,
    );
  });
});

describe("UndeployModel", () => {
  it("refuses a model that has traffic beside another, and takes a split that moves it", async () => {
    const undeploy = (deployedModelId: string, trafficSplit?: Record<string, number>) =>
      cloud.call("POST", "endpoints/900:undeployModel", { deployedModelId, trafficSplit });
    await cloud.endpoint("900");
    await cloud.deployed({ endpoint: "900", model: "slow", id: "1", trafficSplit: { 0: 100 } });
    const half = { 0: 50, 1: 50 };
    await cloud.deployed({ endpoint: "900", model: "slow", id: "3", trafficSplit: half });

    const without = await undeploy("1");
    const short = await undeploy("1", { 3: 99 });
    const moved = await cloud.operation("POST", "endpoints/900:undeployModel", {
      deployedModelId: "1",
      trafficSplit: { 3: 100 },
    });
    const { body } = await cloud.call("GET", "endpoints/900");

    expect(without.body.error?.status).toBe("FAILED_PRECONDITION");
    expect(short.body.error?.status).toBe("INVALID_ARGUMENT");
    expect(moved.error).toBeUndefined();
    expect(body).toMatchObject({ deployedModels: [{ id: "3" }], trafficSplit: { 3: 100 } });
  });

  it("empties the split with the last model, though none is given", async () => {
    await cloud.operation("POST", "endpoints/900:undeployModel", { deployedModelId: "3" });

    const { body } = await cloud.call("GET", "endpoints/900");

    expect([body["deployedModels"], body["trafficSplit"]]).toEqual([undefined, undefined]);
  });

  it("lets a prediction that is under way be answered", async () => {
    const calls = join(folder, "calls");
    const env = [
      { name: "LIGHT_SLOW_MS", value: "700" },
      { name: "LIGHT_CALLS_FILE", value: calls },
    ];
    await cloud.uploaded({ modelId: "noted", container: { env } });
    await cloud.endpoint("300");
    await cloud.deployed({ endpoint: "300", model: "noted", id: "7", trafficSplit: { 0: 100 } });
    const prediction = cloud.call("POST", "endpoints/300:predict", { instances: ["kept"] });
    await waitFor(
      "the prediction's arrival at the container",
      async () => (await readFile(calls, "utf8")).includes("POST /predictions/model"),
      SOON_MS,
    );

    const undeployed = await cloud.operation("POST", "endpoints/300:undeployModel", {
      deployedModelId: "7",
    });

    expect(undeployed.error).toBeUndefined();
    expect((await prediction).body["predictions"]).toEqual(["kept"]);
  });
});

describe("no capacity", () => {
  it("fails the deploy that it is declared for, and no other region's", async () => {
    const fault = { method: "DeployModel", noCapacity: true, resource: "/endpoints/400" };
    await control(cloud.emulator.address, "POST", "faults", fault);
    await cloud.endpoint("400");
    await cloud.endpoint("500");

    const spared = await cloud.deployed({ endpoint: "500", model: "slow" });
    const failed = await cloud.deployed({ endpoint: "400", model: "slow" });

    expect(spared.error).toBeUndefined();
    expect(failed.error).toMatchObject({ code: 8 });
    expect(failed.error?.message).toContain("available in the region");
  });
});
