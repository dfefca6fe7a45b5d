"""Reading the picture that an instance starts from; nothing is ever fetched from an address."""

from __future__ import annotations

import base64
import binascii
import io
import re
import struct
from typing import Any

from PIL import Image, ImageOps

from vertex_diffusion.errors import RequestError

FIELD = "init_image"
NOT_BASE64 = (
    "init_image must be a picture in base64 or a data URL of one (PNG, JPEG or WebP); "
    "no address is fetched"
)
NO_PICTURE = "init_image must be a whole PNG, JPEG or WebP picture"
DATA_URL = re.compile(r"data:image/(?:png|jpeg|jpg|webp);base64,", re.IGNORECASE)


def decode_init_image(text: str, max_pixels: int) -> Image.Image:
    """The picture in RGB and upright, transparent parts white; RequestError for what is none.

    Its size is read from the file's head and refused before a single pixel is decoded.
    """
    content = _decode_base64(text)
    # Pillow sets memory aside for a whole WebP picture as soon as it opens one.
    _refuse_size(_webp_size(content), max_pixels)
    try:
        image = Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "WEBP"))
        _refuse_size(image.size, max_pixels)
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            ground = Image.new("RGBA", image.size, "white")
            return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
        return image.convert("RGB")
    except RequestError:
        raise
    except Image.DecompressionBombError:
        # Pillow's own limit, above every one that can be set here, stops before the size is told.
        raise RequestError(FIELD, f"init_image must have at most {max_pixels} pixels") from None
    except Exception:  # Pillow raises many kinds for what is broken
        raise RequestError(FIELD, NO_PICTURE) from None


def _decode_base64(text: str) -> bytes:
    head = DATA_URL.match(text)
    try:
        # A lone surrogate or other text is no ASCII, which is a ValueError as well.
        return base64.b64decode(text[head.end() if head else 0 :].encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise RequestError(FIELD, NOT_BASE64) from None


def _refuse_size(size: tuple[int, int] | None, max_pixels: int) -> None:
    if size is not None and size[0] * size[1] > max_pixels:
        raise RequestError(
            FIELD,
            f"init_image must have at most {max_pixels} pixels, got {size[0]}x{size[1]}",
        )


def _webp_size(content: bytes) -> tuple[int, int] | None:
    """Width and height from a WebP file's head; None for anything else."""
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP" or len(content) < 30:
        return None
    kind = content[12:16]
    if kind == b"VP8X":
        return (
            int.from_bytes(content[24:27], "little") + 1,
            int.from_bytes(content[27:30], "little") + 1,
        )
    if kind == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack("<HH", content[26:30])
    return width & 0x3FFF, height & 0x3FFF


def fit_into(size: tuple[int, int], low: int, high: int, step: int) -> tuple[int, int]:
    """The size nearest to `size`, in its proportions where bounds and step allow."""
    scale = min(1.0, high / max(size))
    scale = max(scale, low / min(size))
    width, height = (min(high, max(low, round(side * scale / step) * step)) for side in size)
    return width, height


def resized(image: Any, size: tuple[int, int]) -> Image.Image:
    """The picture in exactly that size."""
    result: Image.Image = image.resize(size, Image.Resampling.LANCZOS)
    return result
