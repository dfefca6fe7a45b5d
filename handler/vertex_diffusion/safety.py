"""The safety checker that comes with some weights; off unless a setting asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import CLIPImageProcessor

CHECKER = "safety_checker"
EXTRACTOR = "feature_extractor"


class SafetyCheckerError(RuntimeError):
    """The weights have no safety checker that can be loaded."""


def load_safety_checker(weights: Path, device: torch.device, dtype: torch.dtype) -> tuple[Any, Any]:
    """The checker and what prepares pictures for it; raises with one line when there is none."""
    for part in (CHECKER, EXTRACTOR):
        if not (weights / part).is_dir():
            raise SafetyCheckerError(
                f'The safety checker could not be loaded: the weights have no "{part}". Take '
                "weights that bring one, or set VERTEX_DIFFUSION_SAFETY_CHECKER to 0."
            )
    try:
        checker = StableDiffusionSafetyChecker.from_pretrained(
            str(weights / CHECKER), torch_dtype=dtype, use_safetensors=True, local_files_only=True
        ).to(device)
        extractor = CLIPImageProcessor.from_pretrained(
            str(weights / EXTRACTOR), local_files_only=True
        )
    except Exception as error:  # the libraries raise many kinds for a broken folder
        reason = " ".join(str(error).split())
        raise SafetyCheckerError(f"The safety checker could not be loaded: {reason}") from error
    return checker, extractor
