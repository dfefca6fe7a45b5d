"""What one instance may ask for: every field with its bounds and its default, said once.

The parser (parsing.py), the JSON Schema (schema.py) and `npm run predict` follow from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Union

from PIL.Image import Image

from vertex_diffusion.encoding import IMAGE_FORMATS
from vertex_diffusion.schedulers import SCHEDULERS


@dataclass(frozen=True)
class Text:
    """A string, as long as the server's settings and the model's tokenizer allow."""


@dataclass(frozen=True)
class Number:
    """What a number may be; `low` and `high` are both allowed."""

    low: int | float
    high: int | float
    whole: bool = True
    multiple_of: int = 1


@dataclass(frozen=True)
class Choice:
    """One of these strings."""

    options: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """A picture in the call itself, in base64 or as a data URL."""


Rule = Union[Text, Number, Choice, Picture]

SEED = Number(0, 2**32 - 1)
SIDE = Number(64, 1024, multiple_of=8)


def _field(rule: Rule, description: str, **default: Any) -> Any:
    return field(metadata={"rule": rule, "description": description}, **default)


@dataclass(frozen=True)
class GenerationRequest:
    """One instance, with every choice made. What has no default here has one of the server's."""

    prompt: str = _field(Text(), "What the pictures show.")
    num_inference_steps: int = _field(
        Number(1, 100), "Denoising steps. Default: the server's, 30 unless it is set."
    )
    seed: int = _field(
        SEED,
        "The same seed gives the same picture; image n of several has seed + n. Default: random.",
    )
    width: int = _field(
        SIDE,
        "Pixels. Default: the model's own; with init_image, that picture's, brought into bounds.",
    )
    height: int = _field(SIDE, "Pixels, as for width.")
    negative_prompt: str = _field(Text(), "What the pictures should not show.", default="")
    guidance_scale: float = _field(
        Number(1, 30, whole=False),
        "How closely the pictures follow the prompt; 1 leaves the negative prompt out.",
        default=7.5,
    )
    num_images: int = _field(Number(1, 8), "Pictures of this instance.", default=1)
    scheduler: str | None = _field(
        Choice(tuple(SCHEDULERS)),
        "How noise is taken away. Default: the model's own.",
        default=None,
    )
    init_image: Image | None = _field(  # noqa: RUF009 - a field of a dataclass
        Picture(),
        "The picture to start from, as base64 or a data URL: PNG, JPEG or WebP. "
        "No address is fetched.",
        default=None,
    )
    strength: float = _field(
        Number(0.01, 1, whole=False),
        "How far from init_image: this share of the steps is taken, and one must be left.",
        default=0.8,
    )
    image_format: str = _field(Choice(IMAGE_FORMATS), "What the pictures come as.", default="png")
    quality: int = _field(Number(1, 100), "Of jpeg and webp; png has none.", default=90)
    output: str = _field(
        Choice(("image", "full")),
        "image: the picture in base64, of several an array; full: an object with images, seeds, "
        "timings and version.",
        default="image",
    )


RULES: Mapping[str, Rule] = {each.name: each.metadata["rule"] for each in fields(GenerationRequest)}
FIELDS = tuple(RULES)


def image_seeds(request: GenerationRequest) -> list[int]:
    """The seed of each picture of an instance; each picture alone comes from its own."""
    count = int(SEED.high) + 1
    return [(request.seed + index) % count for index in range(request.num_images)]
