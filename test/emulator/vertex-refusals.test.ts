import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { control } from "../support/emulator.ts";
import { L4, PARENT, startLightCloud } from "../support/light-cloud.ts";
import type { LightCloud } from "../support/light-cloud.ts";

jest.setTimeout(60_000);

let cloud: LightCloud;

beforeAll(async () => {
  cloud = await startLightCloud();
  await cloud.uploaded({ modelId: "light" });
  await cloud.uploaded({ modelId: "invoked", container: { invokeRoutePrefix: "/*" } });
  await cloud.endpoint("100");
});

afterAll(() => cloud.stop());

const PROBE = { httpGet: { path: "/ready", port: 8080 } };
const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_one, index) => [`label-${index}`, ""]));

describe("UploadModel refuses", () => {
  it.each([
    ["a variable that is no C identifier", { env: [{ name: "1ST", value: "x" }] }, "1ST"],
    ["a variable of Vertex AI's own", { env: [{ name: "AIP_MODE", value: "x" }] }, "AIP_MODE"],
    ["a port out of range", { ports: [{ containerPort: 70_000 }] }, "70000"],
    ["an invoke prefix but /*", { invokeRoutePrefix: "/x" }, "invoke_route_prefix"],
    [
      "an invoke prefix beside a predict route",
      { invokeRoutePrefix: "/*", predictRoute: "/p" },
      "predict_route",
    ],
    ["a deployment timeout over two hours", { deploymentTimeout: "7201s" }, "7200"],
    ["a probe that says not how", { healthProbe: { periodSeconds: 5 } }, "health_probe"],
    ["a TCP probe without a port", { livenessProbe: { tcpSocket: {} } }, "liveness_probe.port"],
    ["a negative period", { startupProbe: { ...PROBE, periodSeconds: -1 } }, "-1"],
  ])("%s", async (_what, container, named) => {
    const { status, body } = await cloud.upload({ container });

    expect({ status, reason: body.error?.status }).toEqual({
      status: 400,
      reason: "INVALID_ARGUMENT",
    });
    expect(body.error?.message).toContain(named);
  });

  it.each([
    ["a display name of 129 characters", { displayName: "x".repeat(129) }, "128"],
    ["a label with a capital letter", { labels: { Team: "art" } }, "Team"],
    ["65 labels", { labels: many(65) }, "64"],
    ["a label value of 65 characters", { labels: { team: "a".repeat(65) } }, "team"],
  ])("%s", async (_what, model, named) => {
    const { status, body } = await cloud.upload({ model });

    expect(status).toBe(400);
    expect(body.error?.message).toContain(named);
  });

  it("none of the forms at their limits", async () => {
    const ended = await cloud.uploaded({
      modelId: "limits",
      container: {
        ...{ env: [{ name: "_Ok9", value: "$(AIP_MODE)" }], ports: [{ containerPort: 65_535 }] },
        ...{ deploymentTimeout: "7200s", startupProbe: PROBE, livenessProbe: { exec: {} } },
      },
      model: {
        displayName: "\u{1F600}".repeat(128),
        labels: { ...many(63), größe: "groß-1_2" },
      },
    });

    expect(ended.error).toBeUndefined();
  });
});

describe("CreateEndpoint refuses", () => {
  it.each([
    [
      "a network beside a dedicated name",
      { network: "projects/1/global/networks/n", dedicatedEndpointEnabled: true },
      "network",
    ],
    [
      "a sampling rate of nothing",
      { predictRequestResponseLoggingConfig: { enabled: true } },
      "sampling_rate",
    ],
    [
      "an inference timeout over an hour",
      { clientConnectionConfig: { inferenceTimeout: "3601s" } },
      "3600",
    ],
    ["a label with a space", { labels: { team: "a b" } }, "team"],
  ])("%s", async (_what, fields, named) => {
    const { status, body } = await cloud.call("POST", "endpoints", {
      displayName: "an endpoint",
      ...fields,
    });

    expect(status).toBe(400);
    expect(body.error?.message).toContain(named);
  });
});

describe("DeployModel refuses", () => {
  const gpu = (machineType: string, acceleratorType: string, acceleratorCount = 1) => ({
    machineType,
    acceleratorType,
    acceleratorCount,
  });
  const metric = (name: string, target = 60) => ({
    metricName: `aiplatform.googleapis.com/prediction/online/${name}`,
    target,
  });

  it.each([
    [
      "a partition of a GPU that has none",
      { ...L4, machineSpec: { ...L4.machineSpec, gpuPartitionSize: "1g.5gb" } },
      "gpu_partition_size",
    ],
    [
      "a partition of two GPUs",
      {
        ...L4,
        machineSpec: {
          ...gpu("a2-highgpu-2g", "NVIDIA_TESLA_A100", 2),
          gpuPartitionSize: "1g.5gb",
        },
      },
      "accelerator_count of 1",
    ],
    [
      "fewer than 18 replicas of A4X",
      { ...L4, machineSpec: gpu("a4x-highgpu-4g", "NVIDIA_GB200", 4) },
      "at least 18",
    ],
    [
      "a specific reservation without a name",
      {
        ...L4,
        machineSpec: {
          ...L4.machineSpec,
          reservationAffinity: { reservationAffinityType: "SPECIFIC_RESERVATION" },
        },
      },
      "SPECIFIC_RESERVATION",
    ],
    ["an unknown metric", { ...L4, autoscalingMetricSpecs: [metric("memory")] }, "memory"],
    [
      "a target above 100 percent",
      { ...L4, autoscalingMetricSpecs: [metric("cpu/utilization", 101)] },
      "101",
    ],
    [
      "a metric named twice",
      { ...L4, autoscalingMetricSpecs: [metric("cpu/utilization"), metric("cpu/utilization")] },
      "more than once",
    ],
  ])("%s", async (_what, resources, named) => {
    const { status, body } = await cloud.deploy({ endpoint: "100", model: "light", resources });

    expect(status).toBe(400);
    expect(body.error?.message).toContain(named);
  });

  it.each([
    ["rolloutOptions", { rolloutOptions: { previousDeployedModel: "1" } }],
    ["scaleToZeroSpec", { dedicatedResources: { ...L4, scaleToZeroSpec: {} } }],
    ["initialReplicaCount", { dedicatedResources: { ...L4, initialReplicaCount: 1 } }],
    ["flexStart", { dedicatedResources: { ...L4, flexStart: {} } }],
  ])("v1beta1's %s as UNIMPLEMENTED, by name", async (field, deployedModel) => {
    const path = `/v1beta1/${PARENT}/endpoints/100:deployModel`;
    const model = `${PARENT}/models/light`;

    const { status, body } = await cloud.call("POST", path, {
      deployedModel: { model, dedicatedResources: L4, ...deployedModel },
    });

    expect(status).toBe(501);
    expect(body.error?.message).toContain(field);
  });

  it("a field of v1beta1 in a call of v1", async () => {
    const { status, body } = await cloud.deploy({
      ...{ endpoint: "100", model: "light" },
      deployedModel: { rolloutOptions: {} },
    });

    expect(status).toBe(400);
    expect(body.error?.message).toContain('Unknown name "rolloutOptions"');
  });

  it("a model with an invoke route on a shared endpoint", async () => {
    const { status, body } = await cloud.deploy({ endpoint: "100", model: "invoked" });

    expect({ status, reason: body.error?.status }).toEqual({
      status: 400,
      reason: "FAILED_PRECONDITION",
    });
    expect(body.error?.message).toContain("dedicated");
  });

  it("what is over the CPU quota, by the metric's name", async () => {
    await control(cloud.emulator.address, "PUT", "quotas", { "us-central1": { CPU: 7 } });

    const { status, body } = await cloud.deploy({
      ...{ endpoint: "100", model: "light" },
      resources: { ...L4, maxReplicaCount: 2 },
    });

    expect(status).toBe(429);
    expect(body.error?.message).toContain("aiplatform.googleapis.com/custom_model_serving_cpus");
    expect(body.error?.message).toContain("limit 7 in us-central1, used 0, asked for 8 more");
  });

  it("the same after a restart: a quota that was set stays", async () => {
    await cloud.emulator.restart();

    const { status } = await cloud.deploy({
      ...{ endpoint: "100", model: "light" },
      resources: { ...L4, maxReplicaCount: 2 },
    });

    expect(status).toBe(429);
    await control(cloud.emulator.address, "PUT", "quotas", {});
  });
});
