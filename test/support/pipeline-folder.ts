import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { FileHashes } from "../../components/file-hashes.ts";
import { readWeightsFolder } from "../../components/weights-lock.ts";

/** A folder that stands for the project's, with what an archive is planned from: small and always the same. */
export interface PipelineFolder {
  readonly handler: string;
  readonly weights: string;
  readonly weightsIn: "archive";
  /** Digest of the archive that they make. */
  readonly digest: string;
  remove(): void;
}

/** Enters a new folder until `remove`. */
export function enterPipelineFolder(): PipelineFolder {
  const before = process.cwd();
  const root = realpathSync(mkdtempSync(join(tmpdir(), "pipeline-")));
  process.chdir(root);
  mkdirSync("handler");
  mkdirSync("weights");
  writeFileSync("handler/handler.py", "def handle(data, context): ...\n");
  writeFileSync("weights/model_index.json", "{}");
  writeLock(root, "weights");
  return {
    handler: "handler",
    weights: "weights",
    weightsIn: "archive",
    digest: "8c1dcf31d62c9109c80b7823620f3aa5875ab9229f71bc25a6b734d24089b8f4",
    remove: () => {
      process.chdir(before);
      rmSync(root, { recursive: true });
    },
  };
}

/** Locks a weights folder as it is, as `npm run lock` does. */
export function writeLock(root: string, weights: string): void {
  const hashes = new FileHashes(join(root, ".local/file-hashes.json"));
  const files = readWeightsFolder(root, weights, hashes);
  const lock = { schema: 1, weights: { [weights]: { files } } };
  writeFileSync(join(root, "weights.lock.json"), JSON.stringify(lock));
}
