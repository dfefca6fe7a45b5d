import { describe, expect, it } from "@jest/globals";

import { TIME_LIMITS, declaredLimit, recordedLimit } from "../../../providers/time-limits.ts";
import { projectDefaults } from "../../support/project-config.ts";

describe("a time limit", () => {
  it("has the default that Pulumi.yaml gives it, so that old states wait as long as silent stack files", () => {
    const declared = Object.entries(projectDefaults())
      .filter(([key]) => key.endsWith("TimeoutSeconds"))
      .map(([key, value]) => [key.replace("vertex-diffusion:", ""), Number(value)]);

    expect(Object.fromEntries(declared)).toEqual(TIME_LIMITS);
  });

  it("of something that is deleted comes from the state", () => {
    expect(recordedLimit({ undeployTimeoutSeconds: 7 }, "undeployTimeoutSeconds")).toEqual({
      setting: "undeployTimeoutSeconds",
      seconds: 7,
      isRecorded: true,
    });
  });

  it("of something that is made comes from the program", () => {
    expect(declaredLimit({ deployTimeoutSeconds: 9 }, "deployTimeoutSeconds")).toEqual({
      setting: "deployTimeoutSeconds",
      seconds: 9,
      isRecorded: false,
    });
  });
});
