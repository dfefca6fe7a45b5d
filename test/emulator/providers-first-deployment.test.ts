import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from "@jest/globals";

import * as claim from "../../providers/claim.ts";
import * as deployment from "../../providers/deployment.ts";
import type { ModelDeploymentOutputs } from "../../providers/deployment.ts";
import { deleteModelOf } from "../../providers/model.ts";
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
  OTHER_UID,
  STACK_UID,
  deploymentInputs,
  modelInputs,
} from "../support/provider-inputs.ts";

jest.setTimeout(DEPLOY_TIMEOUT_MS);

const WANTED = deploymentInputs();
const IMPATIENT = deploymentInputs({ deployTimeoutSeconds: 1 });
const NOTHING = { displayNames: [], ids: [], trafficSplit: {} };

/** What is recorded of a deployment when nothing is known of it but its inputs. */
const UNKNOWN_OUTPUTS: ModelDeploymentOutputs = {
  ...WANTED,
  deployedModelId: "",
  versionId: "",
  schema: 2,
  pending: null,
  drift: null,
  tidied: true,
  heldVersions: [],
  refused: null,
  canary: null,
};

let scene: DeploymentScene;

beforeAll(async () => {
  scene = await setDeploymentScene();
});

afterAll(async () => {
  await scene.stop();
});

afterEach(async () => {
  await scene.emulator.calls();
  expect(await scene.emulator.leftFaults()).toEqual([]);
});

async function leaveRunning(): Promise<{
  fault: string;
  failure: PartialFailure<ModelDeploymentOutputs>;
}> {
  const fault = await scene.emulator.fault({ method: "DeployModel", hold: true });
  const error: unknown = await rejectionOf(deployment.create(IMPATIENT));
  return { fault, failure: error as PartialFailure<ModelDeploymentOutputs> };
}

describe("the first ModelDeployment on an endpoint", () => {
  afterEach(async () => {
    await deployment.remove(ENDPOINT, UNKNOWN_OUTPUTS);
    expect(await scene.endpoint()).toEqual(NOTHING);
  });

  it("gets all traffic, and its version the alias live", async () => {
    const { id, outs } = await deployment.create(WANTED);

    const { displayNames, trafficSplit } = await scene.endpoint();
    expect(id).toBe(ENDPOINT);
    expect(outs).toEqual({
      ...UNKNOWN_OUTPUTS,
      deployedModelId: expect.stringMatching(/^[0-9]{10}$/),
      versionId: "1",
    });
    expect(displayNames).toEqual([`diffusion-test-0a1b-${ALIASES.one}`]);
    expect(trafficSplit).toEqual({ [outs.deployedModelId]: 100 });
    expect((await scene.versions())["1"]).toEqual(["default", ALIASES.one, "live"]);
  });

  it("is made once when the answer to the deploy is lost", async () => {
    await scene.emulator.fault({ method: "DeployModel", when: "after", status: "UNAVAILABLE" });

    const { outs } = await deployment.create(WANTED);

    const calls = changing(await scene.emulator.calls());
    expect(calls.filter((call) => call.endsWith("DeployModel"))).toHaveLength(1);
    expect(await scene.endpoint()).toMatchObject({
      ids: [outs.deployedModelId],
      trafficSplit: { [outs.deployedModelId]: 100 },
    });
  });

  it("is kept as pending past its deadline, and awaited by the next update without a second deploy", async () => {
    const { fault, failure } = await leaveRunning();

    const found = await deployment.read(ENDPOINT, failure.properties);
    const answer = deployment.diff(ENDPOINT, failure.properties, IMPATIENT);
    await scene.emulator.calls();
    const updating = deployment.update(ENDPOINT, failure.properties, WANTED);
    await scene.emulator.release(fault);
    const { outs } = await updating;

    expect(failure.id).toBe(ENDPOINT);
    expect(failure.properties.pending).toEqual({
      operation: expect.stringContaining("/endpoints/123456789/operations/"),
      kind: "deployModel",
      startedAt: expect.any(String),
    });
    expect(failure.reasons[0]).toMatch(
      /is not finished: it did not finish within 1 s \(deployTimeoutSeconds\)\./,
    );
    expect(found).toEqual({ id: ENDPOINT, props: failure.properties });
    expect(answer.changes).toBe(true);
    expect(outs).toMatchObject({ pending: null, versionId: "1" });
    expect(changing(await scene.emulator.calls())).not.toContain("EndpointService.DeployModel");
    expect((await scene.endpoint()).ids).toEqual([outs.deployedModelId]);
  });

  it("is swept by the claim while it still runs and the engine never recorded it", async () => {
    const { emulator, stackUid, project, endpoint } = WANTED;
    const { id, outs } = await claim.create({
      ...{ emulator, stackUid, project },
      ...{ kind: "deployment", endpoint, undeployTimeoutSeconds: 60 },
    });
    const { fault } = await leaveRunning();

    const sweeping = claim.remove(id, outs);
    await scene.emulator.release(fault);
    await sweeping;
    await claim.remove(id, outs);

    expect(await scene.endpoint()).toEqual(NOTHING);
    expect((await scene.emulator.state()).servers).toEqual([]);
  });

  it("is refused for an alias that no version bears", async () => {
    const error = await rejectionOf(
      deployment.create(deploymentInputs({ versionAlias: "sha-ffffffffffff" })),
    );

    expect(error.message).toBe(
      `Could not deploy: no version of model "${MODEL}" bears the alias "sha-ffffffffffff". Run "up" again; it uploads the version first.`,
    );
  });
});

describe("a ModelDeployment without its own endpoint", () => {
  it("is refused on the endpoint of another stack, which has no deployment of ours", async () => {
    await scene.deleteEndpoint();
    await scene.makeEndpoint(OTHER_UID);

    const error = await rejectionOf(deployment.create(WANTED));

    expect(error.message).toBe(
      `Could not use endpoint "${ENDPOINT}": it belongs to stack ${OTHER_UID} of vertex-diffusion. Its id is made from the stack's name: use another stack name, or delete it by hand if nobody needs it.`,
    );
    expect(await deployment.read(ENDPOINT, UNKNOWN_OUTPUTS)).toEqual({ id: "" });
    await scene.deleteEndpoint();
  });

  it("is gone with its endpoint: read answers no id, delete is success, create says what to do", async () => {
    const error = await rejectionOf(deployment.create(WANTED));

    await deployment.remove(ENDPOINT, UNKNOWN_OUTPUTS);

    expect(error.message).toBe(
      `Could not deploy: endpoint "${ENDPOINT}" does not exist. Run "up" again; it is made first.`,
    );
    expect(await deployment.read(ENDPOINT, UNKNOWN_OUTPUTS)).toEqual({ id: "" });
  });

  it("leaves nothing in the emulator once model and bucket are deleted too", async () => {
    await deleteModelOf(modelInputs({ stackUid: STACK_UID }));
    await scene.storage.bucket("test-bucket").deleteFiles();
    await scene.storage.bucket("test-bucket").delete();

    expect(await scene.emulator.state()).toMatchObject({
      buckets: [],
      models: [],
      endpoints: [],
      servers: [],
    });
  });
});
