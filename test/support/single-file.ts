import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Names of tensors as in a Stable Diffusion 1.x checkpoint: one of each model. */
export const TENSOR_NAMES = [
  "model.diffusion_model.out.2.bias",
  "first_stage_model.quant_conv.bias",
  "cond_stage_model.transformer.text_model.final_layer_norm.bias",
] as const;

/** The configuration of its pipeline, with what a repository has besides. */
export const CONFIGURATION: Readonly<Record<string, string>> = {
  "model_index.json": JSON.stringify({
    _class_name: "StableDiffusionPipeline",
    feature_extractor: ["transformers", "CLIPImageProcessor"],
    safety_checker: ["stable_diffusion", "StableDiffusionSafetyChecker"],
    scheduler: ["diffusers", "PNDMScheduler"],
    text_encoder: ["transformers", "CLIPTextModel"],
    tokenizer: ["transformers", "CLIPTokenizer"],
    unet: ["diffusers", "UNet2DConditionModel"],
    vae: ["diffusers", "AutoencoderKL"],
  }),
  "scheduler/scheduler_config.json": "{}",
  "text_encoder/config.json": "{}",
  "tokenizer/merges.txt": "a b",
  "tokenizer/tokenizer_config.json": "{}",
  "tokenizer/vocab.json": "{}",
  "unet/config.json": "{}",
  "vae/config.json": "{}",
};

/** A .safetensors file with these tensors, of four bytes each. */
export function tensorFile(names: readonly string[], fill = 0): Buffer {
  const entries = names.map((name, at) => [
    name,
    { dtype: "U8", shape: [4], data_offsets: [4 * at, 4 * at + 4] },
  ]);
  const header = JSON.stringify({ __metadata__: { format: "pt" }, ...Object.fromEntries(entries) });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, Buffer.from(header), Buffer.alloc(4 * names.length, fill)]);
}

/** Writes a checkpoint and the folder with its configuration. */
export function writeSingleFile(root: string, file: string, config: string): void {
  write(join(root, file), tensorFile(TENSOR_NAMES));
  for (const [path, content] of Object.entries(CONFIGURATION)) {
    write(join(root, config, path), content);
  }
}

function write(path: string, content: string | Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
