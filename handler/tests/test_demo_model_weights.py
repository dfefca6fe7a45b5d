"""The committed demo model: small, of the code's own recipe, and good enough."""

from __future__ import annotations

import sys

from tests.torchserve import HANDLER

sys.path.append(str(HANDLER.parent / "scripts"))

from demo_model.pipeline import load
from demo_model.recipe import Recipe
from demo_model.score import PHRASINGS, list_tasks, score

from vertex_diffusion.request import GenerationRequest

MODEL = HANDLER / "demo-model"


def test_every_colour_and_shape_is_drawn_right_at_the_handlers_guidance() -> None:
    tasks = list(list_tasks(PHRASINGS[:1], seeds=[1]))

    result = score(load(MODEL), tasks, GenerationRequest.guidance_scale)

    assert len(tasks) == 24
    assert result.accepted, result.summary()


def test_the_weights_are_small_and_hold_no_code() -> None:
    weights = sorted(MODEL.rglob("*.safetensors"))
    others = {path.suffix for path in MODEL.rglob("*") if path.is_file()} - {".safetensors"}

    assert [path.parent.name for path in weights] == ["text_encoder", "unet", "vae"]
    assert sum(path.stat().st_size for path in weights) <= 8_000_000
    assert others == {".json", ".txt", ".md"}


def test_the_card_names_the_recipe_of_the_code() -> None:
    card = (MODEL / "README.md").read_text(encoding="utf-8")

    assert f"recipe `{Recipe().digest()}`" in card
