import { randomBytes } from "node:crypto";

import type { Changes } from "./changes.ts";
import "./engine.ts";

/** The stack's uid: 12 hex digits, made once and kept in the state. */
export interface StackIdentityOutputs {
  readonly uid: string;
}

/** Nothing of a stack's identity is declared. */
export async function check(_recorded: object, wanted: object) {
  return { inputs: wanted };
}

/** Never: without an answer the engine would compare the provider's text, and an update would make the uid anew. */
export function diff(): Changes {
  return { changes: false, replaces: [], deleteBeforeReplace: false };
}

export async function create() {
  const uid = randomBytes(6).toString("hex");
  return { id: uid, outs: { uid } };
}

/** It is nothing in the cloud: it is as it was recorded. */
export async function read(id: string, recorded: StackIdentityOutputs) {
  return { id, props: recorded };
}

/** A targeted or forced update keeps the uid. */
export async function update(_id: string, recorded: StackIdentityOutputs) {
  return { outs: { uid: recorded.uid } };
}

export async function remove(): Promise<void> {}
