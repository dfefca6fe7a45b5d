"""Random calls to the handler and to both servers: whatever comes, the answer is a 200 or a 400."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from handler import DiffusionHandler
from tests.conftest import new_context
from tests.container_process import Container
from tests.random_calls import GOOD, LIMITS, Answer, ask_all
from tests.test_handler import call
from tests.torchserve import TorchServe, pack_archive

RUNS = os.environ.get("VERTEX_DIFFUSION_PROPERTY_RUNS")
# A server's answer takes longer than the handler's alone.
CALLS = int(RUNS or 400)
SERVER_CALLS = int(RUNS or 200)

# Between the allocator's own to and fro and a picture that is kept for every tenth call.
MAX_GROWTH_MEGABYTES = 32


class Memory:
    """What a process holds of the machine's memory, looked at again and again."""

    def __init__(self, pid: int) -> None:
        self._file = Path(f"/proc/{pid}/statm")
        self._held: list[float] = []

    def look(self) -> None:
        """Note what it holds now."""
        pages = int(self._file.read_text(encoding="ascii").split()[1])
        self._held.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)

    def growth(self) -> float:
        """In the second half of the looks, megabytes."""
        return self._held[-1] - self._held[len(self._held) // 2 - 1]


def assert_answers_every_call(calls: int, ask: Callable[[bytes, bool], Answer], pid: int) -> None:
    """As it should, and the process that answers keeps no memory."""
    memory = Memory(pid)
    seen = ask_all(calls, ask, memory.look)
    # Enough of both, or the calls prove little.
    assert min(seen[200], seen[400]) > calls / 5, seen
    assert memory.growth() < MAX_GROWTH_MEGABYTES


@pytest.fixture(scope="module")
def small_handler(weights: Path) -> DiffusionHandler:
    handler = DiffusionHandler()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in LIMITS.items():
            patch.setenv(name, value)
        handler.initialize(new_context(model_dir=weights.parent))
    return handler


@pytest.fixture(scope="module")
def container(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    folder = tmp_path_factory.mktemp("container")
    environment = {**LIMITS, "VERTEX_DIFFUSION_MAX_BATCH_DELAY_MS": "0"}
    with Container(folder, weights.parent, environment) as container:
        yield container.wait_until_ready()


@pytest.fixture(scope="module")
def torchserve(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TorchServe]:
    folder = tmp_path_factory.mktemp("ts")
    pack_archive(folder / "model.mar", weights)
    with TorchServe(folder, None, environment={**os.environ, **LIMITS}) as server:
        yield server.wait_until_ready()


def test_the_handler_answers_every_call_and_keeps_no_memory(
    small_handler: DiffusionHandler,
) -> None:
    def ask(body: bytes, is_parsed: bool) -> Answer:
        [answer] = call(small_handler, parsed(body) if is_parsed else body)
        return answer

    assert_answers_every_call(CALLS, ask, os.getpid())


def parsed(body: bytes) -> object:
    """As TorchServe hands JSON over; what is none stays as it is."""
    try:
        return json.loads(body)
    except ValueError:
        return body


def test_the_custom_container_answers_every_call_and_keeps_no_memory(container: Container) -> None:
    def ask(body: bytes, _: bool) -> Answer:
        answer = container.predict(body)
        return answer.status, answer.body

    assert_answers_every_call(SERVER_CALLS, ask, container.pid)
    assert container.predict({"instances": [GOOD]}).status == 200


@pytest.mark.torchserve
def test_torchserve_answers_every_call_and_its_worker_lives_and_keeps_no_memory(
    torchserve: TorchServe,
) -> None:
    worker = torchserve.worker_pid()

    def ask(body: bytes, _: bool) -> Answer:
        answer = torchserve.predict(body)
        return answer.status, answer.body

    assert_answers_every_call(SERVER_CALLS, ask, worker)
    assert torchserve.worker_pid() == worker
    assert torchserve.predict({"instances": [GOOD]}).status == 200
