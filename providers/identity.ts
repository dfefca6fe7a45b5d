import { randomBytes } from "node:crypto";

/** Gives the stack its random uid: 12 hex digits, made once and kept in the state. */
export async function create() {
  const uid = randomBytes(6).toString("hex");
  return { id: uid, outs: { uid } };
}
