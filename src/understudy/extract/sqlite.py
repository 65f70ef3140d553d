"""SQLite. Any cell may hold any type there, so a first scan over the query's rows asks what each column holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from sqlalchemy.engine import URL

from understudy.errors import ExtractError
from understudy.extract.extraction import Extraction, check_columns, next_rows
from understudy.extract.failures import connecting, querying
from understudy.values import canonical_batch, text_of_record

TIMEOUT = 30.0
"""Seconds to wait for a writer."""


def read_sqlite(url: URL, query: str, shown: str, root: Path) -> Extraction:
    """Run a query in one read-only transaction.

    A column of integers is int64; of numbers, float64; anything else is text. The scan that finds this out runs in
    SQLite, in the same transaction, so no type hangs on where a batch ends, and none surprises later.
    """
    path = root / (url.database or "")
    if not path.is_file():
        raise ExtractError(f"there is no SQLite file {path}", "Correct extract.url; its path starts at the project.")
    with connecting(url, shown, sqlite3.Error):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro",
            uri=True,
            timeout=TIMEOUT,
            isolation_level=None,
            check_same_thread=False,  # rows may be read ahead in a thread of their own
        )
    try:
        with querying(url, shown, sqlite3.Error, sqlite3.Warning):
            connection.text_factory = bytes
            connection.execute("begin")
            cursor = connection.execute(query)
            names = [column[0] for column in cursor.description or ()]
            check_columns(names, "the query")
            schema = pa.schema(list(zip(names, _kinds(connection, query, names), strict=True)))
    except BaseException:  # an interrupt, too
        connection.close()
        raise
    return Extraction(
        schema=schema, batches=_batches(cursor, schema, url, shown), sources=[shown], release=connection.close
    )


def _kinds(connection: sqlite3.Connection, query: str, names: list[str]) -> list[pa.DataType]:
    """Scan the query's rows for the storage classes of every column."""
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    asked = ", ".join(
        f"max(typeof({name}) = 'integer'), max(typeof({name}) = 'real'), max(typeof({name}) in ('text', 'blob'))"
        for name in quoted
    )
    found = connection.execute(f"select {asked} from (\n{query}\n)").fetchone()  # noqa: S608 - the project's own query
    return [_kind(*found[place : place + 3]) for place in range(0, len(found), 3)]


def _kind(integers: int | None, reals: int | None, texts: int | None) -> pa.DataType:
    if texts or not (integers or reals):
        return pa.string()
    return pa.float64() if reals else pa.int64()


def _batches(cursor: sqlite3.Cursor, schema: pa.Schema, url: URL, shown: str) -> Iterator[pa.RecordBatch]:
    batch = None
    while True:
        with querying(url, shown, sqlite3.Error):
            rows = cursor.fetchmany(next_rows(batch))
        if not rows:
            return
        cells = zip(*rows, strict=True)
        batch = canonical_batch(
            pa.RecordBatch.from_arrays(
                [_column(values, field) for values, field in zip(cells, schema, strict=True)], schema.names
            )
        )
        yield batch


def _column(values: tuple[object, ...], field: pa.Field) -> pa.Array:
    try:
        return _texts(values) if field.type == pa.string() else pa.array(values, field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        raise ExtractError(
            f"column {field.name!r} held only numbers when the query ran first, and other values when it ran again",
            "Let the query give the same rows each time.",
        ) from None


def _texts(values: tuple[object, ...]) -> pa.Array:
    try:
        return pa.array(values, pa.binary()).cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # numbers among the texts, or bytes that are no UTF-8
        return pa.array([text_of_record(value) for value in values], pa.string())
