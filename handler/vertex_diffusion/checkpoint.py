"""The models of a pipeline from one file, in the layout Stable Diffusion 1.x was published in.

diffusers' own from_single_file puts up with tensors that are missing, and serves noise in their
place. So only its conversion of names is used here, and every model has to be filled whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import (
    convert_ldm_clip_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
)
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel

# An archive that carries a single file has it under this name, beside the pipeline's configuration.
CHECKPOINT = "checkpoint.safetensors"


def load_checkpoint(folder: Path, dtype: torch.dtype) -> dict[str, Any]:
    """The models of `folder`'s checkpoint, by the names that the pipeline has for them.

    What else the file holds, such as averaged weights (EMA), is left. Raises ValueError with the
    reason where a model's configuration asks for what the file does not have.
    """
    tensors = load_file(folder / CHECKPOINT)
    unet = UNet2DConditionModel.from_config(_config_of(UNet2DConditionModel, folder, "unet"))
    vae = AutoencoderKL.from_config(_config_of(AutoencoderKL, folder, "vae"))
    text_encoder = CLIPTextModel(
        CLIPTextConfig.from_pretrained(folder, subfolder="text_encoder", local_files_only=True)
    )
    _fill("unet", unet, convert_ldm_unet_checkpoint(tensors, unet.config))
    _fill("vae", vae, convert_ldm_vae_checkpoint(tensors, vae.config))
    _fill("text_encoder", text_encoder, convert_ldm_clip_checkpoint(tensors))
    models = {"unet": unet, "vae": vae, "text_encoder": text_encoder}
    return {part: model.to(dtype).eval() for part, model in models.items()}


def _config_of(model: Any, folder: Path, part: str) -> Any:
    return model.load_config(folder, subfolder=part, local_files_only=True)


def _fill(part: str, model: Any, tensors: dict[str, torch.Tensor]) -> None:
    wanted: dict[str, torch.Tensor] = model.state_dict()
    missing = [name for name in wanted if name not in tensors]
    if missing:
        raise ValueError(
            f"{CHECKPOINT} has {len(wanted) - len(missing)} of the {len(wanted)} tensors that "
            f'{part}/config.json asks for, and no "{missing[0]}". It must be a whole Stable '
            "Diffusion 1.x checkpoint, and the configuration its own."
        )
    for name, tensor in wanted.items():
        if tensors[name].shape != tensor.shape:
            raise ValueError(
                f'"{name}" is {_shape(tensors[name])} in {CHECKPOINT} and {_shape(tensor)} by '
                f"{part}/config.json. The configuration must be the checkpoint's own."
            )
    model.load_state_dict({name: tensors[name] for name in wanted})


def _shape(tensor: torch.Tensor) -> str:
    return "x".join(str(size) for size in tensor.shape)
