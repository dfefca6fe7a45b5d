"""The model's whole world: one coloured shape on a plain background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PICTURE_SIZE = 64

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 30, 35),
    "orange": (250, 140, 20),
    "yellow": (250, 220, 40),
    "green": (40, 160, 60),
    "blue": (35, 80, 220),
    "purple": (130, 40, 170),
    "pink": (255, 130, 190),
    "black": (25, 25, 28),
}
SHAPES = ("circle", "square", "triangle")
BACKGROUNDS: dict[str, tuple[int, int, int]] = {"white": (255, 255, 255), "grey": (205, 205, 205)}

# Half the width of a circle, in pixels: the range of each size word.
SIZES: dict[str, tuple[float, float]] = {
    "small": (11.0, 13.0),
    "medium": (14.0, 17.0),
    "large": (18.0, 21.0),
}
MAX_SHIFT = 5.0  # pixels between the middle of the shape and the middle of the picture


@dataclass(frozen=True)
class Scene:
    """What one picture shows. `radius` and the middle of the shape's box are in pixels."""

    colour: str
    shape: str
    background: str
    size: str
    radius: float
    x: float
    y: float


def random_scene(random: np.random.Generator) -> Scene:
    """Draw a scene: every colour, shape, background and size is as likely as the others."""
    size = str(random.choice(list(SIZES)))
    radius = float(random.uniform(*SIZES[size]))
    shift = random.uniform(-MAX_SHIFT, MAX_SHIFT, size=2)
    return Scene(
        colour=str(random.choice(list(COLOURS))),
        shape=str(random.choice(SHAPES)),
        background=str(random.choice(list(BACKGROUNDS))),
        size=size,
        radius=radius,
        x=PICTURE_SIZE / 2 + float(shift[0]),
        y=PICTURE_SIZE / 2 + float(shift[1]),
    )


def paint(scene: Scene) -> NDArray[np.uint8]:
    """The picture of a scene: 64x64 RGB, with smooth (antialiased) edges."""
    centres = np.arange(PICTURE_SIZE) + 0.5
    x, y = np.meshgrid(centres - scene.x, centres - scene.y)
    cover = np.clip(0.5 - outside(scene.shape, scene.radius, x, y), 0.0, 1.0)[..., None]
    colour, background = np.array(COLOURS[scene.colour]), np.array(BACKGROUNDS[scene.background])
    picture: NDArray[np.uint8] = np.rint(cover * colour + (1 - cover) * background).astype(np.uint8)
    return picture


def outside(
    shape: str, radius: float, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How many pixels each point lies outside of the shape's edge; negative inside.

    Squares lie flat and triangles are equilateral with the point up. All three shapes of one
    radius look about as large.
    """
    if shape == "circle":
        return np.hypot(x, y) - radius
    if shape == "square":
        return np.maximum(np.abs(x), np.abs(y)) - 0.9 * radius
    half_width = 1.15 * radius
    half_height = half_width * np.sqrt(3) / 2
    slanted = (np.abs(x) * np.sqrt(3) - (y + half_height)) / 2
    return np.maximum(slanted, y - half_height)
