"""The thread that loads the model and makes all pictures."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Callable

from container.waiting import Ticket, WaitingCalls
from vertex_diffusion.calls import Outcome
from vertex_diffusion.errors import FailedError

if TYPE_CHECKING:
    from vertex_diffusion.service import Service

logger = logging.getLogger(__name__)


class Worker(threading.Thread):
    """Takes calls until the queue is closed. It says `on_end` however it ends."""

    def __init__(
        self,
        start_model: Callable[[], Service],
        waiting: WaitingCalls,
        on_ready: Callable[[Service], None],
        on_end: Callable[[], None],
    ) -> None:
        # Nobody waits at the end for a picture that takes too long.
        super().__init__(name="pictures", daemon=True)
        self._start_model = start_model
        self._waiting = waiting
        self._on_ready = on_ready
        self._on_end = on_end
        self._taken: Sequence[Ticket] = ()

    @property
    def taken(self) -> Sequence[Ticket]:
        """The calls whose pictures are being made."""
        return self._taken

    def run(self) -> None:
        """Load the model, then answer calls."""
        try:
            service = self._load()
            if service is not None:
                self._on_ready(service)
                self._answer_all(service)
        finally:
            self._on_end()

    def _load(self) -> Service | None:
        try:
            return self._start_model()
        except Exception as error:
            # The reasons that are foreseen have a line of their own.
            is_known = isinstance(error, RuntimeError)
            reason = " ".join(str(error).split())
            logger.error("The model cannot be served. %s", reason, exc_info=not is_known)
            return None

    def _answer_all(self, service: Service) -> None:
        while tickets := self._waiting.take(service.settings.max_batch_size):
            self._taken = tickets
            self._answer(service, tickets)
            self._taken = ()

    def _answer(self, service: Service, tickets: Sequence[Ticket]) -> None:
        outcomes: Sequence[Outcome] = [FailedError("the model stopped")] * len(tickets)
        now = time.monotonic()
        try:
            outcomes = service.predict(
                [ticket.call for ticket in tickets], [now - ticket.arrived for ticket in tickets]
            )
        except Exception as error:  # whatever it is, the calls after these go on
            # Not its own words, which can quote a prompt.
            logger.error("Calls failed: %s", type(error).__name__)
            outcomes = [FailedError(type(error).__name__)] * len(tickets)
        finally:
            for ticket, outcome in zip(tickets, outcomes):
                ticket.tell(outcome)
