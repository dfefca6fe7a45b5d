"""The rules for one instance."""

from __future__ import annotations

import math
from typing import Any

import pytest

from vertex_diffusion.request import (
    GenerationRequest,
    RequestError,
    RequestRules,
    parse_instance,
    steps_from_environment,
)

RULES = RequestRules(
    default_width=512,
    default_height=768,
    default_steps=20,
    count_tokens=lambda text: len(text.split()),
    max_tokens=10,
)


def refusal(instance: Any) -> RequestError:
    """The error that `instance` is refused with."""
    with pytest.raises(RequestError) as caught:
        parse_instance(instance, RULES)
    error: RequestError = caught.value
    return error


def test_takes_every_field() -> None:
    instance = {
        "prompt": "a red circle",
        "negative_prompt": "blurry",
        "num_inference_steps": 5,
        "guidance_scale": 3.5,
        "seed": 7,
        "width": 64,
        "height": 1024,
    }

    assert parse_instance(instance, RULES) == GenerationRequest(
        prompt="a red circle",
        negative_prompt="blurry",
        num_inference_steps=5,
        guidance_scale=3.5,
        seed=7,
        width=64,
        height=1024,
    )


@pytest.mark.parametrize(
    "instance",
    [
        "a red circle",
        {"prompt": "a red circle"},
        {"prompt": "a red circle", "negative_prompt": None, "seed": None, "width": None},
    ],
    ids=["string", "prompt alone", "nulls"],
)
def test_fills_defaults(instance: Any) -> None:
    request = parse_instance(instance, RULES)

    assert request.prompt == "a red circle"
    assert request.negative_prompt == ""
    assert request.num_inference_steps == 20
    assert request.guidance_scale == 7.5
    assert (request.width, request.height) == (512, 768)


def test_draws_another_seed_each_time_none_is_given() -> None:
    seeds = {parse_instance("a red circle", RULES).seed for _ in range(4)}

    assert len(seeds) == 4


def test_takes_the_whole_floats_of_a_protobuf_client() -> None:
    request = parse_instance({"prompt": "x", "seed": 7.0, "num_inference_steps": 5.0}, RULES)

    assert (request.seed, request.num_inference_steps) == (7, 5)
    assert isinstance(request.seed, int)


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [
        ("num_inference_steps", 1, 100),
        ("guidance_scale", 1, 30),
        ("seed", 0, 2**32 - 1),
        ("width", 64, 1024),
        ("height", 64, 1024),
    ],
)
def test_bounds_are_allowed_and_no_further(field: str, low: int, high: int) -> None:
    for value in (low, high):
        assert getattr(parse_instance({"prompt": "x", field: value}, RULES), field) == value
    for value in (low - 1, high + 1):
        error = refusal({"prompt": "x", field: value})
        assert error.field == field
        assert error.message == f"{field} must be between {low} and {high}, got {value}"


@pytest.mark.parametrize(
    ("instance", "field", "message"),
    [
        (
            {"prompt": "x", "width": 100},
            "width",
            "width must be a multiple of 8, got 100",
        ),
        (
            {"prompt": "x", "num_inference_steps": 2.5},
            "num_inference_steps",
            "num_inference_steps must be a whole number, got 2.5",
        ),
        (
            {"prompt": "x", "num_inference_steps": "5"},
            "num_inference_steps",
            "num_inference_steps must be a whole number, got a string",
        ),
        (
            {"prompt": "x", "seed": True},
            "seed",
            "seed must be a whole number, got a boolean",
        ),
        (
            {"prompt": "x", "guidance_scale": [1]},
            "guidance_scale",
            "guidance_scale must be a number, got an array",
        ),
        (
            {"prompt": "x", "guidance_scale": math.nan},
            "guidance_scale",
            "guidance_scale must be between 1 and 30, got nan",
        ),
        (
            {"prompt": "x", "seed": 10**5000},
            "seed",
            "seed must be between 0 and 4294967295, got a number of more than 15 digits",
        ),
        ({"seed": 1}, "prompt", "prompt is required"),
        ({"prompt": None}, "prompt", "prompt is required"),
        ({"prompt": 5}, "prompt", "prompt must be a string, got a number"),
        ({"prompt": b"x"}, "prompt", "prompt must be a string, got bytes"),
        (
            {"prompt": "x", "negative_prompt": {}},
            "negative_prompt",
            "negative_prompt must be a string, got an object",
        ),
        (
            {"prompt": "x" * 2001},
            "prompt",
            "prompt must be at most 2000 characters long, got 2001",
        ),
        (
            {"prompt": "x " * 11},
            "prompt",
            "prompt must be at most 10 tokens long, got 11",
        ),
        (
            {"prompt": "\ud800"},
            "prompt",
            "prompt must be valid Unicode, got a lone surrogate",
        ),
        (
            {"prompt": "x", "steps": 5, "cfg": 2},
            "steps",
            'unknown field "steps", "cfg"; the fields are prompt, negative_prompt, '
            "num_inference_steps, guidance_scale, seed, width, height",
        ),
        (5, "", "an instance must be an object or a string, got a number"),
        (None, "", "an instance must be an object or a string, got null"),
    ],
)
def test_refuses(instance: Any, field: str, message: str) -> None:
    error = refusal(instance)

    assert error.to_answer() == {"error": {"code": 400, "message": message, "field": field}}


def test_default_steps_come_from_the_environment() -> None:
    assert steps_from_environment({}) == 30
    assert steps_from_environment({"VERTEX_DIFFUSION_DEFAULT_STEPS": "8"}) == 8


@pytest.mark.parametrize("value", ["0", "101", "many", "2.5", "²"])
def test_refuses_default_steps_out_of_bounds(value: str) -> None:
    with pytest.raises(ValueError, match="must be a whole number between 1 and 100"):
        steps_from_environment({"VERTEX_DIFFUSION_DEFAULT_STEPS": value})
