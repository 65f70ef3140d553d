"""What a database's driver reports, in our words."""

from __future__ import annotations

import sqlite3

import sqlalchemy as sa

from understudy.errors import Busy, StoreError

_SQLITE_WORDS = {
    sqlite3.SQLITE_BUSY: (Busy, "is locked by another process", "Try again when it is done."),
    sqlite3.SQLITE_FULL: (StoreError, "has no space left on its disk; nothing was changed", "Free some space."),
    sqlite3.SQLITE_READONLY: (StoreError, "cannot be written", "Check the permissions of file and folder."),
    sqlite3.SQLITE_CANTOPEN: (StoreError, "cannot be opened", "Check the permissions of file and folder."),
    sqlite3.SQLITE_CORRUPT: (StoreError, "is damaged", "Restore a copy, or move it away and learn again."),
    sqlite3.SQLITE_NOTADB: (StoreError, "is no SQLite file", "Restore a copy, or move it away and learn again."),
}

_LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's code


def explanation(catalog: str, error: sa.exc.SQLAlchemyError) -> StoreError:
    """Return the error of ours that a database's driver means."""
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorcode", -1) & 0xFF
    reason = str(cause).strip().partition("\n")[0]
    if code in _SQLITE_WORDS:
        kind, words, hint = _SQLITE_WORDS[code]
        return kind(f"the catalog {catalog} {words} ({reason})", hint)
    if getattr(cause, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
        return Busy(f"the catalog {catalog} is locked by another process ({reason})", "Try again when it is done.")
    if isinstance(error, sa.exc.IntegrityError):
        return StoreError(f"the catalog {catalog} refuses a contradiction ({reason}); nothing was changed")
    return StoreError(f"the catalog {catalog} cannot be used: {reason}", "Check store.catalog in the project file.")
