import { compare } from "./changes.ts";
import type { Changes, EffectTable } from "./changes.ts";
import { deleteModelOf } from "./model.ts";
import { undeployAll } from "./undeploy.ts";
import { deleteArchives } from "./upload.ts";

export { check } from "./check.ts";

/**
 * Stands between a slow resource and what it lives on. Its create makes no call, so the engine records it at once; its
 * delete removes whatever of the slow resource a killed run left behind, by the same functions as that resource's own
 * delete. `target` is what those functions need.
 */
export type ClaimInputs = {
  readonly emulator: boolean;
  readonly stackUid: string;
  readonly project: string;
} & ClaimTarget;

export type ClaimTarget =
  | { readonly kind: "archives"; readonly bucket: string }
  | { readonly kind: "model"; readonly modelName: string }
  | { readonly kind: "deployment"; readonly endpoint: string };

interface ClaimFields {
  emulator: boolean;
  stackUid: string;
  project: string;
  kind: string;
  bucket: string;
  modelName: string;
  endpoint: string;
}

export const effects: EffectTable<ClaimFields> = {
  emulator: "none",
  stackUid: "replace",
  project: "replace",
  kind: "replace",
  bucket: "replace",
  modelName: "replace",
  endpoint: "replace",
};

export function diff(_id: string, recorded: ClaimInputs, wanted: ClaimInputs): Changes {
  return compare(effects, recorded as Partial<ClaimFields>, wanted as unknown as ClaimFields);
}

export async function create(inputs: ClaimInputs) {
  return { id: `${inputs.kind}-${inputs.stackUid}`, outs: inputs };
}

/** A claim is nothing in the cloud: it is as it was recorded. */
export async function read(id: string, recorded: ClaimInputs) {
  return { id, props: recorded };
}

export async function update(_id: string, _recorded: ClaimInputs, inputs: ClaimInputs) {
  return { outs: inputs };
}

export async function remove(_id: string, recorded: ClaimInputs): Promise<void> {
  switch (recorded.kind) {
    case "archives":
      return deleteArchives(recorded);
    case "model":
      return deleteModelOf(recorded);
    case "deployment":
      return undeployAll(recorded);
  }
}
