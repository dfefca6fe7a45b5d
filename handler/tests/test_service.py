"""How a server starts, and what it says of it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import CLIPConfig, CLIPImageProcessor

from tests.pictures import decode, picture_text
from vertex_diffusion.calls import Call
from vertex_diffusion.service import Service, StartError, start_service

CHECKED = {"VERTEX_DIFFUSION_SAFETY_CHECKER": "1"}
INSTANCE = {"prompt": "a red circle", "num_inference_steps": 2, "output": "full"}


def start(weights: Path, environment: Mapping[str, str] | None = None) -> Service:
    return start_service(lambda: weights, environment or {})


def refusal(weights: Path, environment: Mapping[str, str] | None = None) -> str:
    with pytest.raises(StartError) as caught:
        start(weights, environment)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def write_safety_checker(weights: Path, flags: bool) -> None:
    """A checker of the real class that flags every picture, or none."""
    tower = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    config = CLIPConfig(
        text_config={**tower, "num_attention_heads": 1},
        vision_config={**tower, "num_attention_heads": 1, "image_size": 32, "patch_size": 16},
        projection_dim=8,
    )
    checker = StableDiffusionSafetyChecker(config)
    # What the likeness to a concept must exceed; likenesses lie between -1 and 1.
    checker.concept_embeds_weights.data = torch.full((17,), -2.0 if flags else 2.0)
    checker.special_care_embeds_weights.data = torch.full((3,), 2.0)
    checker.save_pretrained(weights / "safety_checker")
    CLIPImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    ).save_pretrained(weights / "feature_extractor")


@pytest.fixture
def own_weights(weights: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    folder = tmp_path / "weights"
    shutil.copytree(weights, folder)
    return folder


def test_says_how_long_each_stage_took_and_is_ready_last(
    weights: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="vertex_diffusion")

    start(weights)

    lines = [re.sub(r"in \d+\.\d s", "in N s", line) for line in caplog.messages]
    assert lines == [
        "Weights found in N s",
        "Pipeline loaded in N s",
        "Warm-up picture made in N s",
        "Ready in N s: StableDiffusionPipeline on cpu in float32, 64x64 pixels",
    ]


def test_is_not_ready_when_no_picture_can_be_made(own_weights: Path) -> None:
    path = own_weights / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "prediction_type": "none"}))

    assert refusal(own_weights).startswith("The first picture could not be made: ")


def test_refuses_a_wrong_setting_before_anything_is_looked_for() -> None:
    def find() -> Path:
        raise AssertionError("looked for weights")

    with pytest.raises(StartError, match="VERTEX_DIFFUSION_COMPILE must be"):
        start_service(find, {"VERTEX_DIFFUSION_COMPILE": "yes"})


@pytest.mark.parametrize("flags", [True, False])
def test_a_safety_checker_blackens_what_it_flags(own_weights: Path, flags: bool) -> None:
    write_safety_checker(own_weights, flags)
    service = start(own_weights, CHECKED)

    for start_picture in ({}, {"init_image": picture_text()}):
        [predictions] = service.predict([Call([{**INSTANCE, **start_picture, "num_images": 2}])])
        answer: Any = predictions[0]  # type: ignore[index]

        assert answer["flagged"] == [flags, flags]
        for text in answer["images"]:
            assert (decode(text).getextrema() == ((0, 0),) * 3) == flags


def test_no_picture_is_checked_unless_a_setting_says_so(own_weights: Path) -> None:
    write_safety_checker(own_weights, flags=True)

    [predictions] = start(own_weights).predict([Call([INSTANCE])])

    assert predictions[0]["flagged"] == [False]  # type: ignore[index,call-overload]


@pytest.mark.parametrize("part", ["safety_checker", "feature_extractor"])
def test_does_not_start_without_the_safety_checker_that_a_setting_asks_for(
    own_weights: Path, part: str
) -> None:
    write_safety_checker(own_weights, flags=False)
    shutil.rmtree(own_weights / part)

    assert refusal(own_weights, CHECKED) == (
        f'The safety checker could not be loaded: the weights have no "{part}". Take weights that '
        "bring one, or set VERTEX_DIFFUSION_SAFETY_CHECKER to 0."
    )


def test_does_not_start_with_a_damaged_safety_checker(own_weights: Path) -> None:
    write_safety_checker(own_weights, flags=False)
    (own_weights / "safety_checker" / "model.safetensors").write_bytes(b"x" * 100)

    message = refusal(own_weights, CHECKED)

    assert message.startswith("The safety checker could not be loaded: ")
