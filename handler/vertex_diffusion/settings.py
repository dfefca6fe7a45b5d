"""What the environment sets: limits, defaults and switches of a server, read once at its start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

Kind = TypeVar("Kind")

PREFIX = "VERTEX_DIFFUSION_"
# How much of a setting's value an error repeats.
MAX_SHOWN_CHARACTERS = 40


@dataclass(frozen=True)
class Range:
    """The whole numbers that a setting may have; `low` and `high` are both allowed."""

    low: int
    high: int


def number(default: int, low: int, high: int, description: str) -> Any:
    """A field of a settings class: a whole number and its bounds."""
    return field(default=default, metadata={"range": Range(low, high), "description": description})


@dataclass(frozen=True)
class Settings:
    """Every setting of the handler: VERTEX_DIFFUSION_DEFAULT_STEPS sets `default_steps`."""

    default_steps: int = number(
        30, 1, 100, "Denoising steps of an instance that names no `num_inference_steps`"
    )
    max_instances: int = number(16, 1, 256, "Instances in one call")
    max_prompt_characters: int = number(
        2000, 1, 100_000, "Characters of a prompt, before its tokens are counted"
    )
    max_instance_megapixel_steps: int = number(
        128,
        1,
        1_000_000,
        "Work of one instance: width x height x `num_inference_steps` x `num_images`, in millions",
    )
    max_call_megapixel_steps: int = number(
        256, 1, 1_000_000, "The same, of all instances of one call together"
    )
    max_body_bytes: int = number(10_000_000, 1_000, 1_000_000_000, "Bytes of a call's body")
    max_batch_size: int = number(
        8, 1, 128, "Pictures that are made at once; fewer from the first time that memory is short"
    )
    max_init_image_pixels: int = number(
        16_777_216, 4_096, 80_000_000, "Pixels of an `init_image`, before it is decoded"
    )
    compile: int = number(
        0, 0, 1, "1 compiles the model (torch.compile): a slower start, faster pictures on a GPU"
    )
    safety_checker: int = number(
        0, 0, 1, "1 checks pictures with the weights' safety checker and blackens what it flags"
    )


DEFAULTS = Settings()


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read every setting of the handler; ValueError says, in one line, each that is wrong."""
    return read_fields(Settings, environment)


def read_fields(kind: type[Kind], environment: Mapping[str, str]) -> Kind:
    """The same for any class of settings: a dataclass whose fields are made by `number`."""
    values: dict[str, Any] = {}
    problems = []
    for each in fields(kind):  # type: ignore[arg-type]
        text = environment.get(variable_of(each.name), "").strip()
        if not text:
            continue
        try:
            values[each.name] = _parse(text, each.metadata["range"])
        except ValueError as error:
            shown = " ".join(text.split())[:MAX_SHOWN_CHARACTERS]
            problems.append(f'{variable_of(each.name)} must be {error}, got "{shown}".')
    if problems:
        raise ValueError(" ".join(problems))
    return kind(**values)


def _parse(text: str, allowed: Range) -> int:
    # A longer text is out of every range, and Python refuses to convert very long ones.
    is_number = text.isascii() and text.isdigit() and len(text) < 20
    if not (is_number and allowed.low <= int(text) <= allowed.high):
        raise ValueError(f"a whole number between {allowed.low} and {allowed.high}")
    return int(text)
