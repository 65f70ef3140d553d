"""Passwords of databases on their way to the jobs that need them: files of their own, never in the catalog."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from understudy.errors import NotFound, StoreError
from understudy.folders import PRIVATE
from understudy.house import Storehouse
from understudy.store.lock import exclusive

_WAIT = 10.0
"""Seconds to wait while others change passwords, which takes a moment each."""
_NEW = 300.0
"""Seconds in which a password may lie there before its object does."""


def secrets_of(store: Storehouse) -> Path:
    """Return the folder of what must stand in no document."""
    return store.place.root / PRIVATE / "secrets"


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


def sweep_secrets(store: Storehouse, older_than: float = _NEW) -> int:
    """Remove passwords of objects that are neither PENDING nor INPROGRESS; return how many there were.

    Passwords that are not yet `older_than` seconds old are left: their objects may be in the making.
    """
    folder, swept = secrets_of(store), 0
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not _is_needed(store, file):
            with contextlib.suppress(OSError):
                if time.time() - file.stat().st_mtime >= older_than:
                    file.unlink()
                    swept += 1
    return swept


def _is_needed(store: Storehouse, file: Path) -> bool:
    kind, _, entity_id = file.name.partition("-")
    try:
        return store.catalog.get(entity_id, kind).status in ("PENDING", "INPROGRESS")
    except NotFound:
        return False
