import { existsSync } from "node:fs";

import { describe, expect, it } from "@jest/globals";

import { PREBUILT_IMAGE, endOfAvailabilityNotice } from "../../components/prebuilt-images.ts";
import { DYNAMIC, valueOf } from "../support/mocks.ts";
import { minimalConfig } from "../support/project-config.ts";
import { STACK_UID } from "../support/provider-inputs.ts";
import { useRecordedProgram } from "../support/recorded-program.ts";

const ENDPOINT = "projects/my-project/locations/us-central1/endpoints/616289267";
const MARKS = { "managed-by": "vertex-diffusion", "vertex-diffusion-stack": STACK_UID };

/** A stack file with nothing but what has no default. Another file declares everything: one program per process. */
describe("the program with a minimal stack file", () => {
  const program = useRecordedProgram("dev", minimalConfig);

  it("warns of the image's end of availability, and of nothing else", () => {
    const notice = endOfAvailabilityNotice(PREBUILT_IMAGE, new Date());

    expect(program.warn.mock.calls.flat()).toEqual(
      notice === null ? [] : [expect.stringContaining(notice)],
    );
  });

  it("declares these resources under these parents, and no others", () => {
    const prefix = "urn:pulumi:dev::vertex-diffusion::";
    const artifact = "vertex-diffusion:index:ArtifactUpload";
    const endpoint = "vertex-diffusion:index:GpuEndpoint";

    expect(
      program
        .urns()
        .map((urn) => urn.replace(prefix, ""))
        .sort(),
    ).toEqual(
      [
        "vertex-diffusion:index:ModelArchive::archive",
        `${DYNAMIC}:StackIdentity::identity`,
        "vertex-diffusion:index:ModelBucket::bucket",
        `vertex-diffusion:index:ModelBucket$${DYNAMIC}:Claim::bucket-claim`,
        "vertex-diffusion:index:ModelBucket$gcp:storage/bucket:Bucket::bucket",
        `${artifact}::artifact`,
        `${artifact}$${DYNAMIC}:Claim::artifact-claim`,
        `${artifact}$${DYNAMIC}:ArchiveUpload::artifact`,
        `${endpoint}::endpoint`,
        `${endpoint}$${DYNAMIC}:Claim::endpoint-model-claim`,
        `${endpoint}$${DYNAMIC}:VertexModel::endpoint-model`,
        `${endpoint}$${DYNAMIC}:Claim::endpoint-claim`,
        `${endpoint}$gcp:vertex/aiEndpoint:AiEndpoint::endpoint`,
        `${endpoint}$${DYNAMIC}:Claim::endpoint-deployment-claim`,
        `${endpoint}$${DYNAMIC}:ModelDeployment::endpoint-deployment`,
      ].sort(),
    );
  });

  it("says in preview what the stack bills", () => {
    expect(program.log.mock.calls.flat()).toEqual([
      "info: [runtime] 1 x NVIDIA_TESLA_T4 on n1-standard-8 in us-central1, billed from deploy until destroy, also when idle.",
    ]);
  });

  it("makes a private bucket in the region, with marks and Google's own keys", () => {
    expect(program.inputsOf("bucket", "gcp:storage/bucket:Bucket")).toStrictEqual({
      name: "my-project-diffusion-dev",
      project: "my-project",
      location: "US-CENTRAL1",
      uniformBucketLevelAccess: true,
      publicAccessPrevention: "enforced",
      labels: MARKS,
      forceDestroy: false,
    });
  });

  it("makes a dedicated endpoint with a chosen id, with marks and Google's own keys", () => {
    expect(program.inputsOf("endpoint", "gcp:vertex/aiEndpoint:AiEndpoint")).toStrictEqual({
      name: "616289267",
      displayName: "diffusion-dev",
      description: "Stable Diffusion of stack dev, managed by vertex-diffusion.",
      project: "my-project",
      location: "us-central1",
      region: "us-central1",
      labels: MARKS,
      dedicatedEndpointEnabled: true,
    });
  });

  it("gives the stack's identity no input but the uid that it will have", () => {
    expect(program.inputsOf("identity", `${DYNAMIC}:StackIdentity`)).toEqual({});
  });

  it("uploads the archive of the two folders to the bucket", () => {
    expect(program.inputsOf("artifact", `${DYNAMIC}:ArchiveUpload`)).toStrictEqual({
      emulator: false,
      stackUid: STACK_UID,
      project: "my-project",
      bucket: "my-project-diffusion-dev",
      digest: program.folder.digest,
      planPath: `.local/plans/${program.folder.digest}.json`,
      progressUrn:
        "urn:pulumi:dev::vertex-diffusion::vertex-diffusion:index:ArtifactUpload$pulumi-nodejs:dynamic/vertex-diffusion:ArchiveUpload::artifact",
    });
  });

  it("registers the archive as a model version of the prebuilt image", () => {
    expect(program.inputsOf("endpoint-model", `${DYNAMIC}:VertexModel`)).toStrictEqual({
      emulator: false,
      stackUid: STACK_UID,
      project: "my-project",
      location: "us-central1",
      modelId: "diffusion-dev",
      modelName: "projects/my-project/locations/us-central1/models/diffusion-dev",
      displayName: "diffusion-dev",
      description: "Stable Diffusion of stack dev, managed by vertex-diffusion.",
      labels: {},
      adopted: false,
      artifactUri: `gs://my-project-diffusion-dev/archives/${program.folder.digest}`,
      servingSpec: {
        image: "us-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.2-4:latest",
        predictRoute: null,
        healthRoute: null,
        ports: [],
        env: {},
      },
      versionAlias: "sha-60d91f3e2146",
      uploadTimeoutSeconds: 3600,
      deleteTimeoutSeconds: 1800,
      progressUrn:
        "urn:pulumi:dev::vertex-diffusion::vertex-diffusion:index:GpuEndpoint$pulumi-nodejs:dynamic/vertex-diffusion:VertexModel::endpoint-model",
    });
  });

  it("deploys that version to the endpoint on one T4", () => {
    expect(program.inputsOf("endpoint-deployment", `${DYNAMIC}:ModelDeployment`)).toStrictEqual({
      emulator: false,
      stackUid: STACK_UID,
      project: "my-project",
      endpoint: ENDPOINT,
      modelName: "projects/my-project/locations/us-central1/models/diffusion-dev",
      versionAlias: "sha-60d91f3e2146",
      declaredAlias: "sha-60d91f3e2146",
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
      canaryBakeSeconds: 300,
      canaryMinSamples: 5,
      maxLatencyRatio: 2,
      canaryPercent: null,
      retryRollout: false,
      keepVersions: 3,
      bucket: "my-project-diffusion-dev",
      deployTimeoutSeconds: 3600,
      undeployTimeoutSeconds: 1800,
      deleteTimeoutSeconds: 1800,
      progressUrn:
        "urn:pulumi:dev::vertex-diffusion::vertex-diffusion:index:GpuEndpoint$pulumi-nodejs:dynamic/vertex-diffusion:ModelDeployment::endpoint-deployment",
    });
  });

  it.each([
    {
      name: "bucket-claim",
      subject: { kind: "bucket", bucket: "my-project-diffusion-dev", recorded: false },
    },
    {
      name: "endpoint-claim",
      subject: {
        kind: "endpoint",
        endpoint: ENDPOINT,
        recorded: false,
        undeployTimeoutSeconds: 1800,
        deleteTimeoutSeconds: 1800,
      },
    },
    {
      name: "artifact-claim",
      subject: {
        kind: "archives",
        bucket: "my-project-diffusion-dev",
        digest: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
        usedBy: "projects/my-project/locations/us-central1/models/diffusion-dev",
      },
    },
    {
      name: "endpoint-model-claim",
      subject: {
        kind: "model",
        modelName: "projects/my-project/locations/us-central1/models/diffusion-dev",
        deleteTimeoutSeconds: 1800,
      },
    },
    {
      name: "endpoint-deployment-claim",
      subject: { kind: "deployment", endpoint: ENDPOINT, undeployTimeoutSeconds: 1800 },
    },
  ])("$name knows what to sweep at destroy", ({ name, subject }) => {
    expect(program.inputsOf(name, `${DYNAMIC}:Claim`)).toStrictEqual({
      emulator: false,
      stackUid: STACK_UID,
      project: "my-project",
      ...subject,
    });
  });

  it("exports what a caller needs", async () => {
    const exported = {
      bucket: await valueOf(program.outputs.bucket),
      artifactUri: await valueOf(program.outputs.artifactUri),
      archiveSizeBytes: await valueOf(program.outputs.archiveSizeBytes),
      model: await valueOf(program.outputs.model),
      endpoint: await valueOf(program.outputs.endpoint),
      deployedModelId: await valueOf(program.outputs.deployedModelId),
      predictUrl: await valueOf(program.outputs.predictUrl),
      predictCommand: program.outputs.predictCommand,
    };

    expect(exported).toEqual({
      bucket: "my-project-diffusion-dev",
      artifactUri: `gs://my-project-diffusion-dev/archives/${program.folder.digest}`,
      archiveSizeBytes: 4096,
      model: "projects/my-project/locations/us-central1/models/diffusion-dev@3",
      endpoint: ENDPOINT,
      deployedModelId: "1234567890",
      predictUrl: `https://616289267.prediction.vertexai.goog/v1/${ENDPOINT}:predict`,
      predictCommand: 'npm run predict -- "a red circle" --stack dev',
    });
    expect(Object.keys(program.outputs).sort()).toEqual(Object.keys(exported).sort());
  });

  it("writes nothing in preview: the archive's plan is written by up alone", () => {
    expect(existsSync(`.local/plans/${program.folder.digest}.json`)).toBe(false);
  });
});
