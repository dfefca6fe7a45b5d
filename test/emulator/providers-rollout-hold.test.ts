import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from "@jest/globals";

import * as deployment from "../../providers/deployment.ts";
import type { ModelDeploymentOutputs } from "../../providers/deployment.ts";
import {
  ALIASES,
  DEPLOY_TIMEOUT_MS,
  changing,
  setDeploymentScene,
} from "../support/deployment-scene.ts";
import type { DeploymentScene } from "../support/deployment-scene.ts";
import { ENDPOINT, MODEL, deploymentInputs } from "../support/provider-inputs.ts";

jest.setTimeout(2 * DEPLOY_TIMEOUT_MS);

const THREE = "sha-00000000000d";
const HOLD = { canaryPercent: 20, keepVersions: 9 } as const;
const TWO_HELD = deploymentInputs({ ...HOLD, versionAlias: ALIASES.two });

let scene: DeploymentScene;
/** Version one at 80 %, version two at 20 %. */
let heldOutputs: ModelDeploymentOutputs;
let stableId: string;

beforeAll(async () => {
  scene = await setDeploymentScene();
  await scene.addVersion("three", THREE, { LIGHT_PICTURE: "yes" });
});

afterAll(async () => {
  await scene.stop();
});

beforeEach(async () => {
  const { outs } = await deployment.create(deploymentInputs({ keepVersions: 9 }));
  stableId = outs.deployedModelId;
  heldOutputs = (await deployment.update(ENDPOINT, outs, TWO_HELD)).outs;
  await scene.emulator.calls();
});

async function refreshed(from: ModelDeploymentOutputs): Promise<ModelDeploymentOutputs> {
  const { props } = await deployment.read(ENDPOINT, from);
  if (props === undefined) throw new Error("read found nothing");
  return props;
}

async function update(changes: Parameters<typeof deploymentInputs>[0]) {
  const wanted = deploymentInputs({ keepVersions: 9, ...changes });
  return (await deployment.update(ENDPOINT, await refreshed(heldOutputs), wanted)).outs;
}

describe("canaryPercent", () => {
  it("holds the split: it is no drift, and an equal up changes nothing", async () => {
    const found = await refreshed(heldOutputs);

    expect(found).toEqual(heldOutputs);
    expect(deployment.diff(ENDPOINT, found, TWO_HELD).changes).toBe(false);
    expect((await scene.endpoint()).trafficSplit).toEqual({
      [stableId]: 80,
      [heldOutputs.deployedModelId]: 20,
    });
    expect((await scene.versions())["1"]).toContain("live");
    await scene.emulator.calls();
    expect(await update({ ...HOLD, versionAlias: ALIASES.two })).toEqual(heldOutputs);
    expect(changing(await scene.emulator.calls())).toEqual([]);
  });

  it("puts aliases that were moved by hand back on the old one", async () => {
    await scene.google.models.mergeVersionAliases({
      name: `${MODEL}@2`,
      versionAliases: ["live", "default"],
    });

    const { drift } = await refreshed(heldOutputs);
    await update({ ...HOLD, versionAlias: ALIASES.two });

    expect(drift).toContain('alias "live" stands on version 2, not on 1, which serves');
    expect((await scene.versions())["1"]).toEqual(expect.arrayContaining(["live", "default"]));
    expect((await scene.versions())["2"]).not.toContain("live");
    expect((await refreshed(heldOutputs)).drift).toBeNull();
  });

  it("puts a split that was changed by hand back", async () => {
    await scene.google.endpoints.updateEndpoint({
      endpoint: {
        name: ENDPOINT,
        trafficSplit: { [stableId]: 50, [heldOutputs.deployedModelId]: 50 },
      },
      updateMask: { paths: ["traffic_split"] },
    });

    const { drift } = await refreshed(heldOutputs);
    await update({ ...HOLD, versionAlias: ALIASES.two });

    expect(drift).toBe(`"diffusion-test-0a1b-${ALIASES.two}" gets 50 % of the requests, not 20 %`);
    expect((await scene.endpoint()).trafficSplit[stableId]).toBe(80);
  });

  it("promotes the new one when it is taken away", async () => {
    const outs = await update({ versionAlias: ALIASES.two });

    expect(outs.canary).toBeNull();
    expect((await scene.endpoint()).trafficSplit).toEqual({ [heldOutputs.deployedModelId]: 100 });
    expect((await scene.versions())["2"]).toContain("live");
  });

  it("ends with the old one alone when the archive goes back", async () => {
    const outs = await update({ ...HOLD, versionAlias: ALIASES.one });

    expect(outs).toMatchObject({ canary: null, deployedModelId: stableId });
    expect((await scene.endpoint()).trafficSplit).toEqual({ [stableId]: 100 });
    expect(await refreshed(outs)).toEqual(outs);
  });

  it("gives the new one's place to a third archive", async () => {
    const outs = await update({ ...HOLD, versionAlias: THREE });

    expect(outs.canary?.stable.deployedModelId).toBe(stableId);
    expect((await scene.endpoint()).trafficSplit).toEqual({
      [stableId]: 80,
      [outs.deployedModelId]: 20,
    });
    expect(await refreshed(outs)).toEqual(outs);
  });

  it("changes the replicas of both", async () => {
    const outs = await update({ ...HOLD, versionAlias: ALIASES.two, maxReplicas: 2 });

    const calls = changing(await scene.emulator.calls());
    expect(calls).toEqual([
      "EndpointService.MutateDeployedModel",
      "EndpointService.MutateDeployedModel",
    ]);
    expect(await refreshed(outs)).toEqual(outs);
  });
});
