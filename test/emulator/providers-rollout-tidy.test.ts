import { beforeEach, describe, expect, it, jest } from "@jest/globals";

import * as deployment from "../../providers/deployment.ts";
import type { ModelDeploymentOutputs } from "../../providers/deployment.ts";
import {
  ALIASES,
  DEPLOY_TIMEOUT_MS,
  refreshed,
  useDeploymentScene,
} from "../support/deployment-scene.ts";
import { makeBucket } from "../support/bucket.ts";
import { rejectionOf } from "../support/provider-emulator.ts";
import type { PartialFailure } from "../support/provider-emulator.ts";
import { ENDPOINT, MODEL, STACK_UID, deploymentInputs } from "../support/provider-inputs.ts";

jest.setTimeout(DEPLOY_TIMEOUT_MS);

const TWO = deploymentInputs({ versionAlias: ALIASES.two });

const scene = useDeploymentScene();
let recorded: ModelDeploymentOutputs;

beforeEach(async () => {
  recorded = await scene.deploy(deploymentInputs());
});

describe("the last step of a rollout", () => {
  it("is done by the next plain up when the aliases could not be moved", async () => {
    await scene.emulator.fault({ method: "MergeVersionAliases", status: "PERMISSION_DENIED" });

    const error = await rejectionOf(deployment.update(ENDPOINT, recorded, TWO));

    const failure = error as unknown as PartialFailure<ModelDeploymentOutputs>;
    expect(failure.reasons[0]).toMatch(
      /^"sha-000000000002" serves at endpoint ".*", but the rollout is not finished\. Could not move the aliases and delete what is no longer kept: .* Run "up" again; it does only what is left\.$/,
    );
    expect(failure.properties).toMatchObject({ versionAlias: ALIASES.two, tidied: false });
    const found = await refreshed(failure.properties);
    expect(found.drift).toBe(
      'alias "live" stands on version 1, not on 2, which serves; alias "default" stands on version 1, not on 2, which serves',
    );
    expect(deployment.diff(ENDPOINT, found, TWO).changes).toBe(true);

    await scene.emulator.calls();
    const { outs } = await deployment.update(ENDPOINT, found, TWO);

    expect(await scene.changingCalls()).toEqual([
      "ModelService.MergeVersionAliases",
      "ModelService.MergeVersionAliases",
    ]);
    expect((await scene.versions())["2"]).toEqual(
      expect.arrayContaining(["live", "default", ALIASES.two]),
    );
    expect(deployment.diff(ENDPOINT, await refreshed(outs), TWO).changes).toBe(false);
  });

  it("is seen as left over when the up that rolled out was killed before it", async () => {
    // A kill leaves the state as it was before the up; the cloud has the new model and the old aliases.
    const { outs } = await deployment.update(ENDPOINT, recorded, TWO);
    await moveAlias("1", "default");

    const found = await refreshed(recorded);

    expect(found).toMatchObject({ versionAlias: ALIASES.two, versionId: "2" });
    expect(found.drift).toBe('alias "default" stands on version 1, not on 2, which serves');
    expect(deployment.diff(ENDPOINT, found, TWO).changes).toBe(true);
    await deployment.update(ENDPOINT, found, TWO);
    expect(await refreshed(outs)).toEqual(outs);
  });

  it("puts an alias back that was taken away by hand", async () => {
    await moveAlias("1", "-live");

    const found = await refreshed(recorded);
    await deployment.update(ENDPOINT, found, deploymentInputs());

    expect(found.drift).toBe('alias "live" stands on no version, not on 1, which serves');
    expect((await scene.versions())["1"]).toContain("live");
    expect((await refreshed(recorded)).drift).toBeNull();
  });

  it("keeps the archives of kept versions also in a bucket of another name than they were registered from", async () => {
    await makeBucket(scene.emulator.rest, "other-bucket");
    const bucket = scene.storage.bucket("other-bucket");
    for (const name of ["one", "left-over"]) {
      await bucket.file(`archives/${name}/model.mar`).save("an archive", {
        resumable: false,
        metadata: { metadata: { "vertex-diffusion-stack": STACK_UID } },
      });
    }

    await deployment.update(ENDPOINT, recorded, deploymentInputs({ bucket: "other-bucket" }));

    const [files] = await bucket.getFiles();
    expect(files.map((file) => file.name)).toEqual(["archives/one/model.mar"]);
  });

  it("is recorded as not done when an archive could not be deleted, and then done", async () => {
    const keepTwo = deploymentInputs({ keepVersions: 2 });
    await scene.emulator.fault({ method: "storage.objects.delete", status: "PERMISSION_DENIED" });

    const error = await rejectionOf(
      deployment.update(ENDPOINT, recorded, deploymentInputs({ keepVersions: 1 })),
    );
    const failure = error as unknown as PartialFailure<ModelDeploymentOutputs>;
    const found = await refreshed(failure.properties);

    expect(found).toMatchObject({ tidied: false, drift: null });
    expect(deployment.diff(ENDPOINT, found, keepTwo).changes).toBe(true);
    const { outs } = await deployment.update(ENDPOINT, found, keepTwo);

    const [files] = await scene.storage.bucket("test-bucket").getFiles();
    expect(files.map((file) => file.name)).not.toContain("archives/two/model.mar");
    expect(outs.tidied).toBe(true);
    expect(deployment.diff(ENDPOINT, await refreshed(outs), keepTwo).changes).toBe(false);
  });
});

async function moveAlias(versionId: string, alias: string): Promise<void> {
  await scene.google.models.mergeVersionAliases({
    name: `${MODEL}@${versionId}`,
    versionAliases: [alias],
  });
}
