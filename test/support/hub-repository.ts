import { tensorFile } from "./tensor-file.ts";

export const REPOSITORY = "someone/diffusion";
export const FIRST_COMMIT = "1".repeat(40);
export const SECOND_COMMIT = "2".repeat(40);

/** A pipeline as repositories on the hub have it: more files than are loaded, weights in half precision beside the full. */
export function pipelineRepository(): Record<string, string | Buffer> {
  return {
    ".gitattributes": "*.safetensors filter=lfs\n",
    "README.md": "# A model\n",
    "model_index.json": JSON.stringify({
      _class_name: "StableDiffusionPipeline",
      scheduler: ["diffusers", "PNDMScheduler"],
      tokenizer: ["transformers", "CLIPTokenizer"],
      unet: ["diffusers", "UNet2DConditionModel"],
      safety_checker: ["stable_diffusion", "StableDiffusionSafetyChecker"],
    }),
    "scheduler/scheduler_config.json": "{}",
    "tokenizer/merges.txt": "a b\n",
    "tokenizer/vocab.json": `{"text":"${"long enough to lie in Git LFS ".repeat(20)}"}`,
    "unet/config.json": "{}",
    "unet/diffusion_pytorch_model.safetensors": tensorFile(2_000_000, "1"),
    "unet/diffusion_pytorch_model.fp16.safetensors": tensorFile(1_000_000, "2"),
    "unet/diffusion_pytorch_model.bin": "a pickle",
    "safety_checker/config.json": "{}",
    "safety_checker/model.safetensors": tensorFile(500, "3"),
  };
}
