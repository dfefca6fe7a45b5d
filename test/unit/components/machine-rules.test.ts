import { describe, expect, it } from "@jest/globals";

import { ACCELERATORS, MACHINES } from "../../../components/machine-catalog.ts";
import { checkMachine } from "../../../components/machine-rules.ts";

describe("checkMachine", () => {
  it.each([
    { machine: "n1-standard-8", accelerator: "NVIDIA_TESLA_T4", count: 1, region: "us-central1" },
    { machine: "n1-standard-8", accelerator: "NVIDIA_TESLA_P100", count: 1, region: "us-central1" },
    { machine: "n1-highmem-16", accelerator: "NVIDIA_TESLA_V100", count: 2, region: "us-west1" },
    { machine: "n1-standard-32", accelerator: "NVIDIA_TESLA_T4", count: 4, region: "asia-east1" },
    { machine: "g2-standard-8", accelerator: "NVIDIA_L4", count: 1, region: "europe-west4" },
    { machine: "g2-standard-24", accelerator: "NVIDIA_L4", count: 2, region: "us-central1" },
    { machine: "a2-highgpu-1g", accelerator: "NVIDIA_TESLA_A100", count: 1, region: "me-west1" },
    { machine: "a3-highgpu-8g", accelerator: "NVIDIA_H100_80GB", count: 8, region: "us-east5" },
  ])(
    "takes $count x $accelerator on $machine in $region",
    ({ machine, accelerator, count, region }) => {
      const problems = checkMachine({
        machineType: machine,
        acceleratorType: accelerator,
        acceleratorCount: count,
        region,
      });

      expect(problems).toEqual([]);
    },
  );

  it.each([
    {
      case: "a machine type that does not exist",
      choice: { machineType: "n1-standard-9" },
      setting: "machineType",
      reason:
        '"n1-standard-9" is not a machine type that Vertex AI offers with accelerators. Nearest for NVIDIA_TESLA_T4: "n1-standard-2", "n1-standard-4", "n1-standard-8".',
    },
    {
      case: "a machine type that carries no accelerator",
      choice: { machineType: "e2-standard-8" },
      setting: "machineType",
      reason:
        '"e2-standard-8" is not a machine type that Vertex AI offers with accelerators. Nearest for NVIDIA_TESLA_T4: "n1-standard-8", "n1-standard-2", "n1-standard-4".',
    },
    {
      case: "an accelerator that does not exist",
      choice: { acceleratorType: "NVIDIA_TESLA_T5" },
      setting: "acceleratorType",
      reason:
        '"NVIDIA_TESLA_T5" is not an accelerator that Vertex AI serves with. Nearest: "NVIDIA_TESLA_P4", "NVIDIA_TESLA_T4", "NVIDIA_TESLA_A100".',
    },
    {
      case: "an accelerator of another family",
      choice: { acceleratorType: "NVIDIA_L4" },
      setting: "acceleratorType",
      reason:
        '"NVIDIA_L4" does not fit machineType "n1-standard-8", which takes NVIDIA_TESLA_T4, NVIDIA_TESLA_P100, NVIDIA_TESLA_P4, NVIDIA_TESLA_V100. Machines for NVIDIA_L4: "g2-standard-8", "g2-standard-4", "g2-standard-12".',
    },
    {
      case: "a machine of another family",
      choice: { machineType: "g2-standard-8" },
      setting: "acceleratorType",
      reason:
        '"NVIDIA_TESLA_T4" does not fit machineType "g2-standard-8", which takes NVIDIA_L4. Machines for NVIDIA_TESLA_T4: "n1-standard-8", "n1-standard-2", "n1-standard-4".',
    },
    {
      case: "one V100 on the n1 machine that takes two or more",
      choice: { machineType: "n1-standard-16", acceleratorType: "NVIDIA_TESLA_V100" },
      setting: "acceleratorCount",
      reason: '1 x NVIDIA_TESLA_V100 is not offered on "n1-standard-16". Offered: 2, 4, 8.',
    },
    {
      case: "one T4 on the n1 machine that takes two or more",
      choice: { machineType: "n1-standard-32" },
      setting: "acceleratorCount",
      reason: '1 x NVIDIA_TESLA_T4 is not offered on "n1-standard-32". Offered: 2, 4.',
    },
    {
      case: "a count of three",
      choice: { acceleratorCount: 3 },
      setting: "acceleratorCount",
      reason: '3 x NVIDIA_TESLA_T4 is not offered on "n1-standard-8". Offered: 1, 2, 4.',
    },
    {
      case: "more accelerators than the machine carries",
      choice: { machineType: "g2-standard-24", acceleratorType: "NVIDIA_L4", acceleratorCount: 4 },
      setting: "acceleratorCount",
      reason: '4 x NVIDIA_L4 is not offered on "g2-standard-24". Offered: 1, 2.',
    },
    {
      case: "a region without the accelerator",
      choice: { acceleratorType: "NVIDIA_TESLA_P100", region: "europe-west4" },
      setting: "gcp:region",
      reason:
        'NVIDIA_TESLA_P100 does not serve in "europe-west4". Nearest: "europe-west1", "us-west1", "us-east1".',
    },
    {
      case: "a region that does not exist",
      choice: { region: "us-centrall" },
      setting: "gcp:region",
      reason:
        'NVIDIA_TESLA_T4 does not serve in "us-centrall". Nearest: "us-central1", "europe-central2", "australia-southeast1".',
    },
  ])("refuses $case and names the nearest offered", ({ choice, setting, reason }) => {
    const problems = checkMachine({
      machineType: "n1-standard-8",
      acceleratorType: "NVIDIA_TESLA_T4",
      acceleratorCount: 1,
      region: "us-central1",
      ...choice,
    });

    expect(problems).toEqual([{ setting, reason }]);
  });

  it("says everything that is wrong with a known pair at once", () => {
    const problems = checkMachine({
      machineType: "n1-standard-8",
      acceleratorType: "NVIDIA_TESLA_P100",
      acceleratorCount: 8,
      region: "europe-west4",
    });

    expect(problems.map((problem) => problem.setting)).toEqual(["acceleratorCount", "gcp:region"]);
  });
});

describe("the machine catalog", () => {
  it("has a machine for every accelerator and a region for every machine", () => {
    const carried = Object.values(MACHINES).flatMap((offer) => Object.keys(offer.accelerators));

    expect([...new Set(carried)].sort()).toEqual(Object.keys(ACCELERATORS).sort());
    expect(Object.values(ACCELERATORS).filter((offer) => offer.regions.length === 0)).toEqual([]);
  });

  it("spells every region as Google does, each once", () => {
    const regions = Object.values(ACCELERATORS).map((offer) => [...offer.regions]);

    expect(regions.flat().filter((region) => !/^[a-z]+-[a-z]+\d$/.test(region))).toEqual([]);
    expect(regions.map((list) => new Set(list).size)).toEqual(regions.map((list) => list.length));
  });
});
