import { existsSync, statSync } from "node:fs";
import { join } from "node:path";

import type { FileHashes } from "./file-hashes.ts";
import { readTensorNames } from "./safetensors.ts";
import { ArchiveSourceError, hashFile, listFolder } from "./source-folder.ts";
import type { FoundFile } from "./source-folder.ts";
import type { LockedFile, WeightsFile } from "./weights-lock.ts";
import { CHECKPOINT, isConfiguration, partNames, readText } from "./weights-rules.ts";
import type { SingleFileSource } from "./weights-source.ts";

/** The parts of a Stable Diffusion 1.x pipeline, each with what it can't be without. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  scheduler: ["scheduler_config.json"],
  text_encoder: ["config.json"],
  tokenizer: ["merges.txt", "vocab.json"],
  unet: ["config.json"],
  vae: ["config.json"],
};

/** By what the names of a model's tensors begin in a Stable Diffusion 1.x checkpoint. */
const MODELS: readonly (readonly [model: string, prefixes: readonly string[]])[] = [
  ["unet", ["model.diffusion_model."]],
  ["vae", ["first_stage_model.", "vae."]],
  ["text_encoder", ["cond_stage_model.transformer.text_model."]],
];

/** Text encoders of other Stable Diffusions in the same layout. */
const OTHER_VERSIONS: readonly (readonly [version: string, prefix: string])[] = [
  ["Stable Diffusion XL", "conditioner.embedders."],
  ["Stable Diffusion 2", "cond_stage_model.model."],
];

const GET_CONFIGURATION =
  "Copy the pipeline's configuration whole: GIT_LFS_SKIP_SMUDGE=1 git clone https://huggingface.co/OWNER/NAME fetches it without weights.";

/**
 * Reads a checkpoint and its configuration, as an archive carries them: the checkpoint under a name of its own beside the
 * files of a pipeline folder. Of the two, what does not lie here is as it is locked.
 *
 * @throws ArchiveSourceError for what no pipeline can be loaded from, and for what is neither here nor locked.
 */
export function readSingleFile(
  root: string,
  source: SingleFileSource,
  locked: readonly LockedFile[],
  hashes: FileHashes,
): WeightsFile[] {
  const { file, config } = source;
  const [checkpoint, others] = [locked.filter(isCheckpoint), locked.filter(isNoCheckpoint)];
  const isKept = (path: string, known: readonly LockedFile[]) =>
    known.length > 0 && !existsSync(join(root, path));
  const asLocked = (known: LockedFile) => ({ ...known, source: sourceOf(source, known.path) });
  const read = (found: FoundFile) => ({ ...found, ...hashFile("weights", root, found, hashes) });
  return [
    ...(isKept(file, checkpoint) ? checkpoint.map(asLocked) : [read(findCheckpoint(root, file))]),
    ...(isKept(config, others)
      ? others.map(asLocked)
      : findConfiguration(root, config).map((found) => read(found))),
  ];
}

/** Where a file of the archive's weights lies, relative to the project's folder. */
export function sourceOf({ file, config }: SingleFileSource, path: string): string {
  return path === CHECKPOINT ? file : join(config, path);
}

function isCheckpoint({ path }: LockedFile): boolean {
  return path === CHECKPOINT;
}

function isNoCheckpoint(file: LockedFile): boolean {
  return !isCheckpoint(file);
}

function findCheckpoint(root: string, file: string): FoundFile {
  const stats = statSync(join(root, file), { throwIfNoEntry: false });
  if (stats === undefined) {
    throw refuse(`the file "${file}" does not exist. Name a .safetensors file beside Pulumi.yaml.`);
  }
  if (!stats.isFile()) throw refuse(`"${file}" is no file. Name the .safetensors file itself.`);
  checkLayout(file, readTensorNames(root, file));
  return { path: CHECKPOINT, source: file };
}

/** Refuses what is no Stable Diffusion 1.x with all its models, by the names of its tensors. */
function checkLayout(file: string, names: readonly string[]): void {
  const has = (prefix: string) => names.some((name) => name.startsWith(prefix));
  for (const [version, prefix] of OTHER_VERSIONS) {
    if (!has(prefix)) continue;
    throw refuse(
      `"${file}" is a ${version} checkpoint, and the handler serves Stable Diffusion 1.x. Name one of those.`,
    );
  }
  for (const [model, prefixes] of MODELS) {
    if (prefixes.some(has)) continue;
    throw refuse(
      `"${file}" has no tensors of the ${model} (named "${prefixes[0]}*"), so it is no whole Stable Diffusion 1.x checkpoint. Name one with UNet, VAE and text encoder in the original layout, or a pipeline's folder.`,
    );
  }
}

function findConfiguration(root: string, folder: string): FoundFile[] {
  const found = listFolder({ setting: "weightsConfig", root, folder });
  const byPath = new Map(found.map((file) => [file.path, file]));
  const need = (path: string): FoundFile => {
    const file = byPath.get(path);
    if (file !== undefined) return file;
    throw refuse(`"${join(folder, path)}" is missing. ${GET_CONFIGURATION}`, "weightsConfig");
  };
  const index = need("model_index.json");
  const other = partNames(index.source, readText(root, index)).find((part) => !(part in PARTS));
  if (other !== undefined) {
    throw refuse(
      `"${index.source}" names "${other}", and a Stable Diffusion 1.x checkpoint has no such part. Name the configuration of a StableDiffusionPipeline.`,
      "weightsConfig",
    );
  }
  for (const [part, names] of Object.entries(PARTS))
    for (const name of names) need(`${part}/${name}`);
  return [index, ...found.filter(({ path }) => isPartsConfiguration(path))];
}

/** Configuration directly in a part's folder; weights that lie beside it are not those of the checkpoint. */
function isPartsConfiguration(path: string): boolean {
  const [part = "", name = "", ...deeper] = path.split("/");
  return part in PARTS && deeper.length === 0 && isConfiguration(name);
}

function refuse(
  message: string,
  setting: "weights" | "weightsConfig" = "weights",
): ArchiveSourceError {
  return new ArchiveSourceError(setting, message);
}
