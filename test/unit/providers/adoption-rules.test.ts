import { describe, expect, it } from "@jest/globals";

import { adoptionNotice } from "../../../providers/adoption-rules.ts";
import type { AdoptionInputs, DeclaredServing } from "../../../providers/adoption.ts";
import type { DeployedModel } from "../../../providers/deployed.ts";
import {
  ENDPOINT,
  MODEL,
  STACK_UID,
  deployedModel,
  deploymentInputs,
} from "../../support/provider-inputs.ts";

const SERVED = deployedModel({ id: "77", displayName: "by-hand" });
const TAKES = 'takes over "by-hand" (77) with version 1 as sha-000000000001';

function noticeOf(declared: Partial<DeclaredServing>, served: DeployedModel | null = SERVED) {
  const { versionAlias, ...wanted } = deploymentInputs();
  const inputs: AdoptionInputs = {
    emulator: true,
    stackUid: STACK_UID,
    project: "local-project",
    endpoint: ENDPOINT,
    modelName: MODEL,
    version: "1",
    versionAlias,
    declared: { ...wanted, dedicatedEndpoint: false, kmsKey: null, ...declared },
    progressUrn: "",
  };
  const isDone = served === null;
  return adoptionNotice(inputs, {
    endpoint: {},
    model: {},
    versions: [],
    served,
    others: [],
    isDone,
  });
}

describe("what a preview says of a takeover", () => {
  it.each<{ case: string; declared: Partial<DeclaredServing>; notice: string }>([
    {
      case: "everything is declared as it is",
      declared: {},
      notice: `${TAKES}: nothing is deployed anew`,
    },
    {
      case: "machine and account differ",
      declared: { machineType: "g2-standard-8", serviceAccount: "sd@my-project" },
      notice: `${TAKES}, then rolls out machineType n1-standard-8 -> g2-standard-8, serviceAccount none -> sd@my-project: old and new run side by side, both billed, until the new one answers. Declare what is there to keep it`,
    },
    {
      case: "only the replicas differ",
      declared: { minReplicas: 2, maxReplicas: 3 },
      notice: `${TAKES}, then changes replicas in place (1 to 1 -> 2 to 3): nothing is deployed anew`,
    },
  ])("names what it deploys when $case", ({ declared, notice }) => {
    expect(noticeOf(declared)).toBe(notice);
  });

  it("names nothing when the stack serves a version of its own already", () => {
    expect(noticeOf({}, null)).toBe("takes over what this stack has rolled out itself");
  });
});
