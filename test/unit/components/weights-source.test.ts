import { describe, expect, it } from "@jest/globals";

import { ArchiveSourceError } from "../../../components/source-folder.ts";
import { parseWeights, weightsKey } from "../../../components/weights-source.ts";

describe("parseWeights", () => {
  it.each([
    { weights: "./models/sd/", is: { kind: "folder", folder: "models/sd" } },
    { weights: "models/sd", is: { kind: "folder", folder: "models/sd" } },
    {
      weights: "./models/dream.safetensors",
      weightsConfig: "models/sd15/",
      is: { kind: "file", file: "models/dream.safetensors", config: "models/sd15" },
    },
    {
      weights: "hf://some-one/sd.v1_5",
      is: { kind: "hub", repository: "some-one/sd.v1_5", revision: null },
    },
    {
      weights: "hf://o/n@refs/pr/1",
      is: { kind: "hub", repository: "o/n", revision: "refs/pr/1" },
    },
    { weights: "gs://my-models", is: { kind: "gs", bucket: "my-models", folder: "" } },
    { weights: "gs://my-models/a/b c/", is: { kind: "gs", bucket: "my-models", folder: "a/b c" } },
  ])("reads $weights", ({ is, ...setting }) => {
    expect(parseWeights(setting)).toEqual(is);
  });

  it.each(["hf://o", "hf://o/n/m", "hf://o/n@", "hf://o/n@a b", "gs://", "s3://bucket/folder"])(
    "refuses %s with the addresses that there are",
    (weights) => {
      expect(() => parseWeights({ weights })).toThrow(ArchiveSourceError);
      expect(() => parseWeights({ weights })).toThrow(
        `"${weights}" is no address of weights. Name a folder or a .safetensors file beside Pulumi.yaml, "hf://OWNER/NAME@REVISION" or "gs://BUCKET/FOLDER".`,
      );
    },
  );

  it.each([
    {
      what: "a single file without its configuration",
      setting: { weights: "dream.safetensors", weightsConfig: null },
      blames: "weights",
      says: `"dream.safetensors" holds tensors alone. Name the folder with the configuration of its pipeline (model_index.json, tokenizer/, unet/config.json and so on) as weightsConfig.`,
    },
    {
      what: "a configuration of what has its own",
      setting: { weights: "models/sd", weightsConfig: "models/sd15" },
      blames: "weightsConfig",
      says: `"models/sd15" goes with a single .safetensors file, and weights names "models/sd", which has a configuration of its own. Take weightsConfig away.`,
    },
    ...["hf://o/n@main/dream.safetensors", "gs://b/dream.safetensors"].map((weights) => ({
      what: `a single file elsewhere, ${weights}`,
      setting: { weights, weightsConfig: "models/sd15" },
      blames: "weights",
      says: `"${weights}" can't be read: a single file and its configuration have to lie beside Pulumi.yaml. Download it there and name it.`,
    })),
    {
      what: "a configuration elsewhere",
      setting: { weights: "dream.safetensors", weightsConfig: "hf://o/n" },
      blames: "weightsConfig",
      says: `"hf://o/n" can't be read: a single file and its configuration have to lie beside Pulumi.yaml. Download it there and name it.`,
    },
    ...["dream.ckpt", "hf://o/n/dream.ckpt", "gs://b/dream.PT", "unet.bin"].map((weights) => ({
      what: `a pickle, ${weights}`,
      setting: { weights, weightsConfig: "models/sd15" },
      blames: "weights",
      says: `"${weights}" is a pickle, which can run code when it is loaded. Convert it to .safetensors where you trust it (README.md, "Weights", has the command), and name that file.`,
    })),
  ])("refuses $what", ({ setting, blames, says }) => {
    expect(() => parseWeights(setting)).toThrow(
      expect.objectContaining({ setting: blames, message: says }),
    );
  });
});

describe("weightsKey", () => {
  it.each([
    { weights: "./weights/", key: "weights" },
    { weights: "hf://o/n@main", key: "hf://o/n@main" },
    { weights: "gs://b/f/", key: "gs://b/f" },
    { weights: "./a.safetensors", weightsConfig: "b/", key: "a.safetensors with b" },
    { weights: "weights", weightsConfig: "", key: "weights" },
  ])("is $key for $weights", ({ key, ...setting }) => {
    expect(weightsKey(setting)).toBe(key);
  });
});
