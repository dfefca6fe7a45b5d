"""From an instance of a call to a request with every choice made."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Callable

from PIL.Image import Image

from vertex_diffusion.errors import RequestError
from vertex_diffusion.init_image import decode_init_image, fit_into, resized
from vertex_diffusion.request import (
    FIELDS,
    RULES,
    SEED,
    SIDE,
    Choice,
    GenerationRequest,
    Number,
    Picture,
    Text,
)
from vertex_diffusion.settings import DEFAULTS, Settings

# How much of a caller's own field names an error repeats.
MAX_NAME_CHARACTERS = 40
MAX_NAMES = 10


@dataclass(frozen=True)
class RequestRules:
    """The defaults and limits that depend on the model or on the environment."""

    default_width: int
    default_height: int
    count_tokens: Callable[[str], int]
    max_tokens: int
    settings: Settings = DEFAULTS

    @staticmethod
    def of(pipeline: Any, settings: Settings) -> RequestRules:
        """The rules of a server with this pipeline and these settings."""
        width, height = pipeline.default_size
        return RequestRules(width, height, pipeline.count_tokens, pipeline.max_tokens, settings)


def parse_instance(
    instance: Any, rules: RequestRules, parameters: Mapping[str, Any] | None = None
) -> GenerationRequest:
    """Turn an instance (an object, or the prompt alone as a string) into a request.

    Null stands for a field that was left out, and `parameters` has what such a field gets. Raises
    RequestError for the first thing that is wrong.
    """
    if isinstance(instance, str):
        instance = {"prompt": instance}
    if not isinstance(instance, dict):
        raise RequestError("", f"an instance must be an object or a string, got {_kind(instance)}")
    _refuse_unknown_fields(instance, FIELDS)
    given = {**(parameters or {}), **{k: v for k, v in instance.items() if v is not None}}
    if given.get("prompt") is None:
        raise RequestError("prompt", "prompt is required")
    values = {name: _read(name, given[name], rules) for name in FIELDS if name in given}
    if "strength" in values and "init_image" not in values and instance.get("strength") is not None:
        raise RequestError("strength", "strength needs an init_image to start from")
    request = GenerationRequest(**_with_defaults(values, rules))
    _refuse_no_steps(request)
    _refuse_work(request, rules)
    return request


def parse_parameters(parameters: Any, rules: RequestRules) -> Mapping[str, Any]:
    """What a call's `parameters` set for all its instances: every field but what to draw."""
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise RequestError("parameters", f"parameters must be an object, got {_kind(parameters)}")
    allowed = tuple(name for name in FIELDS if name not in ("prompt", "init_image"))
    try:
        _refuse_unknown_fields(parameters, allowed)
        given = {name: value for name, value in parameters.items() if value is not None}
        for name, value in given.items():
            _read(name, value, rules)
    except RequestError as error:
        raise RequestError(f"parameters.{error.field}", error.message) from None
    return given


def megapixel_steps(request: GenerationRequest) -> float:
    """The work of a request, as the limits count it."""
    pixels = request.width * request.height
    return pixels * request.num_inference_steps * request.num_images / 1_000_000


def _with_defaults(values: dict[str, Any], rules: RequestRules) -> dict[str, Any]:
    default_size = (rules.default_width, rules.default_height)
    image: Image | None = values.get("init_image")
    if image is not None:
        default_size = fit_into(image.size, int(SIDE.low), int(SIDE.high), SIDE.multiple_of)
    defaults = {
        "num_inference_steps": rules.settings.default_steps,
        "seed": secrets.randbelow(int(SEED.high) + 1),
        "width": default_size[0],
        "height": default_size[1],
    }
    static = {f.name: f.default for f in fields(GenerationRequest) if f.default is not MISSING}
    filled = {**static, **defaults, **values}
    if image is not None:
        filled["init_image"] = resized(image, (filled["width"], filled["height"]))
    return filled


def _refuse_unknown_fields(given: Mapping[Any, Any], allowed: tuple[str, ...]) -> None:
    unknown = [str(name)[:MAX_NAME_CHARACTERS] for name in given if name not in allowed]
    if unknown:
        names = ", ".join(f'"{name}"' for name in unknown[:MAX_NAMES])
        raise RequestError(
            unknown[0], f"unknown field {names}; the fields are {', '.join(allowed)}"
        )


def _refuse_no_steps(request: GenerationRequest) -> None:
    if request.init_image is None or int(request.num_inference_steps * request.strength) >= 1:
        return
    raise RequestError(
        "strength",
        f"strength {request.strength} of {request.num_inference_steps} steps leaves none; "
        "raise strength or num_inference_steps",
    )


def _refuse_work(request: GenerationRequest, rules: RequestRules) -> None:
    work = megapixel_steps(request)
    limit = rules.settings.max_instance_megapixel_steps
    if work > limit:
        raise RequestError(
            "num_inference_steps",
            "width x height x num_inference_steps x num_images must be at most "
            f"{limit} million, got {work:.1f} million",
        )


def _read(field: str, value: Any, rules: RequestRules) -> Any:
    rule = RULES[field]
    if isinstance(rule, Number):
        return _number(field, value, rule)
    if not isinstance(value, str):
        raise RequestError(field, f"{field} must be a string, got {_kind(value)}")
    if isinstance(rule, Text):
        return _text(field, value, rules)
    if isinstance(rule, Picture):
        return decode_init_image(value, rules.settings.max_init_image_pixels)
    return _choice(field, value, rule)


def _text(field: str, value: str, rules: RequestRules) -> str:
    limit = rules.settings.max_prompt_characters
    if len(value) > limit:
        raise RequestError(
            field, f"{field} must be at most {limit} characters long, got {len(value)}"
        )
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise RequestError(field, f"{field} must be valid Unicode, got a lone surrogate") from None
    # A longer prompt would be cut without a word, so it is refused.
    tokens = rules.count_tokens(value)
    if tokens > rules.max_tokens:
        raise RequestError(
            field, f"{field} must be at most {rules.max_tokens} tokens long, got {tokens}"
        )
    return value


def _choice(field: str, value: str, rule: Choice) -> str:
    if value not in rule.options:
        # What was sent is not repeated: somebody may have put the prompt there.
        raise RequestError(field, f"{field} must be one of {', '.join(rule.options)}")
    return value


def _number(field: str, value: Any, rule: Number) -> float:
    kind = "a whole number" if rule.whole else "a number"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RequestError(field, f"{field} must be {kind}, got {_kind(value)}")
    # Written so that NaN, which compares false with everything, is refused too.
    if not rule.low <= value <= rule.high:
        raise RequestError(
            field, f"{field} must be between {rule.low} and {rule.high}, got {_shown(value)}"
        )
    # A client that sends protobuf numbers has only floats: 30.0 is a whole number.
    if rule.whole and value != int(value):
        raise RequestError(field, f"{field} must be a whole number, got {_shown(value)}")
    if rule.whole and value % rule.multiple_of:
        raise RequestError(
            field, f"{field} must be a multiple of {rule.multiple_of}, got {_shown(value)}"
        )
    return int(value) if rule.whole else float(value)


def _shown(value: float) -> str:
    # An integer of JSON has no limit, and a very long one neither prints nor converts.
    if isinstance(value, int) and abs(value) >= 10**15:
        return "a number of more than 15 digits"
    return str(value)


def _kind(value: Any) -> str:
    """What JSON calls the type of `value`."""
    if value is None:
        return "null"
    for types, name in _KINDS:
        if isinstance(value, types):
            return name
    return "bytes"


_KINDS: tuple[tuple[Any, str], ...] = (
    (bool, "a boolean"),
    ((int, float), "a number"),
    (str, "a string"),
    (list, "an array"),
    (dict, "an object"),
)
