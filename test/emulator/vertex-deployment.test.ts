import { mkdtemp, rm } from "node:fs/promises";
import { readFileSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { makeBucket, putObject } from "../support/bucket.ts";
import { startEmulatorProcess } from "../support/emulator-process.ts";
import type { EmulatorProcess } from "../support/emulator-process.ts";
import { emulatorState } from "../support/emulator.ts";
import { packLightArchive } from "../support/light-archive.ts";
import { torchServePython } from "../support/torchserve-python.ts";
import { vertexClients } from "../support/vertex-clients.ts";
import type { VertexClients } from "../support/vertex-clients.ts";
import { rest } from "../support/vertex-rest.ts";
import { waitFor } from "../support/wait-for.ts";

const PARENT = "projects/local-project/locations/us-central1";
const ENDPOINT = `${PARENT}/endpoints/100`;
const IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.2-4:latest";
const FAILED_PRECONDITION = 9;
const SERVER_START_MS = 120_000;

// Each deploy here starts a real TorchServe.
jest.setTimeout(SERVER_START_MS + 30_000);

let folder: string;
let emulator: EmulatorProcess;
let clients: VertexClients;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "emulator-deploy-"));
  await start();
  await makeBucket(emulator.address.rest, "deploy-bucket");
  await putObject(
    emulator.address.rest,
    "deploy-bucket",
    "light/model.mar",
    await packLightArchive(),
  );
  const broken = await packLightArchive({ failAtLoad: true });
  await putObject(emulator.address.rest, "deploy-bucket", "broken/model.mar", broken);
  await upload("light");
  await upload("broken");
  const [operation] = await clients.endpoints.createEndpoint({
    parent: PARENT,
    endpointId: "100",
    endpoint: { displayName: "an endpoint" },
  });
  await operation.promise();
});

afterAll(async () => {
  await clients.close();
  await emulator.stop("SIGTERM");
  await rm(folder, { recursive: true });
});

async function start(): Promise<void> {
  emulator = await startEmulatorProcess(join(folder, "data"), [
    "--clock",
    "fast",
    "--python",
    torchServePython(),
  ]);
  clients = vertexClients(emulator.address.grpc);
}

async function upload(modelId: string): Promise<void> {
  const [operation] = await clients.models.uploadModel({
    parent: PARENT,
    modelId,
    model: {
      displayName: `the ${modelId} model`,
      artifactUri: `gs://deploy-bucket/${modelId}`,
      containerSpec: {
        imageUri: IMAGE,
        env: [{ name: "GREETING", value: "$(AIP_MODE) of $$(ME)" }],
      },
    },
  });
  await operation.promise();
}

async function deploy(id: string, modelId: string, trafficSplit: Record<string, number>) {
  const [operation] = await clients.endpoints.deployModel({
    endpoint: ENDPOINT,
    deployedModel: {
      id,
      model: `${PARENT}/models/${modelId}@1`,
      dedicatedResources: {
        machineSpec: {
          machineType: "n1-standard-8",
          acceleratorType: "NVIDIA_TESLA_T4",
          acceleratorCount: 1,
        },
        minReplicaCount: 1,
      },
    },
    trafficSplit,
  });
  return operation;
}

async function deployAndWait(id: string, modelId: string, split: Record<string, number>) {
  const operation = await deploy(id, modelId, split);
  const [response] = await operation.promise();
  return response.deployedModel;
}

function predict(instances: readonly unknown[]) {
  return rest(emulator.address.rest, "POST", `/v1/${ENDPOINT}:predict`, { instances });
}

/** Processes of servers: those whose command line names this test's folder, and their group. */
function serverProcesses(): string[] {
  const commands = readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .map(commandLine);
  return commands.filter((command) => command.includes(folder) && !command.includes("main.ts"));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

describe("a model that is deployed on a real TorchServe", () => {
  it("answers nothing while no split gives it traffic", async () => {
    const deployed = await deployAndWait("1", "light", {});

    expect(deployed).toMatchObject({ id: "1", modelVersionId: "1" });
    expect(deployed?.model).toMatch(/\/models\/light$/);
    const { body } = await predict([{ prompt: "a" }]);
    expect(body.error?.status).toBe("FAILED_PRECONDITION");
  });

  it("answers one prediction per instance, names itself, and reads the container's variables", async () => {
    await clients.endpoints.updateEndpoint({
      endpoint: { name: ENDPOINT, trafficSplit: { "1": 100 } },
      updateMask: { paths: ["traffic_split"] },
    });

    const names = ["AIP_MODE", "AIP_ENDPOINT_ID", "AIP_DEPLOYED_MODEL_ID", "GREETING"];
    const { status, body } = await predict([{ prompt: "a", environment: names }, { prompt: "b" }]);

    expect(status).toBe(200);
    expect(body).toEqual({
      predictions: [
        {
          echo: { prompt: "a", environment: names },
          environment: {
            AIP_MODE: "PREDICTION",
            AIP_ENDPOINT_ID: "100",
            AIP_DEPLOYED_MODEL_ID: "1",
            GREETING: "PREDICTION of $(ME)",
          },
        },
        { echo: { prompt: "b" }, environment: {} },
      ],
      deployedModelId: "1",
      model: expect.stringMatching(/^projects\/[0-9]{12}\/locations\/us-central1\/models\/light$/),
      modelVersionId: "1",
      modelDisplayName: "the light model",
    });
  });

  it("answers over gRPC as well, and hands raw bodies through", async () => {
    const [predicted] = await clients.predictions.predict({
      endpoint: ENDPOINT,
      instances: [{ structValue: { fields: { prompt: { stringValue: "over gRPC" } } } }],
    });
    const [raw] = await clients.predictions.rawPredict({
      endpoint: ENDPOINT,
      httpBody: {
        contentType: "application/json",
        data: Buffer.from(JSON.stringify({ instances: [{ prompt: "raw" }] })),
      },
    });

    expect(JSON.stringify(predicted.predictions)).toContain("over gRPC");
    expect(JSON.parse(String(raw.data))).toEqual({
      predictions: [{ echo: { prompt: "raw" }, environment: {} }],
    });
  });

  it("answers the container's error with its code and body, naming no model", async () => {
    const { status, body } = await predict([{ prompt: "a", raise: "a fault in the handler" }]);

    expect([status, body.error?.status]).toEqual([503, "UNAVAILABLE"]);
    expect(body.error?.message).toContain("Prediction failed");
    expect(JSON.stringify(body)).not.toMatch(/light|deployedModelId/);
  });

  it("keeps its model and its version from deletion", async () => {
    const deletion = clients.models.deleteModel({ name: `${PARENT}/models/light` });

    await expect(deletion).rejects.toMatchObject({ code: FAILED_PRECONDITION });
    const [model] = await clients.models.getModel({ name: `${PARENT}/models/light` });
    expect(model.deployedModels?.map((one) => one.deployedModelId)).toEqual(["1"]);
  });

  it.each([
    { what: "replica counts", paths: ["max_replica_count"], refused: false },
    { what: "the machine", paths: ["machine_spec"], refused: true },
  ])("lets MutateDeployedModel change $what: refused $refused", async ({ paths, refused }) => {
    const mutation = clients.endpoints.mutateDeployedModel({
      endpoint: ENDPOINT,
      deployedModel: { id: "1", dedicatedResources: { maxReplicaCount: 2 } },
      updateMask: { paths },
    });

    const outcome = await mutation.then(
      ([operation]) => operation.promise().then(([response]) => response.deployedModel),
      (error: { code: number }) => error.code,
    );

    expect(outcome).toEqual(
      refused
        ? 3
        : expect.objectContaining({
            dedicatedResources: expect.objectContaining({ minReplicaCount: 1, maxReplicaCount: 2 }),
          }),
    );
  });
});

describe("a model whose server does not come up", () => {
  it("fails its deploy with the server's last log lines, and the model beside it still answers", async () => {
    const operation = await deploy("2", "broken", { "0": 100 });
    const failure = await operation.promise().catch((error: Error) => error);

    expect(failure).toMatchObject({ code: FAILED_PRECONDITION });
    expect(String(failure)).toMatch(/model server never became ready/);
    expect(String(failure)).toContain("the light handler was told to fail at load");
    const { body } = await rest(emulator.address.rest, "GET", `/v1/${operation.name}`);
    expect(body["metadata"]).toMatchObject({ deploymentStage: "FAILED_TO_DEPLOY" });
    expect((await predict([{ prompt: "still here" }])).status).toBe(200);
    const { endpoints } = await emulatorState(emulator.address);
    expect(endpoints).toMatchObject([
      { deployedModels: [{ id: "1" }], trafficSplit: { "1": 100 } },
    ]);
  });

  it("leaves its log for whoever looks", async () => {
    const response = await fetch(`${emulator.address.rest}/_emulator/logs/2`);

    expect(await response.text()).toContain("the light handler was told to fail at load");
  });
});

describe("the emulator killed with kill -9", () => {
  it("takes its servers along, and starts them again on the same folder, from the copied archive", async () => {
    await putObject(emulator.address.rest, "deploy-bucket", "light/model.mar", "overwritten");
    expect(serverProcesses().length).toBeGreaterThan(0);

    await clients.close();
    await emulator.stop("SIGKILL");
    await waitFor("The end of all servers", () => serverProcesses().length === 0, 30_000);

    await start();
    await waitFor(
      "The server's restart",
      async () => (await emulatorState(emulator.address)).servers[0]?.state === "READY",
      SERVER_START_MS,
    );
    expect((await predict([{ prompt: "back" }])).status).toBe(200);
  });
});

describe("UndeployModel", () => {
  it("ends the server with all its processes", async () => {
    const [operation] = await clients.endpoints.undeployModel({
      endpoint: ENDPOINT,
      deployedModelId: "1",
    });
    await operation.promise();

    const { endpoints, servers } = await emulatorState(emulator.address);
    expect(endpoints[0]).toMatchObject({ deployedModels: [], trafficSplit: {} });
    expect(servers).toEqual([]);
    await waitFor("The end of all servers", () => serverProcesses().length === 0, 30_000);
  });
});
