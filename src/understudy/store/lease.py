"""Who of several servers does what only one may do."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from understudy.errors import Busy
from understudy.store.catalog import Catalog
from understudy.store.lock import exclusive


@contextlib.contextmanager
def leased(catalog: Catalog, lock: Path, name: str) -> Iterator[None]:
    """Hold a lease for the length of a block: on this machine by a lock file, on a shared PostgreSQL by its lock, too.

    The lease ends with its holder, however that ends. Raises Busy at once where another holds it.
    """
    with exclusive(lock, wait=0), catalog.session() as connection:
        if connection.dialect.name != "postgresql":
            yield
            return
        number = zlib.crc32(name.encode())
        if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(number))).scalar():
            raise Busy(f"another server holds the lease {name!r}", "It goes on working; nothing needs to be done.")
        yield
