"""Pictures made together: the same as alone, in order, and when memory is short."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image

from handler import DiffusionHandler
from tests.pictures import BATCH_TOLERANCE, largest_difference
from tests.test_pipeline import REQUEST
from vertex_diffusion.batching import Batcher, DeviceLostError, Made, Result, group_indices
from vertex_diffusion.errors import FailedError, MemoryShortError
from vertex_diffusion.pipeline import ImageTask, Pipeline

PROMPTS = ("a red circle", "a blue square", "a horse on mars", "a", "a star", "x", "y z", "the sea")
TASKS = [
    ImageTask(replace(REQUEST, prompt=prompt, negative_prompt="blurry" * (seed % 2)), seed)
    for seed, prompt in enumerate(PROMPTS)
]
START = [Image.new("RGB", (64, 64), colour) for colour in ("red", "green", "blue", "white")]


class Faulty:
    """The real pipeline, which fails before a pass that `fault` finds too much."""

    def __init__(self, pipeline: Pipeline, fault: Callable[[Sequence[ImageTask], bool], None]):
        self._pipeline = pipeline
        self._fault = fault
        self.tried: list[tuple[int, bool]] = []

    def generate(self, tasks: Sequence[ImageTask], is_sparing: bool) -> Any:
        self.tried.append((len(tasks), is_sparing))
        self._fault(tasks, is_sparing)
        return self._pipeline.generate(tasks, is_sparing)

    def memory_bytes(self) -> dict[str, int]:
        return self._pipeline.memory_bytes()

    def free_memory(self) -> None:
        self._pipeline.free_memory()


def room_for(count: int) -> Callable[[Sequence[ImageTask], bool], None]:
    """A fault as the GPU has it when more than `count` pictures are made at once."""

    def fault(tasks: Sequence[ImageTask], is_sparing: bool) -> None:
        if len(tasks) > count and not (is_sparing and count == 0):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    return fault


def run(pipeline: Any, max_batch_size: int, tasks: Sequence[ImageTask] = TASKS) -> list[Result]:
    return Batcher(pipeline, max_batch_size).generate(tasks)


def images(results: Sequence[Result]) -> list[Image.Image]:
    assert all(isinstance(result, Made) for result in results), results
    return [result.drawn.image for result in results if isinstance(result, Made)]


def batch_sizes(results: Sequence[Result]) -> list[int]:
    return [result.made_in.size for result in results if isinstance(result, Made)]


def assert_same_pictures(results: Sequence[Result], expected: Sequence[Result]) -> None:
    differences = [largest_difference(*pair) for pair in zip(images(results), images(expected))]
    assert len(results) == len(expected)
    assert max(differences) <= BATCH_TOLERANCE, differences


@pytest.fixture(scope="module")
def pipeline(handler: DiffusionHandler) -> Pipeline:
    return handler.service.pipeline


@pytest.fixture(scope="module")
def alone(pipeline: Pipeline) -> list[Result]:
    """Each picture made by itself."""
    return run(pipeline, 1)


@pytest.mark.parametrize("size", [2, 3, 8])
def test_a_picture_is_the_same_whatever_it_is_made_with(
    pipeline: Pipeline, alone: list[Result], size: int
) -> None:
    together = run(pipeline, size)

    assert_same_pictures(together, alone)
    assert max(batch_sizes(together)) == size
    assert largest_difference(*images(together)[:2]) > 50


@pytest.mark.parametrize("scheduler", ["dpm++", "euler_a", "ddim", "unipc"])
def test_a_picture_from_a_picture_is_the_same_whatever_it_is_made_with(
    pipeline: Pipeline, scheduler: str
) -> None:
    tasks = [
        ImageTask(replace(task.request, init_image=start, scheduler=scheduler), task.seed)
        for task, start in zip(TASKS, START)
    ]

    together = run(pipeline, 4, tasks)

    assert batch_sizes(together) == [4] * 4
    assert_same_pictures(together, run(pipeline, 1, tasks))


def test_results_are_in_the_order_of_the_tasks_whatever_is_made_together(
    pipeline: Pipeline, alone: list[Result]
) -> None:
    wide = [ImageTask(replace(task.request, width=128), task.seed) for task in TASKS[:2]]
    mixed = [TASKS[0], wide[0], TASKS[1], wide[1], TASKS[2]]

    results = run(pipeline, 8, mixed)

    assert [image.width for image in images(results)] == [64, 128, 64, 128, 64]
    assert batch_sizes(results) == [3, 2, 3, 2, 3]
    assert_same_pictures(results[::2], alone[:3])


@pytest.mark.parametrize(
    "change",
    [
        {"width": 72},
        {"height": 72},
        {"num_inference_steps": 4},
        {"guidance_scale": 2.0},
        {"scheduler": "ddim"},
        {"init_image": START[0]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_differs_for_a_whole_pass_is_made_apart(change: dict[str, Any]) -> None:
    other = ImageTask(replace(REQUEST, **change), 1)

    assert group_indices([TASKS[0], other, TASKS[1]]) == [[0, 2], [1]]


def test_another_strength_is_made_apart_where_there_is_a_picture_to_start_from() -> None:
    weak, strong = (replace(REQUEST, init_image=START[0], strength=x) for x in (0.4, 0.6))
    without = replace(REQUEST, strength=0.4)

    assert group_indices([ImageTask(weak, 1), ImageTask(strong, 2)]) == [[0], [1]]
    assert group_indices([ImageTask(REQUEST, 1), ImageTask(without, 2)]) == [[0, 1]]


def test_a_batch_that_memory_is_short_for_is_halved(
    pipeline: Pipeline, alone: list[Result]
) -> None:
    faulty = Faulty(pipeline, room_for(2))

    results = run(faulty, 8)

    assert [size for size, _ in faulty.tried] == [8, 4, 2, 2, 4, 2, 2]
    assert_same_pictures(results, alone)


def test_pictures_of_that_size_are_made_in_smaller_batches_from_then_on(
    pipeline: Pipeline,
) -> None:
    faulty = Faulty(pipeline, room_for(2))
    batcher = Batcher(faulty, 8)  # type: ignore[arg-type]
    small = [ImageTask(replace(task.request, height=72), task.seed) for task in TASKS[:3]]
    batcher.generate(TASKS[:3])
    faulty.tried.clear()

    batcher.generate(TASKS[:2])
    batcher.generate(small)

    assert [size for size, _ in faulty.tried] == [1, 1, 3, 1, 2]


def test_one_picture_that_memory_is_short_for_is_tried_again_with_less(
    pipeline: Pipeline, alone: list[Result]
) -> None:
    faulty = Faulty(pipeline, room_for(0))

    results = run(faulty, 1, TASKS[:1])

    assert faulty.tried == [(1, False), (1, True)]
    assert_same_pictures(results, alone[:1])


def test_a_picture_that_never_fits_is_an_error_of_its_own(
    pipeline: Pipeline, alone: list[Result]
) -> None:
    def fault(tasks: Sequence[ImageTask], _is_sparing: bool) -> None:
        if any(task.request.width > 64 for task in tasks):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    wide = ImageTask(replace(REQUEST, width=1024, height=1024), 1)

    results = run(Faulty(pipeline, fault), 8, [TASKS[0], wide, TASKS[1]])

    assert isinstance(results[1], MemoryShortError)
    assert results[1].to_answer() == {
        "error": {
            "code": 413,
            "message": "1024 x 1024 pixels do not fit into this server's memory; "
            "ask for a smaller picture",
            "field": "width",
        }
    }
    assert_same_pictures([results[0], results[2]], alone[:2])


def test_a_picture_that_fails_spoils_none_beside_it(
    pipeline: Pipeline, alone: list[Result], caplog: pytest.LogCaptureFixture
) -> None:
    def fault(tasks: Sequence[ImageTask], _is_sparing: bool) -> None:
        for task in tasks:
            if task.seed == 2:
                raise RuntimeError(task.request.prompt)

    results = run(Faulty(pipeline, fault), 8)

    assert isinstance(results[2], FailedError)
    assert results[2].code == 500
    assert results[2].message == "the picture could not be made: RuntimeError"
    assert_same_pictures(results[:2] + results[3:], alone[:2] + alone[3:])
    assert "RuntimeError in " in caplog.text
    assert PROMPTS[2] not in caplog.text


def test_a_gpu_that_answers_nothing_ends_the_process(pipeline: Pipeline) -> None:
    def fault(_tasks: Sequence[ImageTask], _is_sparing: bool) -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    faulty = Faulty(pipeline, fault)
    faulty.free_memory = lambda: fault([], False)  # type: ignore[method-assign]

    with pytest.raises(DeviceLostError):
        run(faulty, 8)


def test_sparing_memory_changes_little_in_a_large_picture(pipeline: Pipeline) -> None:
    task = ImageTask(replace(REQUEST, width=256, height=192), 1)

    whole, tiled, again = (
        pipeline.generate([task], is_sparing=is_sparing)[0].image
        for is_sparing in (False, True, False)
    )

    # Tiles are normalised each by itself, so they differ; afterwards nothing is left of them.
    assert tiled.size == whole.size
    assert tiled.tobytes() != whole.tobytes()
    assert again.tobytes() == whole.tobytes()
