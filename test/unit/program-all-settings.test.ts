import { describe, expect, it } from "@jest/globals";

import { DYNAMIC, valueOf } from "../support/mocks.ts";
import { projectDefaults } from "../support/project-config.ts";
import { STACK_UID } from "../support/provider-inputs.ts";
import { useRecordedProgram } from "../support/recorded-program.ts";

const KEY = "projects/my-project/locations/europe-west4/keyRings/r/cryptoKeys/k";
const LABELS = {
  team: "art",
  "managed-by": "vertex-diffusion",
  "vertex-diffusion-stack": STACK_UID,
};

/** A stack file that sets everything, during `up`. */
describe("the program with every setting set", () => {
  const program = useRecordedProgram(
    "prod",
    (folder) => ({
      ...projectDefaults(),
      "gcp:project": "my-project",
      "gcp:region": "europe-west4",
      "vertex-diffusion:container": "prebuilt",
      "vertex-diffusion:image": "europe-docker.pkg.dev/my-project/images/sd@sha256:00",
      "vertex-diffusion:machineType": "g2-standard-24",
      "vertex-diffusion:acceleratorType": "NVIDIA_L4",
      "vertex-diffusion:acceleratorCount": "2",
      "vertex-diffusion:minReplicas": "2",
      "vertex-diffusion:maxReplicas": "5",
      "vertex-diffusion:targetGpuPercent": "70",
      "vertex-diffusion:spot": "true",
      "vertex-diffusion:serviceAccount": "sd@my-project.iam.gserviceaccount.com",
      "vertex-diffusion:dedicatedEndpoint": "false",
      "vertex-diffusion:handler": folder.handler,
      "vertex-diffusion:weights": folder.weights,
      "vertex-diffusion:env": '{"STEPS":20}',
      "vertex-diffusion:labels": '{"team":"art"}',
      "vertex-diffusion:bucketName": "my-bucket",
      "vertex-diffusion:kmsKey": KEY,
      "vertex-diffusion:forceDestroy": "true",
      "vertex-diffusion:protect": "true",
      "vertex-diffusion:rollout": "canary",
      "vertex-diffusion:canarySteps": "[5,100]",
      "vertex-diffusion:canaryBakeSeconds": "60",
      "vertex-diffusion:canaryMinSamples": "9",
      "vertex-diffusion:maxLatencyRatio": "1.5",
      "vertex-diffusion:canaryPercent": "25",
      "vertex-diffusion:retryRollout": "true",
      "vertex-diffusion:keepVersions": "7",
      "vertex-diffusion:uploadTimeoutSeconds": "600",
      "vertex-diffusion:deployTimeoutSeconds": "5400",
      "vertex-diffusion:undeployTimeoutSeconds": "2700",
      "vertex-diffusion:deleteTimeoutSeconds": "900",
    }),
    { preview: false },
  );

  it("declares as many resources as the minimal stack file: no setting but adopt adds one", () => {
    expect(program.resources).toHaveLength(15);
  });

  it("says that two to five replicas bill", () => {
    expect(program.log.mock.calls.flat()).toEqual([
      "info: [runtime] 2 to 5 replicas of 2 x NVIDIA_L4 on g2-standard-24 in europe-west4, billed from deploy until destroy, also when idle.",
    ]);
  });

  it("makes the bucket with the user's name, labels, key and leave to empty it", () => {
    expect(program.inputsOf("bucket", "gcp:storage/bucket:Bucket")).toStrictEqual({
      name: "my-bucket",
      project: "my-project",
      location: "EUROPE-WEST4",
      uniformBucketLevelAccess: true,
      publicAccessPrevention: "enforced",
      labels: LABELS,
      forceDestroy: true,
      encryption: { defaultKmsKeyName: KEY },
    });
  });

  it("makes a shared endpoint with the user's labels and key", () => {
    expect(program.inputsOf("endpoint", "gcp:vertex/aiEndpoint:AiEndpoint")).toStrictEqual({
      name: "582700971",
      displayName: "diffusion-prod",
      description: "Stable Diffusion of stack prod, managed by vertex-diffusion.",
      project: "my-project",
      location: "europe-west4",
      region: "europe-west4",
      labels: LABELS,
      dedicatedEndpointEnabled: false,
      encryptionSpec: { kmsKeyName: KEY },
    });
  });

  it("registers the model with the user's image, variables, labels and limit", () => {
    expect(program.inputsOf("endpoint-model", `${DYNAMIC}:VertexModel`)).toMatchObject({
      location: "europe-west4",
      modelId: "diffusion-prod",
      labels: { team: "art" },
      artifactUri: `gs://my-bucket/archives/${program.folder.digest}`,
      servingSpec: {
        image: "europe-docker.pkg.dev/my-project/images/sd@sha256:00",
        env: { STEPS: "20" },
      },
      uploadTimeoutSeconds: 600,
      deleteTimeoutSeconds: 900,
    });
  });

  it("deploys it with every declared machine, scaling and account setting", () => {
    expect(program.inputsOf("endpoint-deployment", `${DYNAMIC}:ModelDeployment`)).toMatchObject({
      machineType: "g2-standard-24",
      acceleratorType: "NVIDIA_L4",
      acceleratorCount: 2,
      minReplicas: 2,
      maxReplicas: 5,
      autoscaling: [
        {
          metricName: "aiplatform.googleapis.com/prediction/online/accelerator/duty_cycle",
          target: 70,
        },
      ],
      spot: true,
      serviceAccount: "sd@my-project.iam.gserviceaccount.com",
      rollout: "canary",
      canarySteps: [5, 100],
      canaryBakeSeconds: 60,
      canaryMinSamples: 9,
      maxLatencyRatio: 1.5,
      canaryPercent: 25,
      retryRollout: true,
      keepVersions: 7,
      bucket: "my-bucket",
      deployTimeoutSeconds: 5400,
      undeployTimeoutSeconds: 2700,
      deleteTimeoutSeconds: 900,
    });
  });

  it.each([
    { name: "endpoint-model-claim", limits: { deleteTimeoutSeconds: 900 } },
    {
      name: "endpoint-claim",
      limits: { undeployTimeoutSeconds: 2700, deleteTimeoutSeconds: 900 },
    },
    { name: "endpoint-deployment-claim", limits: { undeployTimeoutSeconds: 2700 } },
  ])("gives $name the limits of what it may have to delete", ({ name, limits }) => {
    expect(program.inputsOf(name, `${DYNAMIC}:Claim`)).toMatchObject(limits);
  });

  it("serves the version that the model registers", () => {
    const model = program.inputsOf("endpoint-model", `${DYNAMIC}:VertexModel`);
    const deployment = program.inputsOf("endpoint-deployment", `${DYNAMIC}:ModelDeployment`);

    expect(deployment["versionAlias"]).toBe(model["versionAlias"]);
  });

  it("predicts at the region's host: a shared endpoint has none of its own", async () => {
    expect(await valueOf(program.outputs.predictUrl)).toBe(
      "https://europe-west4-aiplatform.googleapis.com/v1/projects/my-project/locations/europe-west4/endpoints/582700971:predict",
    );
  });
});
