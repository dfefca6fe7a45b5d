"""Scores a pipeline: draws a fixed set of prompts and counts what the judge sees in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from demo_model.judge import judge
from demo_model.world import COLOURS, SHAPES

# The last two are phrasings that no caption of the training has.
PHRASINGS = (
    "{a} {colour} {shape}",
    "{colour} {shape}",
    "a picture of {a} {colour} {shape} on a white background",
    "a {shape} that is {colour}",
    "draw me {a} {colour} {shape}, please",
    "the {shape} is {colour}",
)
SEEDS = (1, 2, 3, 4)
STEPS = 20
GUIDANCE = 4.0
BATCH = 24


@dataclass(frozen=True)
class Task:
    """One picture to draw, and what it has to show."""

    prompt: str
    colour: str
    shape: str
    seed: int


@dataclass
class Tally:
    """How many pictures of one kind were asked for and how many were right."""

    asked: int = 0
    right: int = 0

    @property
    def share(self) -> float:
        """Right pictures of those asked for, 0 to 1."""
        return self.right / self.asked if self.asked else 0.0

    def count(self, right: bool) -> None:
        """Add one picture."""
        self.asked += 1
        self.right += right


@dataclass
class Score:
    """Right colours by colour, right shapes by shape, and what wrong shapes were seen as."""

    colours: dict[str, Tally] = field(default_factory=dict)
    shapes: dict[str, Tally] = field(default_factory=dict)
    mistakes: dict[str, int] = field(default_factory=dict)

    def add(self, task: Task, picture: NDArray[np.uint8]) -> None:
        """Judge one picture of a task."""
        verdict = judge(picture)
        self.colours.setdefault(task.colour, Tally()).count(verdict.colour == task.colour)
        self.shapes.setdefault(task.shape, Tally()).count(verdict.shape == task.shape)
        if verdict.shape != task.shape:
            seen = f"{task.shape} seen as {verdict.shape}"
            self.mistakes[seen] = self.mistakes.get(seen, 0) + 1

    @property
    def colour_share(self) -> float:
        """Pictures of the right colour, of all."""
        return total(self.colours).share

    @property
    def accepted(self) -> bool:
        """95 % of all colours right, and 85 % of the shapes for each shape alone."""
        return self.colour_share >= 0.95 and all(
            tally.share >= 0.85 for tally in self.shapes.values()
        )

    def summary(self) -> dict[str, object]:
        """Shares in percent, for the learning curve."""
        return {
            "colour": percent(self.colour_share),
            **{shape: percent(tally.share) for shape, tally in self.shapes.items()},
            "mistakes": self.mistakes,
        }


def total(tallies: dict[str, Tally]) -> Tally:
    """The sum of several tallies."""
    return Tally(
        sum(tally.asked for tally in tallies.values()),
        sum(tally.right for tally in tallies.values()),
    )


def percent(share: float) -> float:
    """A share as percent with one decimal."""
    return round(100 * share, 1)


def list_tasks(phrasings: Sequence[str], seeds: Sequence[int]) -> Iterator[Task]:
    """Every colour and shape in every phrasing with every seed."""
    for phrasing in phrasings:
        for seed in seeds:
            for colour in COLOURS:
                for shape in SHAPES:
                    article = "an" if colour[0] in "aeiou" else "a"
                    prompt = phrasing.format(a=article, colour=colour, shape=shape)
                    yield Task(prompt, colour, shape, seed)


def draw(pipeline: Any, tasks: Sequence[Task], guidance: float = GUIDANCE) -> NDArray[np.uint8]:
    """Draw the tasks in one call: pictures (tasks, height, width, 3). A seed fixes its noise."""
    output = pipeline(
        prompt=[task.prompt for task in tasks],
        num_inference_steps=STEPS,
        guidance_scale=guidance,
        generator=[torch.Generator("cpu").manual_seed(task.seed) for task in tasks],
        output_type="np",
    )
    pictures: NDArray[np.uint8] = np.rint(output.images * 255).astype(np.uint8)
    return pictures


def score(pipeline: Any, tasks: Sequence[Task], guidance: float = GUIDANCE) -> Score:
    """Draw every task and judge it."""
    result = Score()
    for start in range(0, len(tasks), BATCH):
        part = tasks[start : start + BATCH]
        for task, picture in zip(part, draw(pipeline, part, guidance)):
            result.add(task, picture)
    return result
