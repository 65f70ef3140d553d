"""One process at a time: an exclusive lock that ends with its holder, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from understudy.errors import Busy, StoreError
from understudy.folders import private_folder

_POLL_SECONDS = 0.1


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock."""

    pid: int
    host: str
    since: str
    """When it was taken, ISO 8601 in UTC."""
    command: str
    """Program and first argument only: what follows may be confidential."""

    def __str__(self) -> str:
        return f"`{self.command}` (process {self.pid} on {self.host}, since {self.since})"


@contextlib.contextmanager
def exclusive(
    path: Path, *, wait: float | None = None, on_wait: Callable[[Holder | None], None] = lambda _: None
) -> Iterator[None]:
    """Hold the lock at `path` for the length of a block; the system gives it back when the process is killed.

    The lock file and its folder are made where missing; the file is never deleted. `wait` is how many seconds to wait
    for another holder: None for as long as it takes, 0 not at all. `on_wait` is called once before waiting, with the
    holder (None where it has not said who it is).

    Raises
    ------
    Busy : the lock was still held after `wait`; the message names the holder.
    StoreError : the lock file cannot be made.

    """
    with _opened(path) as descriptor:
        _acquire(descriptor, path, wait, on_wait)
        _sign(descriptor)
        try:
            yield
        finally:
            os.truncate(descriptor, 0)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        private_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(
            f"the lock {path} cannot be opened: {error.strerror}", "Check its folder and free space."
        ) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, wait: float | None, on_wait: Callable[[Holder | None], None]) -> None:
    deadline = None if wait is None else time.monotonic() + wait
    told = False
    while not try_lock(descriptor):
        holder = _holder(path)
        if deadline is not None and time.monotonic() >= deadline:
            raise Busy(f"the lock {path} is held by {holder or 'another process'}", "Try again when it is done.")
        if not told:
            on_wait(holder)
            told = True
        time.sleep(_POLL_SECONDS)


def is_held(path: Path) -> bool:
    """Tell whether somebody holds the lock at `path`; needs no right to write there."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not try_lock(descriptor)
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Lock an open file or folder if nobody else holds it; tell whether it is ours now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(descriptor: int) -> None:
    """Write who we are into the lock file; a full disk is no reason not to hold the lock."""
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]])
    holder = Holder(os.getpid(), socket.gethostname(), datetime.now(UTC).isoformat(timespec="seconds"), command)
    with contextlib.suppress(OSError):
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, msgspec.json.encode(holder), 0)


def _holder(path: Path) -> Holder | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Holder)
    except (OSError, msgspec.DecodeError):
        return None
