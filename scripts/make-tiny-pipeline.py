"""Write a tiny Stable Diffusion pipeline folder, for tests and for the local stack.

The classes are the real ones of diffusers and transformers; only the sizes are tiny and the
weights random, so the pictures are coloured noise. It needs no network. The same versions of the
libraries give the same bytes on every run and every CPU: the weights are drawn from numpy's PCG64
by plain arithmetic, never from torch's vectorised normal distribution.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import CLIPTokenizer

os.environ.setdefault("HF_HUB_OFFLINE", "1")

SEED = 20240415
PICTURE_SIZE = 64
VAE_SCALE = 8
TEXT_WIDTH = 32
TEXT_LENGTH = 77
MERGE_COUNT = 160

# What the tokenizer learns its merges from: common prompt words become one or two tokens.
CORPUS = (
    "a photo of an astronaut riding a horse on mars, high quality, detailed. "
    "a red circle, a blue square, a green triangle, a yellow star, on a white background. "
    "a painting of a cat and a dog in the garden, digital art, oil on canvas, by the sea. "
    "the mountain at sunset, the forest in the morning, the city at night, with the light. "
    "a portrait of a woman, a portrait of a man, a house, a car, a tree, a bird, a flower. "
    "low quality, blurry, worst quality, bad anatomy, text, watermark. "
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description="Write a tiny diffusers StableDiffusionPipeline folder (random weights, "
        f"{PICTURE_SIZE}x{PICTURE_SIZE} pictures, under 3 MB, the same bytes on every run).",
    )
    parser.add_argument("--out", required=True, type=Path, help="folder to write; replaced whole")
    parser.add_argument(
        "--json", action="store_true", help="print the result as one line of JSON instead of words"
    )
    arguments = parser.parse_args(argv)
    out: Path = arguments.out.resolve()
    if out.exists() and not (out / "model_index.json").is_file() and any(out.iterdir()):
        parser.error(
            f'"{out}" exists and is not a pipeline folder. Name another folder or remove it.'
        )

    try:
        # The libraries take seconds to load, so --help and a bad argument do not wait for them.
        import diffusers  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        print(
            f"The tiny pipeline could not be made: {error}. "
            "Run this with the packages of handler/packages.lock on PYTHONPATH, as npm test does.",
            file=sys.stderr,
        )
        return 1

    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        write_pipeline(scratch)
        digest, size = digest_folder(scratch)
        scratch.chmod(0o755)
        for path in scratch.rglob("*.safetensors"):
            path.chmod(0o644)  # safetensors writes its files for their owner alone
        if out.exists():
            shutil.rmtree(out)
        scratch.rename(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)

    if arguments.json:
        print(json.dumps({"out": str(out), "bytes": size, "sha256": digest}))
    else:
        print(f"{out}: {size / 1e6:.2f} MB, sha256 {digest}")
    return 0


def write_pipeline(folder: Path) -> None:
    """Build every part of the pipeline and save it in `folder`."""
    from diffusers import (
        AutoencoderKL,
        DPMSolverMultistepScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )
    from diffusers.utils import logging as diffusers_logging
    from transformers import CLIPTextConfig, CLIPTextModel

    diffusers_logging.set_verbosity_error()
    tokenizer = make_tokenizer(folder)
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=2 * TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=TEXT_LENGTH,
            projection_dim=TEXT_WIDTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    unet = UNet2DConditionModel(
        sample_size=PICTURE_SIZE // VAE_SCALE,
        in_channels=4,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(24, 48),
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
        norm_num_groups=8,
    )
    vae = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 16, 16, 16),
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=PICTURE_SIZE,
    )
    for index, model in enumerate((text_encoder, unet, vae)):
        fill_weights(model, SEED + index)
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        # The settings of Stable Diffusion 1.5, with the DPM-Solver++ scheduler.
        scheduler=DPMSolverMultistepScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)


def fill_weights(model: Module, seed: int) -> None:
    """Give every parameter a value that depends on `seed` and its name's order alone."""
    import numpy
    import torch

    random = numpy.random.Generator(numpy.random.PCG64(seed))
    for name, parameter in sorted(model.named_parameters()):
        if parameter.dim() >= 2:
            bound = math.sqrt(3.0 / math.prod(parameter.shape[1:]))
            value = (random.random(tuple(parameter.shape)) * 2.0 - 1.0) * bound
        else:
            # Biases start at zero; what else has one dimension is the scale of a norm.
            value = numpy.full(tuple(parameter.shape), 0.0 if name.endswith("bias") else 1.0)
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(value.astype(numpy.float32)))


def make_tokenizer(folder: Path) -> CLIPTokenizer:
    """Make a CLIP tokenizer with a vocabulary of its own: every byte, and merges of `CORPUS`."""
    from transformers import CLIPTokenizer
    from transformers.models.clip.tokenization_clip import bytes_to_unicode

    letters = list(bytes_to_unicode().values())
    merges = learn_merges(CORPUS.lower().replace(",", " ").replace(".", " ").split())
    words = letters + [letter + "</w>" for letter in letters]
    words += ["".join(pair) for pair in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]

    parts = folder / "tokenizer"
    parts.mkdir()
    vocabulary = {word: index for index, word in enumerate(words)}
    (parts / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2"] + [" ".join(pair) for pair in merges]
    (parts / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return CLIPTokenizer(
        str(parts / "vocab.json"), str(parts / "merges.txt"), model_max_length=TEXT_LENGTH
    )


def learn_merges(words: list[str]) -> list[tuple[str, str]]:
    """Learn byte-pair merges: the commonest pair first, ties in alphabetical order."""
    counts = Counter((*tuple(word[:-1]), word[-1] + "</w>") for word in words)
    merges: list[tuple[str, str]] = []
    while len(merges) < MERGE_COUNT:
        pairs: dict[tuple[str, str], int] = {}
        for word, count in counts.items():
            for pair in zip(word, word[1:]):
                pairs[pair] = pairs.get(pair, 0) + count
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        joined: Counter[tuple[str, ...]] = Counter()
        for word, count in counts.items():
            joined[merge_pair(word, best)] += count
        counts = joined
    return merges


def merge_pair(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    """Join each occurrence of `pair` in `word`."""
    joined: list[str] = []
    index = 0
    while index < len(word):
        if word[index : index + 2] == pair:
            joined.append("".join(pair))
            index += 2
        else:
            joined.append(word[index])
            index += 1
    return tuple(joined)


def digest_folder(folder: Path) -> tuple[str, int]:
    """SHA-256 over the sorted paths and bytes of `folder`, and its size in bytes."""
    digest = hashlib.sha256()
    size = 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        size += len(content)
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest(), size


if __name__ == "__main__":
    sys.exit(main())
