import { describe, expect, it } from "@jest/globals";

import { DYNAMIC } from "../support/mocks.ts";
import { minimalConfig } from "../support/project-config.ts";
import { STACK_UID } from "../support/provider-inputs.ts";
import { useRecordedProgram } from "../support/recorded-program.ts";

const PARENT = "projects/my-project/locations/us-central1";
const NAMES = {
  endpoint: `${PARENT}/endpoints/1234567890123456789`,
  modelName: `${PARENT}/models/9876543210987654321`,
};
const CONTEXT = { emulator: false, stackUid: STACK_UID, project: "my-project" };

describe("the program with something to adopt", () => {
  const program = useRecordedProgram("dev", (folder) => ({
    ...minimalConfig(folder),
    "vertex-diffusion:adopt":
      '{"endpoint":1234567890123456789,"model":9876543210987654321,"version":3}',
  }));

  it("declares the takeover and its claim beside what every stack has", () => {
    expect(program.resources).toHaveLength(17);
    expect(program.inputsOf("endpoint-adoption-claim", `${DYNAMIC}:Claim`)).toStrictEqual({
      ...CONTEXT,
      kind: "adoption",
      ...NAMES,
    });
  });

  it("takes over by the names and tells what is declared of what serves", () => {
    const model = program.inputsOf("endpoint-model", `${DYNAMIC}:VertexModel`);

    expect(program.inputsOf("endpoint-adoption", `${DYNAMIC}:Adoption`)).toStrictEqual({
      ...CONTEXT,
      ...NAMES,
      version: "3",
      versionAlias: model["versionAlias"],
      declared: {
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
        canaryPercent: null,
        dedicatedEndpoint: true,
        kmsKey: null,
      },
      progressUrn:
        "urn:pulumi:dev::vertex-diffusion::vertex-diffusion:index:GpuEndpoint$pulumi-nodejs:dynamic/vertex-diffusion:Adoption::endpoint-adoption",
    });
  });

  it("imports the endpoint by its id, without the region that an import does not read", () => {
    const type = "gcp:vertex/aiEndpoint:AiEndpoint";
    const endpoint = program.resources.find((one) => one.type === type);

    expect(endpoint?.importId).toBe(NAMES.endpoint);
    expect(Object.keys(endpoint?.inputs ?? {}).sort()).toEqual([
      "dedicatedEndpointEnabled",
      "description",
      "displayName",
      "labels",
      "location",
      "name",
      "project",
    ]);
  });

  it("uses the names everywhere, and lets nothing make way for the endpoint", () => {
    expect(program.inputsOf("endpoint-model", `${DYNAMIC}:VertexModel`)).toMatchObject({
      modelId: "9876543210987654321",
      modelName: NAMES.modelName,
      adopted: true,
    });
    expect(program.inputsOf("endpoint-deployment", `${DYNAMIC}:ModelDeployment`)).toMatchObject({
      ...NAMES,
    });
    expect(program.inputsOf("artifact-claim", `${DYNAMIC}:Claim`)).toMatchObject({
      usedBy: NAMES.modelName,
    });
    expect(program.inputsOf("endpoint-claim", `${DYNAMIC}:Claim`)).toMatchObject({
      kind: "endpoint",
      endpoint: NAMES.endpoint,
      recorded: true,
    });
  });
});
