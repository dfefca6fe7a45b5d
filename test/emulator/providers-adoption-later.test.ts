import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";

import * as claim from "../../providers/claim.ts";
import type { ClaimInputs } from "../../providers/claim.ts";
import * as deployment from "../../providers/deployment.ts";
import type { ModelDeploymentOutputs } from "../../providers/deployment.ts";
import * as model from "../../providers/model.ts";
import type { VertexModelOutputs } from "../../providers/model.ts";
import { storageClient } from "../../providers/clients.ts";
import { requireConnection } from "../../providers/connection.ts";
import { ALIAS, setAdoptionScene } from "../support/adoption-scene.ts";
import type { AdoptionScene } from "../support/adoption-scene.ts";
import { DEPLOY_TIMEOUT_MS } from "../support/deployment-scene.ts";
import { HAND_BUCKET, uploadByHand } from "../support/hand-made.ts";
import { STACK_UID } from "../support/provider-inputs.ts";

jest.setTimeout(DEPLOY_TIMEOUT_MS);

const NEXT = "sha-000000000002";

let scene: AdoptionScene;
let registered: VertexModelOutputs;
let deployed: ModelDeploymentOutputs;

// A version that was adopted, with the archive "one" declared as it, and a rollout of the archive "two" since.
beforeEach(async () => {
  scene = await setAdoptionScene();
  await scene.adopt();
  await putArchive("one");
  registered = (await model.create(scene.modelInputs())).outs;
  deployed = (await deployment.create(scene.deploymentInputs())).outs;
});

afterEach(async () => {
  await scene.stop();
});

async function bucketOf(name: string) {
  return (await storageClient(requireConnection(true), "local-project")).bucket(name);
}

async function putArchive(digest: string): Promise<void> {
  const file = (await bucketOf("test-bucket")).file(`archives/${digest}/model.mar`);
  const metadata = { metadata: { "vertex-diffusion-stack": STACK_UID } };
  await file.save("an archive", { resumable: false, metadata });
}

async function objects(bucket: string): Promise<string[]> {
  const [files] = await (await bucketOf(bucket)).getFiles();
  return files.map((file) => file.name);
}

/** Declares the archive "two" and brings it to serve. */
async function rollOutTwo(): Promise<void> {
  await putArchive("two");
  const two = { artifactUri: "gs://test-bucket/archives/two", versionAlias: NEXT };
  registered = (await model.update(scene.modelName, registered, scene.modelInputs(two))).outs;
  const inputs = scene.deploymentInputs({ versionAlias: NEXT });
  deployed = (await deployment.update(scene.endpoint, deployed, inputs)).outs;
}

describe("What was adopted, after a rollout of the stack's own", () => {
  it("is gone back to by a pin, from the archive where it was made", async () => {
    await rollOutTwo();
    const pinned = scene.deploymentInputs({ versionAlias: ALIAS, declaredAlias: NEXT });

    expect((await deployment.check(deployed, pinned)).failures).toEqual([]);
    const { outs } = await deployment.update(scene.endpoint, deployed, pinned);

    expect(outs).toMatchObject({ versionId: "1", versionAlias: ALIAS, drift: null });
    expect(await scene.deployedIds()).toEqual([outs.deployedModelId]);
    expect(outs.deployedModelId).not.toBe(scene.made.deployedModelId);
    expect((await deployment.read(scene.endpoint, outs)).props).toEqual(outs);
    expect(await objects("test-bucket")).toEqual(["archives/two/model.mar"]);
  });

  it("keeps the archive that is declared as it, which no version names, while a pin serves another", async () => {
    await rollOutTwo();
    await putArchive("one");

    await deployment.update(
      scene.endpoint,
      deployed,
      scene.deploymentInputs({ versionAlias: NEXT, declaredAlias: ALIAS, keepVersions: 4 }),
    );

    expect(await objects("test-bucket")).toEqual([
      "archives/one/model.mar",
      "archives/two/model.mar",
    ]);
  });
});

describe("What was adopted, when another archive is declared", () => {
  function claimOf(digest: string): ClaimInputs {
    return {
      ...{ emulator: true, stackUid: STACK_UID, project: "local-project" },
      ...{ kind: "archives", bucket: "test-bucket", digest, usedBy: scene.modelName },
    };
  }

  it("keeps its archive where it was made, and serves on when the stack's own copy goes", async () => {
    await claim.update("", claimOf("one"), claimOf("two"));

    expect(await objects(HAND_BUCKET)).toEqual(["sd/model.mar"]);
    expect(await objects("test-bucket")).toEqual([]);
    expect(await scene.deployedIds()).toEqual([scene.made.deployedModelId]);
  });
});

describe("The labels of what was adopted", () => {
  it("stay on a version that was made by hand, also where they hide a declared one", async () => {
    await uploadByHand(scene.emulator.rest, scene.made.model);
    await scene.google.models.updateModel({
      model: { name: `${scene.modelName}@1`, labels: { tier: "own" } },
      updateMask: { paths: ["labels"] },
    });

    const wanted = scene.modelInputs({ labels: { tier: "gold" } });
    await model.update(scene.modelName, registered, wanted);

    const [first] = await scene.google.models.getModel({ name: `${scene.modelName}@1` });
    const [second] = await scene.google.models.getModel({ name: `${scene.modelName}@2` });
    expect(first.labels).toMatchObject({ team: "art", tier: "own" });
    expect(second.labels).toMatchObject({ team: "art", tier: "gold" });
  });
});
