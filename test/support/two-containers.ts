import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { planArchive } from "../../components/archive-plan.ts";
import { runtimeByImage } from "../../emulator/runtime/runtime-by-image.ts";
import { buildArchive } from "../../providers/archive.ts";
import { PROJECT_ROOT } from "../../scripts/toolchain/project.ts";
import { putObject } from "./bucket.ts";
import { CUSTOM_IMAGE } from "./contract-server.ts";
import { IMAGE, PARENT, startLightCloud } from "./light-cloud.ts";
import type { LightCloud } from "./light-cloud.ts";
import { torchServePython } from "./torchserve-python.ts";
import { waitFor } from "./wait-for.ts";

/** A server with the demo model is ready within this, on a busy machine. */
export const START_MS = 240_000;

/** Endpoint of the model with Google's prebuilt image, and of the one with the project's own. */
export const TORCHSERVE = "100";
export const OWN_SERVER = "200";

/** One archive of the product's handler and demo model, behind an endpoint of each container. */
export interface TwoContainers {
  readonly cloud: LightCloud;
  post(endpoint: string, method: string, body: string): Promise<Response>;
  stop(): Promise<void>;
}

/** Enters a folder of its own until it is stopped: archives are built below the current one. */
export async function startTwoContainers(): Promise<TwoContainers> {
  const project = process.cwd();
  const root = realpathSync(mkdtempSync(join(tmpdir(), "two-containers-")));
  process.chdir(root);
  symlinkSync(join(PROJECT_ROOT, "handler"), "handler");
  copyFileSync(join(PROJECT_ROOT, "weights.lock.json"), "weights.lock.json");
  const python = torchServePython();
  const runtime = runtimeByImage({ python, startupTimeoutMs: START_MS });
  const cloud = await startLightCloud({ runtime, python });
  const { rest } = cloud.emulator.address;
  const sources = { handler: "handler", weights: "handler/demo-model" } as const;
  const archive = await buildArchive(planArchive(root, { ...sources, weightsIn: "archive" }), "");
  await putObject(rest, "light-bucket", "demo/model.mar", readFileSync(archive));
  const routes = { healthRoute: "/health", predictRoute: "/predict" };
  await Promise.all([
    deploy(cloud, TORCHSERVE, { imageUri: IMAGE }),
    deploy(cloud, OWN_SERVER, { imageUri: CUSTOM_IMAGE, ...routes }),
  ]);
  return {
    cloud,
    post: async (endpoint, method, body) =>
      fetch(`${rest}/v1/${PARENT}/endpoints/${endpoint}:${method}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      }),
    stop: async () => {
      await cloud.stop();
      process.chdir(project);
      rmSync(root, { recursive: true });
    },
  };
}

async function deploy(
  cloud: LightCloud,
  endpoint: string,
  container: Readonly<Record<string, unknown>>,
): Promise<void> {
  const modelId = `model-${endpoint}`;
  const model = { artifactUri: "gs://light-bucket/demo" };
  await cloud.uploaded({ modelId, container, model });
  await cloud.endpoint(endpoint);
  const { body } = await cloud.deploy({ endpoint, model: modelId, trafficSplit: { 0: 100 } });
  await waitFor(
    `The deploy of ${modelId}`,
    async () => {
      const operation = (await cloud.call("GET", `/v1/${body.name}`)).body;
      if (operation.error !== undefined) throw new Error(operation.error.message);
      return operation.done === true;
    },
    START_MS,
  );
}
