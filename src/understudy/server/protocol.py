"""HTTP on one connection: uvicorn's, with limits on how long a head may take, and a short way for predictions.

The short way: a request that came whole, which a model in memory can answer, is answered where it was read. A task, a
queue of messages and two turns of the loop would take longer than the answer
(`docs/decisions/0025-predictions-at-once.md`). Everything else, and whatever is wrong with a request, goes the usual
way through ASGI.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from understudy.server.http import Ready

HEAD_SECONDS = 60.0
"""How long a request's head may take to arrive."""
HEAD_BYTES = 64 * 1024
"""How long a request's head may be, and what follows a body; about: what came together with its end is not counted."""

AtOnce = Callable[[bytes, list[tuple[bytes, bytes]], bytes], Ready | None]
"""Answers a POST, given its address, its headers by lower-case name, and its body.

None where the request must go the usual way; then nothing has happened yet.
"""


class Protocol(HttpToolsProtocol):
    """One connection. `config.app` may have a method `at_once`, see `AtOnce`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._at_once: AtOnce | None = getattr(self.config.app, "at_once", None)
        self._head_timer: asyncio.TimerHandle | None = None
        """Runs while a head is waited for, or for its rest."""
        self._in_head = False
        self._loose_bytes = 0
        """Received since the last that was worth something: a whole head, a piece of a body, the end of a request."""
        self._held: bytes | None = None
        """The body so far of a request that may go the short way; None while none may."""

    def connection_made(self, transport: Any) -> None:
        """Wait for the first head."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._head_is_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what has come; refuse what is neither body nor answer, nor ends."""
        self._loose_bytes += len(data)
        super().data_received(data)
        if self._held is not None and not self.transport.is_closing():
            self._go_the_usual_way()  # the rest of its body is to come
        if self._in_head and self._head_timer is None:
            self._wait_for_head()
        if self._loose_bytes > HEAD_BYTES:
            self._refuse()

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._head_is_here()
        self._in_head = True
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        if not self._in_head:  # what comes after a body would otherwise be one with the head, without end
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Hold a request that may go the short way until its body is whole; let others go."""
        self._head_is_here()
        if self._at_once is not None and self._is_short():
            self._held = b""
        else:
            self._begin()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._loose_bytes = 0
        if self._held is not None:
            self._held += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Answer a request that was held, or let it go the usual way."""
        self._loose_bytes = 0
        if self._held is not None:
            if self._is_answered(self._held):
                self._held = None
                return
            self._go_the_usual_way()
        super().on_message_complete()

    def _is_short(self) -> bool:
        """Tell whether a request may go the short way: it may be a prediction, and nothing else is under way."""
        url = self.url
        return (
            (url == b"/" or url.endswith(b"/predict") or url == b"/invocations")
            and (self.cycle is None or self.cycle.response_complete)
            and not self.pipeline
            and not self.flow.write_paused
            and not self.expect_100_continue
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
        )

    def _is_answered(self, body: bytes) -> bool:
        """Answer a request at once, where that is possible."""
        assert self._at_once is not None
        answer = self._at_once(self.url, self.headers, body)
        if answer is None:
            return False
        headers, content = answer
        pieces = [b"HTTP/1.1 200 OK\r\n"]
        for name, value in self.server_state.default_headers + headers:
            pieces += (name, b": ", value, b"\r\n")
        pieces += (b"\r\n", content)
        self.transport.write(b"".join(pieces))
        self.on_response_complete()
        return True

    def _begin(self) -> None:
        """Begin a request's way through ASGI, its head being here."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()

    def _go_the_usual_way(self) -> None:
        """Let a request that was held take its way through ASGI, with what has come of its body."""
        body, self._held = self._held, None
        self._begin()
        if body:
            super().on_body(body)

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
