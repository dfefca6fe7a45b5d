"""Says what a picture shows, by geometry alone: colour, shape, background. No model is used.

The shape is named only when the painted area matches the ideal circle, square or triangle of the
same area and centre, and matches it clearly better than the other two. Anything else is "blob",
so a judge's kindness can't flatter the model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from demo_model.world import BACKGROUNDS, COLOURS, SHAPES, outside

BORDER = 3  # pixels at the edge of the picture that show the background
INK_DISTANCE = 60.0  # RGB distance from the background that counts as painted
COLOUR_DISTANCE = 70.0  # a colour farther than this from every known one is "other"
BACKGROUND_DISTANCE = 40.0
SMALLEST_AREA = 60  # pixels; less is "nothing"
SECOND_SHAPE = 0.06  # a second area larger than this share of the first is "several"
# Least overlap with the ideal shape (shared area over joint area). True pictures keep it under
# noise, blur and JPEG; a regular hexagon or a square with round corners does not pass as a circle.
MATCH = {"circle": 0.93, "square": 0.90, "triangle": 0.88}
LEAD = 0.06  # how much better than the next best ideal shape


@dataclass(frozen=True)
class Verdict:
    """What the judge sees. `matches` is the overlap with each ideal shape, 0 to 1."""

    colour: str
    shape: str
    background: str
    matches: dict[str, float]


def judge(picture: NDArray[np.uint8]) -> Verdict:
    """Judge one RGB picture.

    `colour` is a name of the world or "other"; `shape` a name of the world, "blob", "several" or
    "nothing"; `background` a name of the world or "other".
    """
    pixels = picture.astype(np.float64)
    backdrop = background_of(pixels)
    background = nearest(backdrop, BACKGROUNDS, BACKGROUND_DISTANCE)
    painted = np.linalg.norm(pixels - backdrop, axis=2) > INK_DISTANCE
    areas = connected_areas(painted)
    if not areas or areas[0].sum() < SMALLEST_AREA:
        return Verdict("other", "nothing", background, {})
    largest = areas[0]
    ink = np.median(pixels[inner(largest)], axis=0)
    colour = nearest(ink, COLOURS, COLOUR_DISTANCE)
    if len(areas) > 1 and areas[1].sum() > SECOND_SHAPE * largest.sum():
        return Verdict(colour, "several", background, {})
    matches = match_shapes(coverage(pixels, backdrop, ink, grow(grow(largest))))
    first, second = sorted(matches, key=lambda name: -matches[name])[:2]
    clear = matches[first] >= MATCH[first] and matches[first] - matches[second] >= LEAD
    return Verdict(colour, first if clear else "blob", background, matches)


def background_of(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median colour of the picture's border."""
    border = np.ones(pixels.shape[:2], dtype=bool)
    border[BORDER:-BORDER, BORDER:-BORDER] = False
    middle: NDArray[np.float64] = np.median(pixels[border], axis=0)
    return middle


def nearest(
    colour: NDArray[np.float64], names: dict[str, tuple[int, int, int]], limit: float
) -> str:
    """The name of the nearest RGB colour, or "other" when none is within `limit`."""
    distances = {name: float(np.linalg.norm(colour - value)) for name, value in names.items()}
    best = min(distances, key=lambda name: distances[name])
    return best if distances[best] <= limit else "other"


def coverage(
    pixels: NDArray[np.float64],
    backdrop: NDArray[np.float64],
    ink: NDArray[np.float64],
    where: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """How much of each pixel is painted, 0 to 1: where it lies between background and ink."""
    line = ink - backdrop
    share = (pixels - backdrop) @ line / (line @ line)
    # Noise and JPEG leave shares near 0 and 1; steepening drops them and keeps the edge in place.
    covered: NDArray[np.float64] = np.where(
        where, np.clip((share - 0.5) * 2.5 + 0.5, 0.0, 1.0), 0.0
    )
    return covered


def match_shapes(covered: NDArray[np.float64]) -> dict[str, float]:
    """Overlap of the painted area with the ideal shape of equal area and centre."""
    area = covered.sum()
    rows, columns = np.indices(covered.shape) + 0.5
    x = columns - (covered * columns).sum() / area
    y = rows - (covered * rows).sum() / area
    matches = {}
    for shape in SHAPES:
        radius, drop = ideal_size(shape, float(area))
        ideal = np.clip(0.5 - outside(shape, radius, x, y + drop), 0.0, 1.0)
        matches[shape] = float(np.minimum(covered, ideal).sum() / np.maximum(covered, ideal).sum())
    return matches


def ideal_size(shape: str, area: float) -> tuple[float, float]:
    """The radius of a shape of this area, and how far its centre of mass lies below its middle."""
    if shape == "circle":
        return float(np.sqrt(area / np.pi)), 0.0
    if shape == "square":
        return float(np.sqrt(area) / 1.8), 0.0
    half_width = float(np.sqrt(area / np.sqrt(3)))
    # The centre of mass of a triangle is a third of its height above the base.
    return half_width / 1.15, half_width * np.sqrt(3) / 6


def connected_areas(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """The areas of touching pixels (sides only), largest first."""
    left = mask.copy()
    areas = []
    while left.any():
        area = np.zeros_like(left)
        area.flat[int(np.flatnonzero(left)[0])] = True
        size = 0
        while size != (size := int(area.sum())):
            area = grow(area) & left
        left &= ~area
        areas.append(area)
    return sorted(areas, key=lambda area: -int(area.sum()))


def grow(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask and the pixels that touch its sides."""
    grown: NDArray[np.bool_] = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown


def inner(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask without its outermost two pixels, or the whole mask where nothing would be left."""
    eroded: NDArray[np.bool_] = ~grow(grow(~mask))
    return eroded if eroded.any() else mask
