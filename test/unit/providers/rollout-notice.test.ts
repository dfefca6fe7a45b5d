import { describe, expect, it } from "@jest/globals";

import { refusedNotice, rolloutNotice } from "../../../providers/rollout-notice.ts";
import { deploymentInputs } from "../../support/provider-inputs.ts";

const RECORDED = deploymentInputs();

describe("rolloutNotice", () => {
  it("names old and new of everything that needs a rollout", () => {
    const wanted = deploymentInputs({
      machineType: "g2-standard-8",
      acceleratorType: "NVIDIA_L4",
      serviceAccount: "sd@p.iam.gserviceaccount.com",
    });

    expect(rolloutNotice(RECORDED, wanted)).toBe(
      "rolls out machineType n1-standard-8 -> g2-standard-8, acceleratorType NVIDIA_TESLA_T4 -> NVIDIA_L4, serviceAccount none -> sd@p.iam.gserviceaccount.com: old and new run side by side, both billed, until the new one answers",
    );
  });

  it("says that the endpoint will be down when the old one is undeployed first", () => {
    const wanted = deploymentInputs({ spot: true, rollout: "recreate" });

    expect(rolloutNotice(RECORDED, wanted)).toBe(
      "rolls out spot false -> true: the old one is undeployed first (rollout: recreate), so the endpoint is down until the new one answers, about 20 minutes with a GPU",
    );
  });

  it("names the steps of a canary", () => {
    const wanted = deploymentInputs({ spot: true, rollout: "canary", canarySteps: [5, 100] });

    expect(rolloutNotice(RECORDED, wanted)).toBe(
      "rolls out spot false -> true: the new one gets 5 %, 100 % of the requests, step by step (rollout: canary), both billed until the last step is passed",
    );
  });

  it("says at which share a new one is held", () => {
    const wanted = deploymentInputs({ spot: true, canaryPercent: 20 });

    expect(rolloutNotice(RECORDED, wanted)).toBe(
      "rolls out spot false -> true: the new one gets 20 % of the requests and is held there (canaryPercent), both billed, until canaryPercent is taken away",
    );
  });

  it.each([
    { case: "nothing changes", wanted: deploymentInputs() },
    {
      case: "only what changes in place does",
      wanted: deploymentInputs({ minReplicas: 2, maxReplicas: 4, keepVersions: 1 }),
    },
  ])("says nothing when $case", ({ wanted }) => {
    expect(rolloutNotice(RECORDED, wanted)).toBeNull();
  });

  it("says that it deploys again when what was deployed is gone", () => {
    const gone = { ...RECORDED, versionAlias: "" };

    expect(rolloutNotice(gone, RECORDED)).toBe(
      "deploys sha-000000000001 again: nothing is deployed",
    );
  });
});

describe("refusedNotice", () => {
  it("says what the candidate did and what lets it be tried again", () => {
    const refused = { ...RECORDED, step: 10, reason: "it answered no picture" };

    expect(refusedNotice(refused)).toBe(
      'sha-000000000001 is refused: its canary was rolled back at 10 %, because it answered no picture. Change archive or settings, or set "retryRollout: true"',
    );
  });
});
