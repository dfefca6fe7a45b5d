import { beforeEach, describe, expect, it, jest } from "@jest/globals";

import * as deployment from "../../providers/deployment.ts";
import type { ModelDeploymentInputs, ModelDeploymentOutputs } from "../../providers/deployment.ts";
import { servedVersions } from "../../providers/pin.ts";
import { UNKNOWN } from "../../providers/results.ts";
import {
  ALIASES,
  DEPLOY_TIMEOUT_MS,
  refreshed,
  useDeploymentScene,
} from "../support/deployment-scene.ts";
import { ENDPOINT, MODEL, deploymentInputs } from "../support/provider-inputs.ts";

jest.setTimeout(2 * DEPLOY_TIMEOUT_MS);

const UNPINNED = deploymentInputs({ versionAlias: ALIASES.two, keepVersions: 9 });
const PINNED = { ...UNPINNED, versionAlias: ALIASES.one, declaredAlias: ALIASES.two };

const scene = useDeploymentScene();
/** Version two with all traffic. */
let recorded: ModelDeploymentOutputs;

beforeEach(async () => {
  recorded = await scene.deploy(UNPINNED);
});

async function failuresOf(wanted: ModelDeploymentInputs): Promise<string[]> {
  const { inputs, failures } = await deployment.check(UNPINNED, wanted);
  expect(inputs).toEqual(wanted);
  return failures.map(({ property, reason }) => `${property}: ${reason}`);
}

describe("check of a deployment", () => {
  it("takes a pin to a version that is registered, after one list of the versions", async () => {
    expect(await failuresOf(PINNED)).toEqual([]);
    expect(await scene.emulator.calls()).toEqual(["ModelService.ListModelVersions"]);
  });

  it("asks nobody without a pin", async () => {
    expect(await failuresOf(UNPINNED)).toEqual([]);
    expect(await scene.emulator.calls()).toEqual([]);
  });

  it("refuses a pin that no version bears, naming those there are", async () => {
    expect(await failuresOf({ ...PINNED, versionAlias: "sha-0000000000ff" })).toEqual([
      `versionAlias: Could not pin "sha-0000000000ff": no version of model "${MODEL}" bears that alias. There are "sha-000000000003" (version 3), "sha-000000000002" (version 2, live), "sha-000000000001" (version 1). Set pin to one that is there, or take it away with "npm run pulumi -- config rm pin".`,
    ]);
  });

  it("refuses a pin of a model that is not there yet", async () => {
    expect(await failuresOf({ ...PINNED, modelName: `${MODEL}-none` })).toEqual([
      expect.stringContaining(
        `"${MODEL}-none" bears that alias. The model has no versions. Set pin`,
      ),
    ]);
  });

  it("waits with a model whose name a preview does not know yet", async () => {
    expect(await failuresOf({ ...PINNED, modelName: UNKNOWN })).toEqual([]);
    expect(await scene.emulator.calls()).toEqual([]);
  });
});

describe("a pin", () => {
  it("brings the named version to all requests and to the aliases, and leaves nothing to do", async () => {
    const { outs } = await deployment.update(ENDPOINT, await refreshed(recorded), PINNED);

    expect(outs).toMatchObject({ versionAlias: ALIASES.one, versionId: "1" });
    expect((await scene.endpoint()).trafficSplit).toEqual({ [outs.deployedModelId]: 100 });
    expect((await scene.versions())["1"]).toEqual(
      expect.arrayContaining(["live", "default", ALIASES.one]),
    );
    const found = await refreshed(outs);
    expect(found).toEqual(outs);
    expect(deployment.diff(ENDPOINT, found, PINNED).changes).toBe(false);
  });

  it("rolls the declared version out again when it is taken away", async () => {
    const pinned = (await deployment.update(ENDPOINT, recorded, PINNED)).outs;
    const found = await refreshed(pinned);

    expect(deployment.diff(ENDPOINT, found, UNPINNED).changes).toBe(true);
    const { outs } = await deployment.update(ENDPOINT, found, UNPINNED);

    expect(outs).toMatchObject({ versionAlias: ALIASES.two, versionId: "2" });
    expect((await scene.endpoint()).displayNames).toEqual([`diffusion-test-0a1b-${ALIASES.two}`]);
  });

  it("does not forget a canary of the declared version that was rolled back", async () => {
    const { modelName, versionAlias, machineType, acceleratorType, acceleratorCount } = UNPINNED;
    const spec = { modelName, versionAlias, machineType, acceleratorType, acceleratorCount };
    const refused = { ...spec, spot: false, serviceAccount: null, reason: "it is slow", step: 10 };

    const { outs } = await deployment.update(ENDPOINT, { ...recorded, refused }, PINNED);

    expect(outs.refused).toEqual(refused);
  });
});

describe("the versions for a rollback", () => {
  it("are listed with what the endpoint gives to each, the newest first", async () => {
    const held = { ...UNPINNED, versionAlias: ALIASES.one, declaredAlias: ALIASES.one };
    await deployment.update(ENDPOINT, recorded, { ...held, canaryPercent: 20 });
    await scene.emulator.calls();

    const versions = await servedVersions({ emulator: true, modelName: MODEL, endpoint: ENDPOINT });

    expect(versions).toEqual([
      { versionId: "3", alias: ALIASES.broken, isLive: false, traffic: 0 },
      { versionId: "2", alias: ALIASES.two, isLive: true, traffic: 80 },
      { versionId: "1", alias: ALIASES.one, isLive: false, traffic: 20 },
    ]);
    expect(await scene.changingCalls()).toEqual([]);
  });

  it("have no traffic where there is no endpoint", async () => {
    const endpoint = `${ENDPOINT}9`;

    const versions = await servedVersions({ emulator: true, modelName: MODEL, endpoint });

    expect(versions.map(({ traffic }) => traffic)).toEqual([0, 0, 0]);
  });
});

/** Last: it deletes versions. */
describe("keepVersions while a pin stands", () => {
  it("prunes neither the pinned nor the declared version, and is done by the up that changes what is declared", async () => {
    const keepOne = { ...PINNED, keepVersions: 1 };
    await scene.addVersion("four", "sha-000000000004", { LIGHT_PICTURE: "yes" });
    const pinned = (await deployment.update(ENDPOINT, recorded, PINNED)).outs;

    // The declared version is an older one than the newest: version 2 of 1 to 4.
    const { outs } = await deployment.update(ENDPOINT, pinned, keepOne);

    expect(Object.keys(await scene.versions())).toEqual(["1", "2", "4"]);
    expect(await refreshed(outs)).toEqual(outs);
    expect(deployment.diff(ENDPOINT, outs, keepOne).changes).toBe(false);

    const another = { ...keepOne, declaredAlias: "sha-000000000005" };
    await scene.addVersion("five", another.declaredAlias, { LIGHT_PICTURE: "yes" });
    expect(deployment.diff(ENDPOINT, outs, another).changes).toBe(true);
    const next = (await deployment.update(ENDPOINT, outs, another)).outs;

    expect(Object.keys(await scene.versions())).toEqual(["1", "5"]);
    const [files] = await scene.storage.bucket("test-bucket").getFiles();
    expect(files.map((file) => file.name)).toEqual([
      "archives/five/model.mar",
      "archives/one/model.mar",
    ]);
    expect(await refreshed(next)).toEqual(next);
  });
});
