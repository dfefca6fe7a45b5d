import { ArchiveSourceError } from "../../components/source-folder.ts";
import { PICKLE, isConfiguration, partNames } from "../../components/weights-rules.ts";

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
 * packed under the plain names, so that the handler needs to know of none.
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
  const chosen = [{ path: "model_index.json", listed: byPath.get("model_index.json")! }];
  for (const part of partNames(`${from}/model_index.json`, index)) {
    const inside = namesInside(part, byPath);
    // What a stranger calls a part is not yet the name of a folder in an archive.
    if (inside.length === 0 || !/^\w[\w-]*$/.test(part)) {
      throw refuse(`"${from}" names "${part}" in its model_index.json, and has no such folder.`);
    }
    const texts = inside.filter(isConfiguration);
    const weights = inside.includes("config.json") ? chooseWeights(from, part, inside) : [];
    for (const { name, as } of [...texts.map((name) => ({ name, as: name })), ...weights]) {
      chosen.push({ path: `${part}/${as}`, listed: byPath.get(`${part}/${name}`)! });
    }
  }
  return chosen.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Names of the files directly in a part's folder. */
function namesInside(part: string, byPath: ReadonlyMap<string, unknown>): string[] {
  return [...byPath.keys()].flatMap((path) => {
    const name = path.startsWith(`${part}/`) ? path.slice(part.length + 1) : "";
    return name === "" || name.includes("/") ? [] : [name];
  });
}

interface Renamed {
  readonly name: string;
  readonly as: string;
}

/** A part's weights, in half precision where there are both. */
function chooseWeights(from: string, part: string, inside: readonly string[]): Renamed[] {
  for (const base of WEIGHT_NAMES) {
    const as = `${base}.safetensors`;
    const name = [`${base}.${VARIANT}.safetensors`, as].find((one) => inside.includes(one));
    if (name !== undefined) return [{ name, as }];
  }
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
