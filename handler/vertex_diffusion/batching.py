"""Many pictures in few passes of the pipeline: grouping, and going on when memory runs out."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Union

from vertex_diffusion.errors import FailedError, MemoryShortError, RequestError
from vertex_diffusion.metrics import NO_RECORDER, Recorder
from vertex_diffusion.pipeline import OUT_OF_MEMORY, Drawn, ImageTask, Pipeline
from vertex_diffusion.request import GenerationRequest

logger = logging.getLogger(__name__)


class DeviceLostError(SystemExit):
    """The GPU answers nothing any more. It ends the process, which is then started anew."""


@dataclass(frozen=True)
class Pass:
    """One pass of the pipeline: how many pictures it made at once, and how long it took."""

    number: int
    size: int
    seconds: float


@dataclass(frozen=True)
class Made:
    """A picture and the pass that it comes from."""

    drawn: Drawn
    made_in: Pass


# A picture, or why there is none.
Result = Union[Made, RequestError]


class Batcher:
    """Runs a pipeline on batches. Not for two threads at once."""

    def __init__(
        self, pipeline: Pipeline, max_batch_size: int, recorder: Recorder = NO_RECORDER
    ) -> None:
        self._pipeline = pipeline
        self._recorder = recorder
        self._max_batch_size = max_batch_size
        # How many pictures of so many pixels are tried at once, where more were too many before.
        self._fitting: dict[int, int] = {}
        self._passes = 0

    def generate(self, tasks: Sequence[ImageTask]) -> list[Result]:
        """Make the pictures, each by its own seed; the results are in the order of the tasks."""
        results: dict[int, Result] = {}
        for waiting in group_indices(tasks):
            while waiting:
                pixels = _pixels(tasks[waiting[0]].request)
                size = self._fitting.get(pixels, self._max_batch_size)
                now, waiting = waiting[:size], waiting[size:]
                made = self._generate_batch([tasks[index] for index in now])
                results.update(zip(now, made))
        return [results[index] for index in range(len(tasks))]

    def _generate_batch(self, tasks: Sequence[ImageTask]) -> Sequence[Result]:
        made = self._try(tasks, is_sparing=False)
        if not isinstance(made, RequestError):
            return made
        is_memory_short = isinstance(made, MemoryShortError)
        if len(tasks) > 1:
            half = len(tasks) // 2
            if is_memory_short:
                self._fitting[_pixels(tasks[0].request)] = half
                logger.warning(
                    "Out of memory: at most %d of %d pictures at once now", half, len(tasks)
                )
            # What failed for another reason may be the fault of one picture alone.
            parts = (tasks[:half], tasks[half:])
            return [result for part in parts for result in self._generate_batch(part)]
        if is_memory_short:
            logger.warning("Out of memory with one picture: tried again with less, in tiles")
            made = self._try(tasks, is_sparing=True)
        return [made] if isinstance(made, RequestError) else made

    def _try(self, tasks: Sequence[ImageTask], is_sparing: bool) -> list[Made] | RequestError:
        """One pass of the pipeline: its pictures, or why it made none."""
        started = time.monotonic()
        error: RequestError
        try:
            drawn = self._pipeline.generate(tasks, is_sparing)
            self._passes += 1
            made_in = Pass(self._passes, len(tasks), time.monotonic() - started)
            self._record(made_in, sum(each.is_flagged for each in drawn))
            return [Made(each, made_in) for each in drawn]
        except OUT_OF_MEMORY:
            error = MemoryShortError(tasks[0].request.width, tasks[0].request.height)
        except Exception as problem:  # whatever it is, the other calls go on
            error = FailedError(type(problem).__name__)
            frame = traceback.extract_tb(problem.__traceback__)[-1]
            # Not the problem's own words, which can quote a prompt.
            kind = type(problem).__name__
            logger.error("A pass failed: %s in %s:%s", kind, frame.filename, frame.lineno)
        # Not in the handlers above: while an error is handled it keeps the pass's memory.
        self._free_memory()
        return error

    def _record(self, made_in: Pass, flagged: int) -> None:
        self._recorder.record("images_total", made_in.size)
        self._recorder.record("batch_size", made_in.size)
        for _ in range(made_in.size):
            self._recorder.record("image_seconds", made_in.seconds / made_in.size)
        if flagged:
            self._recorder.record("flagged_images_total", flagged)
        for kind, count in self._pipeline.memory_bytes().items():
            self._recorder.record("gpu_memory_bytes", count, kind)

    def _free_memory(self) -> None:
        try:
            self._pipeline.free_memory()
        except Exception:
            logger.critical("The GPU answers nothing any more. This process ends.")
            raise DeviceLostError(1) from None


def group_indices(tasks: Sequence[ImageTask]) -> list[list[int]]:
    """The indices of the tasks that one pass can make together, the first ones first."""
    groups: dict[Hashable, list[int]] = {}
    for index, task in enumerate(tasks):
        groups.setdefault(_shared_by_a_pass(task.request), []).append(index)
    return list(groups.values())


def _shared_by_a_pass(request: GenerationRequest) -> Hashable:
    """What all pictures of a pass have in common; texts, seed and first picture are their own."""
    is_from_picture = request.init_image is not None
    return (
        request.width,
        request.height,
        request.num_inference_steps,
        request.guidance_scale,
        request.scheduler,
        is_from_picture and request.strength,
    )


def _pixels(request: GenerationRequest) -> int:
    return request.width * request.height
