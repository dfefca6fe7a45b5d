import type { ClaimInputs } from "./claim.ts";
import type { ModelDeploymentOutputs } from "./deployment.ts";
import { ReconcileError } from "./errors.ts";
import type { VertexModelOutputs } from "./model.ts";
import { SCHEMA } from "./results.ts";
import type { Reconciled } from "./results.ts";
import { TIME_LIMITS } from "./time-limits.ts";
import type { ArchiveUploadOutputs } from "./upload.ts";

const { undeployTimeoutSeconds, deleteTimeoutSeconds } = TIME_LIMITS;

/** What the state has of an archive, in today's shape. Early ones have all in model.mar. */
export function migrateArchive(recorded: ArchiveUploadOutputs): ArchiveUploadOutputs {
  return inShape(recorded, { beside: {} });
}

/** What the state has of a model, in today's shape. Shape 1 knows no limit of deletions and no adoption. */
export function migrateModel(recorded: VertexModelOutputs): VertexModelOutputs {
  return inShape(recorded, { adopted: false, deleteTimeoutSeconds });
}

/** What the state has of a deployment, in today's shape. Shape 1 knows no such limits and, when early, no canary and no pin. */
export function migrateDeployment(recorded: ModelDeploymentOutputs): ModelDeploymentOutputs {
  return inShape(recorded, {
    declaredAlias: recorded.versionAlias,
    canaryPercent: null,
    undeployTimeoutSeconds,
    deleteTimeoutSeconds,
    tidied: true,
    heldVersions: [],
    refused: null,
    canary: null,
  });
}

/** A claim as it was made before it was told limits, or a model's name. Claims bear no shape number. */
type OldClaim = ClaimInputs & { readonly location?: string; readonly modelId?: string };

/** What the state has of a claim, in today's shape. The archive of an old one is not known: that is an update. */
export function migrateClaim(recorded: OldClaim): ClaimInputs {
  switch (recorded.kind) {
    case "bucket":
    case "archives":
    case "adoption":
      return recorded;
    case "model": {
      const { project, location, modelId } = recorded;
      const modelName = `projects/${project}/locations/${location}/models/${modelId}`;
      return filled(recorded, { modelName, deleteTimeoutSeconds });
    }
    case "endpoint":
      return filled(recorded, { undeployTimeoutSeconds, deleteTimeoutSeconds });
    case "deployment":
      return filled(recorded, { undeployTimeoutSeconds });
  }
}

/** Fills what an older shape lacks. Throws ReconcileError for a state that a newer program wrote. */
function inShape<Outputs extends Reconciled>(
  recorded: Outputs,
  lacking: Partial<Outputs>,
): Outputs {
  if (recorded.schema > SCHEMA) {
    throw new ReconcileError(
      `Could not read this stack's state: a newer version of this project wrote it (shape ${recorded.schema}, this one knows ${SCHEMA}). Update the project, then run the same command again.`,
    );
  }
  return { ...filled(recorded, lacking), schema: SCHEMA };
}

function filled<Recorded extends object>(recorded: Recorded, lacking: Partial<Recorded>): Recorded {
  return { ...lacking, ...recorded };
}
