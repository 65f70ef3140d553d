"""HTTP on one connection: uvicorn's, with limits on how long a head may take, and a short way for predictions.

The short way: a request that came whole, which a model in memory can answer, is answered where it was read. A parser
that calls back for every header, a task, a queue of messages and two turns of the loop would take longer than the
answer (`docs/decisions/0025-predictions-at-once.md`). Many clients send head and body one after the other: a plain head
that comes alone is held for its body. Everything else, and whatever is wrong with a request, goes the usual way through
the parser and ASGI.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from understudy.server.http import Ready, Unfinished

HEAD_SECONDS = 60.0
"""How long a request's head may take to arrive."""
HEAD_BYTES = 64 * 1024
"""How long a request's head may be, and what follows a body; about: what came together with its end is not counted."""

HELD_SECONDS = 1.0
"""How long a head that came alone is held for its body, before it goes the usual way."""

AtOnce = Callable[[bytes], Ready | None]
"""Answers what has come where that is exactly one request.

None where it must go the usual way; then nothing has happened yet. Raises Unfinished where it should be asked again,
when more has come.
"""


class Protocol(HttpToolsProtocol):
    """One connection. `config.app` may have a method `at_once`, see `AtOnce`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._at_once: AtOnce = getattr(self.config.app, "at_once", lambda _: None)
        self._head_timer: asyncio.TimerHandle | None = None
        """Runs while a head is waited for, or for its rest."""
        self._in_head = False
        self._in_request = False
        """Whether a request has begun to arrive and has not ended."""
        self._loose_bytes = 0
        """Received since the last that was worth something: a whole head, a piece of a body, the end of a request."""
        self._held = b""
        """The head of a request that awaits its body; nobody has read it yet."""
        self._held_timer: asyncio.TimerHandle | None = None
        self._active_at = 0.0
        """When the latest answer was given, or head held, the short way."""
        self._said: list[tuple[bytes, bytes]] | None = None
        """The headers in each head that `_opening` says."""
        self._opening = b""

    def connection_made(self, transport: Any) -> None:
        """Wait for the first head."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._head_is_here()
        self._taken()
        self._unset_keepalive_if_required()  # uvicorn leaves it where a connection breaks off, and this with it
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """End when all that came is answered."""
        self._go_on()
        super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Answer what has come, hold it for the rest, or read it."""
        if self._held:
            data = self._taken() + data
        if self._is_between_requests():
            try:
                answer = self._at_once(data)
            except Unfinished:
                self._hold(data)
                return
            if answer is not None:
                self._give(answer)
                return
        self._read(data)

    def _read(self, data: bytes) -> None:
        """Read what goes the usual way; refuse what is neither body nor answer, nor ends."""
        self._loose_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_timer is None:
            self._wait_for_head()
        if self._loose_bytes > HEAD_BYTES:
            self._refuse()

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._head_is_here()
        self._in_head = self._in_request = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        if self._in_head:  # what comes after a body would otherwise be one with the head, without end
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._head_is_here()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._loose_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._loose_bytes = 0
        self._in_request = False
        super().on_message_complete()

    def timeout_keep_alive_handler(self) -> None:
        """End a connection that is idle; to set the clock anew for each answer of the short way would cost too much."""
        idle_at = self._active_at + self.timeout_keep_alive
        if idle_at > self.loop.time():
            self.timeout_keep_alive_task = self.loop.call_at(idle_at, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def _is_between_requests(self) -> bool:
        """Tell whether all that came is answered, and an answer can be sent."""
        return (
            not self._in_request
            and (self.cycle is None or self.cycle.response_complete)
            and not self.pipeline
            and not self.flow.write_paused
            and not self.transport.is_closing()
        )

    def _hold(self, head: bytes) -> None:
        """Hold a head for its body, a while; a head that is here is not waited for any more."""
        self._head_is_here()
        self._held = head
        self._held_timer = self.loop.call_later(HELD_SECONDS, self._go_on)
        self._active_at = self.loop.time()

    def _taken(self) -> bytes:
        """Return what is held, which then is no more."""
        if self._held_timer is not None:
            self._held_timer.cancel()
            self._held_timer = None
        held, self._held = self._held, b""
        return held

    def _go_on(self) -> None:
        """Let what is held go the usual way."""
        held = self._taken()
        if held and not self.transport.is_closing():
            self._read(held)

    def _give(self, answer: Ready) -> None:
        """Send an answer of the short way."""
        self._head_is_here()
        said = self.server_state.default_headers  # another list each second
        if said is not self._said:
            self._said = said
            self._opening = b"".join([b"HTTP/1.1 200 OK\r\n", *(b"%b: %b\r\n" % header for header in said)])
        self.transport.write(self._opening + answer)
        self.server_state.total_requests += 1
        self._active_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _head_is_here(self) -> None:
        self._loose_bytes = 0
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self) -> None:
        in_head = self._in_head or self._head_timer is not None
        self._head_is_here()
        if in_head and (self.cycle is None or self.cycle.response_complete):  # else it would fall into another answer
            self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n")
            self.transport.write(b"content-length: 0\r\n\r\n")
        self.transport.close()
