import { beforeEach, describe, expect, it } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";

import { SettingsError, checkSettings, readSettings } from "../../../components/settings.ts";
import type { Settings } from "../../../components/settings.ts";
import { projectDefaults } from "../../support/project-config.ts";
import { makeSettings } from "../../support/settings.ts";

describe("checkSettings", () => {
  it("takes Pulumi.yaml's defaults", () => {
    expect(checkSettings(makeSettings())).toEqual([]);
  });

  it.each<{ case: string; changes: Partial<Settings>; setting: string; reason: string }>([
    {
      case: "no replica",
      changes: { minReplicas: 0 },
      setting: "minReplicas",
      reason: "0 is not offered: Vertex AI keeps at least 1 replica running. Set 1 or more.",
    },
    {
      case: "half a replica",
      changes: { minReplicas: 1.5, maxReplicas: 2 },
      setting: "minReplicas",
      reason: "1.5 is not offered: Vertex AI keeps at least 1 replica running. Set 1 or more.",
    },
    {
      case: "min above max",
      changes: { minReplicas: 3, maxReplicas: 2 },
      setting: "maxReplicas",
      reason: "2 is below minReplicas (3). Set 3 or more.",
    },
    {
      case: "a kind of rollout that there is not",
      changes: { rollout: "blue-green" as Settings["rollout"] },
      setting: "rollout",
      reason: '"blue-green" is not a kind of rollout. Offered: "surge", "recreate", "canary".',
    },
    {
      case: "a held share of everything",
      changes: { canaryPercent: 100 },
      setting: "canaryPercent",
      reason: "100 is not a share to hold. Set 1 to 99, or 0 to let the new one take over.",
    },
    {
      case: "a held share where old and new are never side by side",
      changes: { canaryPercent: 10, rollout: "recreate" },
      setting: "canaryPercent",
      reason:
        'it needs old and new side by side, which "rollout: recreate" rules out. Set rollout to "surge" or "canary".',
    },
    {
      case: "a pin by the number of a version",
      changes: { pin: "3" },
      setting: "pin",
      reason:
        '"3" is not the alias of a version. Example: "sha-0123456789ab"; "npm run rollback" finds and sets the one before.',
    },
    {
      case: "a pin that is no whole alias",
      changes: { pin: "sha-0123456789AB" },
      setting: "pin",
      reason:
        '"sha-0123456789AB" is not the alias of a version. Example: "sha-0123456789ab"; "npm run rollback" finds and sets the one before.',
    },
    {
      case: "canary steps that do not rise",
      changes: { canarySteps: [50, 10, 100] },
      setting: "canarySteps",
      reason: "[50,10,100] are not steps. Set whole percents that rise to 100: [10, 50, 100].",
    },
    {
      case: "canary steps that do not end with all requests",
      changes: { canarySteps: [10, 50] },
      setting: "canarySteps",
      reason: "[10,50] are not steps. Set whole percents that rise to 100: [10, 50, 100].",
    },
    {
      case: "a bake time below nothing",
      changes: { canaryBakeSeconds: -1 },
      setting: "canaryBakeSeconds",
      reason: "-1 is not a time. Set whole seconds, 0 or more.",
    },
    {
      case: "a canary without samples",
      changes: { canaryMinSamples: 0 },
      setting: "canaryMinSamples",
      reason: "0 would prove nothing. Set 1 or more.",
    },
    {
      case: "a latency ratio that no canary could keep to",
      changes: { maxLatencyRatio: 1 },
      setting: "maxLatencyRatio",
      reason: '1 is not above 1. Set how many times slower a canary may answer: "1.5", say.',
    },
    {
      case: "a count that the machine does not offer",
      changes: { acceleratorCount: 3 },
      setting: "acceleratorCount",
      reason: '3 x NVIDIA_TESLA_T4 is not offered on "n1-standard-8". Offered: 1, 2, 4.',
    },
    {
      case: "a region without the accelerator",
      changes: { region: "europe-west6" },
      setting: "gcp:region",
      reason:
        'NVIDIA_TESLA_T4 does not serve in "europe-west6". Nearest: "europe-west1", "europe-west2", "europe-west3".',
    },
    {
      case: "an unknown container kind",
      changes: { container: "docker" as Settings["container"] },
      setting: "container",
      reason: '"docker" is not a kind of container. Offered: "prebuilt", "custom".',
    },
    {
      case: "another place for weights",
      changes: { weightsIn: "bucket" as never },
      setting: "weightsIn",
      reason: '"bucket" is no place for weights. Offered: "archive", "artifact".',
    },
    {
      case: "a custom container of Google's own image",
      changes: { container: "custom" },
      setting: "image",
      reason:
        '"us-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.2-4:latest" is one of Google\'s prebuilt images. Set container to "prebuilt", or take image out to have the custom one built.',
    },
    {
      case: "a custom image by a tag that may move",
      changes: { container: "custom", image: "us-docker.pkg.dev/p/r/vertex-diffusion:latest" },
      setting: "image",
      reason:
        '"us-docker.pkg.dev/p/r/vertex-diffusion:latest" can come to mean another image. Name it by its digest: "...@sha256:<64 hex digits>".',
    },
    {
      case: "a container to build without a Dockerfile",
      changes: { container: "custom", image: "", handler: "test" },
      setting: "handler",
      reason:
        'the folder "test" has no Dockerfile to build the custom container of. Copy handler/Dockerfile and handler/container there, or name an image.',
    },
    {
      case: "an image without a registry",
      changes: { image: "pytorch-gpu" },
      setting: "image",
      reason:
        '"pytorch-gpu" is not an image path. Example: "us-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.2-4:latest".',
    },
    {
      case: "a GPU target above 100",
      changes: { targetGpuPercent: 101 },
      setting: "targetGpuPercent",
      reason: "101 is not a percentage. Set 1 to 100, or 0 for the platform's own target.",
    },
    {
      case: "a negative GPU target",
      changes: { targetGpuPercent: -5 },
      setting: "targetGpuPercent",
      reason: "-5 is not a percentage. Set 1 to 100, or 0 for the platform's own target.",
    },
    {
      case: "no version kept",
      changes: { keepVersions: 0 },
      setting: "keepVersions",
      reason: "0 would delete the version in use. Set 1 or more.",
    },
    ...(
      [
        "uploadTimeoutSeconds",
        "deployTimeoutSeconds",
        "undeployTimeoutSeconds",
        "deleteTimeoutSeconds",
      ] as const
    ).map((setting) => ({
      case: `no time at all as ${setting}`,
      changes: { [setting]: 0 },
      setting,
      reason: "0 is not a time limit. Set whole seconds, 1 or more.",
    })),
    {
      case: "one of Google's own variables",
      changes: { env: { STEPS: "20", AIP_HTTP_PORT: "80" } },
      setting: "env",
      reason:
        '"AIP_HTTP_PORT" is set by Vertex AI itself. Choose a name that does not start with AIP_.',
    },
    {
      case: "a bucket name that Google refuses",
      changes: { bucketName: "My_Bucket" },
      setting: "bucketName",
      reason:
        '"My_Bucket" is not a bucket name: 3 to 63 of [a-z0-9._-], first and last a letter or digit. Choose another one.',
    },
  ])("refuses $case", ({ changes, setting, reason }) => {
    expect(checkSettings(makeSettings(changes))).toEqual([{ setting, reason }]);
  });

  it("says all that is wrong at once", () => {
    const problems = checkSettings(
      makeSettings({ machineType: "n1-standard-9", minReplicas: 2, keepVersions: 0 }),
    );

    expect(problems.map((problem) => problem.setting)).toEqual([
      "machineType",
      "maxReplicas",
      "keepVersions",
    ]);
  });
});

describe("readSettings", () => {
  let config: Record<string, string>;

  beforeEach(async () => {
    config = {
      ...projectDefaults(),
      "vertex-diffusion:container": "prebuilt",
      "gcp:project": "my-project",
      "gcp:region": "us-central1",
    };
    await pulumi.runtime.setMocks(
      {
        newResource: () => ({ id: "", state: {} }),
        call: ({ token }) => {
          throw new Error(`unexpected call of "${token}"`);
        },
      },
      "vertex-diffusion",
      "dev",
    );
  });

  function read(changes: Record<string, string> = {}): Settings {
    pulumi.runtime.setAllConfig({ ...config, ...changes });
    return readSettings();
  }

  function refusal(changes: Record<string, string | undefined>): Error {
    const given = { ...config, ...changes };
    const known = Object.entries(given).filter((entry): entry is [string, string] =>
      Boolean(entry[1]),
    );
    pulumi.runtime.setAllConfig(Object.fromEntries(known));
    try {
      readSettings();
    } catch (error) {
      if (error instanceof Error) return error;
    }
    throw new Error("the settings were taken");
  }

  it("fills a minimal stack file from Pulumi.yaml's defaults", () => {
    expect(read()).toEqual(makeSettings());
  });

  it("takes every setting of a full stack file", () => {
    const settings = read({
      "gcp:region": "europe-west4",
      "vertex-diffusion:emulator": "true",
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
      "vertex-diffusion:handler": "my-handler",
      "vertex-diffusion:weights": "my-weights.safetensors",
      "vertex-diffusion:weightsConfig": "my-config",
      "vertex-diffusion:weightsIn": "artifact",
      "vertex-diffusion:env": '{"STEPS":"20"}',
      "vertex-diffusion:labels": '{"team":"art"}',
      "vertex-diffusion:bucketName": "my-bucket",
      "vertex-diffusion:kmsKey":
        "projects/my-project/locations/europe-west4/keyRings/r/cryptoKeys/k",
      "vertex-diffusion:forceDestroy": "true",
      "vertex-diffusion:protect": "true",
      "vertex-diffusion:rollout": "canary",
      "vertex-diffusion:canarySteps": "[5,100]",
      "vertex-diffusion:canaryBakeSeconds": "60",
      "vertex-diffusion:canaryMinSamples": "9",
      "vertex-diffusion:maxLatencyRatio": "1.5",
      "vertex-diffusion:canaryPercent": "25",
      "vertex-diffusion:retryRollout": "true",
      "vertex-diffusion:pin": "sha-0123456789ab",
      "vertex-diffusion:keepVersions": "7",
      "vertex-diffusion:adopt": '{"endpoint":"1","model":"m","version":2}',
      "vertex-diffusion:uploadTimeoutSeconds": "600",
      "vertex-diffusion:deployTimeoutSeconds": "5400",
      "vertex-diffusion:undeployTimeoutSeconds": "2700",
      "vertex-diffusion:deleteTimeoutSeconds": "900",
    });

    expect(settings).toEqual({
      project: "my-project",
      region: "europe-west4",
      stack: "dev",
      emulator: true,
      container: "prebuilt",
      image: "europe-docker.pkg.dev/my-project/images/sd@sha256:00",
      machineType: "g2-standard-24",
      acceleratorType: "NVIDIA_L4",
      acceleratorCount: 2,
      minReplicas: 2,
      maxReplicas: 5,
      targetGpuPercent: 70,
      spot: true,
      serviceAccount: "sd@my-project.iam.gserviceaccount.com",
      dedicatedEndpoint: false,
      handler: "my-handler",
      weights: "my-weights.safetensors",
      weightsConfig: "my-config",
      weightsIn: "artifact",
      env: { STEPS: "20" },
      labels: { team: "art" },
      bucketName: "my-bucket",
      kmsKey: "projects/my-project/locations/europe-west4/keyRings/r/cryptoKeys/k",
      forceDestroy: true,
      protect: true,
      rollout: "canary",
      canarySteps: [5, 100],
      canaryBakeSeconds: 60,
      canaryMinSamples: 9,
      maxLatencyRatio: 1.5,
      canaryPercent: 25,
      retryRollout: true,
      pin: "sha-0123456789ab",
      keepVersions: 7,
      adopt: { endpoint: "1", model: "m", version: "2" },
      uploadTimeoutSeconds: 600,
      deployTimeoutSeconds: 5400,
      undeployTimeoutSeconds: 2700,
      deleteTimeoutSeconds: 900,
    });
  });

  it("refuses a stack file without gcp:project and says how to set it, nothing else", () => {
    const error = refusal({ "gcp:project": undefined });

    expect(error.message).toBe(
      `Stack "dev" can't be deployed as Pulumi.dev.yaml declares it:\n` +
        `  gcp:project: no Google Cloud project is set. Run "npm run pulumi -- config set gcp:project YOUR-PROJECT --stack dev".`,
    );
  });

  it("refuses a stack file without gcp:region and says how to set it, nothing else", () => {
    const error = refusal({ "gcp:region": undefined });

    expect(error.message).toBe(
      `Stack "dev" can't be deployed as Pulumi.dev.yaml declares it:\n` +
        `  gcp:region: no region is set. Run "npm run pulumi -- config set gcp:region us-central1 --stack dev".`,
    );
  });

  it("names every wrong setting by the key that the stack file has", () => {
    const error = refusal({
      "gcp:region": "europe-west6",
      "vertex-diffusion:maxReplicas": "0",
    });

    expect(error.message.split("\n").map((line) => line.trim().split(": ")[0])).toEqual([
      `Stack "dev" can't be deployed as Pulumi.dev.yaml declares it:`,
      "gcp:region",
      "vertex-diffusion:maxReplicas",
    ]);
  });

  it("is refused as a RunError, which Pulumi shows without a stack trace", () => {
    const error = refusal({ "vertex-diffusion:machineType": "n1-standard-9" });

    expect(error).toBeInstanceOf(SettingsError);
    expect(pulumi.RunError.isInstance(error)).toBe(true);
  });
});
