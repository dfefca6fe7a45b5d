"""The text encoder: a tiny CLIPTextModel that learns to say what a caption mentions.

It is trained alone and then frozen. Every position from the end of the text on has to tell colour,
shape, background and size, so the UNet finds a clear signal wherever it looks.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from demo_model.captions import Caption, describe, disturb, plain_caption
from demo_model.recipe import Recipe
from demo_model.stages import Stage, make_optimizer, set_rate
from demo_model.tokenizer import TEXT_LENGTH
from demo_model.world import BACKGROUNDS, COLOURS, SHAPES, SIZES, random_scene

FIELDS: dict[str, list[str]] = {
    "colour": ["", *COLOURS],
    "shape": ["", *SHAPES],
    "background": ["", *BACKGROUNDS],
    "size": ["", *SIZES],
}


def make_text_encoder(tokenizer: CLIPTokenizer, width: int) -> CLIPTextModel:
    """An untrained encoder for this tokenizer's vocabulary."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=TEXT_LENGTH,
            projection_dim=width,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            attn_implementation="eager",  # its backward pass is the faster one on a CPU
        )
    )


def encode_captions(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    """Token ids (texts, 77), padded and cut as the pipeline does it."""
    ids: Tensor = tokenizer(
        texts,
        padding="max_length",
        max_length=TEXT_LENGTH,
        truncation=True,
        return_tensors="pt",
    ).input_ids
    return ids


def random_caption(random: np.random.Generator) -> Caption:
    """A caption of the kinds that the encoder must understand."""
    if random.random() < 0.08:
        caption = plain_caption(random)
    else:
        caption = describe(random_scene(random), random)
    return disturb(caption, random) if random.random() < 0.4 else caption


def train_text_encoder(
    folder: Path, recipe: Recipe, tokenizer: CLIPTokenizer, device: str
) -> CLIPTextModel:
    """Train the encoder, or load it where that is done."""
    steps, rate, width = recipe.text_steps, recipe.text_rate, recipe.text_width
    torch.manual_seed(recipe.seed)
    encoder = make_text_encoder(tokenizer, width).to(device)
    heads = nn.ModuleDict({field: nn.Linear(width, len(FIELDS[field])) for field in FIELDS})
    heads.to(device)
    both = nn.ModuleList([encoder, heads])
    optimizer = make_optimizer(both, device, (0.9, 0.999), 0.01)
    stage = Stage(folder, "text", steps, {"encoder": encoder, "heads": heads}, optimizer)

    def take_step(step: int) -> float:
        set_rate(optimizer, rate, step, steps)
        random = np.random.default_rng([recipe.seed, step])
        captions = [random_caption(random) for _ in range(recipe.text_batch)]
        ids = encode_captions(tokenizer, [caption.text for caption in captions]).to(device)
        states = encoder(ids).last_hidden_state
        ends = (ids == tokenizer.eos_token_id).long().argmax(1)
        after = torch.arange(TEXT_LENGTH, device=device) >= ends[:, None]
        loss = torch.zeros((), device=device)
        for field, names in FIELDS.items():
            told = [names.index(getattr(caption, field)) for caption in captions]
            wanted = torch.tensor(told, device=device)[:, None].expand_as(after)[after]
            loss = loss + cross_entropy(heads[field](states[after]), wanted)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        optimizer.step()
        return float(loss.item())

    stage.run(take_step)
    encoder.eval().requires_grad_(False)
    return encoder
