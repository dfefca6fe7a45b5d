"""One process at a time, for what several workers of a server would do at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Wait until no other process is here. The kernel lets go for one that is killed."""
    import fcntl  # not on every system that a developer has

    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
