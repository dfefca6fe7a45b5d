import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from "@jest/globals";

import * as deployment from "../../providers/deployment.ts";
import type { ModelDeploymentInputs, ModelDeploymentOutputs } from "../../providers/deployment.ts";
import { DEPLOY_TIMEOUT_MS, setDeploymentScene } from "../support/deployment-scene.ts";
import type { DeploymentScene } from "../support/deployment-scene.ts";
import { rejectionOf } from "../support/provider-emulator.ts";
import { ENDPOINT, deploymentInputs } from "../support/provider-inputs.ts";
import { predictDuring } from "../support/steady-load.ts";
import type { LoadReport } from "../support/steady-load.ts";

jest.setTimeout(3 * DEPLOY_TIMEOUT_MS);

/** Every answer takes a while, so that requests are under way whenever the split changes and a model leaves. */
const GOOD = { LIGHT_PICTURE: "yes", LIGHT_SLOW_MS: "200" };
/** Versions 4 to 7; the scene has three of its own. */
const VERSIONS = {
  old: { number: "4", alias: "sha-00000000000a", env: GOOD },
  new: { number: "5", alias: "sha-00000000000b", env: { ...GOOD, LIGHT_STARTUP_MS: "1000" } },
  slow: { number: "6", alias: "sha-00000000000c", env: { ...GOOD, LIGHT_SLOW_MS: "900" } },
  error: { number: "7", alias: "sha-00000000000d", env: { ...GOOD, LIGHT_ERROR: "500" } },
} as const;
const CANARY = { rollout: "canary", canarySteps: [30, 100] } as const;

let scene: DeploymentScene;
/** The old one with all requests. */
let recorded: ModelDeploymentOutputs;

beforeAll(async () => {
  scene = await setDeploymentScene();
  for (const [name, { alias, env }] of Object.entries(VERSIONS)) {
    await scene.addVersion(name, alias, env);
  }
});

afterAll(async () => {
  await scene.stop();
});

beforeEach(async () => {
  recorded = (await deployment.create(inputs("old"))).outs;
});

function inputs(
  version: keyof typeof VERSIONS,
  changes: Partial<ModelDeploymentInputs> = {},
): ModelDeploymentInputs {
  const versionAlias = VERSIONS[version].alias;
  return deploymentInputs({ versionAlias, keepVersions: 9, ...changes });
}

function underLoad(rollout: () => Promise<unknown>): Promise<LoadReport> {
  return predictDuring({ rest: scene.emulator.rest, endpoint: ENDPOINT }, rollout);
}

function update(wanted: ModelDeploymentInputs) {
  return deployment.update(ENDPOINT, recorded, wanted);
}

async function servedVersions(): Promise<Record<string, number>> {
  const { displayNames, ids, trafficSplit } = await scene.endpoint();
  return Object.fromEntries(
    displayNames.map((name, index) => [name.slice(-16), trafficSplit[ids[index] ?? ""] ?? 0]),
  );
}

describe("steady predictions", () => {
  it.each([
    { how: "surge", changes: {} },
    { how: "canary that is promoted", changes: CANARY },
  ])("are all answered during a $how: none fails", async ({ changes }) => {
    const { failures, answers } = await underLoad(() => update(inputs("new", changes)));

    expect(failures).toEqual([]);
    expect(Object.keys(answers)).toEqual([VERSIONS.old.number, VERSIONS.new.number]);
    expect(await servedVersions()).toEqual({ [VERSIONS.new.alias]: 100 });
  });

  it("are all answered during a canary that is rolled back for being slow, those that it was still drawing too: none fails", async () => {
    const { failures, answers } = await underLoad(async () => {
      const error = await rejectionOf(update(inputs("slow", CANARY)));
      expect(error.message).toContain("more than 2 times as long");
    });

    expect(failures).toEqual([]);
    expect(Object.keys(answers)).toEqual([VERSIONS.old.number, VERSIONS.slow.number]);
    expect(await servedVersions()).toEqual({ [VERSIONS.old.alias]: 100 });
  });

  it("fail during a canary that answers errors only where it answered them itself, and never after it", async () => {
    let failuresAfter: readonly string[] = [];

    const { failures } = await underLoad(async () => {
      const error = await rejectionOf(update(inputs("error", CANARY)));
      expect(error.message).toContain("it answered an error");
      failuresAfter = (await underLoad(() => Promise.resolve())).failures;
    });

    const own = /^500: .*the light server was told to answer an error/s;
    expect(failures.filter((failure) => !own.test(failure))).toEqual([]);
    expect(failuresAfter).toEqual([]);
    expect(await servedVersions()).toEqual({ [VERSIONS.old.alias]: 100 });
  });

  it("do fail during recreate, which has nothing that serves in between: they are counted", async () => {
    const { failures } = await underLoad(() => update(inputs("new", { rollout: "recreate" })));

    expect(failures.length).toBeGreaterThan(0);
    expect(failures.filter((failure) => !/no DeployedModel that takes/.test(failure))).toEqual([]);
  });
});
