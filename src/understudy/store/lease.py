"""Who of several servers does what only one may do."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy as sa

from understudy.errors import Busy
from understudy.store.catalog import Catalog
from understudy.store.lock import exclusive


@contextlib.contextmanager
def leased(catalog: Catalog, lock: Path, name: str) -> Iterator[Callable[[], bool]]:
    """Hold a lease for the length of a block: on this machine by a lock file, on a shared PostgreSQL by its lock, too.

    A SQLite file has its lock file beside it, for all folders that share it, instead of `lock`; no connection is opened
    for it: the holder may fork, and its children would take the locks of that connection for their own.

    The lease ends with its holder, however that ends. It is lost, too, where the database ends the session that holds
    it: what the block is given tells whether the lease is still held. Raises Busy at once where another holds it.
    """
    file = catalog.file
    with exclusive(file.with_name(f"{file.name}.{name}.lock") if file else lock, wait=0):
        if catalog.is_shared:
            with _leased_session(catalog, name) as connection:
                yield lambda: _lives(connection)
        else:
            yield lambda: True


@contextlib.contextmanager
def _leased_session(catalog: Catalog, name: str) -> Iterator[sa.Connection]:
    """Give a session of the database that holds a lock of a name; raises Busy where another has it."""
    with catalog.session() as connection:
        number = zlib.crc32(name.encode())
        if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(number))).scalar():
            raise Busy(f"another server holds the lease {name!r}", "It goes on working; nothing needs to be done.")
        yield connection


def _lives(session: sa.Connection) -> bool:
    """Tell whether a session is the one that it was: where it has ended, a connection would begin another."""
    if session.invalidated:
        return False
    try:
        session.execute(sa.select(1))
    except sa.exc.SQLAlchemyError:
        return False
    return True
