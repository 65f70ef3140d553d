"""What a killed server may leave lying that nobody needs any more."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from understudy.errors import NotFound
from understudy.house import Storehouse
from understudy.service.work.workshop import secrets_of

_NEW = 300.0
"""Seconds in which a password may lie there before its object does."""


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
