import { ArchiveSourceError } from "../../components/source-folder.ts";
import {
  PICKLE,
  SAFETY_PARTS,
  isConfiguration,
  partNames,
} from "../../components/weights-rules.ts";

/** A file that the archive carries, and the file that it is taken from. */
export interface Chosen<Listed> {
  /** Path inside the pipeline's folder, as the handler loads it. */
  readonly path: string;
  readonly listed: Listed;
}

/** Names under which diffusers and transformers look for a part's weights. */
const WEIGHT_NAMES = ["diffusion_pytorch_model", "model"] as const;

/** Half precision: half the bytes, and what a GPU computes in. */
const VARIANT = "fp16";

/** Weights in several files: diffusers 0.31 loads them with the package accelerate alone, which no archive has. */
const SHARD = /-\d{5}-of-\d{5}\.safetensors$/;

/**
 * Of all files of a pipeline somewhere else those that the handler loads: model_index.json, and of each part that it names
 * the configuration, the tokenizer's files and the weights as safetensors. A variant in half precision is preferred and
 * packed under the plain names, so that the handler needs to know of none. A safety checker is taken along where it is whole
 * and has safetensors: a stack that asks for none packs none.
 *
 * @param from The source in words, for messages: "hf://OWNER/NAME".
 * @param index Content of its model_index.json.
 * @throws ArchiveSourceError where a part is missing or has pickles only.
 */
export function choosePipelineFiles<Listed extends { readonly path: string }>(
  from: string,
  index: string,
  listed: readonly Listed[],
): Chosen<Listed>[] {
  const byPath = new Map(listed.map((file) => [file.path, file]));
  const parts = partNames(`${from}/model_index.json`, index).map((part): Part => [
    part,
    filesOf(from, part, byPath),
  ]);
  const chosen = [...parts, ...safetyChecker(byPath)].flatMap(([part, files]) =>
    files.map(({ name, as }) => ({
      path: `${part}/${as}`,
      listed: byPath.get(`${part}/${name}`)!,
    })),
  );
  const all = [{ path: "model_index.json", listed: byPath.get("model_index.json")! }, ...chosen];
  return all.sort((a, b) => (a.path < b.path ? -1 : 1));
}

interface Renamed {
  readonly name: string;
  readonly as: string;
}

type Part = readonly [name: string, files: readonly Renamed[]];

function filesOf(from: string, part: string, byPath: ReadonlyMap<string, unknown>): Renamed[] {
  const inside = namesInside(part, byPath);
  // What a stranger calls a part is not yet the name of a folder in an archive.
  if (inside.length === 0 || !/^\w[\w-]*$/.test(part)) {
    throw refuse(`"${from}" names "${part}" in its model_index.json, and has no such folder.`);
  }
  const weights = inside.includes("config.json") ? [chooseWeights(from, part, inside)] : [];
  return [...textsOf(inside), ...weights];
}

function safetyChecker(byPath: ReadonlyMap<string, unknown>): Part[] {
  const [checker, extractor] = SAFETY_PARTS;
  const [ofChecker, ofExtractor] = [namesInside(checker, byPath), namesInside(extractor, byPath)];
  const weights = findWeights(ofChecker);
  if (weights === undefined || !ofChecker.includes("config.json") || ofExtractor.length === 0) {
    return [];
  }
  return [
    [checker, [...textsOf(ofChecker), weights]],
    [extractor, textsOf(ofExtractor)],
  ];
}

/** Configurations, under their own names. */
function textsOf(inside: readonly string[]): Renamed[] {
  return inside.filter(isConfiguration).map((name) => ({ name, as: name }));
}

/** Names of the files directly in a part's folder. */
function namesInside(part: string, byPath: ReadonlyMap<string, unknown>): string[] {
  return [...byPath.keys()].flatMap((path) => {
    const name = path.startsWith(`${part}/`) ? path.slice(part.length + 1) : "";
    return name === "" || name.includes("/") ? [] : [name];
  });
}

/** A part's weights, in half precision where there are both. */
function findWeights(inside: readonly string[]): Renamed | undefined {
  for (const base of WEIGHT_NAMES) {
    const as = `${base}.safetensors`;
    const name = [`${base}.${VARIANT}.safetensors`, as].find((one) => inside.includes(one));
    if (name !== undefined) return { name, as };
  }
  return undefined;
}

function chooseWeights(from: string, part: string, inside: readonly string[]): Renamed {
  const found = findWeights(inside);
  if (found !== undefined) return found;
  if (inside.some((name) => SHARD.test(name))) {
    throw refuse(
      `"${from}" has "${part}" in several files, which the handler can't load. Save it with pipeline.save_pretrained("weights", safe_serialization=True, max_shard_size="50GB"), and name that folder.`,
    );
  }
  const pickle = inside.find((name) => PICKLE.test(name));
  throw refuse(
    pickle === undefined
      ? `"${from}" has no .safetensors file of "${part}".`
      : `"${from}" has "${part}" as a pickle only ("${part}/${pickle}"), which can run code when it is loaded. Name a repository or revision with .safetensors files, or save it with pipeline.save_pretrained("weights", safe_serialization=True) where you trust it, and name that folder.`,
  );
}

function refuse(message: string): ArchiveSourceError {
  return new ArchiveSourceError("weights", message);
}
