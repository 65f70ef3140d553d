"""The port: which request goes to which door (docs/port.md), and HTTP as ASGI has it on both sides of that.

A framework in front would cost more than a prediction does (`docs/decisions/0016-one-port-without-a-framework.md`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from understudy.server.http import (
    PIECE_SECONDS,
    Arriving,
    Gone,
    Message,
    Ready,
    Receive,
    Request,
    Response,
    Slow,
    TooLarge,
    Unfinished,
    json_response,
)
from understudy.server.signature import claimed_service, is_version_2
from understudy.server.whole import Whole, read_whole

_LOG = logging.getLogger(__name__)

LARGE_BODIES = 12
"""How many large bodies a worker reads into memory at a time; the others wait. The largest have 20 MiB."""

_WITHOUT_BODY = (204, 304)
_TOO_LARGE = 413

Door = Callable[[Request], Awaitable[Response]]

Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True)
class Doors:
    """Everything behind the port."""

    amazon: Door
    """Amazon ML's API."""
    s3: Door
    """Buckets and objects; also what is not signed and nobody else's, which S3 refuses in its own words."""
    rest: Door
    """Understudy's own API, and the pages for people."""
    is_rest: Callable[[str], bool]
    """Tells which paths are the REST door's."""
    at_once: Callable[[Whole], Ready | None] = lambda _: None
    """Answers a POST that came whole where a model in memory does and nothing is wrong; else nothing has happened."""


class App:
    """The ASGI application of one worker."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._places = asyncio.Semaphore(LARGE_BODIES)
        self.draining = False
        """Set when no further request should come over a connection: answers say so."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise TypeError(f"an ASGI scope of type {scope['type']!r}; this serves HTTP")
        request = _request(scope, receive, self._places)
        response = await self._answer(request)
        if response is None:
            return
        try:
            await _send(response, send, close=self.draining)
        except Exception:  # the head is sent, so the connection can only be cut
            _LOG.exception("an answer broke off")
            raise

    def at_once(self, data: bytes) -> Ready | None:
        """Answer a prediction without ASGI, see `protocol.AtOnce`; None where it must go the usual way."""
        if self.draining:
            return None
        try:
            whole = read_whole(data)
            return None if whole is None else self._doors.at_once(whole)
        except Unfinished:
            raise
        except Exception:  # noqa: BLE001 - the usual way meets it again, and answers
            _LOG.debug("a request is not answered at once", exc_info=True)
            return None

    async def _answer(self, request: Request) -> Response | None:
        """Let a door answer; None where nobody is there any more to be answered."""
        try:
            door: Door = getattr(self._doors, door_of(request, self._doors.is_rest))
            return await door(request)
        except Gone:
            return None
        except Slow:
            return _refused(408, "RequestTimeout", "The request's body did not come in time.")
        except TooLarge:
            return _refused(413, "RequestTooLarge", "The request's body is larger than this request may have.")
        except Exception:  # noqa: BLE001 - the server boundary: a mistake of ours must not end the connection
            _LOG.exception("a mistake of Understudy's own at %s %s", request.method, request.raw_path)
            return _refused(500, "InternalError", "A mistake of Understudy's own; its log says more.")


def door_of(request: Request, is_rest: Callable[[str], bool]) -> str:
    """Name the door that a request goes to: amazon, s3 or rest."""
    if "x-amz-target" in request.headers and request.raw_path == "/":
        return "amazon"
    service = claimed_service(request)
    if service is not None:
        return "s3" if service == "s3" else "amazon"
    if is_version_2(request):
        return "s3"
    if request.headers.get("authorization", "").lower().startswith("bearer "):
        return "rest"
    if request.raw_path == "/":
        return "rest" if request.method in ("GET", "HEAD") else "amazon"
    return "rest" if is_rest(request.path) else "s3"


def _refused(status: int, code: str, message: str) -> Response:
    document = {"error": {"code": code, "message": message, "hint": ""}}
    return json_response(document, status, {"Connection": "close"})


def _request(scope: Scope, receive: Receive, places: asyncio.Semaphore) -> Request:
    path = scope.get("raw_path") or scope["path"].encode()
    query = scope["query_string"].decode("latin-1")
    headers = _received(scope["headers"])
    return Request(scope["method"], path.decode("latin-1"), query, headers, Arriving(receive), places)


def _received(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers by name; values of a name that was sent several times are joined by commas."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
    if len(headers) < len(raw):
        for name in headers:
            headers[name] = ",".join(value.decode("latin-1") for sent, value in raw if sent == name.encode("latin-1"))
    return headers


async def _send(response: Response, send: Send, *, close: bool) -> None:
    await send({"type": "http.response.start", "status": response.status, "headers": _headers(response, close=close)})
    if isinstance(response.body, bytes):
        await send({"type": "http.response.body", "body": response.body})
        return
    try:
        async for piece in response.body:
            async with asyncio.timeout(PIECE_SECONDS):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
    finally:
        await _closed(response.body)
    await send({"type": "http.response.body", "body": b""})


def _headers(response: Response, *, close: bool) -> list[tuple[bytes, bytes]]:
    headers = {_on_the_wire(name): value.encode("latin-1") for name, value in response.headers.items()}
    if isinstance(response.body, bytes) and response.status not in _WITHOUT_BODY:
        headers.setdefault(b"content-length", b"%d" % len(response.body))
    if close or response.status == _TOO_LARGE:  # what is left of such a body is not read
        headers[b"connection"] = b"close"
    return list(headers.items())


@lru_cache(256)
def _on_the_wire(name: str) -> bytes:
    return name.lower().encode("latin-1")


async def _closed(body: AsyncIterator[bytes]) -> None:
    """Let a body that is a stream give back what it holds open, sent to its end or not."""
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()
