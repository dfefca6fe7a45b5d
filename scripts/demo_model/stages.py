"""Training in stages of fixed length that a killed run takes up again where it stood."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

CHECKPOINT_SECONDS = 150.0
LOG_STEPS = 50


class Stage:
    """One stage: modules, their optimizer, a step count, and a file that holds all of it.

    What a step draws at random depends on the seed and the step's number alone, so a run that was
    stopped anywhere draws the same as one that was not.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        steps: int,
        modules: Mapping[str, nn.Module],
        optimizer: torch.optim.Optimizer | None = None,
    ) -> None:
        self.file = folder / f"{name}.pt"
        self._folder = folder
        self.name = name
        self.steps = steps
        self.step = 0
        self._modules = modules
        self._optimizer = optimizer
        if self.file.is_file():
            state: dict[str, Any] = torch.load(self.file, weights_only=True, map_location="cpu")
            for key, module in modules.items():
                module.load_state_dict(state["modules"][key])
            if optimizer is not None and state["optimizer"] is not None:
                keep_kind(state["optimizer"], optimizer)
                optimizer.load_state_dict(state["optimizer"])
            self.step = state["step"]

    def run(
        self,
        take_step: Callable[[int], float],
        on_checkpoint: Callable[[int], None] = lambda step: None,
        checkpoint_steps: int | None = None,
        until: int | None = None,
    ) -> None:
        """Take the steps that are left. `take_step` gets a step's number and gives its loss.

        `on_checkpoint` runs after every `checkpoint_steps` and after the last step, which is
        `until` where that comes first.
        """
        last = self.steps if until is None else min(until, self.steps)
        saved = time.monotonic()
        started, first, losses = saved, self.step, list[float]()
        while self.step < last:
            loss = take_step(self.step)
            if not math.isfinite(loss):
                raise FloatingPointError(f'The loss of stage "{self.name}" became {loss}.')
            losses.append(loss)
            self.step += 1
            if self.step % LOG_STEPS == 0 or self.step == last:
                pace = (time.monotonic() - started) / (self.step - first)
                loss = sum(losses) / len(losses)
                note(self._folder, self.name, self.step, loss=round(loss, 5), pace=round(pace, 4))
                losses.clear()
            due = self.step == last
            due = due or (checkpoint_steps is not None and self.step % checkpoint_steps == 0)
            if due or time.monotonic() - saved > CHECKPOINT_SECONDS:
                self.save()
                saved = time.monotonic()
            if due:
                on_checkpoint(self.step)

    def save(self) -> None:
        """Write the file whole or not at all."""
        scratch = self.file.with_suffix(".part")
        torch.save(
            {
                "step": self.step,
                "modules": {key: module.state_dict() for key, module in self._modules.items()},
                "optimizer": self._optimizer.state_dict() if self._optimizer else None,
            },
            scratch,
        )
        os.replace(scratch, self.file)


def note(folder: Path, stage: str, step: int, **values: object) -> None:
    """Add a line to the learning curve in `folder`, and print it. `pace` is seconds per step."""
    line = json.dumps({"stage": stage, "step": step, **values})
    print(line, flush=True)
    with (folder / "curve.jsonl").open("a", encoding="utf-8") as curve:
        curve.write(line + "\n")


def step_generator(seed: int, step: int) -> torch.Generator:
    """The random numbers of one step."""
    return torch.Generator().manual_seed(seed * 1_000_003 + step)


def make_optimizer(
    module: nn.Module, device: str, betas: tuple[float, float], weight_decay: float
) -> torch.optim.Optimizer:
    """AdamW. On a GPU its rate is a tensor there, so that a recorded step reads the rate of now."""
    rate = torch.zeros((), device=device) if device == "cuda" else 0.0
    return torch.optim.AdamW(
        module.parameters(),
        lr=rate,
        betas=betas,
        weight_decay=weight_decay,
        capturable=device == "cuda",
    )


def keep_kind(saved: dict[str, Any], optimizer: torch.optim.Optimizer) -> None:
    """Make the saved state of an optimizer one of this optimizer's device."""
    for group, own in zip(saved["param_groups"], optimizer.param_groups):
        group.update(lr=own["lr"], capturable=own["capturable"])


def set_rate(optimizer: torch.optim.Optimizer, peak: float, step: int, steps: int) -> None:
    """Learning rate: up over the first 100 steps, then down a cosine to a fiftieth."""
    warm = min(1.0, (step + 1) / 100)
    cosine = 0.51 + 0.49 * math.cos(math.pi * step / steps)
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(peak * warm * cosine)
        else:
            group["lr"] = peak * warm * cosine


def average_pull(decay: float, step: int) -> Tensor:
    """How far the running average moves in this step; farther in the first ones."""
    return torch.tensor(1 - min(decay, (1 + step) / (10 + step)))


def follow(average: nn.Module, model: nn.Module, pull: Tensor) -> None:
    """Move a running average of weights towards the model's."""
    with torch.no_grad():
        for kept, value in zip(average.parameters(), model.parameters()):
            kept.lerp_(value, pull)


def to_picture_tensor(pictures: Tensor) -> Tensor:
    """Bytes (batch, height, width, 3) as floats (batch, 3, height, width) from -1 to 1."""
    return pictures.permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1
