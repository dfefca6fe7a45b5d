import type { AdoptionInputs } from "../../providers/adoption.ts";
import type { DeployedModel, ObservedEndpoint } from "../../providers/deployed.ts";
import type { ModelDeploymentInputs } from "../../providers/deployment.ts";
import type { VertexModelInputs } from "../../providers/model.ts";
import type { ArchiveUploadInputs } from "../../providers/upload.ts";

/** The stack that all inputs here belong to. */
export const STACK_UID = "0a1b2c3d4e5f";
/** Another stack's uid, with another beginning. */
export const OTHER_UID = "ffff2c3d4e5f";

const PARENT = "projects/local-project/locations/us-central1";
export const ENDPOINT = `${PARENT}/endpoints/123456789`;
export const MODEL = `${PARENT}/models/diffusion-test`;

export function uploadInputs(changes: Partial<ArchiveUploadInputs> = {}): ArchiveUploadInputs {
  return {
    emulator: true,
    stackUid: STACK_UID,
    project: "local-project",
    bucket: "test-bucket",
    digest: "ab".repeat(32),
    planPath: "plan.json",
    progressUrn: "",
    ...changes,
  };
}

export function modelInputs(changes: Partial<VertexModelInputs> = {}): VertexModelInputs {
  return {
    emulator: true,
    stackUid: STACK_UID,
    project: "local-project",
    location: "us-central1",
    modelId: "diffusion-test",
    modelName: MODEL,
    displayName: "diffusion-test",
    description: "Stable Diffusion of stack test.",
    labels: { team: "art" },
    adopted: false,
    artifactUri: "gs://test-bucket/archives/one",
    servingSpec: {
      image: "us-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.2-4:latest",
      predictRoute: null,
      healthRoute: null,
      ports: [],
      env: {},
    },
    versionAlias: "sha-000000000001",
    uploadTimeoutSeconds: 60,
    deleteTimeoutSeconds: 60,
    progressUrn: "",
    ...changes,
  };
}

/** Without a pin, unless `declaredAlias` is among the changes. */
export function deploymentInputs(
  changes: Partial<ModelDeploymentInputs> = {},
): ModelDeploymentInputs {
  const inputs = {
    emulator: true,
    stackUid: STACK_UID,
    project: "local-project",
    endpoint: ENDPOINT,
    modelName: MODEL,
    versionAlias: "sha-000000000001",
    machineType: "n1-standard-8",
    acceleratorType: "NVIDIA_TESLA_T4",
    acceleratorCount: 1,
    minReplicas: 1,
    maxReplicas: 1,
    autoscaling: [],
    spot: false,
    serviceAccount: null,
    rollout: "surge",
    canarySteps: [10, 50, 100],
    canaryBakeSeconds: 0,
    canaryMinSamples: 2,
    maxLatencyRatio: 2,
    canaryPercent: null,
    retryRollout: false,
    keepVersions: 3,
    bucket: "test-bucket",
    deployTimeoutSeconds: 120,
    undeployTimeoutSeconds: 60,
    deleteTimeoutSeconds: 60,
    progressUrn: "",
    ...changes,
  } satisfies Partial<ModelDeploymentInputs>;
  return { declaredAlias: inputs.versionAlias, ...inputs };
}

/** A takeover by a stack that declares what deploymentInputs() serve. */
export function adoptionInputs(changes: Partial<AdoptionInputs> = {}): AdoptionInputs {
  const { machineType, acceleratorType, acceleratorCount, spot, serviceAccount, ...others } =
    deploymentInputs();
  const { minReplicas, maxReplicas, autoscaling, rollout, canarySteps, canaryPercent } = others;
  return {
    emulator: true,
    stackUid: STACK_UID,
    project: "local-project",
    endpoint: ENDPOINT,
    modelName: MODEL,
    version: "1",
    versionAlias: "sha-000000000001",
    declared: {
      ...{ machineType, acceleratorType, acceleratorCount, spot, serviceAccount },
      ...{ minReplicas, maxReplicas, autoscaling, rollout, canarySteps, canaryPercent },
      ...{ dedicatedEndpoint: false, kmsKey: null },
    },
    progressUrn: "",
    ...changes,
  };
}

/** A deployed model that serves deploymentInputs() with all traffic. */
export function deployedModel(changes: Partial<DeployedModel> = {}): DeployedModel {
  return {
    id: "1111111111",
    displayName: "diffusion-test-0a1b-sha-000000000001",
    traffic: 100,
    modelName: MODEL,
    versionAlias: "sha-000000000001",
    machineType: "n1-standard-8",
    acceleratorType: "NVIDIA_TESLA_T4",
    acceleratorCount: 1,
    spot: false,
    serviceAccount: null,
    minReplicas: 1,
    maxReplicas: 1,
    autoscaling: [],
    ...changes,
  };
}

/** This stack's endpoint with these deployed models and the split that they have. */
export function observedEndpoint(
  ours: readonly DeployedModel[],
  foreign: readonly DeployedModel[] = [],
): ObservedEndpoint {
  const shares = [...ours, ...foreign].filter((model) => model.traffic > 0);
  return {
    name: ENDPOINT,
    labels: { "managed-by": "vertex-diffusion", "vertex-diffusion-stack": STACK_UID },
    ours,
    foreign,
    trafficSplit: Object.fromEntries(shares.map((model) => [model.id, model.traffic])),
    dedicatedDns: null,
  };
}
