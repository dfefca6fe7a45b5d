import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";

import { inspect } from "../../providers/inspect.ts";
import {
  ALIASES,
  DEPLOY_TIMEOUT_MS,
  changing,
  setDeploymentScene,
} from "../support/deployment-scene.ts";
import type { DeploymentScene } from "../support/deployment-scene.ts";
import { putObject } from "../support/bucket.ts";
import { ENDPOINT, MODEL, OTHER_UID, STACK_UID } from "../support/provider-inputs.ts";

const NAMES = {
  emulator: true,
  stackUid: STACK_UID,
  project: "local-project",
  bucket: "marked-bucket",
  modelName: MODEL,
  endpoint: ENDPOINT,
};
const NOTHING = {
  bucketOwner: null,
  modelOwner: null,
  endpointOwner: null,
  foreignObjects: [],
  foreignDeployedModels: [],
  operations: [],
};

describe("an inspection", () => {
  let scene: DeploymentScene;

  beforeAll(async () => {
    scene = await setDeploymentScene();
    await scene.storage.createBucket("marked-bucket");
    await scene.storage
      .bucket("marked-bucket")
      .setMetadata({ labels: { "vertex-diffusion-stack": STACK_UID } });
  }, DEPLOY_TIMEOUT_MS);

  afterAll(async () => {
    await scene?.stop();
  });

  it("finds nothing in the stack's own things, nor where nothing is, and changes nothing", async () => {
    await scene.emulator.calls();

    expect(await inspect(NAMES)).toEqual(NOTHING);
    expect(
      await inspect({
        ...NAMES,
        bucket: "no-such-bucket",
        modelName: `${MODEL}-none`,
        endpoint: `${ENDPOINT}1`,
      }),
    ).toEqual(NOTHING);
    expect(changing(await scene.emulator.calls())).toEqual([]);
  });

  it("names the owner of everything that has another stack's mark", async () => {
    const owner = `stack ${STACK_UID} of vertex-diffusion`;

    expect(await inspect({ ...NAMES, stackUid: OTHER_UID })).toEqual({
      ...NOTHING,
      bucketOwner: owner,
      modelOwner: owner,
      endpointOwner: owner,
    });
  });

  it("finds objects among the archives that the stack did not put there", async () => {
    await putObject(scene.emulator.rest, "marked-bucket", "archives/notes.txt", "mine");

    expect((await inspect(NAMES)).foreignObjects).toEqual(["archives/notes.txt"]);
  });

  it(
    "finds a running deploy, and afterwards the deployed model that the stack did not deploy",
    async () => {
      const fault = await scene.emulator.fault({ method: "DeployModel", hold: true });
      const [operation] = await scene.google.endpoints.deployModel({
        endpoint: ENDPOINT,
        deployedModel: {
          id: "77",
          displayName: "by hand",
          model: `${MODEL}@${ALIASES.one}`,
          dedicatedResources: {
            machineSpec: { machineType: "n1-standard-8" },
            minReplicaCount: 1,
          },
        },
        trafficSplit: { "0": 100 },
      });

      const { operations } = await inspect(NAMES);
      await scene.emulator.release(fault);
      await operation.promise();
      const after = await inspect(NAMES);

      expect(operations).toEqual([
        { operation: operation.name, kind: "deployModel", on: ENDPOINT },
      ]);
      expect(after.operations).toEqual([]);
      expect(after.foreignDeployedModels).toEqual([{ id: "77", displayName: "by hand" }]);
    },
    DEPLOY_TIMEOUT_MS,
  );
});
