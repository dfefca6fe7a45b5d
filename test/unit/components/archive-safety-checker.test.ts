import { mkdirSync, rmSync, writeFileSync } from "node:fs";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { planArchive } from "../../../components/archive-plan.ts";
import type { ArchiveSources } from "../../../components/archive-plan.ts";
import { enterPipelineFolder, writeLock } from "../../support/pipeline-folder.ts";
import type { PipelineFolder } from "../../support/pipeline-folder.ts";
import { tensorFile } from "../../support/tensor-file.ts";

const CHECKED = { VERTEX_DIFFUSION_SAFETY_CHECKER: "1" };

let folder: PipelineFolder;

beforeEach(() => {
  folder = enterPipelineFolder();
  mkdirSync("weights/safety_checker");
  mkdirSync("weights/feature_extractor");
  writeFileSync("weights/safety_checker/config.json", "{}");
  writeFileSync("weights/safety_checker/model.safetensors", tensorFile(20));
  writeFileSync("weights/feature_extractor/preprocessor_config.json", "{}");
});

afterEach(() => folder.remove());

/** Paths of the weights in the archive, after `npm run lock`. */
function packedWeights(env?: ArchiveSources["env"]): string[] {
  writeLock(process.cwd(), folder.weights);
  const { handler, weights, weightsIn } = folder;
  const sources = { handler, weights, weightsIn, ...(env === undefined ? {} : { env }) };
  const { entries } = planArchive(process.cwd(), sources);
  return entries.map(({ path }) => path).filter((path) => path.startsWith("weights/"));
}

describe("the weights' safety checker", () => {
  it("is packed where the container's variable asks for it", () => {
    expect(packedWeights(CHECKED)).toEqual([
      "weights/feature_extractor/preprocessor_config.json",
      "weights/model_index.json",
      "weights/safety_checker/config.json",
      "weights/safety_checker/model.safetensors",
    ]);
  });

  it.each<ArchiveSources["env"]>([undefined, {}, { VERTEX_DIFFUSION_SAFETY_CHECKER: "0" }])(
    "is left out with %j",
    (env) => {
      expect(packedWeights(env)).toEqual(["weights/model_index.json"]);
    },
  );

  it.each(["safety_checker", "safety_checker/model.safetensors", "feature_extractor"])(
    "is refused without %s",
    (path) => {
      rmSync(`weights/${path}`, { recursive: true });

      expect(() => packedWeights(CHECKED)).toThrow(
        expect.objectContaining({
          setting: "env",
          message:
            'VERTEX_DIFFUSION_SAFETY_CHECKER is 1, and the weights "weights" have no safety checker as safetensors (safety_checker/ and feature_extractor/). Name weights that bring one, or leave the variable out.',
        }),
      );
    },
  );
});
