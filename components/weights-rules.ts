import { readFileSync } from "node:fs";
import { join } from "node:path";

import { readTensorNames } from "./safetensors.ts";
import { ArchiveSourceError } from "./source-folder.ts";
import type { FoundFile } from "./source-folder.ts";

/** Formats that run code when they are loaded. */
export const PICKLE = /\.(bin|ckpt|pkl|pt|pth)$/i;
const SAFETENSORS = /\.safetensors$/;

/** Parts of a pipeline that the handler loads where a setting asks for them, so that they need not be there. */
export const SAFETY_PARTS = ["safety_checker", "feature_extractor"] as const;

/** What an archive calls weights that are a single file, beside the pipeline's configuration. */
export const CHECKPOINT = "checkpoint.safetensors";

/** Configurations and tokenizer files. */
const TEXT = /^\w[\w.-]*\.(json|txt|model)$/;

/** Directories of shards, and files of other frameworks. */
const OTHER_TEXT = /(\.index(\.\w+)?\.json|^(flax|tf|openvino|onnx)_.*)$/;

/** Whether a file of a pipeline's part, by its name, is configuration that the handler may load. */
export function isConfiguration(name: string): boolean {
  return TEXT.test(name) && !OTHER_TEXT.test(name);
}

/**
 * Refuses a folder that no pipeline can be loaded from: no model_index.json, a part missing that it names, pickles, weights
 * that are cut off.
 */
export function checkPipelineFolder(
  root: string,
  folder: string,
  files: readonly FoundFile[],
): void {
  const pickle = files.find(({ path }) => PICKLE.test(path));
  if (pickle !== undefined) {
    throw refuse(
      `"${pickle.source}" is a pickle, which can run code when it is loaded. Save the pipeline with pipeline.save_pretrained("${folder}", safe_serialization=True) and remove the file.`,
    );
  }
  const index = files.find(({ path }) => path === "model_index.json");
  if (index === undefined) {
    throw refuse(
      `the folder "${folder}" has no model_index.json, so it is no diffusers pipeline. Save one there with pipeline.save_pretrained("${folder}").`,
    );
  }
  const content = readText(root, index);
  for (const part of partNames(index.source, content)) checkPart(folder, part, files);
  for (const { path, source } of files) {
    if (path === CHECKPOINT) {
      throw refuse(
        `"${source}" has the name that weights in a single file have in an archive. Rename it.`,
      );
    }
    if (SAFETENSORS.test(path)) readTensorNames(root, source);
  }
}

/** Throws ArchiveSourceError for a file that can't be read. */
export function readText(root: string, { source }: FoundFile): string {
  try {
    return readFileSync(join(root, source), "utf8");
  } catch (error) {
    throw refuse(`"${source}" can't be read: ${(error as Error).message}.`);
  }
}

/** Whether weights with these files bring a safety checker that the handler can load. */
export function hasSafetyChecker(files: readonly { readonly path: string }[]): boolean {
  const [checker, extractor] = SAFETY_PARTS;
  const paths = files.map(({ path }) => path);
  return (
    paths.some((path) => path.startsWith(`${checker}/`) && SAFETENSORS.test(path)) &&
    paths.some((path) => path.startsWith(`${extractor}/`))
  );
}

/** Whether a file of the weights, by its path in their folder, belongs to the safety checker. */
export function isOfSafetyChecker(path: string): boolean {
  return SAFETY_PARTS.some((part) => path.startsWith(`${part}/`));
}

/**
 * Names of the parts that the content of a model_index.json lists and the handler always loads: "unet" for
 * "unet": ["diffusers", "UNet2DConditionModel"]. Throws ArchiveSourceError for what is no JSON.
 */
export function partNames(source: string, content: string): string[] {
  let index: Record<string, unknown>;
  try {
    index = Object(JSON.parse(content)) as typeof index;
  } catch (error) {
    throw refuse(`"${source}" can't be read: ${(error as Error).message}.`);
  }
  return Object.entries(index)
    .filter(([, value]) => Array.isArray(value) && value[0] !== null)
    .map(([name]) => name)
    .filter((name) => !SAFETY_PARTS.some((part) => part === name));
}

function checkPart(folder: string, part: string, files: readonly FoundFile[]): void {
  const inside = files.filter(({ path }) => path.startsWith(`${part}/`));
  if (inside.length === 0) {
    throw refuse(
      `"${folder}/model_index.json" names "${part}", and there is no such folder. Copy the pipeline whole.`,
    );
  }
  // A model's own config.json; schedulers and tokenizers have others, and no weights.
  const isModel = inside.some(({ path }) => path === `${part}/config.json`);
  if (isModel && !inside.some(({ path }) => SAFETENSORS.test(path))) {
    throw refuse(
      `"${folder}/${part}" has no .safetensors file. Save the pipeline with pipeline.save_pretrained("${folder}", safe_serialization=True).`,
    );
  }
}

function refuse(message: string): ArchiveSourceError {
  return new ArchiveSourceError("weights", message);
}
