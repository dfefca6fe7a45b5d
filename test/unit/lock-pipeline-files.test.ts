import { describe, expect, it } from "@jest/globals";

import { ArchiveSourceError } from "../../components/source-folder.ts";
import { choosePipelineFiles } from "../../scripts/lock/pipeline-files.ts";

const INDEX = JSON.stringify({
  _class_name: "StableDiffusionPipeline",
  feature_extractor: ["transformers", "CLIPImageProcessor"],
  safety_checker: ["stable_diffusion", "StableDiffusionSafetyChecker"],
  image_encoder: [null, null],
  scheduler: ["diffusers", "PNDMScheduler"],
  tokenizer: ["transformers", "CLIPTokenizer"],
  unet: ["diffusers", "UNet2DConditionModel"],
});

const SMALL = [
  "model_index.json",
  "scheduler/scheduler_config.json",
  "tokenizer/merges.txt",
  "tokenizer/special_tokens_map.json",
  "tokenizer/tokenizer_config.json",
  "tokenizer/vocab.json",
  "unet/config.json",
];

/** "PACKED <- LISTED" where the names differ. */
function choose(paths: readonly string[], index = INDEX): string[] {
  const chosen = choosePipelineFiles(
    "hf://o/n",
    index,
    paths.map((path) => ({ path })),
  );
  return chosen.map(({ path, listed }) =>
    path === listed.path ? path : `${path} <- ${listed.path}`,
  );
}

function unetOf(...names: readonly string[]): string[] {
  const chosen = choose([...SMALL, ...names.map((name) => `unet/${name}`)]);
  return chosen.filter((line) => line.startsWith("unet/") && line !== "unet/config.json");
}

describe("choosePipelineFiles", () => {
  it("takes of a repository like stable-diffusion-v1-5's what the handler loads, and nothing else", () => {
    const chosen = choose([
      ...SMALL,
      ".gitattributes",
      "README.md",
      "v1-inference.yaml",
      "v1-5-pruned-emaonly.ckpt",
      "v1-5-pruned-emaonly.safetensors",
      "feature_extractor/preprocessor_config.json",
      "safety_checker/config.json",
      "safety_checker/model.fp16.safetensors",
      "image_encoder/config.json",
      "unet/diffusion_pytorch_model.bin",
      "unet/diffusion_pytorch_model.fp16.bin",
      "unet/diffusion_pytorch_model.fp16.safetensors",
      "unet/diffusion_pytorch_model.non_ema.safetensors",
      "unet/diffusion_pytorch_model.safetensors",
      "unet/diffusion_flax_model.msgpack",
      "unet/model.onnx",
      "unet/weights.pb",
      "unet/openvino_model.xml",
      "unet/flax_config.json",
      "unet/backup/config.json",
      "unet_old/config.json",
    ]);

    expect(chosen).toEqual([
      "feature_extractor/preprocessor_config.json",
      "model_index.json",
      "safety_checker/config.json",
      "safety_checker/model.safetensors <- safety_checker/model.fp16.safetensors",
      ...SMALL.slice(1),
      "unet/diffusion_pytorch_model.safetensors <- unet/diffusion_pytorch_model.fp16.safetensors",
    ]);
  });

  it.each([
    {
      what: "full precision where there is no half",
      names: ["diffusion_pytorch_model.safetensors"],
      takes: ["unet/diffusion_pytorch_model.safetensors"],
    },
    {
      what: "the names of transformers as well",
      names: ["model.fp16.safetensors", "pytorch_model.bin"],
      takes: ["unet/model.safetensors <- unet/model.fp16.safetensors"],
    },
  ])("takes $what", ({ names, takes }) => {
    expect(unetOf(...names)).toEqual(takes);
  });

  it.each([
    ["has pickles only", ["safety_checker/config.json", "safety_checker/pytorch_model.bin"]],
    ["has no configuration", ["safety_checker/model.safetensors"]],
    ["is not there", []],
  ])("leaves out a safety checker that %s, with what prepares pictures for it", (_, checker) => {
    const unet = "unet/diffusion_pytorch_model.safetensors";
    const chosen = choose([
      ...[...SMALL, unet, "feature_extractor/preprocessor_config.json"],
      ...checker,
    ]);

    expect(chosen).toEqual([...SMALL, unet]);
  });

  it("leaves out a safety checker that nothing prepares pictures for", () => {
    const unet = "unet/diffusion_pytorch_model.safetensors";
    const checker = ["safety_checker/config.json", "safety_checker/model.safetensors"];

    expect(choose([...SMALL, unet, ...checker])).toEqual([...SMALL, unet]);
  });

  it.each([
    {
      what: "a part with pickles only, with the way out",
      paths: [...SMALL, "unet/diffusion_pytorch_model.bin"],
      says: `"hf://o/n" has "unet" as a pickle only ("unet/diffusion_pytorch_model.bin"), which can run code when it is loaded. Name a repository or revision with .safetensors files, or save it with pipeline.save_pretrained("weights", safe_serialization=True)`,
    },
    {
      what: "a part without weights",
      paths: SMALL,
      says: `"hf://o/n" has no .safetensors file of "unet".`,
    },
    {
      what: "a part in shards, with the way out",
      paths: [
        ...SMALL,
        "unet/model.fp16-00001-of-00001.safetensors",
        "unet/model.safetensors.index.fp16.json",
      ],
      says: `"hf://o/n" has "unet" in several files, which the handler can't load. Save it with pipeline.save_pretrained("weights", safe_serialization=True, max_shard_size="50GB"), and name that folder.`,
    },
    {
      what: "a part that is missing",
      paths: SMALL.filter((path) => !path.startsWith("tokenizer/")),
      says: `"hf://o/n" names "tokenizer" in its model_index.json, and has no such folder.`,
    },
    {
      what: "a part whose name leads out of the archive's folder",
      paths: [...SMALL, "../config.json", "unet/model.safetensors"],
      index: JSON.stringify({ "..": ["diffusers", "UNet2DConditionModel"] }),
      says: `"hf://o/n" names ".." in its model_index.json, and has no such folder.`,
    },
    {
      what: "a model_index.json that is none",
      paths: SMALL,
      index: "<html>",
      says: `"hf://o/n/model_index.json" can't be read: Unexpected token`,
    },
  ])("refuses $what", ({ paths, index, says }) => {
    expect(() => choose(paths, index)).toThrow(ArchiveSourceError);
    expect(() => choose(paths, index)).toThrow(says);
  });
});
