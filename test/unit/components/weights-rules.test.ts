import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { listFolder } from "../../../components/source-folder.ts";
import { checkPipelineFolder } from "../../../components/weights-rules.ts";

const UNET = "weights/unet/diffusion_pytorch_model.safetensors";
const INDEX = {
  _class_name: "StableDiffusionPipeline",
  scheduler: ["diffusers", "PNDMScheduler"],
  unet: ["diffusers", "UNet2DConditionModel"],
  image_encoder: [null, null],
  safety_checker: ["stable_diffusion", "StableDiffusionSafetyChecker"],
  requires_safety_checker: true,
};

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "weights-rules-"));
  write("weights/model_index.json", JSON.stringify(INDEX));
  write("weights/scheduler/scheduler_config.json", "{}");
  write("weights/unet/config.json", "{}");
  write(UNET, tensors({ a: [0, 4], b: [4, 12] }, 12));
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

function write(path: string, content: string | Buffer): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

function tensors(offsets: Record<string, number[]>, bytes: number): Buffer {
  const entries = Object.entries(offsets).map(([name, data_offsets]) => [name, { data_offsets }]);
  const header = JSON.stringify({ __metadata__: { format: "pt" }, ...Object.fromEntries(entries) });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, Buffer.from(header), Buffer.alloc(bytes)]);
}

function check() {
  const files = listFolder({ setting: "weights", root, folder: "weights" });
  checkPipelineFolder(root, "weights", files);
}

describe("checkPipelineFolder", () => {
  it("takes a pipeline whose parts are there, without those that the handler never loads", () => {
    expect(check).not.toThrow();
  });

  it("takes .safetensors files without a tensor", () => {
    write(UNET, tensors({}, 0));

    expect(check).not.toThrow();
  });

  it.each([
    {
      what: "a folder without model_index.json",
      make: () => rmSync(join(root, "weights/model_index.json")),
      says: `the folder "weights" has no model_index.json, so it is no diffusers pipeline. Save one there with pipeline.save_pretrained("weights").`,
    },
    {
      what: "a model_index.json that is no JSON",
      make: () => write("weights/model_index.json", "{"),
      says: `"weights/model_index.json" can't be read: `,
    },
    {
      what: "a part that is named and not there",
      make: () => rmSync(join(root, "weights/scheduler"), { recursive: true }),
      says: `"weights/model_index.json" names "scheduler", and there is no such folder. Copy the pipeline whole.`,
    },
    {
      what: "a model without weights",
      make: () => rmSync(join(root, UNET)),
      says: `"weights/unet" has no .safetensors file.`,
    },
    ...["bin", "ckpt", "pt", "pth", "pkl"].map((suffix) => ({
      what: `a pickle, .${suffix}`,
      make: () => write(`weights/unet/model.${suffix}`, "x"),
      says: `"weights/unet/model.${suffix}" is a pickle, which can run code when it is loaded. Save the pipeline with pipeline.save_pretrained("weights", safe_serialization=True) and remove the file.`,
    })),
    {
      what: "a file that would be taken for weights in a single file",
      make: () => write("weights/checkpoint.safetensors", tensors({}, 0)),
      says: `"weights/checkpoint.safetensors" has the name that weights in a single file have in an archive. Rename it.`,
    },
    {
      what: "an empty .safetensors file",
      make: () => write(UNET, ""),
      says: `"${UNET}" is no whole .safetensors file: its header is cut off. Copy it again.`,
    },
    {
      what: "a .safetensors file cut off in its header",
      make: () => truncateSync(join(root, UNET), 20),
      says: `"${UNET}" is no whole .safetensors file: its header is cut off.`,
    },
    {
      what: "a .safetensors file cut off in its tensors",
      make: () => write(UNET, tensors({ a: [0, 4], b: [4, 12] }, 11)),
      says: `"${UNET}" is no whole .safetensors file: it has `,
    },
    {
      what: "a .safetensors file with more than its tensors",
      make: () => write(UNET, tensors({ a: [0, 4] }, 12)),
      says: `"${UNET}" is no whole .safetensors file: it has `,
    },
    {
      what: "a .safetensors file whose header is no JSON",
      make: () =>
        write(UNET, Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from("{x")])),
      says: `"${UNET}" is no whole .safetensors file: `,
    },
    {
      what: "a .safetensors file whose tensors have no place",
      make: () => {
        const file = tensors({}, 0);
        write(
          UNET,
          Buffer.from(
            file
              .toString("latin1")
              .replace('"format":"pt"', '"format":"p1"')
              .replace('"__metadata__"', '"__metadat4__"'),
            "latin1",
          ),
        );
      },
      says: `"${UNET}" is no whole .safetensors file: `,
    },
  ])("refuses $what", ({ make, says }) => {
    make();

    expect(check).toThrow(says);
  });
});
