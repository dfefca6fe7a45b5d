"""The rules for one instance."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.pictures import picture_text
from vertex_diffusion.errors import RequestError
from vertex_diffusion.parsing import RequestRules, parse_instance, parse_parameters
from vertex_diffusion.request import FIELDS, GenerationRequest, image_seeds
from vertex_diffusion.settings import Settings

RULES = RequestRules(
    default_width=512,
    default_height=768,
    count_tokens=lambda text: len(text.split()),
    max_tokens=10,
    settings=Settings(default_steps=20),
)


def refusal(instance: Any, parameters: Any = None) -> RequestError:
    """The error that `instance` is refused with."""
    with pytest.raises(RequestError) as caught:
        parse_instance(instance, RULES, parse_parameters(parameters, RULES))
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
        "num_images": 3,
        "scheduler": "dpm++",
        "init_image": picture_text(size=(64, 1024), colour="red"),
        "strength": 0.5,
        "image_format": "webp",
        "quality": 80,
        "output": "full",
    }
    assert set(instance) == set(FIELDS)

    request = parse_instance(instance, RULES)

    assert request.init_image is not None
    assert request.init_image.getcolors() == [(64 * 1024, (255, 0, 0))]
    assert request == GenerationRequest(
        prompt="a red circle",
        negative_prompt="blurry",
        num_inference_steps=5,
        guidance_scale=3.5,
        seed=7,
        width=64,
        height=1024,
        num_images=3,
        scheduler="dpm++",
        init_image=request.init_image,
        strength=0.5,
        image_format="webp",
        quality=80,
        output="full",
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
    assert (request.num_images, request.scheduler, request.init_image) == (1, None, None)
    assert (request.image_format, request.output) == ("png", "image")


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
        ("num_images", 1, 8),
        ("quality", 1, 100),
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
            'unknown field "steps", "cfg"; the fields are prompt, num_inference_steps, seed, '
            "width, height, negative_prompt, guidance_scale, num_images, scheduler, init_image, "
            "strength, image_format, quality, output",
        ),
        (
            {"prompt": "x", "scheduler": "zebra"},
            "scheduler",
            "scheduler must be one of dpm++, euler_a, ddim, unipc",
        ),
        (
            {"prompt": "x", "image_format": ["png"]},
            "image_format",
            "image_format must be a string, got an array",
        ),
        (
            {"prompt": "x", "strength": 0.5},
            "strength",
            "strength needs an init_image to start from",
        ),
        (
            {
                "prompt": "x",
                "init_image": picture_text(),
                "num_inference_steps": 4,
                "strength": 0.2,
            },
            "strength",
            "strength 0.2 of 4 steps leaves none; raise strength or num_inference_steps",
        ),
        (
            {"prompt": "x", "width": 1024, "height": 1024, "num_images": 8},
            "num_inference_steps",
            "width x height x num_inference_steps x num_images must be at most 128 million, "
            "got 167.8 million",
        ),
        (5, "", "an instance must be an object or a string, got a number"),
        (None, "", "an instance must be an object or a string, got null"),
    ],
)
def test_refuses(instance: Any, field: str, message: str) -> None:
    error = refusal(instance)

    assert error.to_answer() == {"error": {"code": 400, "message": message, "field": field}}


def test_parameters_stand_in_for_what_an_instance_leaves_out() -> None:
    parameters = parse_parameters({"seed": 5, "num_images": 2, "scheduler": None}, RULES)

    plain = parse_instance("x", RULES, parameters)
    own = parse_instance({"prompt": "x", "seed": 6, "num_images": None}, RULES, parameters)

    assert (plain.seed, plain.num_images, plain.scheduler) == (5, 2, None)
    assert (own.seed, own.num_images) == (6, 2)


def test_a_strength_in_parameters_is_for_the_instances_that_start_from_a_picture() -> None:
    parameters = parse_parameters({"strength": 0.5}, RULES)

    from_picture = parse_instance({"prompt": "x", "init_image": picture_text()}, RULES, parameters)

    assert parse_instance("x", RULES, parameters).init_image is None
    assert from_picture.strength == 0.5


@pytest.mark.parametrize(
    ("parameters", "field", "message"),
    [
        (5, "parameters", "parameters must be an object, got a number"),
        (
            {"seed": -1},
            "parameters.seed",
            "seed must be between 0 and 4294967295, got -1",
        ),
        (
            {"prompt": "x"},
            "parameters.prompt",
            'unknown field "prompt"; the fields are num_inference_steps, seed, width, height, '
            "negative_prompt, guidance_scale, num_images, scheduler, strength, image_format, "
            "quality, output",
        ),
    ],
)
def test_refuses_parameters(parameters: Any, field: str, message: str) -> None:
    error = refusal("x", parameters)

    assert (error.field, error.message) == (field, message)


def test_each_picture_of_an_instance_has_a_seed_of_its_own() -> None:
    request = parse_instance({"prompt": "x", "seed": 2**32 - 2, "num_images": 3}, RULES)

    assert image_seeds(request) == [2**32 - 2, 2**32 - 1, 0]
