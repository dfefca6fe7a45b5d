import { describe, expect, it } from "@jest/globals";

import { billingNotice } from "../../../components/billing.ts";
import { makeSettings } from "../../support/settings.ts";

describe("billingNotice", () => {
  it.each([
    {
      environment: "one replica",
      changes: {},
      notice:
        "1 x NVIDIA_TESLA_T4 on n1-standard-8 in us-central1, billed from deploy until destroy, also when idle.",
    },
    {
      environment: "two replicas",
      changes: { minReplicas: 2, maxReplicas: 2 },
      notice:
        "2 replicas of 1 x NVIDIA_TESLA_T4 on n1-standard-8 in us-central1, billed from deploy until destroy, also when idle.",
    },
    {
      environment: "autoscaling",
      changes: {
        machineType: "g2-standard-24",
        acceleratorType: "NVIDIA_L4",
        acceleratorCount: 2,
        region: "europe-west4",
        maxReplicas: 3,
      },
      notice:
        "1 to 3 replicas of 2 x NVIDIA_L4 on g2-standard-24 in europe-west4, billed from deploy until destroy, also when idle.",
    },
    {
      environment: "a local stack",
      changes: { emulator: true },
      notice:
        "1 x NVIDIA_TESLA_T4 on n1-standard-8 in us-central1: on the local Vertex AI this runs on the CPU and bills nothing.",
    },
  ])("says what $environment bills", ({ changes, notice }) => {
    expect(billingNotice(makeSettings(changes))).toBe(notice);
  });
});
