"""How a picture becomes text in a JSON answer."""

from __future__ import annotations

import base64
import io

from PIL.Image import Image

IMAGE_FORMATS = ("png", "jpeg", "webp")


def encode_image(image: Image, image_format: str, quality: int) -> str:
    """The picture as a file in base64, for `base64.b64decode(predictions[0])`."""
    buffer = io.BytesIO()
    if image_format == "png":
        image.save(buffer, format="PNG")
    else:
        image.save(buffer, format=image_format.upper(), quality=quality)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
