"""The queue between the custom container's server and its worker."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from container.waiting import QueueFullError, Ticket, WaitingCalls
from vertex_diffusion.calls import Call

LONG_SECONDS = 3600.0


def ticket(instances: int = 1) -> Ticket:
    return Ticket(Call(["a red circle"] * instances), lambda _: None)


def queue_of(*tickets: Ticket, delay_seconds: float = 0.0) -> WaitingCalls:
    waiting = WaitingCalls(10, delay_seconds)
    for each in tickets:
        waiting.put(each)
    return waiting


def test_takes_what_fills_a_batch_first_come_first() -> None:
    tickets = [ticket(2), ticket(1), ticket(2), ticket(1)]
    waiting = queue_of(*tickets)

    assert waiting.take(4) == tickets[:2]
    assert waiting.take(4) == tickets[2:]


def test_takes_a_call_that_is_more_than_a_batch_alone() -> None:
    tickets = [ticket(20), ticket(1)]
    waiting = queue_of(*tickets)

    assert waiting.take(4) == tickets[:1]


def test_a_full_batch_waits_for_nobody() -> None:
    tickets = [ticket(1), ticket(3)]
    waiting = queue_of(*tickets, delay_seconds=LONG_SECONDS)

    assert waiting.take(4) == tickets


def test_a_call_waits_for_others_until_its_time_is_over() -> None:
    first, second = ticket(), ticket()
    waiting = queue_of(first, delay_seconds=LONG_SECONDS)
    with ThreadPoolExecutor() as pool:
        taken = pool.submit(waiting.take, 2)
        waiting.put(second)

        assert taken.result() == [first, second]

    late = Ticket(ticket().call, lambda _: None, arrived=first.arrived - LONG_SECONDS)
    waiting.put(late)
    assert waiting.take(2) == [late]


def test_a_call_that_is_withdrawn_is_not_taken() -> None:
    gone, other = ticket(), ticket()
    waiting = queue_of(gone, other)

    waiting.withdraw(gone)

    assert waiting.take(4) == [other]
    waiting.withdraw(other)  # too late, and no error


def test_goes_on_waiting_when_all_that_waited_are_withdrawn() -> None:
    gone, other = ticket(), ticket(2)
    waiting = queue_of(gone, delay_seconds=LONG_SECONDS)
    with ThreadPoolExecutor() as pool:
        taken = pool.submit(waiting.take, 2)
        waiting.withdraw(gone)
        waiting.put(other)

        assert taken.result() == [other]


def test_refuses_more_calls_than_may_wait() -> None:
    waiting = queue_of(*(ticket() for _ in range(10)))

    with pytest.raises(QueueFullError):
        waiting.put(ticket())


def test_a_closed_queue_gives_back_its_calls_and_ends_the_worker() -> None:
    tickets = [ticket(), ticket()]
    waiting = queue_of(*tickets, delay_seconds=LONG_SECONDS)
    with ThreadPoolExecutor() as pool:
        taken = pool.submit(waiting.take, 4)
        left = waiting.close()

        assert taken.result() == []
    assert left == tickets
    with pytest.raises(QueueFullError):
        waiting.put(ticket())
