"""A whole training run: text encoder, autoencoder, UNet, and the saved pipeline."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diffusers import UNet2DConditionModel

from demo_model.captions import known_words
from demo_model.pipeline import assemble, save_half
from demo_model.recipe import Recipe
from demo_model.score import PHRASINGS, SEEDS, list_tasks, score
from demo_model.stages import note
from demo_model.text import train_text_encoder
from demo_model.tokenizer import make_tokenizer
from demo_model.unet import CaptionStates, train_unet
from demo_model.vae import encode, make_scenes, paint_all, train_vae

# Each of these checkpoints is scored with 96 pictures: every colour and shape in one phrasing that
# no caption has. One seed alone would flatter: its noise may suit one shape.
SCORE_STEPS = 1000
SCORE_PHRASINGS = PHRASINGS[4:5]


class AlreadyTrainingError(RuntimeError):
    """Another process holds the run."""


def train(
    folder: Path, recipe: Recipe, out: Path, until: int | None = None, device: str = "cpu"
) -> int:
    """Do what is left of the run in `folder`, then write the pipeline to `out`.

    `until` ends the UNet's training after that step instead of its last one. Returns the size of
    the pipeline in bytes. Raises AlreadyTrainingError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer(folder / "tokenizer", known_words())
    encoder = train_text_encoder(folder, recipe, tokenizer, device)
    scenes = make_scenes(recipe.seed, recipe.pictures)
    pictures = paint_all(scenes)
    vae = train_vae(folder, recipe, pictures, device)
    latents = encode(vae, pictures)
    captions = CaptionStates(recipe, encoder, tokenizer, scenes)
    tasks = list(list_tasks(SCORE_PHRASINGS, SEEDS))

    def check(step: int, average: UNet2DConditionModel) -> None:
        started = time.monotonic()
        pipeline = assemble(vae, encoder, tokenizer, average)
        values = score(pipeline, tasks).summary()
        note(folder, "score", step, **values, seconds=round(time.monotonic() - started, 1))

    unet = train_unet(folder, recipe, latents, captions, check, SCORE_STEPS, until, device)
    return save_half(assemble(vae, encoder, tokenizer, unet), out)


@contextmanager
def only_run(pid_file: Path) -> Iterator[None]:
    """Hold the run: one at a time, and its process id in a file, so that it can be paused."""
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    with pid_file.open("a+", encoding="utf-8") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyTrainingError(
                f'The demo model is trained already, by the process named in "{pid_file}".'
            ) from None
        held.truncate(0)
        held.write(f"{os.getpid()}\n")
        held.flush()
        yield
