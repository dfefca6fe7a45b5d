import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from "@jest/globals";

import * as deployment from "../../providers/deployment.ts";
import type { ModelDeploymentInputs, ModelDeploymentOutputs } from "../../providers/deployment.ts";
import { ALIASES, DEPLOY_TIMEOUT_MS, setDeploymentScene } from "../support/deployment-scene.ts";
import type { DeploymentScene } from "../support/deployment-scene.ts";
import { MATRIX, READ_MATRIX } from "../support/fault-matrix.ts";
import type { FaultRow } from "../support/fault-matrix.ts";
import { deploymentInputs } from "../support/provider-inputs.ts";
import { SmallEngine } from "../support/small-engine.ts";

jest.setTimeout(DEPLOY_TIMEOUT_MS);

let scene: DeploymentScene;
const engine = new SmallEngine<ModelDeploymentInputs, ModelDeploymentOutputs>(deployment);

/** Rows go on from one another: each rolls out the version that the one before did not. */
let wanted = deploymentInputs({ maxReplicas: 2 });

beforeAll(async () => {
  scene = await setDeploymentScene();
  expect(await engine.up(wanted)).toBe("created");
});

afterAll(async () => {
  await scene.stop();
});

afterEach(async () => {
  expect(await scene.emulator.leftFaults()).toEqual([]);
  await scene.emulator.calls();
});

function otherVersion(): ModelDeploymentInputs {
  const isOne = wanted.versionAlias === ALIASES.one;
  return { ...wanted, versionAlias: isOne ? ALIASES.two : ALIASES.one };
}

/**
 * The `up` that meets the fault ends as the row says, the next one has what is left to do; then one deployed model with
 * one server serves everything, and the state and the aliases say so.
 */
async function expectConverges(
  next: ModelDeploymentInputs,
  verdict: FaultRow["verdict"],
): Promise<void> {
  wanted = next;
  const first = await engine.up(next);
  expect(first instanceof Error ? first.message : "converges").toMatch(
    verdict === "converges" ? /^converges$/ : /Could not .+: .+\.$/,
  );
  if (first instanceof Error) expect(await engine.up(next)).not.toBeInstanceOf(Error);

  expect(await engine.up(next)).toBe("same");
  const { versionAlias, deployedModelId, versionId, pending, drift } = engine.recorded;
  expect({ versionAlias, pending, drift }).toEqual({
    versionAlias: next.versionAlias,
    pending: null,
    drift: null,
  });
  expect(await scene.endpoint()).toEqual({
    displayNames: [`diffusion-test-0a1b-${next.versionAlias}`],
    ids: [deployedModelId],
    trafficSplit: { [deployedModelId]: 100 },
  });
  expect((await scene.emulator.state()).servers).toHaveLength(1);
  expect((await scene.versions())[versionId]).toEqual(
    expect.arrayContaining(["live", "default", next.versionAlias]),
  );
}

describe.each(MATRIX)("a rollout that meets $fault $when the work of", ({ declared, verdict }) => {
  it.each(["DeployModel", "UpdateEndpoint", "UndeployModel", "MergeVersionAliases"])(
    "%s ends with one deployment",
    async (method) => {
      await scene.emulator.fault({ method, ...declared });

      await expectConverges(otherVersion(), verdict);
    },
  );

  it("MutateDeployedModel ends with the wanted replicas", async () => {
    await scene.emulator.fault({ method: "MutateDeployedModel", ...declared });

    await expectConverges({ ...wanted, maxReplicas: 5 - wanted.maxReplicas }, verdict);

    expect(engine.recorded.maxReplicas).toBe(wanted.maxReplicas);
  });
});

describe.each(READ_MATRIX)("a change of replicas that meets $fault of", ({ declared, verdict }) => {
  it.each(["GetEndpoint", "ListModelVersions", "ListOperations"])(
    "%s ends with the wanted replicas",
    async (method) => {
      await scene.emulator.fault({ method, ...declared });

      await expectConverges({ ...wanted, maxReplicas: 5 - wanted.maxReplicas }, verdict);
    },
  );

  it("GetOperation goes on asking", async () => {
    await scene.emulator.fault({ method: "GetOperation", ...declared });

    await expectConverges({ ...wanted, maxReplicas: 5 - wanted.maxReplicas }, "converges");
  });
});
