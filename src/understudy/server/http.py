"""What a door gets and gives: a request whose body is a stream, and a response whose body may be one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

BODY_SECONDS = 120.0
"""How long a body that is read into memory may take to arrive."""
SMALL_BYTES = 128 * 1024
"""So much of a body is read into memory at once; more, only when few others do so at that time."""


class TooLarge(Exception):
    """A body is larger than its door allows."""


class BodyLost(Exception):
    """The rest of a body will not come: no door can answer for that, only the port."""


class Gone(BodyLost):
    """The client has hung up."""


class Slow(BodyLost):
    """The client sends nothing, or not all, for too long."""


@dataclass(frozen=True)
class Request:
    """One HTTP request. The body can be read once."""

    method: str
    raw_path: str
    """The path as it was sent, still percent-encoded, without the query."""
    raw_query: str
    """What stood behind the question mark, as it was sent; empty without one."""
    headers: Mapping[str, str]
    """Values by lower-case name; a name that was sent several times has its values joined by commas."""
    body: AsyncIterator[bytes]
    """Pieces of the body as they arrive, of any size."""

    @property
    def path(self) -> str:
        """The path, percent-decoded."""
        return unquote(self.raw_path)

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query's parameters in order, percent-decoded; one without a value has an empty one."""
        return parse_qsl(self.raw_query, keep_blank_values=True)

    places: contextlib.AbstractAsyncContextManager[Any] = field(default_factory=contextlib.nullcontext)
    """Whoever reads a large body into memory holds one of these meanwhile."""

    async def read(self, limit: int) -> bytes:
        """Return the whole body; raises TooLarge where it has more than `limit` bytes, Slow where it takes too long."""
        declared = self.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            raise TooLarge
        try:
            async with contextlib.AsyncExitStack() as held, asyncio.timeout(BODY_SECONDS) as time_left:
                return await self._read(limit, held, time_left)
        except TimeoutError:
            raise Slow from None

    async def _read(self, limit: int, held: contextlib.AsyncExitStack, time_left: asyncio.Timeout) -> bytes:
        data, large = bytearray(), False
        async for piece in self.body:
            if not large and len(data) + len(piece) > SMALL_BYTES:
                large = True
                time_left.reschedule(None)  # to wait for others is not to be slow
                await held.enter_async_context(self.places)
                time_left.reschedule(asyncio.get_running_loop().time() + BODY_SECONDS)
            data += piece
            if len(data) > limit:
                raise TooLarge
        return bytes(data)


@dataclass(frozen=True)
class Response:
    """One HTTP response."""

    status: int
    body: bytes | AsyncIterator[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By name; `Content-Length` is added where the body is bytes."""


def json_response(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a document as JSON."""
    return Response(status, msgspec.json.encode(document), {"Content-Type": "application/json", **(headers or {})})
