import { beforeAll, beforeEach, describe, expect, it, jest } from "@jest/globals";

import * as deployment from "../../providers/deployment.ts";
import type { ModelDeploymentOutputs } from "../../providers/deployment.ts";
import {
  ALIASES,
  DEPLOY_TIMEOUT_MS,
  refreshed,
  useDeploymentScene,
} from "../support/deployment-scene.ts";
import { rejectionOf } from "../support/provider-emulator.ts";
import type { PartialFailure } from "../support/provider-emulator.ts";
import { ENDPOINT, MODEL, STACK_UID, deploymentInputs } from "../support/provider-inputs.ts";

jest.setTimeout(2 * DEPLOY_TIMEOUT_MS);

const NAME = `diffusion-test-0a1b-${ALIASES.one}`;
const CANARY = { rollout: "canary", canarySteps: [50, 100], keepVersions: 9 } as const;
const ONE = deploymentInputs(CANARY);
const TWO = deploymentInputs({ ...CANARY, versionAlias: ALIASES.two });

/** Versions whose servers fail in one way each. */
const FAILING = {
  error: { alias: "sha-00000000000a", env: { LIGHT_ERROR: "500" } },
  noPicture: { alias: "sha-00000000000b", env: {} },
  slow: { alias: "sha-00000000000c", env: { LIGHT_PICTURE: "yes", LIGHT_SLOW_MS: "1000" } },
} as const;

const scene = useDeploymentScene();
/** Version one with all traffic. */
let recorded: ModelDeploymentOutputs;

beforeAll(async () => {
  for (const [name, { alias, env }] of Object.entries(FAILING)) {
    await scene.addVersion(name, alias, env);
  }
});

beforeEach(async () => {
  recorded = await scene.deploy({ ...ONE, rollout: "surge" });
});

async function deployTwoByHand(trafficSplit: Record<string, number>): Promise<void> {
  const [operation] = await scene.google.endpoints.deployModel({
    endpoint: ENDPOINT,
    deployedModel: {
      displayName: `diffusion-test-0a1b-${ALIASES.two}`,
      model: `${MODEL}@2`,
      dedicatedResources: {
        machineSpec: {
          machineType: "n1-standard-8",
          acceleratorType: "NVIDIA_TESLA_T4",
          acceleratorCount: 1,
        },
        minReplicaCount: 1,
      },
    },
    trafficSplit,
  });
  await operation.promise();
}

async function refusedUpdate(from: ModelDeploymentOutputs, versionAlias: string) {
  const wanted = deploymentInputs({ ...CANARY, versionAlias });
  const error = await rejectionOf(deployment.update(ENDPOINT, from, wanted));
  return error as unknown as PartialFailure<ModelDeploymentOutputs> & Error;
}

async function expectOneServesAlone(): Promise<void> {
  const { displayNames, ids, trafficSplit } = await scene.endpoint();
  expect(displayNames).toEqual([NAME]);
  expect(trafficSplit).toEqual({ [ids[0] ?? ""]: 100 });
}

describe("a canary that answers as the old one does", () => {
  it("gets its share step by step, then all traffic; the old one is undeployed", async () => {
    const { outs } = await deployment.update(ENDPOINT, recorded, TWO);

    const calls = (await scene.emulator.calls()).filter((call) =>
      /DeployModel|UndeployModel|UpdateEndpoint|Predict$/.test(call),
    );
    const predicted = calls.filter((call) => call === "PredictionService.Predict").length;
    expect(calls.filter((call) => call !== "PredictionService.Predict")).toEqual([
      "EndpointService.DeployModel",
      "EndpointService.UpdateEndpoint",
      "EndpointService.UpdateEndpoint",
      "EndpointService.UndeployModel",
    ]);
    // 2 for the baseline, 2 of the candidate in each step.
    expect(predicted).toBeGreaterThanOrEqual(6);
    expect(outs).toMatchObject({ versionAlias: ALIASES.two, refused: null, tidied: true });
    expect((await scene.endpoint()).trafficSplit).toEqual({ [outs.deployedModelId]: 100 });
    expect(await refreshed(outs)).toEqual(outs);
  });

  it("starts again from the old one at 100 % after a crash in mid-canary", async () => {
    // What a killed up leaves: the candidate deployed with half of the traffic, the state as it was before.
    await deployTwoByHand({ "0": 50, [recorded.deployedModelId]: 50 });
    const found = await refreshed(recorded);
    await scene.emulator.calls();

    const { outs } = await deployment.update(ENDPOINT, found, TWO);

    expect(found.versionAlias).toBe(ALIASES.one);
    expect(deployment.diff(ENDPOINT, found, ONE).changes).toBe(true);
    const calls = (await scene.emulator.calls()).filter((call) =>
      /DeployModel|UndeployModel|UpdateEndpoint/.test(call),
    );
    expect(calls).toEqual([
      "EndpointService.UpdateEndpoint",
      "EndpointService.UpdateEndpoint",
      "EndpointService.UpdateEndpoint",
      "EndpointService.UndeployModel",
    ]);
    expect(outs.versionAlias).toBe(ALIASES.two);
  });
});

describe("a model that is left over beside the one that serves", () => {
  it("is undeployed without a canary: the one that serves is proven", async () => {
    await deployTwoByHand({ "0": 0, [recorded.deployedModelId]: 100 });
    const found = await refreshed(recorded);
    await scene.emulator.calls();

    await deployment.update(ENDPOINT, found, ONE);

    const calls = await scene.emulator.calls();
    expect(calls.filter((call) => /Deploy|Undeploy|UpdateEndpoint|Predict$/.test(call))).toEqual([
      "EndpointService.UndeployModel",
    ]);
    await expectOneServesAlone();
  });
});

describe("a canary that fails", () => {
  it.each([
    {
      does: "answers errors",
      ...FAILING.error,
      reason: /^it answered an error \(.*told to answer an error.*\)$/,
    },
    { does: "answers no picture", ...FAILING.noPicture, reason: /^it answered no picture$/ },
    {
      does: "answers slower",
      ...FAILING.slow,
      reason: /^it answered in \d+ ms, the old one in \d+ ms: more than 2 times as long$/,
    },
  ])(
    "because it $does is rolled back within the step, undeployed, and remembered",
    async ({ alias, reason }) => {
      const failure = await refusedUpdate(recorded, alias);

      expect(failure.reasons[0]).toMatch(
        new RegExp(
          `^The canary of "${alias}" at endpoint ".*" was rolled back at 50 %: .*\\. "${NAME}" serves all requests\\. It is refused until archive or settings change, or "retryRollout: true" is set\\.$`,
        ),
      );
      expect(failure.properties).toMatchObject({
        versionAlias: ALIASES.one,
        deployedModelId: recorded.deployedModelId,
        refused: { versionAlias: alias, step: 50, reason: expect.stringMatching(reason) },
      });
      await expectOneServesAlone();
    },
  );

  it("is refused in every later up without a call that changes anything, until retryRollout", async () => {
    const first = await refusedUpdate(recorded, FAILING.noPicture.alias);
    const found = await refreshed(first.properties);
    await scene.emulator.calls();

    const second = await refusedUpdate(found, FAILING.noPicture.alias);

    expect(found).toMatchObject({ versionAlias: ALIASES.one, drift: null });
    expect(second.reasons).toEqual(first.reasons);
    const calls = await scene.emulator.calls();
    expect(calls.filter((call) => /(Deploy|Undeploy|UpdateEnd|Predict)/.test(call))).toEqual([]);

    const again = deploymentInputs({
      ...CANARY,
      versionAlias: FAILING.noPicture.alias,
      retryRollout: true,
    });
    await rejectionOf(deployment.update(ENDPOINT, second.properties, again));
    expect(await scene.emulator.calls()).toContain("EndpointService.DeployModel");
    await expectOneServesAlone();
  });

  it("does not stop a fixed archive, which is rolled out and forgets the refusal", async () => {
    const failure = await refusedUpdate(recorded, FAILING.noPicture.alias);

    const { outs } = await deployment.update(ENDPOINT, await refreshed(failure.properties), TWO);

    expect(outs).toMatchObject({ versionAlias: ALIASES.two, refused: null });
    expect((await scene.endpoint()).trafficSplit).toEqual({ [outs.deployedModelId]: 100 });
  });

  it("is put out of the traffic and refused by the next up when its undeployment failed", async () => {
    await scene.emulator.fault({ method: "UndeployModel", status: "PERMISSION_DENIED" });

    const failure = await refusedUpdate(recorded, FAILING.noPicture.alias);

    expect(failure.reasons[0]).toContain("The way back is not finished: Could not undeploy it: ");
    const { trafficSplit } = await scene.endpoint();
    expect(trafficSplit).toEqual({ [recorded.deployedModelId]: 100 });
    const found = await refreshed(failure.properties);
    expect(deployment.diff(ENDPOINT, found, ONE).changes).toBe(true);
    await refusedUpdate(found, FAILING.noPicture.alias);
    await expectOneServesAlone();
  });
});

describe("a canary on a dedicated endpoint", () => {
  it("is probed there: the shared host would refuse the probes", async () => {
    await deployment.remove(ENDPOINT, recorded);
    await scene.deleteEndpoint();
    await scene.makeEndpoint(STACK_UID, { dedicatedEndpointEnabled: true });
    const { outs: first } = await deployment.create(ONE);

    const { outs } = await deployment.update(ENDPOINT, first, TWO);

    expect(outs).toMatchObject({ versionAlias: ALIASES.two, refused: null });
    expect((await scene.endpoint()).trafficSplit).toEqual({ [outs.deployedModelId]: 100 });
  });
});
