"""Passwords of databases on their way to the jobs that need them: files of their own, never in the catalog."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from understudy.errors import StoreError
from understudy.store.lock import exclusive

_WAIT = 10.0
"""Seconds to wait while others change passwords, which takes a moment each."""


def secret_file(folder: Path, kind: str, entity_id: str) -> Path:
    """Return the file that holds an object's password."""
    return folder / f"{kind}-{entity_id}"


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Let nobody else, of any process, change the passwords that are kept; raises Busy where that takes too long."""
    with exclusive(folder.with_name(f"{folder.name}.lock"), wait=_WAIT):
        yield


def keep(folder: Path, kind: str, entity_id: str, password: str) -> None:
    """Write a password where its job finds it, readable by nobody else; raises StoreError."""
    file = secret_file(folder, kind, entity_id)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            file.unlink()
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as written:
            written.write(password)
            written.flush()
            os.fsync(written.fileno())
    except OSError as error:
        raise StoreError(
            f"{file} cannot be written: {error.strerror}", "Check the permissions of its folder."
        ) from None


def forget(folder: Path, kind: str, entity_id: str) -> None:
    """Remove an object's password; nothing happens where it is gone."""
    with contextlib.suppress(OSError):
        secret_file(folder, kind, entity_id).unlink()
