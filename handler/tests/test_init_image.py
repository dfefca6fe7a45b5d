"""Pictures that an instance starts from."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import pytest

from tests.pictures import picture_bytes, picture_text
from vertex_diffusion.errors import RequestError
from vertex_diffusion.init_image import NO_PICTURE, NOT_BASE64, decode_init_image, fit_into

MAX_PIXELS = 1000


def refusal(text: str) -> str:
    with pytest.raises(RequestError) as caught:
        decode_init_image(text, MAX_PIXELS)
    assert caught.value.field == "init_image"
    message: str = caught.value.message
    return message


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def huge_png() -> bytes:
    """A PNG of some hundred bytes that says it has 60000 x 60000 pixels."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = b""
    for kind, content in ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(10_000)))):
        body = kind + content
        chunks += struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize("head", ["", "data:image/png;base64,", "DATA:image/webp;base64,"])
@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
def test_reads_each_format_in_base64_and_as_a_data_url(image_format: str, head: str) -> None:
    image = decode_init_image(head + picture_text((20, 10), image_format=image_format), MAX_PIXELS)

    assert (image.size, image.mode) == ((20, 10), "RGB")
    red, green, blue = image.getpixel((5, 5))  # type: ignore[misc]
    assert red > 240
    assert max(green, blue) < 15


def test_what_is_transparent_becomes_white() -> None:
    image = decode_init_image(picture_text((4, 4), (0, 0, 255, 0), "RGBA"), MAX_PIXELS)

    assert image.getpixel((0, 0)) == (255, 255, 255)


def test_a_photograph_stands_as_its_camera_was_held() -> None:
    turned = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"

    image = decode_init_image(picture_text((20, 10), image_format="JPEG", exif=turned), MAX_PIXELS)

    assert image.size == (10, 20)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "CMYK"])
def test_reads_every_kind_of_pixels(mode: str) -> None:
    text = picture_text((4, 4), 0, mode, image_format="JPEG" if mode == "CMYK" else "PNG")

    assert decode_init_image(text, MAX_PIXELS).mode == "RGB"


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/picture.png",
        "gs://bucket/picture.png",
        "file:///etc/passwd",
        "data:image/gif;base64,R0lGODlh",
        "not base64!",
        "\ud800",
        "a",
    ],
)
def test_refuses_what_is_no_base64_and_fetches_no_address(text: str) -> None:
    assert refusal(text) == NOT_BASE64


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"RIFF....WEBP",
        picture_bytes(image_format="GIF"),
        picture_bytes(image_format="BMP"),
        picture_bytes((20, 20))[:-30],
        b"\x89PNG\r\n\x1a\n" + bytes(100),
    ],
    ids=["nothing", "text", "head alone", "gif", "bmp", "cut off", "broken"],
)
def test_refuses_what_is_no_whole_picture(content: bytes) -> None:
    assert refusal(encoded(content)) == NO_PICTURE


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
def test_refuses_too_many_pixels(image_format: str) -> None:
    text = picture_text((50, 21), image_format=image_format)

    assert refusal(text) == "init_image must have at most 1000 pixels, got 50x21"


@pytest.mark.parametrize("options", [{"lossless": True}, {"icc_profile": b"x"}, {}], ids=str)
def test_reads_the_size_of_a_webp_before_anything_is_decoded(options: dict[str, Any]) -> None:
    content = picture_bytes((50, 21), image_format="WEBP", **options)
    # Without what comes after the head nothing could be decoded.
    text = encoded(content[:30])

    assert refusal(text) == "init_image must have at most 1000 pixels, got 50x21"


def test_refuses_a_decompression_bomb_by_its_head() -> None:
    assert refusal(encoded(huge_png())) == "init_image must have at most 1000 pixels"


@pytest.mark.parametrize(
    ("size", "fitted"),
    [
        ((512, 512), (512, 512)),
        ((4000, 3000), (1024, 768)),
        ((100, 75), (96, 72)),
        ((32, 64), (64, 128)),
        ((16_000, 1), (1024, 64)),
    ],
)
def test_fits_a_picture_into_the_bounds(size: tuple[int, int], fitted: tuple[int, int]) -> None:
    assert fit_into(size, 64, 1024, 8) == fitted
