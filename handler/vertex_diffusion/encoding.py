"""How a picture becomes text in a JSON answer."""

from __future__ import annotations

import base64
import io

from PIL.Image import Image


def encode_png(image: Image) -> str:
    """The picture as a PNG file in base64, for `base64.b64decode(predictions[0])`."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")
