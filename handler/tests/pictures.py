"""Pictures as a caller sends them."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image


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
