"""What a door gets and gives: a request whose body is a stream, and a response whose body may be one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

PIECE_SECONDS = 60.0
"""How long the next piece of a body may take to arrive, or to be taken."""
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


class Unfinished(Exception):
    """Of a request that could be answered at once, the head is here, and the body may come any moment."""


Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class Arriving:
    """The pieces of a body as ASGI brings them; raises Gone, and Slow where one takes longer than PIECE_SECONDS.

    Most bodies are here with the head of their request: `whole` returns such a one without a timer.
    """

    __slots__ = ("_begun", "_kept", "_more", "_receive", "_wanted")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._more = True
        self._kept = b""
        self._begun: Coroutine[Any, Any, Message] | None = None
        self._wanted: Any = None

    def whole(self) -> bytes | None:
        """Return the body where all of it is here; None where it must be waited for. To be asked before all else."""
        begun = self._receive()
        if not isinstance(begun, Coroutine):
            return None
        try:
            self._wanted = begun.send(None)
        except StopIteration as done:
            self._kept = self._piece(done.value)
            return None if self._more else self._kept
        self._begun = begun
        return None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece, self._kept = self._kept, b""
        while self._more and not piece:
            piece = self._piece(await self._message())
        if not piece:
            raise StopAsyncIteration
        return piece

    async def _message(self) -> Message:
        try:
            async with asyncio.timeout(PIECE_SECONDS):
                if self._begun is None:
                    return await self._receive()
                begun, self._begun = self._begun, None
                return await _resumed(begun, self._wanted)
        except TimeoutError:
            raise Slow from None

    def _piece(self, message: Message) -> bytes:
        if message["type"] == "http.disconnect":
            raise Gone
        self._more = message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        return piece


@types.coroutine
def _resumed(begun: Coroutine[Any, Any, Message], wanted: Any) -> Generator[Any, Any, Message]:
    """Await the rest of a coroutine that was begun by hand, and waits for what it `wanted`."""
    while True:
        try:
            try:
                sent = yield wanted
            except BaseException as error:  # noqa: BLE001 - a time-out, or that the task is cancelled
                wanted = begun.throw(error)
            else:
                wanted = begun.send(sent)
        except StopIteration as done:
            message: Message = done.value
            return message


@dataclass(slots=True)
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
    places: contextlib.AbstractAsyncContextManager[Any] = field(default_factory=contextlib.nullcontext)
    """Whoever reads a large body into memory holds one of these meanwhile."""

    @property
    def path(self) -> str:
        """The path, percent-decoded."""
        return unquote(self.raw_path)

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query's parameters in order, percent-decoded; one without a value has an empty one."""
        return parse_qsl(self.raw_query, keep_blank_values=True)

    async def read(self, limit: int) -> bytes:
        """Return the whole body; raises TooLarge where it has more than `limit` bytes, Slow where it takes too long."""
        declared = self.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            raise TooLarge
        whole = self.body.whole() if isinstance(self.body, Arriving) else None
        if whole is not None and len(whole) <= limit:
            return whole
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


@dataclass(slots=True)
class Response:
    """One HTTP response."""

    status: int
    body: bytes | AsyncIterator[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By name; `Content-Length` is added where the body is bytes."""


def json_response(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a document as JSON."""
    return Response(status, msgspec.json.encode(document), {"Content-Type": "application/json", **(headers or {})})


Ready = bytes
"""A 200 as it is written to the wire, without the status line and what the server itself says in each head."""

_encode = msgspec.json.Encoder().encode


def ready_json(document: object, headers: bytes) -> Ready:
    """Return a document as JSON, ready to be written; `headers` are those before Content-Length, each with its end."""
    body = _encode(document)
    return b"%bcontent-length: %d\r\n\r\n%b" % (headers, len(body), body)


def request_id() -> str:
    """Return a random UUID of version 4, as `uuid.uuid4` spells it, sooner."""
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:]}"
