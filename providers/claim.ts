import { deleteAbandonedArchives } from "./abandoned-archives.ts";
import { giveBack } from "./adoption-steps.ts";
import { deleteBucketOf, makeWayForBucket } from "./bucket.ts";
import { compare } from "./changes.ts";
import type { Changes, EffectTable } from "./changes.ts";
import { deleteEndpointOf, makeWayForEndpoint } from "./endpoint.ts";
import { migrateClaim } from "./migrations.ts";
import { deleteModelOf } from "./model.ts";
import { undeployAll } from "./undeploy.ts";
import { deleteArchives } from "./upload.ts";

export { check } from "./check.ts";

/**
 * Stands before each thing in the cloud. Its create changes nothing there, so the engine records it at once; its delete
 * removes whatever of that thing a killed run left behind, by the same functions as the thing's own delete. Bucket and
 * endpoint are resources of Google's provider, which refuses to create what exists: while the engine has no record of one
 * (`recorded`), its claim first deletes the empty one that a killed run left, and refuses one that is not this stack's.
 * The claim of the archives knows which one is declared: it is the only record of an upload that was not seen to end, so when
 * another one is declared it deletes what was sent and never came to serve.
 */
export type ClaimInputs = {
  readonly emulator: boolean;
  readonly stackUid: string;
  readonly project: string;
} & ClaimTarget;

export type ClaimTarget =
  | { readonly kind: "bucket"; readonly bucket: string; readonly recorded: boolean }
  | {
      readonly kind: "archives";
      readonly bucket: string;
      /** SHA-256 of the declared archive, hex. */
      readonly digest: string;
      /** The model whose versions name archives. */
      readonly usedBy: string;
    }
  | { readonly kind: "adoption"; readonly endpoint: string; readonly modelName: string }
  | { readonly kind: "model"; readonly modelName: string; readonly deleteTimeoutSeconds: number }
  | {
      readonly kind: "endpoint";
      readonly endpoint: string;
      readonly recorded: boolean;
      readonly undeployTimeoutSeconds: number;
      readonly deleteTimeoutSeconds: number;
    }
  | {
      readonly kind: "deployment";
      readonly endpoint: string;
      readonly undeployTimeoutSeconds: number;
    };

interface ClaimFields {
  emulator: boolean;
  stackUid: string;
  project: string;
  kind: string;
  bucket: string;
  modelName: string;
  endpoint: string;
  recorded: boolean;
  digest: string;
  usedBy: string;
  undeployTimeoutSeconds: number;
  deleteTimeoutSeconds: number;
}

export const effects: EffectTable<ClaimFields> = {
  emulator: "none",
  stackUid: "replace",
  project: "replace",
  kind: "replace",
  bucket: "replace",
  modelName: "replace",
  endpoint: "replace",
  // Only to false.
  recorded: "update",
  digest: "update",
  usedBy: "none",
  undeployTimeoutSeconds: "record",
  deleteTimeoutSeconds: "record",
};

export function diff(_id: string, older: ClaimInputs, wanted: ClaimInputs): Changes {
  const changes = compare(
    { ...effects, recorded: "none" },
    migrateClaim(older) as Partial<ClaimFields>,
    wanted as unknown as ClaimFields,
  );
  const isUnrecorded = "recorded" in wanted && wanted.recorded === false;
  return { ...changes, changes: changes.changes || isUnrecorded };
}

export async function create(inputs: ClaimInputs) {
  await makeWay(inputs);
  return { id: `${inputs.kind}-${inputs.stackUid}`, outs: inputs };
}

/** A claim is nothing in the cloud: it is as it was recorded. */
export async function read(id: string, recorded: ClaimInputs) {
  return { id, props: migrateClaim(recorded) };
}

export async function update(_id: string, _recorded: ClaimInputs, inputs: ClaimInputs) {
  await makeWay(inputs);
  if (inputs.kind === "archives") await deleteAbandonedArchives(inputs);
  return { outs: inputs };
}

async function makeWay(inputs: ClaimInputs): Promise<void> {
  if (inputs.kind === "bucket" && !inputs.recorded) await makeWayForBucket(inputs);
  if (inputs.kind === "endpoint" && !inputs.recorded) await makeWayForEndpoint(inputs);
}

export async function remove(_id: string, older: ClaimInputs): Promise<void> {
  const recorded = migrateClaim(older);
  switch (recorded.kind) {
    case "bucket":
      return deleteBucketOf(recorded);
    case "archives":
      return deleteArchives(recorded);
    case "adoption":
      return giveBack(recorded);
    case "model":
      return deleteModelOf(recorded);
    case "endpoint":
      return deleteEndpointOf(recorded);
    case "deployment":
      return undeployAll(recorded);
  }
}
