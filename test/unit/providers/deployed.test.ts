import { describe, expect, it } from "@jest/globals";

import { servesSpec, splitWithout } from "../../../providers/deployed.ts";
import type { FixedSpec } from "../../../providers/deployed.ts";
import { deployedModel, deploymentInputs } from "../../support/provider-inputs.ts";

/** Percentages by deployed model id. */
type Shares = Readonly<Record<string, number>>;

function models(shares: Shares) {
  return Object.entries(shares).map(([id, traffic]) => deployedModel({ id, traffic }));
}

describe("splitWithout", () => {
  it.each<{ case: string; ours: Shares; foreign: Shares; split: Shares }>([
    { case: "one of two without traffic", ours: { a: 0, b: 100 }, foreign: {}, split: { b: 100 } },
    { case: "one of two with all of it", ours: { a: 100, b: 0 }, foreign: {}, split: { b: 100 } },
    { case: "one of two with a half", ours: { a: 50, b: 50 }, foreign: {}, split: { b: 100 } },
    {
      case: "one of three: the largest inherits",
      ours: { a: 30, b: 10, c: 60 },
      foreign: {},
      split: { b: 10, c: 90 },
    },
    {
      case: "one beside somebody else's model",
      ours: { a: 80 },
      foreign: { z: 20 },
      split: { z: 100 },
    },
    {
      case: "one of two when no traffic was given to anybody",
      ours: { a: 0, b: 0 },
      foreign: {},
      split: { b: 100 },
    },
    { case: "the last one: nobody is left to serve", ours: { a: 100 }, foreign: {}, split: {} },
  ])("$case leaves $split", ({ ours, foreign, split }) => {
    const endpoint = { ours: models(ours), foreign: models(foreign) };

    expect(splitWithout(endpoint, "a")).toEqual(split);
  });

  it("sums to 100 for every division of three models", () => {
    const divisions = Array.from({ length: 101 }, (_, a) =>
      Array.from({ length: 101 - a }, (_, b) => ({ a, b, c: 100 - a - b })),
    ).flat();

    const sums = divisions.map((shares) =>
      Object.values(splitWithout({ ours: models(shares), foreign: [] }, "a")).reduce(
        (sum, share) => sum + share,
        0,
      ),
    );

    expect(new Set(sums)).toEqual(new Set([100]));
  });
});

describe("servesSpec", () => {
  const wanted: FixedSpec = deploymentInputs();

  it("knows its deployed model, also when Google names the model by project number", () => {
    const deployed = deployedModel({
      modelName: "projects/123/locations/us-central1/models/diffusion-test",
    });

    expect(servesSpec(deployed, wanted)).toBe(true);
  });

  it("does not look at what changes in place: replicas, autoscaling, traffic", () => {
    const deployed = deployedModel({
      minReplicas: 2,
      maxReplicas: 5,
      autoscaling: [{ metricName: "m", target: 60 }],
      traffic: 0,
    });

    expect(servesSpec(deployed, wanted)).toBe(true);
  });

  it.each<{ field: string; changes: Partial<FixedSpec> }>([
    { field: "model", changes: { modelName: `${wanted.modelName}-2` } },
    { field: "version", changes: { versionAlias: "sha-000000000002" } },
    { field: "machine", changes: { machineType: "n1-standard-4" } },
    { field: "accelerator", changes: { acceleratorType: "NVIDIA_TESLA_P100" } },
    { field: "missing accelerator", changes: { acceleratorType: null } },
    { field: "accelerator count", changes: { acceleratorCount: 2 } },
    { field: "spot setting", changes: { spot: true } },
    { field: "service account", changes: { serviceAccount: "sd@p.iam.gserviceaccount.com" } },
  ])("tells a deployed model with another $field", ({ changes }) => {
    expect(servesSpec(deployedModel(changes), wanted)).toBe(false);
  });
});
