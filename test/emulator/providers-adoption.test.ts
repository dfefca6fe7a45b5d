import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";

import * as adoption from "../../providers/adoption.ts";
import type { AdoptionOutputs } from "../../providers/adoption.ts";
import * as claim from "../../providers/claim.ts";
import * as deployment from "../../providers/deployment.ts";
import * as model from "../../providers/model.ts";
import { ALIAS, setAdoptionScene } from "../support/adoption-scene.ts";
import type { AdoptionScene } from "../support/adoption-scene.ts";
import { putObject } from "../support/bucket.ts";
import { DEPLOY_TIMEOUT_MS } from "../support/deployment-scene.ts";
import { deployByHand, uploadByHand } from "../support/hand-made.ts";
import { rejectionOf } from "../support/provider-emulator.ts";
import { OTHER_UID, STACK_UID } from "../support/provider-inputs.ts";

jest.setTimeout(DEPLOY_TIMEOUT_MS);

const OWN = { team: "art" };
const MARKS = { "managed-by": "vertex-diffusion", "vertex-diffusion-stack": STACK_UID };
const CLAIM = { emulator: true, stackUid: STACK_UID, project: "local-project" } as const;

let scene: AdoptionScene;

beforeEach(async () => {
  scene = await setAdoptionScene();
});

afterEach(async () => {
  await scene.stop();
});

async function refreshed(recorded: AdoptionOutputs): Promise<AdoptionOutputs> {
  const { props } = await adoption.read(scene.endpoint, recorded);
  if (props === undefined) throw new Error("read found nothing");
  return props;
}

describe("Adoption of what the tutorial's code made", () => {
  it("marks model, version and endpoint, and changes nothing else", async () => {
    const outs = await scene.adopt();

    expect(outs).toEqual({
      ...scene.inputs(),
      deployedModelId: scene.made.deployedModelId,
      schema: 2,
      pending: null,
      drift: null,
    });
    expect(await scene.changingCalls()).toEqual([
      "ModelService.MergeVersionAliases",
      "ModelService.UpdateModel",
      "EndpointService.UpdateEndpoint",
    ]);
    expect(await scene.labels()).toEqual({
      endpoint: {
        ...OWN,
        ...MARKS,
        "vertex-diffusion-adopted": `${scene.made.deployedModelId}_${ALIAS}`,
      },
      model: { ...OWN, ...MARKS },
    });
    expect(await scene.versions()).toEqual({ "1": ["default", ALIAS] });
    expect(await scene.deployedIds()).toEqual([scene.made.deployedModelId]);
  });

  it("lets the model be found as the stack's own: no upload, its names and labels stay", async () => {
    await scene.adopt();
    await scene.emulator.calls();

    const { outs } = await model.create(scene.modelInputs());

    const names = { displayName: "stable-diffusion-1-5", description: "made by hand" };
    expect(await scene.changingCalls()).toEqual([]);
    expect(outs).toMatchObject({ ...names, versionId: "1" });
    expect((await model.read(scene.modelName, outs)).props).toEqual(outs);
    expect(model.diff(scene.modelName, outs, scene.modelInputs()).changes).toBe(false);
  });

  it("adds and removes the declared labels of the model beside those of others", async () => {
    await scene.adopt();
    const { outs } = await model.create(scene.modelInputs({ labels: { tier: "gold" } }));
    expect((await scene.labels()).model).toEqual({ ...OWN, ...MARKS, tier: "gold" });

    await model.update(scene.modelName, outs, scene.modelInputs());

    expect((await scene.labels()).model).toEqual({ ...OWN, ...MARKS });
  });

  it("lets the deployment be found as the stack's own: no deploy, and a read sees no drift", async () => {
    await scene.adopt();
    await model.create(scene.modelInputs());
    await scene.emulator.calls();

    const { outs } = await deployment.create(scene.deploymentInputs());

    expect(await scene.changingCalls()).toEqual(["ModelService.MergeVersionAliases"]);
    expect(await scene.versions()).toEqual({ "1": ["default", ALIAS, "live"] });
    expect(outs).toMatchObject({ deployedModelId: scene.made.deployedModelId, versionId: "1" });
    expect((await deployment.read(scene.endpoint, outs)).props).toEqual(outs);
  });

  it("deletes neither the versions made by hand nor the archive that no version names", async () => {
    await uploadByHand(scene.emulator.rest, scene.made.model);
    await uploadByHand(scene.emulator.rest, scene.made.model);
    await putObject(scene.emulator.rest, "test-bucket", "archives/one/model.mar", "one");
    await scene.adopt();

    await deployment.create(scene.deploymentInputs({ keepVersions: 1 }));

    expect(Object.keys(await scene.versions())).toEqual(["1", "2", "3"]);
    const { buckets } = await scene.emulator.state();
    expect(buckets.map(({ objects }) => objects)).toEqual([1, 1]);
  });

  it("rolls another machine out and undeploys the one made by hand last", async () => {
    await scene.adopt();
    await scene.emulator.calls();

    await deployment.create(scene.deploymentInputs({ machineType: "n1-standard-4" }));

    expect((await scene.changingCalls()).filter((call) => call.includes("Endpoint"))).toEqual([
      "EndpointService.DeployModel",
      "EndpointService.UpdateEndpoint",
      "EndpointService.UndeployModel",
    ]);
    expect(await scene.deployedIds()).not.toContain(scene.made.deployedModelId);
  });

  it("changes replicas of the one made by hand in place", async () => {
    await scene.adopt();

    await deployment.create(scene.deploymentInputs({ maxReplicas: 2 }));

    expect(await scene.deployedIds()).toEqual([scene.made.deployedModelId]);
    expect(await scene.emulator.state()).toMatchObject({
      endpoints: [{ deployedModels: [{ maxReplicaCount: 2 }] }],
    });
  });

  it("is no longer foreign to a destroy, which leaves what else is there", async () => {
    await scene.adopt();
    const other = await deployByHand(
      scene.emulator.rest,
      scene.made.endpoint,
      `${scene.made.model}@1`,
      {},
      {
        "0": 0,
        [scene.made.deployedModelId]: 100,
      },
    );

    await claim.remove("", {
      ...CLAIM,
      kind: "deployment",
      endpoint: scene.endpoint,
      undeployTimeoutSeconds: 60,
    });

    expect(await scene.deployedIds()).toEqual([other]);
  });

  it("uploads a changed archive as the next version, under the names made by hand", async () => {
    await scene.adopt();
    const { outs } = await model.create(scene.modelInputs());
    await putObject(scene.emulator.rest, "test-bucket", "archives/two/model.mar", "two");

    await model.update(
      scene.modelName,
      outs,
      scene.modelInputs({
        artifactUri: "gs://test-bucket/archives/two",
        versionAlias: "sha-000000000002",
      }),
    );

    expect(await scene.versions()).toEqual({ "1": ["default", ALIAS], "2": ["sha-000000000002"] });
    const { models } = await scene.emulator.state();
    expect(models.map(({ displayName }) => displayName)).toEqual(["stable-diffusion-1-5"]);
  });
});

describe("Adoption that was begun before", () => {
  it("goes on after a run that only got to the alias, and takes the alias of a changed archive", async () => {
    await scene.emulator.fault({ method: "UpdateModel", status: "PERMISSION_DENIED", times: 1 });
    await rejectionOf(adoption.create(scene.inputs()));
    expect(await scene.versions()).toEqual({ "1": ["default", ALIAS] });

    await scene.adopt({ versionAlias: "sha-000000000002" });

    expect(await scene.versions()).toEqual({ "1": ["default", "sha-000000000002"] });
    expect((await scene.labels()).endpoint).toMatchObject({
      ...MARKS,
      "vertex-diffusion-adopted": `${scene.made.deployedModelId}_sha-000000000002`,
    });
  });

  it("makes no changing call when everything is marked", async () => {
    const first = await scene.adopt();
    await scene.emulator.calls();

    expect(await scene.adopt()).toEqual(first);
    expect(await scene.changingCalls()).toEqual([]);
  });

  it("is read as it was recorded, and left alone whatever version or archive is declared since", async () => {
    const recorded = await scene.adopt();

    expect(await refreshed(recorded)).toEqual(recorded);
    expect(
      adoption.diff(
        scene.endpoint,
        recorded,
        scene.inputs({ version: "2", versionAlias: "sha-000000000002" }),
      ),
    ).toEqual({ changes: false, replaces: [], deleteBeforeReplace: false });
  });

  it("is passed when the stack serves a version of its own by now and the engine has lost its record", async () => {
    await scene.adopt();
    await deployment.create(scene.deploymentInputs({ machineType: "n1-standard-4" }));
    const before = await scene.labels();

    const again = await scene.adopt();

    expect(again.deployedModelId).toBe("");
    expect(await scene.labels()).toEqual(before);
  });

  it("puts back marks that were taken off by hand", async () => {
    const recorded = await scene.adopt();
    const before = await scene.labels();
    await scene.google.endpoints.updateEndpoint({
      endpoint: { name: scene.endpoint, labels: OWN },
      updateMask: { paths: ["labels"] },
    });

    const drifted = await refreshed(recorded);
    expect(drifted.drift).toBe("this stack's marks were taken off what it adopted");
    expect(adoption.diff(scene.endpoint, drifted, scene.inputs()).changes).toBe(true);
    const wanted = scene.inputs({ version: "9", versionAlias: "sha-000000000002" });
    const { outs } = await adoption.update(scene.endpoint, drifted, wanted);

    expect(outs).toEqual(recorded);
    expect(await scene.labels()).toEqual(before);
  });

  it("is gone when the endpoint or the model is", async () => {
    const recorded = await scene.adopt();
    const [undeployed] = await scene.google.endpoints.undeployModel({
      endpoint: scene.endpoint,
      deployedModelId: scene.made.deployedModelId,
    });
    await undeployed.promise();
    const [deleted] = await scene.google.models.deleteModel({ name: scene.modelName });
    await deleted.promise();

    expect(await adoption.read(scene.endpoint, recorded)).toEqual({ id: "" });
  });

  it.each([
    {
      what: "its own delete",
      remove: (recorded: AdoptionOutputs) => adoption.remove(scene.endpoint, recorded),
    },
    {
      what: "its claim's delete, where a killed run left it unrecorded",
      remove: () =>
        claim.remove("", {
          ...CLAIM,
          kind: "adoption" as const,
          endpoint: scene.endpoint,
          modelName: scene.modelName,
        }),
    },
  ])("is given back by $what: only the marks go", async ({ remove }) => {
    const recorded = await scene.adopt();

    await remove(recorded);

    expect(await scene.labels()).toEqual({ endpoint: OWN, model: OWN });
    expect(await scene.deployedIds()).toEqual([scene.made.deployedModelId]);
  });

  it("gives back nothing of another stack's", async () => {
    const recorded = await scene.adopt();
    const before = await scene.labels();

    await adoption.remove(scene.endpoint, { ...recorded, stackUid: OTHER_UID });

    expect(await scene.labels()).toEqual(before);
  });
});
