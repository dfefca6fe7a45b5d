"""The calls that wait for their pictures: handed in by the server, taken by the worker."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Callable

from vertex_diffusion.calls import Call, Outcome


@dataclass(eq=False)
class Ticket:
    """A call, and who hears of its outcome."""

    call: Call
    tell: Callable[[Outcome], None]
    arrived: float = field(default_factory=time.monotonic)

    @property
    def size(self) -> int:
        """How much of a batch it fills; what its instances ask for is not read yet."""
        return max(1, len(self.call.instances))


class QueueFullError(Exception):
    """As many calls wait as may."""


class WaitingCalls:
    """A queue between the server's thread and the worker's."""

    def __init__(self, max_calls: int, max_delay_seconds: float) -> None:
        self._max_calls = max_calls
        self._max_delay_seconds = max_delay_seconds
        self._changed = threading.Condition()
        self._waiting: deque[Ticket] = deque()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, ticket: Ticket) -> None:
        """Let a call wait; QueueFullError when it may not."""
        with self._changed:
            if self._is_closed or len(self._waiting) >= self._max_calls:
                raise QueueFullError
            self._waiting.append(ticket)
            self._changed.notify()

    def withdraw(self, ticket: Ticket) -> None:
        """Forget a call that nobody waits for any more; nothing happens once it is taken."""
        with self._changed:
            if ticket in self._waiting:
                self._waiting.remove(ticket)

    def close(self) -> Sequence[Ticket]:
        """Take no more calls and end the worker; returns the calls that nobody will make."""
        with self._changed:
            self._is_closed = True
            left = list(self._waiting)
            self._waiting.clear()
            self._changed.notify()
            return left

    def take(self, max_size: int) -> Sequence[Ticket]:
        """Wait for calls to be made together, first come first; none once the queue is closed.

        The first one waits for others until they fill a batch or its time is over.
        """
        with self._changed:
            taken: list[Ticket] = []
            # All that waited may be withdrawn while they wait for others.
            while not taken and not self._is_closed:
                self._changed.wait_for(lambda: self._waiting or self._is_closed)
                self._wait_for_others(max_size)
                while self._waiting and (
                    not taken or _size([*taken, self._waiting[0]]) <= max_size
                ):
                    taken.append(self._waiting.popleft())
            return taken

    def _wait_for_others(self, max_size: int) -> None:
        if self._waiting:
            end = self._waiting[0].arrived + self._max_delay_seconds
            self._changed.wait_for(
                lambda: self._is_closed or _size(self._waiting) >= max_size,
                max(0.0, end - time.monotonic()),
            )


def _size(tickets: Iterable[Ticket]) -> int:
    return sum(ticket.size for ticket in tickets)
