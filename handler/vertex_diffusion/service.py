"""What every server has: it starts once, and then answers calls. Knows no server."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from vertex_diffusion.artifact import ArtifactError
from vertex_diffusion.batching import Batcher
from vertex_diffusion.calls import Call, Outcome
from vertex_diffusion.errors import RequestError
from vertex_diffusion.loading import WeightsError, load_pipeline
from vertex_diffusion.metrics import ERROR_KINDS, NO_RECORDER, Recorder
from vertex_diffusion.parsing import RequestRules
from vertex_diffusion.pipeline import Pipeline, warm_up_tasks
from vertex_diffusion.prediction import predict_calls
from vertex_diffusion.safety import SafetyCheckerError, load_safety_checker
from vertex_diffusion.settings import Settings, read_settings

logger = logging.getLogger(__name__)


class StartError(RuntimeError):
    """Why the model cannot be served, in one line."""


@dataclass(frozen=True)
class Service:
    """A pipeline that has drawn its first picture, with the rules of what it may be asked."""

    settings: Settings
    pipeline: Pipeline
    rules: RequestRules
    batcher: Batcher
    recorder: Recorder

    def predict(
        self,
        calls: Sequence[Call],
        queued_seconds: Sequence[float] = (),
    ) -> list[Outcome]:
        """Answer calls together. Not for two threads at once.

        `queued_seconds` says how long each has waited, where the server knows.
        """
        for seconds in queued_seconds:
            self.recorder.record("queue_seconds", seconds)
        outcomes = predict_calls(calls, self.rules, self.batcher)
        for outcome in outcomes:
            for item in [outcome] if isinstance(outcome, RequestError) else outcome:
                if isinstance(item, RequestError):
                    self.recorder.record("errors_total", 1, ERROR_KINDS[item.code])
        return outcomes


def start_service(
    find_weights: Callable[[], Path],
    environment: Mapping[str, str],
    gpu_id: int | None = None,
    recorder: Recorder = NO_RECORDER,
) -> Service:
    """Load everything and draw one picture; StartError says in one line why it can't be done."""
    started = time.monotonic()
    try:
        settings = read_settings(environment)
        with _stage("Weights found"):
            weights = find_weights()
        with _stage("Pipeline loaded"):
            pipeline = load_pipeline(weights, gpu_id)
        if settings.safety_checker:
            with _stage("Safety checker loaded"):
                pipeline.use_safety_checker(
                    *load_safety_checker(weights, pipeline.device, pipeline.dtype)
                )
    except (ArtifactError, WeightsError, SafetyCheckerError, ValueError) as error:
        raise StartError(str(error)) from None
    if settings.compile:
        pipeline.compile()
    with _stage("Warm-up picture made"):
        _warm_up(pipeline, settings)
    batcher = Batcher(pipeline, settings.max_batch_size, recorder)
    logger.info("Ready in %.1f s: %s", time.monotonic() - started, pipeline.description)
    return Service(settings, pipeline, RequestRules.of(pipeline, settings), batcher, recorder)


def _warm_up(pipeline: Pipeline, settings: Settings) -> None:
    # The second number of pictures makes a compiled model ready for every other one.
    for count in (1, 2) if settings.compile and settings.max_batch_size > 1 else (1,):
        try:
            pipeline.generate(warm_up_tasks(pipeline.default_size, count))
        except Exception as error:  # whatever it is, a server that can't draw is not ready
            reason = " ".join(str(error).split())
            raise StartError(f"The first picture could not be made: {reason}") from error


@contextmanager
def _stage(name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    logger.info("%s in %.1f s", name, time.monotonic() - started)
