"""A pipeline folder's weights as one file in the layout that Stable Diffusion was published in.

That layout numbers the blocks of the UNet in one row and those of the decoder from the picture
up; diffusers has the way from it and not the way to it. Only what a Stable Diffusion 1.x has.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

CHECKPOINT = "checkpoint.safetensors"

UNET_NAMES = {
    "time_embedding.linear_1.": "time_embed.0.",
    "time_embedding.linear_2.": "time_embed.2.",
    "conv_in.": "input_blocks.0.0.",
    "conv_norm_out.": "out.0.",
    "conv_out.": "out.2.",
    "mid_block.resnets.0.": "middle_block.0.",
    "mid_block.attentions.0.": "middle_block.1.",
    "mid_block.resnets.1.": "middle_block.2.",
}
UNET_RESNET_NAMES = {
    "norm1.": "in_layers.0.",
    "conv1.": "in_layers.2.",
    "norm2.": "out_layers.0.",
    "conv2.": "out_layers.3.",
    "time_emb_proj.": "emb_layers.1.",
    "conv_shortcut.": "skip_connection.",
}
VAE_ATTENTION_NAMES = {
    "group_norm.": "norm.",
    "to_q.": "q.",
    "to_k.": "k.",
    "to_v.": "v.",
    "to_out.0.": "proj_out.",
}


def write_single_file(weights: Path, folder: Path) -> Path:
    """Write `folder` as an archive carries a single file: the checkpoint and the configuration."""
    for source in weights.rglob("*.*"):
        if source.suffix != ".safetensors":
            target = folder / source.relative_to(weights)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    save_file(original_layout(weights), folder / CHECKPOINT)
    return folder


def original_layout(weights: Path) -> dict[str, Tensor]:
    """All tensors of a pipeline folder under their original names."""
    unet = load_file(weights / "unet" / "diffusion_pytorch_model.safetensors")
    vae = load_file(weights / "vae" / "diffusion_pytorch_model.safetensors")
    text = load_file(weights / "text_encoder" / "model.safetensors")
    layers = _config(weights, "unet")["layers_per_block"]
    depth = len(_config(weights, "vae")["up_block_types"])
    return {
        **{f"model.diffusion_model.{_unet_name(name, layers)}": unet[name] for name in unet},
        **{f"first_stage_model.{_vae_name(name, depth)}": _vae_value(name, vae) for name in vae},
        **{f"cond_stage_model.transformer.{name}": text[name] for name in text},
    }


def _config(weights: Path, part: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((weights / part / "config.json").read_text())
    return config


def _unet_name(name: str, layers: int) -> str:
    """Its blocks stand in one row: `layers` on each level down, one more on each level up."""
    if ".resnets." in name:
        name = _renamed(name, UNET_RESNET_NAMES)
    if found := re.match(r"(down|up)_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.", name):
        way, level, kind, layer = found.groups()
        row, first = ("input", 1) if way == "down" else ("output", 0)
        block = first + int(level) * (layers + 1) + int(layer)
        original = f"{row}_blocks.{block}.{('resnets', 'attentions').index(kind)}."
    elif found := re.match(r"down_blocks\.(\d+)\.downsamplers\.0\.conv\.", name):
        original = f"input_blocks.{(int(found[1]) + 1) * (layers + 1)}.0.op."
    elif found := re.match(r"up_blocks\.(\d+)\.upsamplers\.0\.", name):
        # It comes last in its block, and the first level up has no attention.
        level = int(found[1])
        original = f"output_blocks.{(level + 1) * (layers + 1) - 1}.{1 if level == 0 else 2}."
    else:
        return _renamed(name, UNET_NAMES)
    return name.replace(found[0], original)


def _vae_name(name: str, depth: int) -> str:
    if ".attentions.0." in name:
        name = _renamed(name, VAE_ATTENTION_NAMES)
    name = re.sub(r"down_blocks\.(\d+)\.resnets\.", r"down.\1.block.", name)
    name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0\.", r"down.\1.downsample.", name)
    name = re.sub(r"up_blocks\.(\d+)\.", lambda one: f"up.{depth - 1 - int(one[1])}.", name)
    name = name.replace(".upsamplers.0.", ".upsample.")
    name = re.sub(r"(up\.\d+)\.resnets\.", r"\1.block.", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda one: f"mid.block_{int(one[1]) + 1}", name)
    name = name.replace("mid_block.attentions.0.", "mid.attn_1.")
    return name.replace("conv_norm_out.", "norm_out.").replace("conv_shortcut.", "nin_shortcut.")


def _vae_value(name: str, vae: dict[str, Tensor]) -> Tensor:
    """Its attention is written with convolutions of one pixel."""
    is_linear = ".attentions.0." in name and vae[name].dim() == 2
    return vae[name][:, :, None, None] if is_linear else vae[name]


def _renamed(name: str, names: dict[str, str]) -> str:
    for new, original in names.items():
        if f".{new}" in f".{name}":
            return name.replace(new, original, 1)
    return name
