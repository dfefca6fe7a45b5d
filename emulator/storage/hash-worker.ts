import { createHash, type Hash } from "node:crypto";
import { parentPort } from "node:worker_threads";

import type { HashReply, HashRequest } from "./hashing.ts";

/** The thread of Hashing: answers every request, in order. */
const hashes = new Map<number, Hash>();

parentPort?.on("message", (request: HashRequest) => {
  const hash = hashes.get(request.id) ?? createHash("md5");
  hashes.set(request.id, hash);
  let reply: HashReply = {};
  if (request.kind === "update") hash.update(request.block);
  else if (request.kind === "digest") reply = { md5Hash: hash.copy().digest("base64") };
  else hashes.delete(request.id);
  parentPort?.postMessage(reply);
});
