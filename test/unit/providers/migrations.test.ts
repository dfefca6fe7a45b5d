import { describe, expect, it } from "@jest/globals";

import { diff as diffClaim } from "../../../providers/claim.ts";
import type { ClaimInputs } from "../../../providers/claim.ts";
import { diff as diffDeployment } from "../../../providers/deployment.ts";
import type { ModelDeploymentOutputs } from "../../../providers/deployment.ts";
import { migrateArchive, migrateClaim, migrateModel } from "../../../providers/migrations.ts";
import type { VertexModelOutputs } from "../../../providers/model.ts";
import { SCHEMA } from "../../../providers/results.ts";
import type { ArchiveUploadOutputs } from "../../../providers/upload.ts";
import {
  MODEL,
  STACK_UID,
  deploymentInputs,
  modelInputs,
  uploadInputs,
} from "../../support/provider-inputs.ts";

const CONTEXT = { emulator: true, stackUid: STACK_UID, project: "local-project" };

describe("a state of an older shape", () => {
  it("names a claimed model by the id that it was claimed by", () => {
    const older = { ...CONTEXT, kind: "model", location: "us-central1", modelId: "diffusion-test" };

    expect(migrateClaim(older as unknown as ClaimInputs)).toMatchObject({
      modelName: MODEL,
      deleteTimeoutSeconds: 1800,
    });
  });

  it("has no change of a claim that knew no limits, while they are the defaults", () => {
    const older = { ...CONTEXT, kind: "deployment", endpoint: "e" } as unknown as ClaimInputs;
    const wanted = { ...older, undeployTimeoutSeconds: 1800 } as ClaimInputs;

    expect(diffClaim("", older, wanted).changes).toBe(false);
    expect(
      diffClaim("", older, { ...wanted, undeployTimeoutSeconds: 60 } as ClaimInputs).changes,
    ).toBe(true);
  });

  it("has no change of a deployment that knew neither canary, pin nor limits", () => {
    const wanted = deploymentInputs({ undeployTimeoutSeconds: 1800, deleteTimeoutSeconds: 1800 });
    const { declaredAlias: _a, canaryPercent: _b, undeployTimeoutSeconds: _c, ...older } = wanted;
    const recorded = { ...older, schema: 1, pending: null, drift: null } as ModelDeploymentOutputs;

    expect(diffDeployment("", recorded, wanted).changes).toBe(false);
  });

  it("keeps what it has", () => {
    const recorded = {
      ...modelInputs({ deleteTimeoutSeconds: 7 }),
      schema: 1,
    } as VertexModelOutputs;

    expect(migrateModel(recorded)).toEqual({ ...recorded, schema: SCHEMA });
  });
});

describe("a state of a newer shape", () => {
  it("is refused, with what to do", () => {
    const newer = { ...uploadInputs(), schema: SCHEMA + 1 } as ArchiveUploadOutputs;

    expect(() => migrateArchive(newer)).toThrow(
      `Could not read this stack's state: a newer version of this project wrote it (shape ${SCHEMA + 1}, this one knows ${SCHEMA}). Update the project, then run the same command again.`,
    );
  });
});
