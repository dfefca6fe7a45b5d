"""Pictures as a caller sends them."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image, ImageChops


def picture_bytes(
    size: tuple[int, int] = (64, 64),
    colour: Any = "red",
    mode: str = "RGB",
    image_format: str = "PNG",
    **options: Any,
) -> bytes:
    """The file of a picture in one colour."""
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, format=image_format, **options)
    return buffer.getvalue()


def picture_text(
    size: tuple[int, int] = (64, 64), colour: Any = "red", mode: str = "RGB", **options: Any
) -> str:
    """The same in base64."""
    return base64.b64encode(picture_bytes(size, colour, mode, **options)).decode("ascii")


# What a picture's neighbours in a batch can change in it, in levels of 255 (docs/serving.md).
BATCH_TOLERANCE = 1


def decode(text: str) -> Image.Image:
    """The picture of a prediction."""
    return Image.open(io.BytesIO(base64.b64decode(text, validate=True)))


def largest_difference(one: Image.Image, other: Image.Image) -> int:
    """How far two pictures are apart where they are furthest, in levels of 255."""
    assert one.size == other.size
    extrema: Any = ImageChops.difference(one, other).getextrema()
    return int(max(high for _low, high in extrema))
