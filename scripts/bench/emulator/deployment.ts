import { createWriteStream } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { ZipArchive } from "archiver";
import { endpointClient, modelClient, storageClient } from "../../../providers/clients.ts";
import { LOCATION, PARENT, PROJECT, requestJson } from "./subject.ts";
import type { Address, Subject } from "./subject.ts";

const NAME = "bench";

/** The endpoint that `deployHandler` makes. */
export const ENDPOINT = `${PARENT}/endpoints/${NAME}`;

const IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/pytorch-cpu.2-4:latest";
const HANDLER = join(import.meta.dirname, "sized-handler.py");
const MANIFEST = {
  createdOn: "01/01/2026 00:00:00",
  runtime: "python",
  archiverVersion: "0.12.0",
  model: { modelName: "model", handler: "handler.py", modelVersion: "1.0" },
};

/** Puts the handler behind an endpoint with all traffic, as a stack does: bucket, archive, version, deployment. */
export async function deployHandler(address: Address): Promise<void> {
  const storage = await storageClient(address, PROJECT);
  const [bucket] = await storage.createBucket(NAME);
  const folder = await mkdtemp(join(tmpdir(), "bench-archive-"));
  try {
    const archive = join(folder, "model.mar");
    await packHandler(archive);
    await bucket.upload(archive, { destination: "archive/model.mar" });
  } finally {
    await rm(folder, { recursive: true });
  }
  const models = await modelClient(address, LOCATION);
  const [uploading] = await models.uploadModel({
    parent: PARENT,
    modelId: NAME,
    model: {
      displayName: NAME,
      artifactUri: `gs://${NAME}/archive`,
      containerSpec: { imageUri: IMAGE },
    },
  });
  await uploading.promise();
  const endpoints = await endpointClient(address, LOCATION);
  const [creating] = await endpoints.createEndpoint({
    parent: PARENT,
    endpointId: NAME,
    endpoint: { displayName: NAME },
  });
  await creating.promise();
  const [deploying] = await endpoints.deployModel({
    endpoint: ENDPOINT,
    deployedModel: {
      model: `${PARENT}/models/${NAME}`,
      dedicatedResources: {
        machineSpec: { machineType: "n1-standard-2" },
        minReplicaCount: 1,
      },
    },
    trafficSplit: { "0": 100 },
  });
  await deploying.promise();
}

async function packHandler(target: string): Promise<void> {
  const zip = new ZipArchive();
  zip.file(HANDLER, { name: "handler.py" });
  zip.append(JSON.stringify(MANIFEST), { name: "MAR-INF/MANIFEST.json" });
  await Promise.all([zip.finalize(), pipeline(zip, createWriteStream(target))]);
}

/** The address of the deployed model's own TorchServe, from the configuration that the emulator wrote for it. */
export async function findTorchServe({ address, data }: Subject): Promise<string> {
  const { servers } = await requestJson<{ servers: readonly { id: string }[] }>(
    `${address.rest}/_emulator/state`,
  );
  const config = join(data, "containers", servers[0]?.id ?? "", "config.properties");
  const url = /^inference_address=(.*)$/m.exec(await readFile(config, "utf8"))?.[1];
  if (url === undefined) throw new Error(`"${config}" names no inference_address`);
  return url;
}
