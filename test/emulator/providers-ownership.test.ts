import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from "@jest/globals";

import * as claim from "../../providers/claim.ts";
import type { ClaimTarget } from "../../providers/claim.ts";
import * as deployment from "../../providers/deployment.ts";
import * as model from "../../providers/model.ts";
import * as upload from "../../providers/upload.ts";
import { enterArchiveSources } from "../support/archive-sources.ts";
import type { ArchiveSources } from "../support/archive-sources.ts";
import { DEPLOY_TIMEOUT_MS, changing, setDeploymentScene } from "../support/deployment-scene.ts";
import type { DeploymentScene } from "../support/deployment-scene.ts";
import { rejectionOf } from "../support/provider-emulator.ts";
import {
  ENDPOINT,
  MODEL,
  OTHER_UID,
  STACK_UID,
  deploymentInputs,
  modelInputs,
  uploadInputs,
} from "../support/provider-inputs.ts";

jest.setTimeout(DEPLOY_TIMEOUT_MS);

let scene: DeploymentScene;
let sources: ArchiveSources;
let archive: { digest: string; planPath: string };
/** Everything that stack STACK_UID has, as the local cloud and its bucket list it. */
let before: unknown;

beforeAll(async () => {
  scene = await setDeploymentScene();
  sources = enterArchiveSources();
  archive = sources.plan("one");
  await deployment.create(deploymentInputs());
  // After the rollout, which deletes archives that no version names.
  await upload.create(uploadInputs(archive));
  before = await everything();
});

afterAll(async () => {
  sources.remove();
  await scene.stop();
});

afterEach(async () => {
  expect(await everything()).toEqual(before);
});

async function everything() {
  const { models, endpoints, servers } = await scene.emulator.state();
  const [files] = await scene.storage.bucket("test-bucket").getFiles();
  return {
    models,
    endpoints,
    servers: servers.length,
    objects: files.map((file) => [file.name, file.metadata.generation]),
  };
}

/** The same stack name from another backend: the same names, another uid. */
const THEIRS = { stackUid: OTHER_UID };
const OURS = `stack ${STACK_UID} of vertex-diffusion`;

const CLAIM = { emulator: true, stackUid: OTHER_UID, project: "local-project" } as const;
const OUTPUTS = { schema: 2, pending: null, drift: null };

const DEPLOYED = {
  ...deploymentInputs(THEIRS),
  ...OUTPUTS,
  deployedModelId: "",
  versionId: "",
  tidied: true,
  heldVersions: [],
  refused: null,
  canary: null,
};

describe("a stack whose names another stack has", () => {
  it.each([
    {
      what: "an archive",
      take: () => upload.create(uploadInputs({ ...archive, ...THEIRS })),
      says: (): string =>
        `Could not upload the archive: "gs://test-bucket/archives/${archive.digest}/model.mar" belongs to ${OURS}. Delete or move it, or choose another bucketName in the stack file.`,
    },
    {
      what: "a model id",
      take: () => model.create(modelInputs(THEIRS)),
      says: (): string =>
        `Could not use model "${MODEL}": it belongs to ${OURS}. Its id is made from the stack's name: use another stack name, or delete it by hand if nobody needs it.`,
    },
    {
      what: "an endpoint id",
      take: () => deployment.create(deploymentInputs(THEIRS)),
      says: (): string =>
        `Could not use endpoint "${ENDPOINT}": it belongs to ${OURS}. Its id is made from the stack's name: use another stack name, or delete it by hand if nobody needs it.`,
    },
  ])("is refused $what, told whose it is, and has changed nothing", async ({ take, says }) => {
    await scene.emulator.calls();

    const error = await rejectionOf(take());

    expect(error.message).toBe(says());
    expect(changing(await scene.emulator.calls())).toEqual([]);
  });

  it("reads the other stack's model and endpoint as nothing of its own", async () => {
    const recorded = { ...modelInputs(THEIRS), ...OUTPUTS, versionId: "1" };

    expect(await model.read(MODEL, recorded)).toEqual({ id: "" });
    expect(await deployment.read(ENDPOINT, DEPLOYED)).toEqual({ id: "" });
  });

  it.each<{ what: string; remove: () => Promise<void> }>([
    {
      what: "archives",
      remove: () =>
        upload.remove("", {
          ...uploadInputs({ ...archive, ...THEIRS }),
          ...OUTPUTS,
          sizeBytes: 1,
          crc32c: "",
          beside: {},
        }),
    },
    {
      what: "model",
      remove: () => model.remove(MODEL, { ...modelInputs(THEIRS), ...OUTPUTS, versionId: "1" }),
    },
    { what: "deployment", remove: () => deployment.remove(ENDPOINT, DEPLOYED) },
    {
      what: "claim on archives",
      remove: removeClaim({ kind: "archives", bucket: "test-bucket", digest: "", usedBy: MODEL }),
    },
    {
      what: "claim on the model",
      remove: removeClaim({ kind: "model", modelName: MODEL, deleteTimeoutSeconds: 60 }),
    },
    {
      what: "claim on the deployment",
      remove: removeClaim({
        ...{ kind: "deployment", endpoint: ENDPOINT },
        undeployTimeoutSeconds: 60,
      }),
    },
  ])("deletes its $what without touching the other stack's", async ({ remove }) => {
    await scene.emulator.calls();

    await remove();

    expect((await scene.emulator.calls()).filter((call) => /elete|ndeploy/.test(call))).toEqual([]);
  });
});

function removeClaim(target: ClaimTarget): () => Promise<void> {
  return () => claim.remove("", { ...CLAIM, ...target });
}

describe("a model that another stack deployed on this stack's endpoint", () => {
  const theirName = "diffusion-test-ffff-sha-000000000009";

  beforeAll(async () => {
    const { ids } = await scene.endpoint();
    const [operation] = await scene.google.endpoints.deployModel({
      endpoint: ENDPOINT,
      deployedModel: {
        id: "77",
        displayName: theirName,
        model: `${MODEL}@2`,
        dedicatedResources: { machineSpec: { machineType: "n1-standard-8" }, minReplicaCount: 1 },
      },
      trafficSplit: { "0": 0, [ids[0] ?? ""]: 100 },
    });
    await operation.promise();
    before = await everything();
  });

  it("is refused by name with what is known of its stack, and stays", async () => {
    const error = await rejectionOf(deployment.create(deploymentInputs()));

    expect(error.message).toBe(
      `Could not deploy to endpoint "${ENDPOINT}": "${theirName}" (77) was deployed there by another stack of vertex-diffusion (its uid begins with ffff). Undeploy it by hand, then run "up" again.`,
    );
  });

  it("stays, with all traffic, when this stack's deployment is deleted", async () => {
    await deployment.remove(ENDPOINT, { ...DEPLOYED, stackUid: STACK_UID });

    expect(await scene.endpoint()).toEqual({
      displayNames: [theirName],
      ids: ["77"],
      trafficSplit: { "77": 100 },
    });
    before = await everything();
  });
});
