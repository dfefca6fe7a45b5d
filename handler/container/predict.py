"""The predict route: a call's body in, its predictions out, at once or as events."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Protocol, Union

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from container.body import discard, read_body
from container.streaming import EVENT_STREAM, Step, read_streaming, write_outcome, write_step
from container.waiting import QueueFullError, Ticket, WaitingCalls
from vertex_diffusion.calls import Answer, Outcome, answer_outcome, read_call
from vertex_diffusion.errors import FailedError, RequestError
from vertex_diffusion.settings import Settings

# When a caller may ask again. A full queue is shorter by then, a server that ends is replaced.
RETRY_AFTER_SECONDS = 5

# What is said of a call: its steps where it is streamed, and its outcome at last.
Heard = Union[Step, Outcome]

logger = logging.getLogger(__name__)


class Calls(Protocol):
    """What the route needs to know of its server."""

    waiting: WaitingCalls

    def find_settings(self) -> Settings:
        """The settings of the model; RequestError with 503 while no call may be made."""

    def count_refusal(self, error: RequestError) -> None:
        """Count a call that was answered before it could wait for pictures."""


class PredictRoute:
    """An ASGI application for one path."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return
        except RequestError as error:
            self._calls.count_refusal(error)
            response = to_response(answer_outcome(error))
        except Exception as error:  # no body may end in a page that is no JSON
            # Not its own words, which can quote a prompt.
            logger.error("A call failed: %s", type(error).__name__)
            response = to_response(answer_outcome(FailedError(type(error).__name__)))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            settings = self._calls.find_settings()
        except RequestError:
            await discard(request.stream())
            raise
        call = read_call(await read_body(request, settings.max_body_bytes), settings)
        call, is_streamed = read_streaming(call, request.headers.get("accept", ""))
        request.scope["state"]["instances"] = len(call.instances)
        if call.error:
            raise call.error
        heard: asyncio.Queue[Heard] = asyncio.Queue()
        tell = _from_any_thread(heard.put_nowait)
        if is_streamed:
            call = replace(call, on_step=lambda step, of: tell(Step(step, of)))
        ticket = Ticket(call, tell)
        try:
            self._calls.waiting.put(ticket)
        except QueueFullError:
            raise RequestError("", "too many calls wait already; try again later", 503) from None
        try:
            first = await _next_while_connected(heard, request)
        except BaseException:
            self._calls.waiting.withdraw(ticket)
            raise
        if not isinstance(first, Step):
            answer = answer_outcome(first)
            # A call with nothing good in it has the same status as one that is not streamed.
            if not is_streamed or answer.status != 200:
                return to_response(answer)
        return StreamingResponse(
            _stream(first, heard),
            media_type=EVENT_STREAM,
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )


def to_response(answer: Answer) -> Response:
    """An answer over HTTP."""
    # Not Starlette's own JSON, which fails on half a character in a caller's field name.
    content = json.dumps(answer.body).encode("ascii")
    headers: Mapping[str, str] = (
        {"Retry-After": str(RETRY_AFTER_SECONDS)} if answer.status == 503 else {}
    )
    return Response(content, answer.status, headers, "application/json")


def _from_any_thread(function: Callable[[Heard], None]) -> Callable[[Heard], None]:
    """Has a function called in the server's thread."""
    loop = asyncio.get_running_loop()

    def call(heard: Heard) -> None:
        # The server may have ended meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(function, heard)

    return call


async def _stream(first: Heard, heard: asyncio.Queue[Heard]) -> AsyncIterator[str]:
    now = first
    while isinstance(now, Step):
        yield write_step(now)
        now = await heard.get()
    for text in write_outcome(now):
        yield text


async def _next_while_connected(heard: asyncio.Queue[Heard], request: Request) -> Heard:
    """What is heard next; ClientDisconnect when the client has gone before it."""
    next_heard = asyncio.ensure_future(heard.get())
    gone = asyncio.ensure_future(_wait_for_disconnect(request))
    try:
        await asyncio.wait((next_heard, gone), return_when=asyncio.FIRST_COMPLETED)
        if next_heard.done():
            return next_heard.result()
        raise ClientDisconnect
    finally:
        next_heard.cancel()
        gone.cancel()


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
