import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from "@jest/globals";

import * as claim from "../../providers/claim.ts";
import * as deployment from "../../providers/deployment.ts";
import type { ModelDeploymentOutputs } from "../../providers/deployment.ts";
import * as model from "../../providers/model.ts";
import type { VertexModelOutputs } from "../../providers/model.ts";
import {
  ALIASES,
  DEPLOY_TIMEOUT_MS,
  changing,
  setDeploymentScene,
} from "../support/deployment-scene.ts";
import type { DeploymentScene } from "../support/deployment-scene.ts";
import { rejectionOf } from "../support/provider-emulator.ts";
import type { PartialFailure } from "../support/provider-emulator.ts";
import {
  ENDPOINT,
  MODEL,
  STACK_UID,
  deploymentInputs,
  modelInputs,
} from "../support/provider-inputs.ts";

jest.setTimeout(2 * DEPLOY_TIMEOUT_MS);

const CONTEXT = { emulator: true, stackUid: STACK_UID, project: "local-project" };
const SHORT = { undeployTimeoutSeconds: 1, deleteTimeoutSeconds: 1 };
const LONG = { undeployTimeoutSeconds: 60, deleteTimeoutSeconds: 60 };

let scene: DeploymentScene;

beforeAll(async () => {
  scene = await setDeploymentScene();
});

afterAll(async () => {
  await scene.stop();
});

afterEach(async () => {
  expect(await scene.emulator.leftFaults()).toEqual([]);
});

async function recordedDeployment(): Promise<ModelDeploymentOutputs> {
  return (await deployment.create(deploymentInputs({ ...SHORT, versionAlias: ALIASES.two }))).outs;
}

const DELETIONS = [
  {
    what: "the undeployment",
    method: "UndeployModel",
    setting: "undeployTimeoutSeconds",
    remove: async () => {
      const recorded = await recordedDeployment();
      return (limits = SHORT) => deployment.remove(ENDPOINT, { ...recorded, ...limits });
    },
    isLeft: async () => (await scene.endpoint()).ids.length > 0,
  },
  {
    what: "the undeployment of a claim",
    method: "UndeployModel",
    setting: "undeployTimeoutSeconds",
    remove: async () => {
      await recordedDeployment();
      return (limits = SHORT) =>
        claim.remove("", {
          ...CONTEXT,
          ...{ kind: "deployment", endpoint: ENDPOINT },
          undeployTimeoutSeconds: limits.undeployTimeoutSeconds,
        });
    },
    isLeft: async () => (await scene.endpoint()).ids.length > 0,
  },
  {
    what: "the endpoint's deletion",
    method: "DeleteEndpoint",
    setting: "deleteTimeoutSeconds",
    remove:
      async () =>
      (limits = SHORT) =>
        claim.remove("", {
          ...CONTEXT,
          ...{ kind: "endpoint", endpoint: ENDPOINT, recorded: true },
          ...limits,
        }),
    isLeft: async () => (await scene.emulator.state()).endpoints.length > 0,
  },
  {
    what: "the model's deletion",
    method: "DeleteModel",
    setting: "deleteTimeoutSeconds",
    remove:
      async () =>
      (limits = SHORT) =>
        model.remove(MODEL, { ...modelInputs(limits) } as VertexModelOutputs),
    isLeft: async () => (await scene.emulator.state()).models.length > 0,
  },
];

describe("a wait in a rollout that is longer than its limit", () => {
  it.each([
    {
      what: "undeployment of the old one",
      method: "UndeployModel",
      limits: { undeployTimeoutSeconds: 1 },
      words:
        /^The undeployment of "diffusion-test-0a1b-sha-000000000001" is not finished: it did not finish within 1 s \(undeployTimeoutSeconds\)\. Operation "\S+" may still run; run the same command again, it waits for that operation and does nothing twice\. For a longer wait, "npm run pulumi -- config set undeployTimeoutSeconds 2"\.$/,
    },
    {
      what: "deletion of an old version",
      method: "DeleteModelVersion",
      limits: { deleteTimeoutSeconds: 1, keepVersions: 1 },
      words:
        /^The deletion of version "\S+@1" is not finished: it did not finish within 1 s \(deleteTimeoutSeconds\)\..+config set deleteTimeoutSeconds 2"\.$/,
    },
  ])(
    "names the operation of the $what and the setting, and the next up waits for it",
    async ({ method, limits, words }) => {
      const { outs } = await deployment.create(deploymentInputs());
      const fault = await scene.emulator.fault({ method, hold: true });
      const wanted = deploymentInputs({ versionAlias: ALIASES.two, ...limits });

      const error: unknown = await rejectionOf(deployment.update(ENDPOINT, outs, wanted));
      const { properties, reasons } = error as PartialFailure<ModelDeploymentOutputs>;
      await scene.emulator.calls();
      const updating = deployment.update(ENDPOINT, properties, { ...wanted, ...LONG });
      await scene.emulator.release(fault);
      const { outs: after } = await updating;

      expect(reasons[0]).toMatch(words);
      expect(after).toMatchObject({ pending: null, tidied: true, versionAlias: ALIASES.two });
      expect(
        changing(await scene.emulator.calls()).filter((call) => call.endsWith(`.${method}`)),
      ).toEqual([]);
      expect((await scene.endpoint()).ids).toEqual([after.deployedModelId]);
      await deployment.remove(ENDPOINT, after);
    },
  );
});

describe.each(DELETIONS)(
  "$what at destroy, longer than its limit",
  ({ method, setting, remove, isLeft }) => {
    it("says what still runs, whose limit it was and that the same command goes on; which it does", async () => {
      const removeWith = await remove();
      const fault = await scene.emulator.fault({ method, hold: true });

      const error = await rejectionOf(removeWith());
      await scene.emulator.calls();
      const again = removeWith(LONG);
      await scene.emulator.release(fault);
      await again;

      expect(error.message).toMatch(
        new RegExp(
          `is not finished: it did not finish within 1 s \\(${setting} of the last "up"\\)\\. Operation "projects/\\S+/operations/\\d+" may still run; run the same command again, it waits for that operation and does nothing twice\\.$`,
        ),
      );
      expect(
        changing(await scene.emulator.calls()).filter((call) => call.endsWith(`.${method}`)),
      ).toEqual([]);
      expect(await isLeft()).toBe(false);
    });
  },
);
