import { describe, expect, it } from "@jest/globals";

import { toDeployRequest } from "../../../providers/deploy-request.ts";
import {
  ENDPOINT,
  MODEL,
  deployedModel,
  deploymentInputs,
  observedEndpoint,
} from "../../support/provider-inputs.ts";

const EMPTY = observedEndpoint([]);

describe("toDeployRequest", () => {
  it("gives the first deployed model all traffic", () => {
    const request = toDeployRequest(deploymentInputs(), "3", EMPTY);

    expect(request).toStrictEqual({
      endpoint: ENDPOINT,
      deployedModel: {
        id: expect.stringMatching(/^[1-9][0-9]{9}$/),
        displayName: "diffusion-test-0a1b-sha-000000000001",
        model: `${MODEL}@3`,
        dedicatedResources: {
          machineSpec: {
            machineType: "n1-standard-8",
            acceleratorType: "NVIDIA_TESLA_T4",
            acceleratorCount: 1,
          },
          minReplicaCount: 1,
          maxReplicaCount: 1,
          autoscalingMetricSpecs: [],
          spot: false,
        },
      },
      trafficSplit: { "0": 100 },
    });
  });

  it("gives a model beside others no traffic; they keep theirs", () => {
    const serving = [
      deployedModel({ id: "11", traffic: 70 }),
      deployedModel({ id: "22", traffic: 30 }),
    ];

    const request = toDeployRequest(deploymentInputs(), "3", observedEndpoint(serving));

    expect(request.trafficSplit).toEqual({ "0": 0, "11": 70, "22": 30 });
  });

  it("carries everything that is optional when it is declared", () => {
    const inputs = deploymentInputs({
      spot: true,
      serviceAccount: "sd@local-project.iam.gserviceaccount.com",
      minReplicas: 2,
      maxReplicas: 5,
      autoscaling: [{ metricName: "duty_cycle", target: 70 }],
    });

    const { deployedModel: deployed } = toDeployRequest(inputs, "3", EMPTY);

    expect(deployed).toMatchObject({
      serviceAccount: "sd@local-project.iam.gserviceaccount.com",
      dedicatedResources: {
        minReplicaCount: 2,
        maxReplicaCount: 5,
        autoscalingMetricSpecs: [{ metricName: "duty_cycle", target: 70 }],
        spot: true,
      },
    });
  });

  it("names no accelerator and no count when none is declared", () => {
    const inputs = deploymentInputs({ acceleratorType: null, acceleratorCount: 0 });

    const { deployedModel: deployed } = toDeployRequest(inputs, "3", EMPTY);

    expect(deployed.dedicatedResources.machineSpec).toStrictEqual({ machineType: "n1-standard-8" });
  });

  it("proposes the same id for the same deployment, so that a lost answer is found again", () => {
    const first = toDeployRequest(deploymentInputs(), "3", EMPTY);
    const again = toDeployRequest(deploymentInputs(), "3", EMPTY);

    expect(again.deployedModel.id).toBe(first.deployedModel.id);
  });

  it("proposes another id while the first one is taken", () => {
    const { id } = toDeployRequest(deploymentInputs(), "3", EMPTY).deployedModel;
    const taken = observedEndpoint([deployedModel({ id })]);

    const request = toDeployRequest(deploymentInputs(), "3", taken);

    expect(request.deployedModel.id).toMatch(/^[1-9][0-9]{9}$/);
    expect(request.deployedModel.id).not.toBe(id);
  });
});
