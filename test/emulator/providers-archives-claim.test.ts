import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from "@jest/globals";

import * as claim from "../../providers/claim.ts";
import type { ClaimInputs } from "../../providers/claim.ts";
import { DEPLOY_TIMEOUT_MS, changing, setDeploymentScene } from "../support/deployment-scene.ts";
import type { DeploymentScene } from "../support/deployment-scene.ts";
import { MODEL, OTHER_UID, STACK_UID } from "../support/provider-inputs.ts";
import { restOperation } from "../support/vertex-rest.ts";

jest.setTimeout(DEPLOY_TIMEOUT_MS);

const [OF_VERSIONS, ABANDONED] = [["broken", "one", "two"], "abandoned"] as const;

let scene: DeploymentScene;

beforeAll(async () => {
  scene = await setDeploymentScene();
});

afterAll(async () => {
  await scene.stop();
});

beforeEach(async () => {
  await put(ABANDONED, STACK_UID);
  await scene.emulator.calls();
});

function claimOf(digest: string, changes: Partial<{ bucket: string }> = {}): ClaimInputs {
  return {
    emulator: true,
    stackUid: STACK_UID,
    project: "local-project",
    kind: "archives",
    bucket: "test-bucket",
    digest,
    usedBy: MODEL,
    ...changes,
  };
}

async function put(digest: string, stackUid: string, name = "model.mar"): Promise<void> {
  await scene.storage
    .bucket("test-bucket")
    .file(`archives/${digest}/${name}`)
    .save("an archive", {
      resumable: false,
      metadata: { metadata: { "vertex-diffusion-stack": stackUid } },
    });
}

/** Digests in the bucket. */
async function archives(): Promise<string[]> {
  const [files] = await scene.storage.bucket("test-bucket").getFiles({ prefix: "archives/" });
  return files.map((file) => file.name.split("/")[1] ?? "");
}

async function parts(): Promise<string[]> {
  const [files] = await scene.storage
    .bucket("test-bucket")
    .getFiles({ prefix: "archives/.parts/" });
  return files.map((file) => file.name);
}

async function declare(before: string, now: string): Promise<void> {
  await claim.update("", claimOf(before), claimOf(now));
}

describe("the claim of the archives", () => {
  it("deletes what an up that was stopped has sent when another archive is declared", async () => {
    await declare(ABANDONED, "one");

    expect(await archives()).toEqual([...OF_VERSIONS]);
  });

  it("keeps the declared archive, which no version names yet, and other stacks' ones", async () => {
    await put("foreign", OTHER_UID);

    await declare("one", ABANDONED);

    expect(await archives()).toEqual([ABANDONED, "broken", "foreign", "one", "two"]);
    await scene.storage.bucket("test-bucket").file("archives/foreign/model.mar").delete();
  });

  it("deletes the parts of an upload that another one has replaced, and of one that has ended", async () => {
    for (const digest of [ABANDONED, "half", "one"]) {
      await put(`.parts/${digest}`, STACK_UID, "01-of-02");
    }
    await put(".parts/one", OTHER_UID, "02-of-02");

    await declare("half", "one");

    expect(await parts()).toEqual(["archives/.parts/one/02-of-02"]);
    await scene.storage.bucket("test-bucket").file("archives/.parts/one/02-of-02").delete();
  });

  it("keeps the parts of the declared archive until it is there", async () => {
    await put(".parts/half", STACK_UID, "01-of-02");

    await declare("one", "half");
    const before = await parts();
    await put("half", STACK_UID);
    await declare("one", "half");

    expect(before).toEqual(["archives/.parts/half/01-of-02"]);
    expect(await parts()).toEqual([]);
    await scene.storage.bucket("test-bucket").file("archives/half/model.mar").delete();
  });

  it("keeps all while a version is being made, which may name one of them", async () => {
    const held = await scene.emulator.fault({ method: "UploadModel", hold: true });
    const uploading = restOperation(
      scene.emulator.rest,
      "POST",
      `/v1/${MODEL.replace(/\/models.*/, "")}/models:upload`,
      {
        parentModel: MODEL,
        model: {
          artifactUri: `gs://test-bucket/archives/${ABANDONED}`,
          containerSpec: {
            imageUri: "us-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.2-4:latest",
          },
        },
      },
    );
    while ((await scene.emulator.state()).operations.every(({ done }) => done));

    await declare(ABANDONED, "one");
    await scene.emulator.release(held);
    await uploading;

    expect(await archives()).toContain(ABANDONED);
  });

  it("asks nothing while the declared archive is the same", async () => {
    expect(claim.diff("", claimOf("one"), claimOf("one")).changes).toBe(false);
    expect(claim.diff("", claimOf("one"), claimOf("two"))).toMatchObject({
      changes: true,
      replaces: [],
    });
    await claim.create(claimOf("one"));

    expect(await scene.emulator.calls()).toEqual([]);
  });

  it("takes over a state of before it knew the archive, without replacing anything", async () => {
    const { digest: _digest, usedBy: _usedBy, ...old } = claimOf("one") as Record<string, unknown>;

    expect(claim.diff("", old as ClaimInputs, claimOf("one"))).toMatchObject({
      changes: true,
      replaces: [],
    });
  });

  it("finds nothing in a bucket that is gone", async () => {
    await claim.update("", claimOf(ABANDONED), claimOf("one", { bucket: "no-such-bucket" }));

    expect(changing(await scene.emulator.calls())).toEqual([]);
  });
});
