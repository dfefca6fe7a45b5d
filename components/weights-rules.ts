import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";

import { ArchiveSourceError } from "./source-folder.ts";
import type { FoundFile } from "./source-folder.ts";

/** Formats that run code when they are loaded. */
export const PICKLE = /\.(bin|ckpt|pkl|pt|pth)$/i;
const SAFETENSORS = /\.safetensors$/;

/** Parts of a pipeline that the handler never loads, so that they need not be there. */
const NOT_LOADED: ReadonlySet<string> = new Set(["safety_checker", "feature_extractor"]);

/** A safetensors header is at most this long (the format's own limit). */
const HEADER_LIMIT_BYTES = 100_000_000;

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
  for (const part of partNames(index.source, readText(root, index))) checkPart(folder, part, files);
  for (const file of files) {
    if (SAFETENSORS.test(file.path)) checkSafetensors(join(root, file.source), file.source);
  }
}

function readText(root: string, { source }: FoundFile): string {
  try {
    return readFileSync(join(root, source), "utf8");
  } catch (error) {
    throw refuse(`"${source}" can't be read: ${(error as Error).message}.`);
  }
}

/**
 * Names of the parts that the content of a model_index.json lists and the handler loads: "unet" for
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
    .filter(([name, value]) => Array.isArray(value) && value[0] !== null && !NOT_LOADED.has(name))
    .map(([name]) => name);
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

/** Refuses weights whose header is broken or whose length is not what it says (8 bytes of length, JSON, then the tensors). */
function checkSafetensors(path: string, source: string): void {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const length = size < 8 ? 0 : Number(readBytes(file, 8, 0).readBigUInt64LE());
    if (size < 8 || length > Math.min(HEADER_LIMIT_BYTES, size - 8)) {
      throw refuse(
        `"${source}" is no whole .safetensors file: its header is cut off. Copy it again.`,
      );
    }
    const needed = 8 + length + endOfTensors(readBytes(file, length, 8).toString("utf8"));
    if (size !== needed) {
      throw refuse(
        `"${source}" is no whole .safetensors file: it has ${size} bytes, and its header says ${needed}. Copy it again.`,
      );
    }
  } catch (error) {
    if (error instanceof ArchiveSourceError) throw error;
    throw refuse(
      `"${source}" is no whole .safetensors file: ${(error as Error).message}. Copy it again.`,
    );
  } finally {
    closeSync(file);
  }
}

function readBytes(file: number, length: number, position: number): Buffer {
  const bytes = Buffer.alloc(length);
  readSync(file, bytes, 0, length, position);
  return bytes;
}

/** Where the last tensor ends, in bytes after the header. */
function endOfTensors(header: string): number {
  const tensors = Object.entries(JSON.parse(header) as Record<string, { data_offsets: number[] }>);
  return tensors.reduce(
    (end, [name, tensor]) =>
      name === "__metadata__" ? end : Math.max(end, tensor.data_offsets[1]!),
    0,
  );
}

function refuse(message: string): ArchiveSourceError {
  return new ArchiveSourceError("weights", message);
}
