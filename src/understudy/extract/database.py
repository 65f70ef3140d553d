"""A database by URL and query -> one extraction, out of one consistent snapshot."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from understudy.errors import ExtractError
from understudy.extract.extraction import Extraction

Read = Callable[[URL, str, str, Path], Extraction]
"""Runs a query at a URL, which messages call by a name without its password, and streams its rows."""


def read_database(url: str, query: str, root: Path) -> Extraction:
    """Run a query and stream its rows; a relative SQLite path starts at `root`.

    Raises
    ------
    ExtractError : the database cannot be reached or refuses the query. No message holds the password.

    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ExtractError(
            "extract.url cannot be read as a database's URL", "Write for example postgresql://user@host/database."
        ) from None
    read = _reader(parsed.get_backend_name())
    if read is None:
        raise ExtractError(
            f"extract.url names {parsed.get_backend_name()!r}", "Use sqlite, postgresql, or mysql (for MariaDB, too)."
        )
    shown = URL.create(parsed.drivername, parsed.username, None, parsed.host, parsed.port, parsed.database)
    extraction = read(parsed, query.strip().rstrip(";").rstrip(), shown.render_as_string(), root)
    if not re.search(r"\border\s+by\b", query, re.IGNORECASE):
        extraction.warnings.append(
            "the query has no `order by`: the database may give its rows in another order, and so another model"
        )
    return extraction


def _reader(backend: str) -> Read | None:
    """Return what reads from a kind of database, and load no other's driver; None where there is none."""
    # ruff: noqa: PLC0415
    if backend == "sqlite":
        from understudy.extract.sqlite import read_sqlite

        return read_sqlite
    if backend in {"postgresql", "postgres"}:
        from understudy.extract.postgresql import read_postgresql

        return read_postgresql
    if backend in {"mysql", "mariadb"}:
        from understudy.extract.mysql import read_mysql

        return read_mysql
    return None
