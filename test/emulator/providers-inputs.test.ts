import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";

import type { protos } from "@google-cloud/aiplatform";

import type { Effect } from "../../providers/changes.ts";
import * as claim from "../../providers/claim.ts";
import type { ClaimInputs } from "../../providers/claim.ts";
import * as deployment from "../../providers/deployment.ts";
import type { ModelDeploymentInputs, ModelDeploymentOutputs } from "../../providers/deployment.ts";
import * as model from "../../providers/model.ts";
import type { VertexModelInputs, VertexModelOutputs } from "../../providers/model.ts";
import * as upload from "../../providers/upload.ts";
import type { ArchiveUploadInputs, ArchiveUploadOutputs } from "../../providers/upload.ts";
import { enterArchiveSources } from "../support/archive-sources.ts";
import type { ArchiveSources } from "../support/archive-sources.ts";
import { makeBucket } from "../support/bucket.ts";
import { ALIASES, DEPLOY_TIMEOUT_MS, setDeploymentScene } from "../support/deployment-scene.ts";
import type { DeploymentScene } from "../support/deployment-scene.ts";
import { EFFECT_ROWS } from "../support/effect-tables.ts";
import {
  ENDPOINT,
  MODEL,
  STACK_UID,
  deploymentInputs,
  modelInputs,
  uploadInputs,
} from "../support/provider-inputs.ts";
import { SmallEngine } from "../support/small-engine.ts";
import type { Reconciler } from "../support/small-engine.ts";
import { rest } from "../support/vertex-rest.ts";

jest.setTimeout(2 * DEPLOY_TIMEOUT_MS);

type IDeployedModel = protos.google.cloud.aiplatform.v1.IDeployedModel;

/** A changed input, with what has to change with it, and what is to be seen afterwards where it acts. */
interface Row<Inputs> {
  readonly input: string;
  readonly change: Partial<Inputs>;
  readonly seen: () => Promise<unknown>;
  readonly value: unknown;
}

let scene: DeploymentScene;

beforeAll(async () => {
  scene = await setDeploymentScene();
  // Old and new side by side, with all their replicas.
  await scene.emulator.setQuotas({
    "us-central1": { NVIDIA_TESLA_T4: null, NVIDIA_TESLA_V100: null },
  });
  await scene.addVersion("four", "sha-000000000004", {});
  await makeBucket(scene.emulator.rest, "other-bucket");
  const metadata = { metadata: { "vertex-diffusion-stack": STACK_UID } };
  for (const digest of ["one", "left-over"]) {
    const archive = scene.storage.bucket("other-bucket").file(`archives/${digest}/model.mar`);
    await archive.save("an archive", { resumable: false, metadata });
  }
});

afterAll(async () => {
  await scene.stop();
});

/**
 * Plays the rows one after the other on one resource: each `up` changes it once, and the next finds nothing to do. `elsewhere`:
 * inputs that another file proves.
 */
function playRows<Inputs extends object, Outputs extends Inputs>(
  resource: string,
  reconciler: Reconciler<Inputs, Outputs>,
  first: () => Inputs,
  makeRows: (recorded: () => Outputs) => readonly Row<Inputs>[],
  elsewhere: readonly string[] = [],
): void {
  const engine = new SmallEngine(reconciler);
  const rows = makeRows(() => engine.recorded);
  let wanted: Inputs;

  describe(`${resource}, over the wire`, () => {
    beforeAll(async () => {
      wanted = first();
      expect(await engine.up(wanted)).toBe("created");
      expect(await engine.up(wanted)).toBe("same");
    });

    afterAll(async () => {
      expect(await engine.destroy()).toBe("deleted");
    });

    it.each(rows)("brings a changed $input to where it acts", async ({ change, seen, value }) => {
      wanted = { ...wanted, ...change };

      expect(await engine.up(wanted)).toBe("updated");
      expect(await seen()).toEqual(value);
      expect(await engine.up(wanted)).toBe("same");
      expect(engine.recorded).toMatchObject(wanted);
    });

    it("leaves out no input that changes in place", () => {
      const inputs = rows.map(({ input }) => input);

      expect([...inputs, ...elsewhere].sort()).toEqual(changingInputs(resource).sort());
    });
  });
}

function changingInputs(resource: string): string[] {
  const rows = EFFECT_ROWS.filter((row) => row.resource === resource);
  const isChange = (effect: Effect) => effect === "update" || effect === "record";
  return rows.filter(({ effect }) => isChange(effect)).map(({ input }) => input);
}

function recordedRow<Inputs, Key extends keyof Inputs & string>(
  recorded: () => Inputs,
  input: Key,
  value: Inputs[Key],
): Row<Inputs> {
  const change = { [input]: value } as unknown as Partial<Inputs>;
  return { input, change, seen: async () => recorded()[input], value };
}

describe("ArchiveUpload, over the wire", () => {
  let sources: ArchiveSources;

  beforeAll(() => {
    sources = enterArchiveSources();
  });

  afterAll(() => {
    sources.remove();
  });

  it("brings a changed digest to where it acts", async () => {
    const engine = new SmallEngine<ArchiveUploadInputs, ArchiveUploadOutputs>(upload);
    await engine.up(uploadInputs(sources.plan("one")));
    const two = uploadInputs(sources.plan("two"));

    expect(await engine.up(two)).toBe("updated");
    expect(await archiveNames("test-bucket")).toContain(`archives/${two.digest}/model.mar`);
    expect(await engine.up(two)).toBe("same");
    expect(engine.recorded).toMatchObject(two);
  });

  it("leaves out no input that changes in place", () => {
    expect(changingInputs("ArchiveUpload")).toEqual(["digest"]);
  });
});

async function deployed(): Promise<IDeployedModel> {
  const [endpoint] = await scene.google.endpoints.getEndpoint({ name: ENDPOINT });
  const [first] = endpoint.deployedModels ?? [];
  if (first === undefined) throw new Error("nothing is deployed");
  return first;
}

async function resources() {
  return (await deployed()).dedicatedResources;
}

async function versionNumbers(): Promise<string[]> {
  return Object.keys(await scene.versions());
}

async function archiveNames(bucket: string): Promise<string[]> {
  const [files] = await scene.storage.bucket(bucket).getFiles();
  return files.map((file) => file.name);
}

const DUTY_CYCLE = "aiplatform.googleapis.com/prediction/online/accelerator/duty_cycle";

playRows<ModelDeploymentInputs, ModelDeploymentOutputs>(
  "ModelDeployment",
  deployment,
  () => deploymentInputs({ keepVersions: 9 }),
  (recorded) => [
    {
      input: "versionAlias",
      change: { versionAlias: ALIASES.two, declaredAlias: ALIASES.two },
      seen: async () => (await deployed()).displayName,
      value: `diffusion-test-0a1b-${ALIASES.two}`,
    },
    {
      input: "machineType",
      change: { machineType: "n1-standard-16" },
      seen: async () => (await resources())?.machineSpec?.machineType,
      value: "n1-standard-16",
    },
    {
      input: "acceleratorCount",
      change: { acceleratorCount: 2 },
      seen: async () => (await resources())?.machineSpec?.acceleratorCount,
      value: 2,
    },
    {
      input: "acceleratorType",
      change: { acceleratorType: "NVIDIA_TESLA_V100" },
      seen: async () => (await resources())?.machineSpec?.acceleratorType,
      value: "NVIDIA_TESLA_V100",
    },
    {
      input: "maxReplicas",
      change: { maxReplicas: 3 },
      seen: async () => (await resources())?.maxReplicaCount,
      value: 3,
    },
    {
      input: "minReplicas",
      change: { minReplicas: 2 },
      seen: async () => (await resources())?.minReplicaCount,
      value: 2,
    },
    {
      input: "autoscaling",
      change: { autoscaling: [{ metricName: DUTY_CYCLE, target: 60 }] },
      seen: async () =>
        (await resources())?.autoscalingMetricSpecs?.map(({ metricName, target }) => ({
          metricName,
          target,
        })),
      value: [{ metricName: DUTY_CYCLE, target: 60 }],
    },
    {
      input: "spot",
      change: { spot: true },
      seen: async () => (await resources())?.spot,
      value: true,
    },
    {
      input: "serviceAccount",
      change: { serviceAccount: "sd@local-project.iam.gserviceaccount.com" },
      seen: async () => (await deployed()).serviceAccount,
      value: "sd@local-project.iam.gserviceaccount.com",
    },
    {
      input: "canaryPercent",
      change: { canaryPercent: 20, versionAlias: ALIASES.one, declaredAlias: ALIASES.one },
      seen: async () => Object.values((await scene.endpoint()).trafficSplit).sort(),
      value: [20, 80],
    },
    {
      // Versions 2 and 4 stay: declared the one, the newest the other.
      input: "keepVersions",
      change: { canaryPercent: null, declaredAlias: ALIASES.two, keepVersions: 1 },
      seen: versionNumbers,
      value: ["1", "2", "4"],
    },
    {
      input: "declaredAlias",
      change: { declaredAlias: ALIASES.one },
      seen: versionNumbers,
      value: ["1", "4"],
    },
    {
      input: "bucket",
      change: { bucket: "other-bucket" },
      seen: () => archiveNames("other-bucket"),
      value: ["archives/one/model.mar"],
    },
    recordedRow<ModelDeploymentInputs, "undeployTimeoutSeconds">(
      recorded,
      "undeployTimeoutSeconds",
      7,
    ),
  ],
);

playRows<VertexModelInputs, VertexModelOutputs>("VertexModel", model, modelInputs, (recorded) => [
  {
    input: "displayName",
    change: { displayName: "Posters" },
    seen: async () => (await registered()).displayName,
    value: "Posters",
  },
  {
    input: "description",
    change: { description: "Draws posters." },
    seen: async () => (await registered()).description,
    value: "Draws posters.",
  },
  {
    input: "versionAlias",
    change: { versionAlias: "sha-000000000005" },
    seen: async () => (await registered("sha-000000000005")).versionId,
    value: "5",
  },
  {
    input: "labels",
    change: { labels: { team: "posters" } },
    seen: async () => (await registered("sha-000000000005")).labels,
    value: {
      team: "posters",
      "managed-by": "vertex-diffusion",
      "vertex-diffusion-stack": STACK_UID,
    },
  },
  {
    input: "servingSpec",
    change: {
      servingSpec: {
        ...modelInputs().servingSpec,
        predictRoute: "/environment",
        env: { STEPS: "20" },
      },
      versionAlias: "sha-000000000006",
    },
    seen: async () => (await serverVariablesOf("sha-000000000006"))["STEPS"],
    value: "20",
  },
  recordedRow<VertexModelInputs, "deleteTimeoutSeconds">(recorded, "deleteTimeoutSeconds", 7),
]);

async function registered(alias = "default") {
  return (await scene.google.models.getModel({ name: `${MODEL}@${alias}` }))[0];
}

/** Variables of a model server that serves the version, deployed by hand and undeployed again. */
async function serverVariablesOf(alias: string): Promise<Record<string, string>> {
  const { endpoints } = scene.google;
  const machine = { machineSpec: { machineType: "n1-standard-8" }, minReplicaCount: 1 };
  const [deploying] = await endpoints.deployModel({
    endpoint: ENDPOINT,
    deployedModel: { id: "77", model: `${MODEL}@${alias}`, dedicatedResources: machine },
    trafficSplit: { "0": 100 },
  });
  await deploying.promise();
  const { body } = await rest(scene.emulator.rest, "POST", `/v1/${ENDPOINT}:predict`, {
    instances: [{}],
  });
  const [undeploying] = await endpoints.undeployModel({
    endpoint: ENDPOINT,
    deployedModelId: "77",
  });
  await undeploying.promise();
  return (body["predictions"] as Record<string, string>[])[0] ?? {};
}

type EndpointClaim = Extract<ClaimInputs, { kind: "endpoint" }>;

playRows<EndpointClaim, EndpointClaim>(
  "Claim",
  claim as unknown as Reconciler<EndpointClaim, EndpointClaim>,
  () => ({
    ...{ emulator: true, stackUid: STACK_UID, project: "local-project" },
    ...{ kind: "endpoint", endpoint: ENDPOINT, recorded: true },
    ...{ undeployTimeoutSeconds: 60, deleteTimeoutSeconds: 60 },
  }),
  (recorded) => [
    recordedRow<EndpointClaim, "undeployTimeoutSeconds">(recorded, "undeployTimeoutSeconds", 7),
    recordedRow<EndpointClaim, "deleteTimeoutSeconds">(recorded, "deleteTimeoutSeconds", 8),
  ],
  // The one acts while it is false, in every up: providers-claim.test.ts. The other: providers-archives-claim.test.ts.
  ["recorded", "digest"],
);

describe("Adoption, over the wire", () => {
  it("has no input that changes in place: what is declared since is the other resources' matter", () => {
    expect(changingInputs("Adoption")).toEqual([]);
  });
});
