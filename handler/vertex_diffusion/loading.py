"""Loading the pipeline from a folder of weights, in parts or in a single file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import StableDiffusionPipeline

from vertex_diffusion.checkpoint import CHECKPOINT, load_checkpoint
from vertex_diffusion.parts import NOT_LOADED, load_parts
from vertex_diffusion.pipeline import Pipeline

PIPELINE_CLASS = "StableDiffusionPipeline"


class WeightsError(RuntimeError):
    """The weights folder is missing, or is no pipeline that can be loaded."""


def load_pipeline(folder: Path, gpu_id: int | None = None) -> Pipeline:
    """Load a StableDiffusionPipeline folder: safetensors only, no network.

    The folder has each model's weights beside its configuration, or all in one checkpoint.

    A GPU is used in half precision when there is one, else the CPU in single precision. Raises
    WeightsError with one line that says what is wrong with the folder.
    """
    index = _read_index(folder)
    # Their warnings can quote what was cut from a long prompt; prompts are never logged.
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    on_gpu = torch.cuda.is_available()
    device = torch.device(f"cuda:{gpu_id or 0}" if on_gpu else "cpu")
    dtype = torch.float16 if on_gpu else torch.float32
    try:
        is_single_file = (folder / CHECKPOINT).is_file()
        models = (
            load_checkpoint(folder, dtype) if is_single_file else load_parts(folder, index, dtype)
        )
        pipeline = StableDiffusionPipeline.from_pretrained(
            str(folder),
            local_files_only=True,
            requires_safety_checker=False,
            **dict.fromkeys(NOT_LOADED),
            **models,
        ).to(device)
    except Exception as error:  # the libraries raise many kinds for a broken folder
        reason = " ".join(str(error).split())
        raise WeightsError(f'The weights in "{folder}" could not be loaded: {reason}') from error
    pipeline.set_progress_bar_config(disable=True)
    return Pipeline(pipeline, device, dtype)


def _read_index(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise WeightsError(
            f'The model archive has no weights: "{folder}" is not a folder. '
            "Pack a diffusers pipeline folder as weights/ beside handler.py."
        )
    index = folder / "model_index.json"
    if not index.is_file():
        raise WeightsError(
            f'The weights are no diffusers pipeline: "{index}" is missing. '
            "Pack the folder that save_pretrained of the pipeline wrote."
        )
    try:
        named: dict[str, Any] = json.loads(index.read_text(encoding="utf-8"))
        name = named["_class_name"]
    except (ValueError, KeyError, TypeError):
        raise WeightsError(
            f'The weights are no diffusers pipeline: "{index}" names no _class_name.'
        ) from None
    if name != PIPELINE_CLASS:
        raise WeightsError(
            f'The weights are a "{name}", and this handler loads a "{PIPELINE_CLASS}" only.'
        )
    return named
