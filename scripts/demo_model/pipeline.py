"""The trained parts put together as a StableDiffusionPipeline, and saved."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextModel, CLIPTokenizer

from demo_model.unet import SCHEDULE


def assemble(
    vae: AutoencoderKL,
    encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    unet: UNet2DConditionModel,
) -> StableDiffusionPipeline:
    """The pipeline of these parts, with DPM-Solver++ and no safety checker."""
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DPMSolverMultistepScheduler(**SCHEDULE, timestep_spacing="trailing"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_half(pipeline: StableDiffusionPipeline, folder: Path) -> int:
    """Write the pipeline in half precision (the parts stay as given). Returns its size in bytes."""
    parts = [pipeline.vae, pipeline.text_encoder, pipeline.unet]
    for part in parts:
        part.to(torch.float16)
    try:
        pipeline.save_pretrained(folder, safe_serialization=True)
    finally:
        for part in parts:
            part.to(torch.float32)
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)  # safetensors writes its files for their owner alone
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def load(folder: Path, device: str = "cpu") -> StableDiffusionPipeline:
    """Load a saved pipeline in full precision, without network."""
    pipeline = StableDiffusionPipeline.from_pretrained(
        str(folder), use_safetensors=True, local_files_only=True, torch_dtype=torch.float32
    ).to(device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
