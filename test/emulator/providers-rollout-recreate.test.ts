import { beforeEach, describe, expect, it, jest } from "@jest/globals";

import * as deployment from "../../providers/deployment.ts";
import type { ModelDeploymentOutputs } from "../../providers/deployment.ts";
import { ALIASES, DEPLOY_TIMEOUT_MS, useDeploymentScene } from "../support/deployment-scene.ts";
import { rejectionOf } from "../support/provider-emulator.ts";
import type { PartialFailure } from "../support/provider-emulator.ts";
import { ENDPOINT, deploymentInputs } from "../support/provider-inputs.ts";

jest.setTimeout(DEPLOY_TIMEOUT_MS);

const NAME = `diffusion-test-0a1b-${ALIASES.one}`;

const scene = useDeploymentScene();
/** Version one with all traffic. */
let recorded: ModelDeploymentOutputs;

beforeEach(async () => {
  recorded = await scene.deploy(deploymentInputs({ rollout: "recreate" }));
  await scene.emulator.setQuotas({ "us-central1": { NVIDIA_TESLA_T4: 1 } });
});

function update(changes: Parameters<typeof deploymentInputs>[0]) {
  return deployment.update(ENDPOINT, recorded, deploymentInputs(changes));
}

async function changingCalls(): Promise<string[]> {
  return (await scene.changingCalls()).filter((call) => call.startsWith("Endpoint"));
}

describe("with a quota of one accelerator", () => {
  it("surge fails before the old one is touched, naming metric, limit and the setting that helps", async () => {
    const error = await rejectionOf(update({ versionAlias: ALIASES.two }));

    expect(error.message).toMatch(
      /^Could not deploy "sha-000000000002" to endpoint ".*": .*custom_model_serving_nvidia_t4_gpus \(limit 1 in us-central1.* Ask for more of that quota, use another acceleratorType or region, or free what uses it\. "diffusion-test-0a1b-sha-000000000001" goes on serving; when there is no room for both, set "rollout: recreate", which undeploys it first\.$/,
    );
    expect(error).not.toHaveProperty("properties");
    expect(await changingCalls()).toEqual(["EndpointService.DeployModel"]);
    expect(await scene.endpoint()).toEqual({
      displayNames: [NAME],
      ids: [recorded.deployedModelId],
      trafficSplit: { [recorded.deployedModelId]: 100 },
    });
  });

  it("recreate undeploys first, then deploys with all traffic", async () => {
    const { outs } = await update({ versionAlias: ALIASES.two, rollout: "recreate" });

    expect(await changingCalls()).toEqual([
      "EndpointService.UndeployModel",
      "EndpointService.DeployModel",
    ]);
    expect(await scene.endpoint()).toEqual({
      displayNames: [`diffusion-test-0a1b-${ALIASES.two}`],
      ids: [outs.deployedModelId],
      trafficSplit: { [outs.deployedModelId]: 100 },
    });
  });

  it("recreate touches nothing when the wanted one is already deployed", async () => {
    const { outs } = await update({ rollout: "recreate" });

    expect(await changingCalls()).toEqual([]);
    expect(outs).toEqual(recorded);
  });
});

describe("a recreate whose new version does not come up", () => {
  it("says that nothing serves now, and the old archive comes back by the next up", async () => {
    const error = await rejectionOf(update({ versionAlias: ALIASES.broken, rollout: "recreate" }));

    expect(error.message).toContain("the light server was told to end");
    expect(error.message).toMatch(
      / Nothing serves at endpoint ".*" now: rollout is "recreate", so what served was undeployed first\. Mend that, or go back to the old archive or settings, then run "up" again\.$/,
    );
    const { props } = await deployment.read(ENDPOINT, recorded);
    expect(props).toMatchObject({
      versionAlias: "",
      drift: "no model of this stack is deployed",
    });

    const { outs } = await deployment.update(
      ENDPOINT,
      props ?? recorded,
      deploymentInputs({ rollout: "recreate" }),
    );

    expect((await scene.endpoint()).trafficSplit).toEqual({ [outs.deployedModelId]: 100 });
  });

  it("says so too when its deploy outlives the deadline, and the next up waits for it", async () => {
    const fault = await scene.emulator.fault({ method: "DeployModel", hold: true });

    const error = await rejectionOf(
      update({ versionAlias: ALIASES.two, rollout: "recreate", deployTimeoutSeconds: 1 }),
    );

    const failure = error as unknown as PartialFailure<ModelDeploymentOutputs>;
    expect(failure.properties.pending).toMatchObject({ kind: "deployModel" });
    expect(failure.reasons[0]).toContain(`Nothing serves at endpoint "${ENDPOINT}" now`);
    const resuming = deployment.update(
      ENDPOINT,
      failure.properties,
      deploymentInputs({ versionAlias: ALIASES.two, rollout: "recreate" }),
    );
    await scene.emulator.release(fault);
    const { outs } = await resuming;
    expect((await scene.endpoint()).trafficSplit).toEqual({ [outs.deployedModelId]: 100 });
  });
});
