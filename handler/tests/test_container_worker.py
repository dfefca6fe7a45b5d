"""The custom container's worker, when its model fails."""

from __future__ import annotations

import logging
import queue
from collections.abc import Sequence
from typing import Any

import pytest

from container.waiting import Ticket, WaitingCalls
from container.worker import Worker
from vertex_diffusion.batching import DeviceLostError
from vertex_diffusion.calls import Call, Outcome
from vertex_diffusion.errors import FailedError
from vertex_diffusion.settings import Settings

SECRET = "zebra"  # noqa: S105 - a word to look for


class Failing:
    """A service that raises on a call's first instance, where that is an error."""

    settings = Settings()

    def predict(self, calls: Sequence[Call], queued_seconds: Sequence[float]) -> list[Outcome]:
        assert len(queued_seconds) == len(calls)
        for call in calls:
            if isinstance(call.instances[0], BaseException):
                raise call.instances[0]
        return [["made"] for _ in calls]


class Running:
    """A worker on a failing service, and what is heard of its calls."""

    def __init__(self) -> None:
        self.waiting = WaitingCalls(10, 0)
        self.heard: queue.Queue[Outcome] = queue.Queue()
        self.ends: list[str] = []
        service: Any = Failing()
        self.worker = Worker(
            lambda: service, self.waiting, lambda _: None, lambda: self.ends.append("ended")
        )
        self.worker.start()

    def ask(self, instance: Any) -> Outcome:
        """The outcome of a call with this instance."""
        self.waiting.put(Ticket(Call([instance]), self.heard.put))
        return self.heard.get(timeout=60)


def test_goes_on_after_calls_that_failed_and_says_no_word_of_theirs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    running = Running()

    failed = running.ask(ValueError(SECRET))

    assert isinstance(failed, FailedError)
    assert failed.message == "the picture could not be made: ValueError"
    assert running.ask("a red circle") == ["made"]
    assert "Calls failed: ValueError" in caplog.text
    assert SECRET not in caplog.text
    running.waiting.close()
    running.worker.join()
    assert running.ends == ["ended"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_lost_device_answers_its_calls_and_ends_the_worker(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    running = Running()

    failed = running.ask(DeviceLostError(1))
    running.worker.join()

    assert isinstance(failed, FailedError)
    assert failed.message == "the picture could not be made: the model stopped"
    assert running.ends == ["ended"]


def test_a_model_that_raises_what_nobody_foresaw_is_not_served(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def start() -> Any:
        raise KeyError("unet")

    readied: list[Any] = []
    ends: list[str] = []
    worker = Worker(start, WaitingCalls(1, 0), readied.append, lambda: ends.append("ended"))

    worker.start()
    worker.join()

    assert (readied, ends) == ([], ["ended"])
    assert "The model cannot be served. 'unet'" in caplog.text
    assert "Traceback" in caplog.text
