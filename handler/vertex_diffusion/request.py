"""What one instance may ask for: fields, bounds and defaults, and the parsing of one instance."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable

STEPS_VARIABLE = "VERTEX_DIFFUSION_DEFAULT_STEPS"
DEFAULT_STEPS = 30
DEFAULT_GUIDANCE_SCALE = 7.5
MAX_PROMPT_CHARACTERS = 2000
# How much of a caller's own field names an error repeats.
MAX_NAME_CHARACTERS = 40
MAX_NAMES = 10


@dataclass(frozen=True)
class Bounds:
    """What a number may be; `low` and `high` are both allowed."""

    low: int
    high: int
    whole: bool = True
    multiple_of: int = 1


BOUNDS: Mapping[str, Bounds] = {
    "num_inference_steps": Bounds(1, 100),
    "guidance_scale": Bounds(1, 30, whole=False),
    "seed": Bounds(0, 2**32 - 1),
    "width": Bounds(64, 1024, multiple_of=8),
    "height": Bounds(64, 1024, multiple_of=8),
}

FIELDS = ("prompt", "negative_prompt", *tuple(BOUNDS))


class RequestError(Exception):
    """What is wrong with an instance or a call, and where. Never quotes a prompt."""

    code = 400

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message

    def to_answer(self) -> dict[str, Any]:
        """The object that stands in the answer where a picture would."""
        return {"error": {"code": self.code, "message": self.message, "field": self.field}}


@dataclass(frozen=True)
class GenerationRequest:
    """One picture to make, with every choice made."""

    prompt: str
    negative_prompt: str
    num_inference_steps: int
    guidance_scale: float
    seed: int
    width: int
    height: int


@dataclass(frozen=True)
class RequestRules:
    """The defaults and limits that depend on the model or on the environment."""

    default_width: int
    default_height: int
    default_steps: int
    count_tokens: Callable[[str], int]
    max_tokens: int


def steps_from_environment(environment: Mapping[str, str] = os.environ) -> int:
    """Read the default number of steps; ValueError says what is wrong with the setting."""
    text = environment.get(STEPS_VARIABLE, "").strip()
    if not text:
        return DEFAULT_STEPS
    bounds = BOUNDS["num_inference_steps"]
    if not (text.isascii() and text.isdigit() and bounds.low <= int(text) <= bounds.high):
        raise ValueError(
            f"{STEPS_VARIABLE} must be a whole number between {bounds.low} and {bounds.high}, "
            f'got "{text}".'
        )
    return int(text)


def parse_instance(instance: Any, rules: RequestRules) -> GenerationRequest:
    """Turn an instance (an object, or the prompt alone as a string) into a request.

    Null stands for a field that was left out. Raises RequestError for the first thing that is
    wrong.
    """
    if isinstance(instance, str):
        instance = {"prompt": instance}
    if not isinstance(instance, dict):
        raise RequestError("", f"an instance must be an object or a string, got {_kind(instance)}")
    _refuse_unknown_fields(instance)
    if instance.get("prompt") is None:
        raise RequestError("prompt", "prompt is required")
    return GenerationRequest(
        prompt=_text(instance, "prompt", rules),
        negative_prompt=_text(instance, "negative_prompt", rules),
        num_inference_steps=_whole(instance, "num_inference_steps", rules.default_steps),
        guidance_scale=_number(instance, "guidance_scale", DEFAULT_GUIDANCE_SCALE),
        seed=_whole(instance, "seed", secrets.randbelow(BOUNDS["seed"].high + 1)),
        width=_whole(instance, "width", rules.default_width),
        height=_whole(instance, "height", rules.default_height),
    )


def _refuse_unknown_fields(instance: Mapping[Any, Any]) -> None:
    unknown = [str(name)[:MAX_NAME_CHARACTERS] for name in instance if name not in FIELDS]
    if unknown:
        names = ", ".join(f'"{name}"' for name in unknown[:MAX_NAMES])
        raise RequestError(unknown[0], f"unknown field {names}; the fields are {', '.join(FIELDS)}")


def _text(instance: Mapping[str, Any], field: str, rules: RequestRules) -> str:
    value = instance.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RequestError(field, f"{field} must be a string, got {_kind(value)}")
    if len(value) > MAX_PROMPT_CHARACTERS:
        raise RequestError(
            field,
            f"{field} must be at most {MAX_PROMPT_CHARACTERS} characters long, got {len(value)}",
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


def _whole(instance: Mapping[str, Any], field: str, default: int) -> int:
    return int(_number(instance, field, default))


def _number(instance: Mapping[str, Any], field: str, default: float) -> float:
    value = instance.get(field)
    if value is None:
        return default
    bounds = BOUNDS[field]
    kind = "a whole number" if bounds.whole else "a number"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RequestError(field, f"{field} must be {kind}, got {_kind(value)}")
    # Written so that NaN, which compares false with everything, is refused too.
    if not bounds.low <= value <= bounds.high:
        raise RequestError(
            field, f"{field} must be between {bounds.low} and {bounds.high}, got {_shown(value)}"
        )
    # A client that sends protobuf numbers has only floats: 30.0 is a whole number.
    if bounds.whole and value != int(value):
        raise RequestError(field, f"{field} must be a whole number, got {_shown(value)}")
    if bounds.whole and value % bounds.multiple_of:
        raise RequestError(
            field, f"{field} must be a multiple of {bounds.multiple_of}, got {_shown(value)}"
        )
    return int(value) if bounds.whole else float(value)


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
