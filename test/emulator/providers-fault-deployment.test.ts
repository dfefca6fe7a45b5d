import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from "@jest/globals";

import * as deployment from "../../providers/deployment.ts";
import type { ModelDeploymentInputs, ModelDeploymentOutputs } from "../../providers/deployment.ts";
import * as model from "../../providers/model.ts";
import { ALIASES, DEPLOY_TIMEOUT_MS, useDeploymentScene } from "../support/deployment-scene.ts";
import { MATRIX } from "../support/fault-matrix.ts";
import { deploymentInputs, modelInputs } from "../support/provider-inputs.ts";
import { SmallEngine } from "../support/small-engine.ts";

jest.setTimeout(DEPLOY_TIMEOUT_MS);

const WANTED = deploymentInputs();
const NOTHING = { displayNames: [], ids: [], trafficSplit: {} };

const scene = useDeploymentScene();
let engine: SmallEngine<ModelDeploymentInputs, ModelDeploymentOutputs>;

beforeEach(async () => {
  engine = new SmallEngine(deployment);
  await scene.emulator.calls();
});

async function expectServesAlone(alias: string): Promise<void> {
  const { deployedModelId } = engine.recorded;
  expect(await scene.endpoint()).toEqual({
    displayNames: [`diffusion-test-0a1b-${alias}`],
    ids: [deployedModelId],
    trafficSplit: { [deployedModelId]: 100 },
  });
  expect((await scene.emulator.state()).servers).toHaveLength(1);
}

describe.each(MATRIX)("$fault $when the work of", ({ when, declared, verdict }) => {
  it("the first DeployModel and the last UndeployModel leave one deployment, then none", async () => {
    await scene.emulator.fault({ method: "DeployModel", ...declared });
    const first = await engine.up(WANTED);
    if (first instanceof Error) await engine.up(WANTED);
    const deploys = (await scene.changingCalls()).filter((call) => call.endsWith(".DeployModel"));

    expect(first instanceof Error ? "says why" : "converges").toBe(verdict);
    expect(deploys).toHaveLength(when === "before" ? 2 : 1);
    expect(await engine.up(WANTED)).toBe("same");
    await expectServesAlone(ALIASES.one);

    await scene.emulator.fault({ method: "UndeployModel", ...declared });
    const destroyed = await engine.destroy();
    const again = await engine.destroy();

    expect(destroyed instanceof Error ? "says why" : "converges").toBe(verdict);
    expect(again).toBe("deleted");
    expect(await scene.endpoint()).toEqual(NOTHING);
    expect((await scene.emulator.state()).servers).toEqual([]);
  });
});

describe("the operation of a deploy that", () => {
  const stages = ["PREPARING_MODEL", "STARTING_MODEL_SERVER", "FINISHING_UP"];

  afterEach(async () => {
    await engine.destroy();
    expect(await scene.endpoint()).toEqual(NOTHING);
  });

  it.each(stages)("fails at %s is told, leaves nothing behind, and is made anew", async (stage) => {
    await scene.emulator.fault({ method: "DeployModel", stage });

    const first = await engine.up(WANTED);
    const left = await scene.endpoint();
    const servers = (await scene.emulator.state()).servers.length;
    const second = await engine.up(WANTED);

    expect((first as Error).message).toMatch(
      /^The deployment of "sha-000000000001" to .+ failed: /,
    );
    expect(left).toEqual(NOTHING);
    expect(servers).toBe(0);
    expect(second).toBe("created");
    await expectServesAlone(ALIASES.one);
  });

  it("finds no machine is told, with what to try, and not repeated", async () => {
    await scene.emulator.fault({ method: "DeployModel", noCapacity: true });

    const first = (await engine.up(WANTED)) as Error;
    const deploys = await scene.changingCalls();
    const second = await engine.up(WANTED);

    expect(first.message).toMatch(
      /There are not enough machines .* Run the same command again later, or use another acceleratorType, machineType or region\.$/,
    );
    expect(deploys).toEqual(["EndpointService.DeployModel"]);
    expect(second).toBe("created");
  });

  it("never ends is left pending at the deadline, up after up, and never started twice", async () => {
    const impatient = { ...WANTED, deployTimeoutSeconds: 1 };
    const held = await scene.emulator.fault({ method: "DeployModel", hold: true });

    const first = await engine.up(impatient);
    const pending = engine.recorded.pending;
    const second = await engine.up(impatient);
    const stillPending = engine.recorded.pending;
    await scene.emulator.release(held);
    const third = await engine.up(WANTED);

    expect((first as Error).message).toContain("did not finish within 1 s");
    expect((second as Error).message).toContain("did not finish within 1 s");
    expect(stillPending?.operation).toBe(pending?.operation);
    expect(third).toBe("updated");
    expect(
      (await scene.changingCalls()).filter((call) => call.endsWith(".DeployModel")),
    ).toHaveLength(1);
    expect(await engine.up(WANTED)).toBe("same");
    await expectServesAlone(ALIASES.one);
  });
});

describe("what a rollout deletes at its end", () => {
  /** Numbers the versions that rows add, so that each row has an old one to delete. */
  let added = 100;
  const keeping = deploymentInputs({ keepVersions: 1 });

  async function addVersion(): Promise<void> {
    added += 1;
    const folder = `archives/added-${added}`;
    await scene.storage
      .bucket("test-bucket")
      .file(`${folder}/model.mar`)
      .save("an archive", {
        resumable: false,
        metadata: { metadata: { "vertex-diffusion-stack": keeping.stackUid } },
      });
    await model.create(
      modelInputs({
        artifactUri: `gs://test-bucket/${folder}`,
        versionAlias: `sha-000000000${added}`,
      }),
    );
  }

  beforeAll(async () => {
    engine = new SmallEngine(deployment);
    await engine.up(keeping);
  });

  beforeEach(async () => {
    await engine.up(keeping);
    await addVersion();
  });

  const methods = ["DeleteModelVersion", "storage.objects.delete"];
  const rows = MATRIX.flatMap((row) => methods.map((method) => ({ method, ...row })));

  it.each(rows)("is gone after $fault $when $method", async ({ method, declared }) => {
    await scene.emulator.fault({ method, ...declared });

    const first = await engine.up(keeping);
    if (first instanceof Error) {
      expect(first.message).toMatch(/but the rollout is not finished\. Could not .+/);
      expect(await engine.up(keeping)).toBe("updated");
    }

    expect(await engine.up(keeping)).toBe("same");
    expect(
      Object.values(await scene.versions())
        .flat()
        .sort(),
    ).toEqual(["default", "live", ALIASES.one, `sha-000000000${added}`].sort());
    const [files] = await scene.storage.bucket("test-bucket").getFiles();
    expect(files.map((file) => file.name)).toEqual([
      `archives/added-${added}/model.mar`,
      "archives/one/model.mar",
    ]);
  });
});
