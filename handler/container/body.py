"""Reading the body of a call without ever keeping more of it than is allowed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request

from vertex_diffusion.errors import RequestError

# How long the rest of a body that is refused is still taken off the wire. A client that is cut off
# while it sends does not read why.
DISCARD_SECONDS = 10.0


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body; RequestError for one that is too large, ClientDisconnect for half a one."""
    pieces = request.stream()
    kept = bytearray()
    async for piece in pieces:
        if len(kept) + len(piece) > limit:
            kept.clear()
            await discard(pieces)
            raise RequestError("", f"the body must be at most {limit} bytes", 413)
        kept += piece
    return bytes(kept)


async def discard(pieces: AsyncIterator[bytes]) -> None:
    """Take the rest of a body off the wire, before it is refused."""

    async def read() -> None:
        async for _ in pieces:
            pass

    try:
        await asyncio.wait_for(read(), DISCARD_SECONDS)
    except asyncio.TimeoutError:
        return
