import { afterEach, describe, expect, it, jest } from "@jest/globals";

import * as adoption from "../../providers/adoption.ts";
import type { AdoptionInputs } from "../../providers/adoption.ts";
import { PARENT, setAdoptionScene } from "../support/adoption-scene.ts";
import type { AdoptionScene } from "../support/adoption-scene.ts";
import { DEPLOY_TIMEOUT_MS } from "../support/deployment-scene.ts";
import { deployByHand, uploadByHand } from "../support/hand-made.ts";
import { rejectionOf } from "../support/provider-emulator.ts";
import { OTHER_UID } from "../support/provider-inputs.ts";

jest.setTimeout(DEPLOY_TIMEOUT_MS);

let scene: AdoptionScene;

afterEach(async () => {
  await scene.stop();
});

describe("Adoption of what can't be taken over", () => {
  /** What preview shows and what a create says: the same, and nothing is changed. */
  async function refusalOf(changes: Partial<AdoptionInputs> = {}): Promise<string> {
    await scene.emulator.calls();
    const inputs = scene.inputs(changes);
    const { failures } = await adoption.check(undefined, inputs);
    const error = await rejectionOf(adoption.create(inputs));
    expect(failures[0]?.reason).toBe(error.message);
    expect(await scene.changingCalls()).toEqual([]);
    return error.message;
  }

  it("names an endpoint or a model that does not exist", async () => {
    scene = await setAdoptionScene();
    const nothing = { endpoint: `${PARENT}/endpoints/404`, modelName: `${PARENT}/models/404` };

    expect(await refusalOf({ endpoint: nothing.endpoint })).toBe(
      `Could not adopt endpoint "${nothing.endpoint}": it does not exist. Name one that does under "adopt", or take "adopt" out of the stack file: the stack then makes its own.`,
    );
    expect(await refusalOf({ modelName: nothing.modelName })).toContain(
      `Could not adopt model "${nothing.modelName}": it does not exist.`,
    );
  });

  it("names the stack that has it", async () => {
    scene = await setAdoptionScene();
    await scene.adopt({ stackUid: OTHER_UID });

    expect(await refusalOf()).toBe(
      `Could not adopt endpoint "${scene.endpoint}": it belongs to stack ${OTHER_UID} of vertex-diffusion. Destroy that stack; if its state is lost, take the label "vertex-diffusion-stack" off it by hand.`,
    );
  });

  it("names the versions that there are, and what is deployed instead", async () => {
    scene = await setAdoptionScene();
    await uploadByHand(scene.emulator.rest, scene.made.model);

    expect(await refusalOf({ version: "7" })).toBe(
      `Could not adopt version 7 of model "${scene.modelName}": there is none; the model has 1, 2. Name the one that endpoint "${scene.made.endpoint}" serves.`,
    );
    expect(await refusalOf({ version: "2" })).toBe(
      `Could not adopt version 2 of model "${scene.modelName}": it is not deployed to endpoint "${scene.endpoint}", which serves "sd-deployed-by-hand" (${scene.made.deployedModelId}, of model "${scene.made.model}", 100 % of the requests). Name the version that is, or deploy this one by hand first.`,
    );
  });

  it("names what the endpoint serves beside it", async () => {
    scene = await setAdoptionScene();
    const fields = { displayName: "somebody-elses" };
    const split = { "0": 20, [scene.made.deployedModelId]: 80 };
    const other = await deployByHand(
      scene.emulator.rest,
      scene.made.endpoint,
      `${await uploadByHand(scene.emulator.rest)}@1`,
      fields,
      split,
    );

    expect(await refusalOf()).toMatch(
      new RegExp(
        `beside "sd-deployed-by-hand" .*80 % of the requests\\) it serves "somebody-elses" \\(${other}, .*20 % of the requests\\)`,
      ),
    );
  });

  it("asks for the endpoint's own kind and key to be declared", async () => {
    const key = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k";
    scene = await setAdoptionScene({
      endpoint: { dedicatedEndpointEnabled: true, encryptionSpec: { kmsKeyName: key } },
    });

    const { failures } = await adoption.check(undefined, scene.inputs());

    expect(failures.map(({ reason }) => reason)).toEqual([
      `Could not adopt endpoint "${scene.endpoint}": it is a dedicated one. Set "dedicatedEndpoint: true" in the stack file.`,
      `Could not adopt endpoint "${scene.endpoint}": it is encrypted with "${key}". Set "kmsKey" to that in the stack file.`,
    ]);
  });

  it("looks at nothing once it is recorded", async () => {
    scene = await setAdoptionScene();
    const inputs = scene.inputs({ version: "7" });

    expect(await adoption.check(inputs, inputs)).toEqual({ inputs, failures: [] });
    expect(await scene.emulator.calls()).toEqual([]);
  });
});
