"""The first process of a server: it listens, starts the others, and starts anew whoever dies. It does nothing else.

It starts no threads and has no database open, so that forking it is safe, and nothing that a request does can reach
it. What answers a request is loaded before it forks: they share that memory, and whoever is started again is there at
once. Those who answer come first, and the process that does jobs when all of them do.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from understudy.errors import UnderstudyError
from understudy.forking import STOPS, forked
from understudy.server.board import Board

_LOG = logging.getLogger(__name__)

DRAIN_SECONDS = 30.0
"""How long requests under way may take to end after SIGTERM."""

_TICK_SECONDS = 0.2
_STARTING_SECONDS = 0.02
"""How often it looks whether all answer, until they do."""
_FORK_SECONDS = 1.0
"""How long after the system refused a process another is asked for."""
_EARLY_SECONDS = 5.0
"""A process that dies so soon after its start is started again after a pause only."""
_HOPELESS = 5
"""So many processes in a row that die early, before the server ever answered, and it gives up."""


@dataclass
class _Child:
    """A process that the supervisor keeps alive."""

    name: str
    run: Callable[[], None]
    worker: int | None = None
    """Its row on the board; None for the one that runs jobs."""
    pid: int = 0
    started: float = 0.0
    early_deaths: int = 0
    not_before: float = field(default=0.0)


class Supervisor:
    """Keeps a server's processes alive until it is told to stop."""

    def __init__(self, board: Board, answer: Callable[[int], None], work: Callable[[], None]) -> None:
        """Take what a worker runs, given its number, and what the process of the jobs runs."""
        self._board = board
        self._children = [
            _Child(f"worker {number}", partial(answer, number), number) for number in range(board.workers)
        ]
        self._children.append(_Child("jobs", work))
        self._was_ready = False

    def run(self, when_ready: Callable[[], None], when_stopping: Callable[[], None] = lambda: None) -> None:
        """Serve until SIGTERM or SIGINT, then let all processes end what they are at.

        Raises UnderstudyError where the processes die at once, again and again.
        """
        with _signals() as (wake, asked):
            while not asked:
                self._start_missing()
                select.select([wake], [], [], _TICK_SECONDS if self._was_ready else _STARTING_SECONDS)
                _drained(wake)
                self._reap()
                if not self._was_ready and self._board.is_ready():
                    self._was_ready = True
                    when_ready()
            when_stopping()
            self._stop(wake, asked)

    def _start_missing(self) -> None:
        for child in self._children:
            waits = child.worker is None and not self._was_ready
            if child.pid == 0 and not waits and time.monotonic() >= child.not_before:
                self._start(child)

    def _start(self, child: _Child) -> None:
        child.started = time.monotonic()
        try:
            child.pid = forked(child.run)
        except OSError as error:
            _LOG.error("%s cannot be started now: %s", child.name, error.strerror)
            child.not_before = time.monotonic() + _FORK_SECONDS

    def _reap(self) -> None:
        for child in self._children:
            ended, status = os.waitpid(child.pid, os.WNOHANG) if child.pid else (0, 0)
            if not ended:
                continue
            child.pid = 0
            if child.worker is not None:
                self._board.leave(child.worker)
            self._ended(child, status)

    def _ended(self, child: _Child, status: int) -> None:
        early = time.monotonic() - child.started < _EARLY_SECONDS
        child.early_deaths = child.early_deaths + 1 if early else 0
        child.not_before = time.monotonic() + (min(5.0, 0.2 * 2**child.early_deaths) if child.early_deaths > 1 else 0.0)
        if status:
            _LOG.warning("%s ended and is started again", child.name)
        if child.early_deaths >= _HOPELESS and not self._was_ready:
            self._end(signal.SIGKILL)
            raise UnderstudyError(f"{child.name} dies at its start, again and again", "What it said stands above.")

    def _stop(self, wake: int, asked: Sequence[int]) -> None:
        """Ask all to end; end those that do not within their time, or at once when asked again."""
        self._end(signal.SIGTERM)
        deadline = time.monotonic() + DRAIN_SECONDS
        while any(child.pid for child in self._children) and time.monotonic() < deadline and len(asked) == 1:
            select.select([wake], [], [], _TICK_SECONDS)
            _drained(wake)
            for child in self._children:
                if child.pid and os.waitpid(child.pid, os.WNOHANG) != (0, 0):
                    child.pid = 0
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        for child in self._children:
            if child.pid:
                os.kill(child.pid, how)


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raises UnderstudyError where the address cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with contextlib.ExitStack() as undo:
            listener = undo.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(2048)
            undo.pop_all()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnderstudyError(
            f"{host}:{port} cannot be listened on: {reason}", "Name another with --host and --port, or [serve]."
        ) from None
    return listener


@contextlib.contextmanager
def _signals() -> Iterator[tuple[int, list[int]]]:
    """Give a pipe that wakes whoever waits for it when a signal comes, and the signals that ask to stop."""
    asked: list[int] = []
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    before = {number: signal.signal(number, lambda n, _: asked.append(n)) for number in STOPS}
    before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
    fd = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield reading, asked
    finally:
        signal.set_wakeup_fd(fd)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)


def _drained(pipe: int) -> None:
    try:
        while os.read(pipe, 4096):
            pass
    except BlockingIOError:
        return
