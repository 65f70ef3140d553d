"""A load generator for HTTP on the loopback: keep-alive connections, ready-made requests, every answer looked at.

Raw sockets and one epoll, because a client must be cheaper than the server that it measures; `Load.busy` says how much
of its core it needed. Requests are byte strings, taken in turn, so that several hundred signed ones can be made before
the clock runs; a request in pieces is sent by one call for each, as many clients do.

`hammer` is a closed loop: every connection asks again as soon as it is answered, which finds the most that a server
can do. `pace` is an open loop: requests are due at fixed times, and their latency counts from when they were *due*, so
a server that halts for a second is charged with everybody who would have waited meanwhile. A client that waits with the
server, and does not count that, hides just the worst (coordinated omission).
"""

from __future__ import annotations

import itertools
import re
import select
import socket
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_GOOD = b"HTTP/1.1 200"
_PATIENCE = 10.0
"""Seconds after which a server that does not answer is given up."""

Pieces = Sequence[bytes]
"""A request as it is sent, piece after piece."""


@dataclass
class Load:
    """What came of a load."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    """Seconds of every answer, in order of their arrival."""
    failed: int = 0
    """Answers that were not 200."""
    busy: float = 0.0
    """Share of the time that the client itself was on a processor."""

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return (len(self.latencies) - self.failed) / self.seconds


class _Connection:
    """One keep-alive connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.since = 0.0
        """When the request under way was sent, or was due."""
        self._pending = b""

    def ask(self, request: Pieces, since: float) -> None:
        self.since = since
        for piece in request:
            self.socket.sendall(piece)

    def answered(self) -> bool | None:
        """Read what has come; tell whether the answer was good, or None while it is not whole."""
        came = self.socket.recv(1 << 18)
        if not came:
            raise ConnectionError("the server closed a connection that was to be kept alive")
        if self._pending:
            came = self._pending + came
        head = came.find(b"\r\n\r\n")
        found = _LENGTH.search(came, 0, head + 2) if head >= 0 else None
        if found is None or len(came) < head + 4 + int(found[1]):
            self._pending = came
            return None
        self._pending = b""
        return came.startswith(_GOOD)


def hammer(port: int, requests: Sequence[Pieces], connections: int, seconds: float) -> Load:
    """Ask as fast as the server answers, on so many connections at a time."""
    load, following = Load(), itertools.cycle(requests)
    clock, latencies = time.perf_counter, load.latencies
    open_ones = {each.socket.fileno(): each for each in (_Connection(port) for _ in range(connections))}
    with select.epoll() as poll:
        for number, connection in open_ones.items():
            poll.register(number, select.EPOLLIN)
            connection.ask(next(following), clock())
        began, own = clock(), time.process_time()
        until, waiting = began + seconds, connections
        while waiting:
            events = poll.poll(_PATIENCE)
            if not events:
                raise TimeoutError(f"no answer within {_PATIENCE:.0f} s")
            for number, _ in events:
                connection = open_ones[number]
                good = connection.answered()
                if good is None:
                    continue
                now = clock()
                latencies.append(now - connection.since)
                load.failed += not good
                if now < until:
                    connection.ask(next(following), now)
                else:
                    waiting -= 1
        load.seconds = clock() - began
        load.busy = (time.process_time() - own) / load.seconds
    _close(open_ones.values())
    return load


def pace(port: int, requests: Sequence[Pieces], rate: float, seconds: float, connections: int = 32) -> Load:
    """Ask at a steady rate, each request when it is due, on whichever connection is free."""
    load, following = Load(), itertools.cycle(requests)
    clock = time.perf_counter
    free = deque(_Connection(port) for _ in range(connections))
    under_way: dict[int, _Connection] = {}
    began, own = clock(), time.process_time()
    due, last = began, began + seconds
    while due < last or under_way:
        now = clock()
        while due < last and due <= now and free:
            connection = free.popleft()
            connection.ask(next(following), due)
            under_way[connection.socket.fileno()] = connection
            due += 1 / rate
        wait = max(0.0, due - clock()) if due < last and free else _PATIENCE
        ready, _, _ = select.select(list(under_way), [], [], wait)  # to the microsecond, as epoll is not
        if not ready and wait == _PATIENCE:
            raise TimeoutError(f"no answer within {_PATIENCE:.0f} s")
        for number in ready:
            connection = under_way[number]
            good = connection.answered()
            if good is not None:
                load.latencies.append(clock() - connection.since)
                load.failed += not good
                free.append(under_way.pop(number))
    load.seconds = clock() - began
    load.busy = (time.process_time() - own) / load.seconds
    _close(free)
    return load


def _close(connections: Iterable[_Connection]) -> None:
    for connection in connections:
        connection.socket.close()


def http_request(method: str, path: str, headers: dict[str, str], body: bytes) -> Pieces:
    """Write a whole request of HTTP/1.1, to be sent in one piece."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body,)
