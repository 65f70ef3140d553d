"""Which server answers for a folder now: a note, and a lock that all processes of that server hold."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from understudy.errors import Busy
from understudy.store.lock import exclusive, is_held

_LOCK, _NOTE = "serving.lock", "serving.json"

_ORPHAN_SECONDS = 5.0
"""How long the processes of a killed server may take to end, at most."""


class Note(msgspec.Struct, frozen=True):
    """What a server tells of itself."""

    url: str
    """Where it listens."""
    pid: int
    """Its first process."""


@contextlib.contextmanager
def announced(folder: Path, url: str) -> Iterator[None]:
    """Tell where a server listens for the length of a block; of several in one folder, the first tells.

    Processes that are forked meanwhile hold the lock, too: it is free when the last of them has ended.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(Busy):
            stack.enter_context(exclusive(folder / _LOCK, wait=0.2))
            (folder / _NOTE).write_bytes(msgspec.json.encode(Note(url, os.getpid())))
            stack.callback((folder / _NOTE).unlink, missing_ok=True)
        yield


def running(folder: Path) -> Note | None:
    """Return what the server tells that answers for a folder; None where there is none."""
    return _note(folder) if is_held(folder / _LOCK) else None


def other(folder: Path) -> Note | None:
    """Return what a server tells that answers for a folder and whose first process lives; None where there is none."""
    note = running(folder)
    return note if note is not None and _lives(note.pid) else None


def await_orphans(folder: Path) -> None:
    """Wait until the processes of a server whose first one was killed have ended; they still listen."""
    note = running(folder)
    deadline = time.monotonic() + _ORPHAN_SECONDS
    while note is not None and not _lives(note.pid) and is_held(folder / _LOCK) and time.monotonic() < deadline:
        time.sleep(0.05)


def _note(folder: Path) -> Note | None:
    try:
        return msgspec.json.decode((folder / _NOTE).read_bytes(), type=Note)
    except (OSError, msgspec.DecodeError):
        return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, PermissionError)  # somebody else's process is one, too
    return True
