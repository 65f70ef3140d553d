"""The catalog's tables, their version, and the engines that reach them on SQLite and PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.pool import NullPool, QueuePool, StaticPool

from understudy.errors import ConfigError, StoreError
from understudy.folders import private_folder

VERSION = 2
"""Raised with every change of the tables below."""

_BUSY_SECONDS = 10.0
_WRITE_LOCK = 0x756E6465  # any number that all processes of ours agree on

metadata = sa.MetaData()

schema_version = sa.Table("schema_version", metadata, sa.Column("version", sa.Integer, nullable=False))

entities = sa.Table(
    "entities",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False, server_default=""),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("updated_at", sa.Text, nullable=False),
    sa.Column("started_at", sa.Text),
    sa.Column("finished_at", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("document", sa.JSON, nullable=False),
    sa.UniqueConstraint("kind", "id", name="entities_by_id"),
    sa.Index("entities_by_kind", "kind", "project", "sequence"),
    sa.Index("entities_by_status", "status"),
    sqlite_autoincrement=True,
)

promotions = sa.Table(
    "promotions",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text),
    sa.Column("model_id", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reasons", sa.JSON, nullable=False),
    sa.Column("champion_before", sa.Text),
    sa.Column("champion", sa.Text),
    sa.Column("document", sa.JSON, nullable=False),
    sa.Index("promotions_by_endpoint", "endpoint", "sequence"),
    sqlite_autoincrement=True,
)

endpoints = sa.Table(
    "endpoints",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("champion", sa.Text),
    sa.Column("champion_kind", sa.Text, nullable=False, server_default="model"),
    sa.Column("since", sa.Text),
    sa.Column("run_id", sa.Text),
    sa.Column("pinned", sa.Boolean, nullable=False),
    sa.Column("document", sa.JSON, nullable=False),
    sa.ForeignKeyConstraint(["champion_kind", "champion"], ["entities.kind", "entities.id"]),
)

tags = sa.Table(
    "tags",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text),
)

revisions = sa.Table(
    "revisions",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Integer, nullable=False),
)


def engine_for(url: str, *, create: bool, keep_open: bool = False) -> sa.Engine:
    """Return an engine for `url`; `create` allows a missing SQLite file to be made.

    `keep_open` keeps connections to a SQLite file open between transactions, which are then several times quicker; a
    process that forks must not: its children would take the locks of those connections for their own.

    Raises
    ------
    ConfigError : the url is neither sqlite nor postgresql.
    StoreError : there is no such SQLite file, and `create` is false.

    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise ConfigError("store.catalog is no database url", "Write for example sqlite:///catalog.db.") from None
    match parsed.get_backend_name():
        case "sqlite" if parsed.database in {None, "", ":memory:"}:
            return _prepared(_memory_engine())
        case "sqlite":
            return _prepared(_file_engine(Path(str(parsed.database)), create=create, keep_open=keep_open))
        case "postgresql":
            engine = sa.create_engine(
                parsed.set(drivername="postgresql+psycopg"), json_serializer=_json, pool_pre_ping=True
            )
            return _prepared(engine)
        case other:
            raise ConfigError(f"store.catalog is a {other} database", "Use sqlite:/// or postgresql://.")


def bring_to_version(connection: sa.Connection) -> None:
    """Make the tables or bring older ones up to date, in the caller's writing transaction; refuses newer ones."""
    version = version_of(connection)
    if version == VERSION:
        return
    if version is None:
        metadata.create_all(connection)
        connection.execute(schema_version.insert().values(version=VERSION))
        return
    for upgrade in _UPGRADES[version:]:
        upgrade(connection)
    metadata.create_all(connection)
    connection.execute(schema_version.update().values(version=VERSION))


def _upgrade_from_1(connection: sa.Connection) -> None:
    """Make ids unique within their kind, and give entities a name and times.

    SQLite changes no constraint in place: the two tables are copied, the one that refers to the other first.
    """
    replaced = (endpoints, entities)
    every = {table: sa.select(sa.text("*")).select_from(sa.table(table.name)) for table in replaced}
    kept = {table.name: connection.execute(query).mappings().all() for table, query in every.items()}
    for table in replaced:
        connection.execute(sa.text(f"drop table {table.name}"))
    metadata.create_all(connection, [entities, endpoints])
    for table in reversed(replaced):
        for row in kept[table.name]:
            values = {name: _read_json(value) if name == "document" else value for name, value in row.items()}
            values |= {"pinned": bool(row["pinned"])} if "pinned" in row else {}
            connection.execute(table.insert().values(values))
    if connection.dialect.name == "postgresql":
        connection.execute(
            sa.text(
                "select setval(pg_get_serial_sequence('entities', 'sequence'), (select max(sequence) from entities))"
            )
        )


def _read_json(value: object) -> object:
    """Read a JSON column of an untyped query: SQLite gives its text."""
    return json.loads(value) if isinstance(value, str) else value


_UPGRADES: tuple[Callable[[sa.Connection], None], ...] = (lambda _: None, _upgrade_from_1)
"""What brings a catalog of version n to the next; there was no version 0."""


def version_of(connection: sa.Connection) -> int | None:
    """Return the version of the tables, None where there are none; raises StoreError where they are newer than this."""
    if not sa.inspect(connection).has_table(schema_version.name):
        return None
    version = connection.execute(sa.select(schema_version.c.version)).scalar()
    if version is not None and version > VERSION:
        raise StoreError(
            f"the catalog has version {version}; this Understudy knows versions up to {VERSION}",
            "Use the newer Understudy that wrote it.",
        )
    return version


def _memory_engine() -> sa.Engine:
    connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    connection.execute("pragma foreign_keys = on")
    return sa.create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool, json_serializer=_json)


def _file_engine(file: Path, *, create: bool, keep_open: bool) -> sa.Engine:
    if create:
        with contextlib.suppress(OSError):  # the connection that follows says what is wrong
            private_folder(file.parent)
    elif not file.is_file():
        raise StoreError(f"there is no catalog at {file}", "The first `understudy learn` makes it.")
    options: dict[str, Any] = {"creator": lambda: _connect(file), "json_serializer": _json}
    if not keep_open:
        return sa.create_engine("sqlite://", poolclass=NullPool, **options)
    engine = sa.create_engine("sqlite://", poolclass=QueuePool, pool_size=4, max_overflow=28, **options)
    sa.event.listen(engine, "checkin", _forget_makeshift)
    return engine


def _forget_makeshift(connection: sqlite3.Connection, record: sa.pool.ConnectionPoolEntry) -> None:
    """Close a connection that was opened without writing: the disk may have space again for the next."""
    if isinstance(connection, _Makeshift):
        record.invalidate()


class _Makeshift(sqlite3.Connection):
    """A connection to a file on a disk that is full or read-only."""


def _prepared(engine: sa.Engine) -> sa.Engine:
    """Let a transaction that will write take the one write lock first: what it reads stays true until it ends."""

    def begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("begin immediate" if writes else "begin")
        elif writes:
            connection.exec_driver_sql(f"set local lock_timeout = '{_BUSY_SECONDS:.0f}s'")
            connection.exec_driver_sql(f"select pg_advisory_xact_lock({_WRITE_LOCK})")

    sa.event.listen(engine, "begin", begin)
    return engine


def _connect(file: Path) -> sqlite3.Connection:
    """Open a SQLite file; where the disk is full or read-only, so far as it can be read."""
    try:
        return _opened(f"{file.absolute().as_uri()}?mode=rwc", "pragma journal_mode = wal")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in _CANNOT_WRITE or not file.is_file():
            raise
    return _opened_without_writing(file)


_CANNOT_WRITE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}


def _opened_without_writing(file: Path) -> sqlite3.Connection:
    """Open a SQLite file that stands on a full or read-only disk, for reading.

    The index of its write-ahead log cannot be made there: it is kept in this process's memory instead (exclusive mode).
    A read-only disk does not allow even that, but with no log there is none to index, and nobody writes.
    """
    uri = file.absolute().as_uri()
    log = file.with_name(file.name + "-wal")
    if log.exists() and log.stat().st_size:
        return _opened(f"{uri}?mode=rw", "pragma locking_mode = exclusive", kind=_Makeshift)
    return _opened(f"{uri}?mode=ro&immutable=1", "pragma query_only = on", kind=_Makeshift)


def _opened(uri: str, *pragmas: str, kind: type[sqlite3.Connection] = sqlite3.Connection) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, factory=kind
    )
    try:
        for pragma in (*pragmas, "pragma foreign_keys = on", "pragma synchronous = full", "pragma schema_version"):
            connection.execute(pragma).fetchall()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _json(document: object) -> str:
    return msgspec.json.encode(document).decode()
