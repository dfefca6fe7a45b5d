"""One line in the log for each call, and how many there are at once."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)


class CallLog:
    """Around the predict route. It logs sizes and times, and nothing that a caller wrote."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def count(self) -> int:
        """The calls that are not answered yet."""
        return self._count

    async def wait_until_idle(self) -> None:
        """Return once every call is answered."""
        await self._idle.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.monotonic()
        status: Any = "no answer"
        taken = given = 0

        async def count_taken() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            return message

        async def count_given(message: Message) -> None:
            nonlocal status, given
            status = message.get("status", status)
            given += len(message.get("body", b""))
            await send(message)

        scope.setdefault("state", {})
        self._count += 1
        self._idle.clear()
        try:
            await self._app(scope, count_taken, count_given)
        finally:
            self._count -= 1
            if self._count == 0:
                self._idle.set()
            logger.info(
                "Call: %s in %.3f s, %d instances, %d bytes in, %d bytes out",
                status,
                time.monotonic() - started,
                scope["state"].get("instances", 0),
                taken,
                given,
            )
