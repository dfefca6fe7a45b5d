import type { Effect } from "../../providers/changes.ts";
import * as adoption from "../../providers/adoption.ts";
import * as claim from "../../providers/claim.ts";
import * as deployment from "../../providers/deployment.ts";
import * as model from "../../providers/model.ts";
import * as upload from "../../providers/upload.ts";

/** The replace-or-update tables of the dynamic resources, as the providers act on them. */
export const EFFECT_TABLES = {
  ArchiveUpload: upload.effects,
  VertexModel: model.effects,
  ModelDeployment: deployment.effects,
  Claim: claim.effects,
  Adoption: adoption.effects,
} as const;

/** One row for every input of every dynamic resource. */
export const EFFECT_ROWS = Object.entries(EFFECT_TABLES).flatMap(([resource, table]) =>
  Object.entries<Effect>(table).map(([input, effect]) => ({ resource, input, effect })),
);
