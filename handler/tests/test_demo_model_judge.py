"""The judge of the demo model's pictures, on pictures whose truth is known.

They are drawn here by Pillow, not by the code that the judge compares them with.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from tests.torchserve import HANDLER

sys.path.append(str(HANDLER.parent / "scripts"))

from demo_model.judge import judge
from demo_model.world import BACKGROUNDS, COLOURS, SHAPES

Pen = ImageDraw.ImageDraw
RED = COLOURS["red"]
ZOOM = 8  # drawn this many times larger, then made smaller, so that edges are smooth


def canvas(
    background: str, draw: Callable[[Pen], object], smooth: bool = True
) -> NDArray[np.uint8]:
    """A 64x64 picture of what `draw` draws on a canvas of 512x512."""
    image = Image.new("RGB", (64 * ZOOM, 64 * ZOOM), BACKGROUNDS[background])
    draw(ImageDraw.Draw(image))
    how = Image.Resampling.BOX if smooth else Image.Resampling.NEAREST
    picture: NDArray[np.uint8] = np.asarray(image.resize((64, 64), how))
    return picture


def draw_shape(pen: Pen, shape: str, colour: str, radius: float, x: float, y: float) -> None:
    """A shape of about the same size whatever it is; lengths in pixels of the small picture."""
    ink, r, x, y = COLOURS[colour], radius * ZOOM, x * ZOOM, y * ZOOM
    if shape == "circle":
        pen.ellipse((x - r, y - r, x + r, y + r), fill=ink)
    elif shape == "square":
        pen.rectangle((x - 0.9 * r, y - 0.9 * r, x + 0.9 * r, y + 0.9 * r), fill=ink)
    else:
        height = 1.15 * r * 3**0.5
        top, base = y - height / 2, y + height / 2
        pen.polygon([(x, top), (x + 1.15 * r, base), (x - 1.15 * r, base)], fill=ink)


def unchanged(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return picture


def noisy(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    noise = np.random.default_rng(4).normal(0, 12, picture.shape)
    changed: NDArray[np.uint8] = np.clip(picture + noise, 0, 255).astype(np.uint8)
    return changed


def blurred(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    image = Image.fromarray(picture).filter(ImageFilter.GaussianBlur(1.2))
    changed: NDArray[np.uint8] = np.asarray(image)
    return changed


def as_jpeg(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=75)
    changed: NDArray[np.uint8] = np.asarray(Image.open(file))
    return changed


@pytest.mark.parametrize("smooth", [True, False], ids=["antialiased", "hard-edged"])
@pytest.mark.parametrize("change", [unchanged, noisy, blurred, as_jpeg])
@pytest.mark.parametrize("shape", SHAPES)
def test_names_every_true_picture(
    shape: str, change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], smooth: bool
) -> None:
    random = np.random.default_rng(8)
    asked, seen = [], []

    for colour in COLOURS:
        for background in BACKGROUNDS:
            for radius in (11.0, 14.5, 21.0):
                x, y = random.uniform(27.5, 36.5, size=2)
                draw = partial(draw_shape, shape=shape, colour=colour, radius=radius, x=x, y=y)
                picture = canvas(background, draw, smooth)
                verdict = judge(change(picture))
                asked.append((colour, shape, background))
                seen.append((verdict.colour, verdict.shape, verdict.background))

    assert seen == asked


@pytest.mark.parametrize(
    ("draw", "seen"),
    [
        (lambda pen: None, "nothing"),
        (lambda pen: pen.ellipse((100, 180, 420, 340), fill=RED), "blob"),
        (lambda pen: pen.ellipse((120, 160, 400, 370), fill=RED), "blob"),
        (lambda pen: pen.rectangle((100, 180, 420, 340), fill=RED), "blob"),
        (lambda pen: pen.rounded_rectangle((120, 120, 400, 400), 90, fill=RED), "blob"),
        (lambda pen: pen.regular_polygon((256, 256, 150), 5, fill=RED), "blob"),
        (lambda pen: pen.regular_polygon((256, 256, 150), 6, fill=RED), "blob"),
        (lambda pen: pen.pieslice((120, 120, 400, 400), 0, 180, fill=RED), "blob"),
        (lambda pen: pen.pieslice((120, 120, 400, 400), 0, 290, fill=RED), "blob"),
        (lambda pen: pen.ellipse((120, 120, 400, 400), outline=RED, width=60), "blob"),
        (lambda pen: pen.polygon([(256, 100), (412, 256), (256, 412), (100, 256)], RED), "blob"),
        (lambda pen: pen.polygon([(100, 120), (412, 120), (256, 400)], RED), "blob"),
        (lambda pen: pen.polygon([(200, 120), (312, 120), (412, 400), (100, 400)], RED), "blob"),
        (lambda pen: pen.polygon([(256, 170), (450, 400), (62, 400)], RED), "blob"),
        (lambda pen: [pen.ellipse((x, 190, x + 160, 350), RED) for x in (60, 290)], "several"),
    ],
    ids=[
        *["empty", "ellipse", "egg", "rectangle", "rounded square", "pentagon", "hexagon"],
        *["half disc", "cut disc", "ring", "diamond", "triangle upside down", "trapezium"],
        *["flat triangle", "two circles"],
    ],
)
def test_gives_no_shape_name_to_anything_else(draw: Callable[[Pen], object], seen: str) -> None:
    assert judge(canvas("white", draw)).shape == seen


@pytest.mark.parametrize("roughness", [0.15, 0.25, 0.4])
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_sees_a_blob_in_a_disc_with_a_wavy_edge(roughness: float, seed: int) -> None:
    angles = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    random = np.random.default_rng(seed)
    waves = sum(np.sin(k * angles + random.uniform(0, 6)) for k in (2, 3)) / 2**0.5
    radii = 140 * (1 + roughness * np.asarray(waves))
    edge = [(256 + r * np.cos(a), 256 + r * np.sin(a)) for r, a in zip(radii, angles)]

    verdict = judge(canvas("white", lambda pen: pen.polygon(edge, fill=RED)))

    assert (verdict.colour, verdict.shape) == ("red", "blob")


@pytest.mark.parametrize("ink", [(120, 90, 60), (0, 200, 200), (150, 150, 150)])
def test_gives_no_colour_name_to_a_colour_of_no_name(ink: tuple[int, int, int]) -> None:
    picture = canvas("white", lambda pen: pen.ellipse((140, 140, 380, 380), fill=ink))

    verdict = judge(picture)

    assert (verdict.colour, verdict.shape) == ("other", "circle")
