import { beforeEach, describe, expect, it, jest } from "@jest/globals";

import * as deployment from "../../providers/deployment.ts";
import type { ModelDeploymentOutputs } from "../../providers/deployment.ts";
import {
  ALIASES,
  DEPLOY_TIMEOUT_MS,
  refreshed,
  useDeploymentScene,
} from "../support/deployment-scene.ts";
import { rejectionOf } from "../support/provider-emulator.ts";
import { ENDPOINT, MODEL, deploymentInputs } from "../support/provider-inputs.ts";

jest.setTimeout(DEPLOY_TIMEOUT_MS);

const WANTED = deploymentInputs();
const NAME = `diffusion-test-0a1b-${ALIASES.one}`;

const scene = useDeploymentScene();
/** What is recorded of the deployment that stands before every test: version one with all traffic. */
let recorded: ModelDeploymentOutputs;

beforeEach(async () => {
  recorded = await scene.deploy(WANTED);
});

async function update(changes: Parameters<typeof deploymentInputs>[0], from = recorded) {
  const { outs } = await deployment.update(ENDPOINT, from, deploymentInputs(changes));
  return outs;
}

async function undeployByHand(id: string): Promise<void> {
  const [operation] = await scene.google.endpoints.undeployModel({
    endpoint: ENDPOINT,
    deployedModelId: id,
  });
  await operation.promise();
}

describe("a ModelDeployment that stands", () => {
  it("is left alone when nothing changed", async () => {
    const again = await update({});

    expect(await scene.changingCalls()).toEqual([]);
    expect(again).toEqual(recorded);
    expect(deployment.diff(ENDPOINT, recorded, WANTED).changes).toBe(false);
  });

  it("is read as it was recorded, with one get and one list of versions and without looking at operations", async () => {
    const found = await deployment.read(ENDPOINT, recorded);

    expect(found).toEqual({ id: ENDPOINT, props: recorded, inputs: WANTED });
    expect(await scene.emulator.calls()).toEqual([
      "EndpointService.GetEndpoint",
      "ModelService.ListModelVersions",
    ]);
  });

  it("is not taken for gone when Google can't be reached", async () => {
    await scene.emulator.fault({ method: "GetEndpoint", status: "UNAVAILABLE", times: 6 });

    const error = await rejectionOf(deployment.read(ENDPOINT, recorded));

    expect(error.message).toContain(`Could not read what endpoint "${ENDPOINT}" serves: `);
    expect(error.message).toContain("Run the same command again; nothing is made twice.");
  });

  it("changes replicas in place, without another deploy", async () => {
    const scaled = await update({ maxReplicas: 3 });

    expect(await scene.changingCalls()).toEqual(["EndpointService.MutateDeployedModel"]);
    expect(scaled).toEqual({ ...recorded, maxReplicas: 3 });
    expect(await refreshed(recorded)).toMatchObject({ maxReplicas: 3, drift: null });
  });

  it("sees replicas changed by hand and puts them back in place", async () => {
    await update({ minReplicas: 2, maxReplicas: 3 });
    await scene.emulator.calls();

    const drifted = await refreshed(recorded);
    const answer = deployment.diff(ENDPOINT, drifted, WANTED);
    await update({}, drifted);

    expect(drifted).toMatchObject({ minReplicas: 2, maxReplicas: 3 });
    expect(answer).toEqual({ changes: true, replaces: [], deleteBeforeReplace: false });
    expect(await scene.changingCalls()).toEqual(["EndpointService.MutateDeployedModel"]);
    expect(await refreshed(recorded)).toEqual(recorded);
  });

  it("sees a split changed by hand and puts it back, without another deploy", async () => {
    await scene.google.endpoints.updateEndpoint({
      endpoint: { name: ENDPOINT, trafficSplit: {} },
      updateMask: { paths: ["traffic_split"] },
    });
    await scene.emulator.calls();

    const drifted = await refreshed(recorded);
    const answer = deployment.diff(ENDPOINT, drifted, WANTED);
    await update({}, drifted);

    expect(drifted.drift).toBe(`"${NAME}" gets 0 % of the requests, not 100 %`);
    expect(answer.changes).toBe(true);
    expect(await scene.changingCalls()).toEqual(["EndpointService.UpdateEndpoint"]);
    expect((await scene.endpoint()).trafficSplit).toEqual({ [recorded.deployedModelId]: 100 });
  });

  it("keeps all traffic when a new version does not come up, and the error has the server's last lines", async () => {
    const error = await rejectionOf(update({ versionAlias: ALIASES.broken }));

    expect(error.message).toContain(
      `The deployment of "${ALIASES.broken}" to endpoint "${ENDPOINT}" failed: `,
    );
    expect(error.message).toContain("the light server was told to end");
    expect(error).not.toHaveProperty("properties");
    expect(await scene.endpoint()).toEqual({
      displayNames: [NAME],
      ids: [recorded.deployedModelId],
      trafficSplit: { [recorded.deployedModelId]: 100 },
    });
    expect((await scene.emulator.state()).servers).toHaveLength(1);
  });

  it("rolls a new version out beside the old one: deploy, then traffic, then undeploy, then the aliases", async () => {
    const rolled = await update({ versionAlias: ALIASES.two });

    expect(await scene.changingCalls()).toEqual([
      "EndpointService.DeployModel",
      "EndpointService.UpdateEndpoint",
      "EndpointService.UndeployModel",
      "ModelService.MergeVersionAliases",
      "ModelService.MergeVersionAliases",
    ]);
    expect(rolled).toMatchObject({ versionAlias: ALIASES.two, versionId: "2", drift: null });
    expect(rolled.deployedModelId).not.toBe(recorded.deployedModelId);
    expect(await scene.endpoint()).toEqual({
      displayNames: [`diffusion-test-0a1b-${ALIASES.two}`],
      ids: [rolled.deployedModelId],
      trafficSplit: { [rolled.deployedModelId]: 100 },
    });
    expect(await scene.versions()).toEqual({
      "1": [ALIASES.one],
      "2": expect.arrayContaining(["default", "live", ALIASES.two]),
      "3": [ALIASES.broken],
    });
  });

  it("sees that it was undeployed by hand, and deploys again", async () => {
    await undeployByHand(recorded.deployedModelId);

    const drifted = await refreshed(recorded);
    const answer = deployment.diff(ENDPOINT, drifted, WANTED);
    const redeployed = await update({}, drifted);

    expect(drifted).toMatchObject({
      versionAlias: "",
      deployedModelId: "",
      drift: "no model of this stack is deployed",
    });
    expect(answer).toEqual({ changes: true, replaces: [], deleteBeforeReplace: false });
    expect(redeployed).toEqual(recorded);
    expect((await scene.endpoint()).trafficSplit).toEqual({ [redeployed.deployedModelId]: 100 });
  });

  it("reports and refuses a model that somebody else deployed there, and never undeploys it", async () => {
    const [operation] = await scene.google.endpoints.deployModel({
      endpoint: ENDPOINT,
      deployedModel: {
        id: "77",
        displayName: "theirs",
        model: `${MODEL}@2`,
        dedicatedResources: {
          machineSpec: { machineType: "n1-standard-8" },
          minReplicaCount: 1,
        },
      },
      trafficSplit: { "0": 50, [recorded.deployedModelId]: 50 },
    });
    await operation.promise();

    const drifted = await refreshed(recorded);
    const error = await rejectionOf(update({ maxReplicas: 2 }, drifted));
    await deployment.remove(ENDPOINT, recorded);

    expect(drifted.drift).toBe(
      `"theirs" (77) was deployed by somebody else; "${NAME}" gets 50 % of the requests, not 100 %`,
    );
    expect(error.message).toBe(
      `Could not deploy to endpoint "${ENDPOINT}": "theirs" (77) was deployed there by somebody else. Undeploy it by hand, then run "up" again.`,
    );
    expect(await scene.endpoint()).toEqual({
      displayNames: ["theirs"],
      ids: ["77"],
      trafficSplit: { "77": 100 },
    });
    await undeployByHand("77");
  });
});

describe("after a rollout", () => {
  it("versions beyond keepVersions go, then the archives that no kept version names", async () => {
    const answer = deployment.diff(ENDPOINT, recorded, deploymentInputs({ keepVersions: 1 }));
    await update({ keepVersions: 1 });

    const [files] = await scene.storage.bucket("test-bucket").getFiles();
    expect(answer.changes).toBe(true);
    expect(Object.keys(await scene.versions())).toEqual(["1", "3"]);
    expect(files.map((file) => file.name)).toEqual([
      "archives/broken/model.mar",
      "archives/one/model.mar",
    ]);
  });
});

describe("deleting a ModelDeployment", () => {
  it("undeploys it and stops its server, and is success also the second time", async () => {
    await deployment.remove(ENDPOINT, recorded);
    await deployment.remove(ENDPOINT, recorded);

    expect(await scene.endpoint()).toEqual({ displayNames: [], ids: [], trafficSplit: {} });
    expect((await scene.emulator.state()).servers).toEqual([]);
  });
});
