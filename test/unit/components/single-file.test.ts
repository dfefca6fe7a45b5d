import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { FileHashes } from "../../../components/file-hashes.ts";
import { readSingleFile } from "../../../components/single-file.ts";
import { ArchiveSourceError } from "../../../components/source-folder.ts";
import type { LockedFile } from "../../../components/weights-lock.ts";
import {
  CONFIGURATION,
  TENSOR_NAMES,
  tensorFile,
  writeSingleFile,
} from "../../support/single-file.ts";

const FILE = "models/dream.safetensors";
const CONFIG = "models/sd15-config";
const [UNET, VAE, TEXT_ENCODER] = TENSOR_NAMES;

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "single-file-"));
  writeSingleFile(root, FILE, CONFIG);
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

function write(path: string, content: string | Buffer): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

const remove = (path: string) => rmSync(join(root, path), { recursive: true });

function read(locked: readonly LockedFile[] = []) {
  const hashes = new FileHashes(join(root, "hashes.json"));
  return readSingleFile(root, { kind: "file", file: FILE, config: CONFIG }, locked, hashes);
}

function refusal(): ArchiveSourceError {
  try {
    read();
  } catch (error) {
    if (error instanceof ArchiveSourceError) return error;
    throw error;
  }
  throw new Error("the files were taken");
}

describe("readSingleFile", () => {
  it("answers the checkpoint under a name of its own, and the configuration's files", () => {
    expect(read().map(({ path, source }) => [path, source])).toEqual([
      ["checkpoint.safetensors", FILE],
      ...Object.keys(CONFIGURATION).map((path) => [path, `${CONFIG}/${path}`]),
    ]);
  });

  it("leaves of the configuration's folder what the handler does not load: weights, pickles, other parts", () => {
    const before = read();

    for (const path of [
      ...["unet/model.safetensors", "vae/model.bin", "v1-5-pruned.ckpt", "v1-inference.yaml"],
      ...["safety_checker/config.json", "feature_extractor/preprocessor_config.json", "README.md"],
      ...["unet/old/config.json", "unet/flax_config.json", "unet/model.safetensors.index.json"],
    ]) {
      write(`${CONFIG}/${path}`, "x");
    }

    expect(read()).toEqual(before);
  });

  it.each([{ gone: FILE }, { gone: CONFIG }])(
    "takes $gone from the lock where it does not lie here",
    ({ gone }) => {
      const whole = read().map(({ path, source, size, sha256 }) => ({
        path,
        source,
        size,
        sha256,
      }));
      const locked = whole.map(({ path, size, sha256 }) => ({ path, size, sha256 }));

      remove(gone);

      expect(read(locked)).toMatchObject(whole);
    },
  );

  it.each([
    {
      what: "a file that is not there",
      make: () => remove(FILE),
      says: `the file "${FILE}" does not exist. Name a .safetensors file beside Pulumi.yaml.`,
    },
    {
      what: "a folder of that name",
      make: () => {
        remove(FILE);
        mkdirSync(join(root, FILE));
      },
      says: `"${FILE}" is no file. Name the .safetensors file itself.`,
    },
    {
      what: "a file that is cut off",
      make: () => truncateSync(join(root, FILE), 300),
      says: `"${FILE}" is no whole .safetensors file: `,
    },
    {
      what: "a UNet alone",
      make: () => write(FILE, tensorFile([UNET])),
      says: `"${FILE}" has no tensors of the vae (named "first_stage_model.*"), so it is no whole Stable Diffusion 1.x checkpoint. Name one with UNet, VAE and text encoder in the original layout, or a pipeline's folder.`,
    },
    {
      what: "a model in diffusers' layout",
      make: () => write(FILE, tensorFile(["conv_in.bias", "down_blocks.0.resnets.0.conv1.bias"])),
      says: `"${FILE}" has no tensors of the unet (named "model.diffusion_model.*"), so`,
    },
    {
      what: "Stable Diffusion XL",
      make: () => write(FILE, tensorFile([UNET, VAE, "conditioner.embedders.0.transformer.a"])),
      says: `"${FILE}" is a Stable Diffusion XL checkpoint, and the handler serves Stable Diffusion 1.x.`,
    },
    {
      what: "Stable Diffusion 2",
      make: () => write(FILE, tensorFile([UNET, VAE, "cond_stage_model.model.ln_final.bias"])),
      says: `"${FILE}" is a Stable Diffusion 2 checkpoint, and the handler serves Stable Diffusion 1.x.`,
    },
  ])("refuses $what", ({ make, says }) => {
    make();

    expect(refusal()).toMatchObject({ setting: "weights", message: expect.stringContaining(says) });
  });

  it("takes a VAE under its short name", () => {
    write(FILE, tensorFile([UNET, "vae.quant_conv.bias", TEXT_ENCODER]));

    expect(read()).toHaveLength(1 + Object.keys(CONFIGURATION).length);
  });

  it.each([
    {
      what: "without a folder",
      make: () => remove(CONFIG),
      says: `the folder "${CONFIG}" can't be read: it does not exist. Name a folder beside Pulumi.yaml.`,
    },
    ...[
      ...["model_index.json", "scheduler/scheduler_config.json", "text_encoder/config.json"],
      ...["tokenizer/merges.txt", "tokenizer/vocab.json", "unet/config.json", "vae/config.json"],
    ].map((path) => ({
      what: `without ${path}`,
      make: () => remove(`${CONFIG}/${path}`),
      says: `"${CONFIG}/${path}" is missing. Copy the pipeline's configuration whole: GIT_LFS_SKIP_SMUDGE=1 git clone https://huggingface.co/OWNER/NAME fetches it without weights.`,
    })),
    {
      what: "of another pipeline",
      make: () => write(`${CONFIG}/model_index.json`, `{"text_encoder_2": ["transformers", "X"]}`),
      says: `"${CONFIG}/model_index.json" names "text_encoder_2", and a Stable Diffusion 1.x checkpoint has no such part. Name the configuration of a StableDiffusionPipeline.`,
    },
  ])("refuses a configuration $what", ({ make, says }) => {
    make();

    expect(refusal()).toMatchObject({ setting: "weightsConfig", message: says });
  });
});
