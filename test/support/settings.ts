import type { Settings } from "../../components/settings.ts";

/** Settings that nothing is wrong with: Pulumi.yaml's own defaults in project "my-project". */
export function makeSettings(changes: Partial<Settings> = {}): Settings {
  return {
    project: "my-project",
    region: "us-central1",
    stack: "dev",
    emulator: false,
    container: "prebuilt",
    image: "us-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.2-4:latest",
    machineType: "n1-standard-8",
    acceleratorType: "NVIDIA_TESLA_T4",
    acceleratorCount: 1,
    minReplicas: 1,
    maxReplicas: 1,
    targetGpuPercent: null,
    spot: false,
    serviceAccount: null,
    dedicatedEndpoint: true,
    handler: "handler",
    weights: "weights",
    env: {},
    labels: {},
    bucketName: "my-project-diffusion-dev",
    kmsKey: null,
    forceDestroy: false,
    rollout: "surge",
    canarySteps: [10, 50, 100],
    canaryBakeSeconds: 300,
    canaryMinSamples: 5,
    maxLatencyRatio: 2,
    retryRollout: false,
    keepVersions: 3,
    uploadTimeoutSeconds: 3600,
    deployTimeoutSeconds: 3600,
    ...changes,
  };
}
