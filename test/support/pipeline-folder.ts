import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

/** Folders that an archive can be planned from, small and always the same, relative to the current folder. */
export interface PipelineFolder {
  readonly handler: string;
  readonly weights: string;
  /** Digest of the archive that they make. */
  readonly digest: string;
  remove(): void;
}

export function makePipelineFolder(): PipelineFolder {
  const root = mkdtempSync(join(tmpdir(), "pipeline-"));
  const handler = join(root, "handler");
  const weights = join(root, "weights");
  mkdirSync(handler);
  mkdirSync(weights);
  writeFileSync(join(handler, "handler.py"), "def handle(data, context): ...\n");
  writeFileSync(join(weights, "model_index.json"), "{}");
  return {
    handler: relative(process.cwd(), handler),
    weights: relative(process.cwd(), weights),
    digest: "8c1dcf31d62c9109c80b7823620f3aa5875ab9229f71bc25a6b734d24089b8f4",
    remove: () => rmSync(root, { recursive: true }),
  };
}
