"""MySQL and MariaDB through PyMySQL: rows as the server writes them, cast by Arrow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pymysql
from pymysql.constants import FIELD_TYPE
from pymysql.converters import encoders
from pymysql.cursors import SSCursor
from sqlalchemy.engine import URL

from understudy.errors import ExtractError
from understudy.extract.extraction import Extraction, check_columns, next_rows
from understudy.extract.failures import connecting, querying
from understudy.values import canonical_array

CONNECT_SECONDS = 15

_INTEGERS = {
    FIELD_TYPE.TINY,
    FIELD_TYPE.SHORT,
    FIELD_TYPE.INT24,
    FIELD_TYPE.LONG,
    FIELD_TYPE.LONGLONG,
    FIELD_TYPE.YEAR,
    FIELD_TYPE.BIT,
}
_FLOATS = {FIELD_TYPE.FLOAT, FIELD_TYPE.DOUBLE}

_SNAPSHOT = (
    "set time_zone = '+00:00'",
    "set session transaction isolation level repeatable read",
    "start transaction with consistent snapshot, read only",
)


def read_mysql(url: URL, query: str, shown: str, _root: Path) -> Extraction:
    """Run a query in one read-only transaction with a consistent snapshot, rows streamed."""
    with connecting(url, shown, pymysql.Error, OSError, RuntimeError):
        connection = pymysql.connect(
            host=url.host or "localhost",
            port=url.port or 3306,
            user=url.username,
            password=url.password or "",
            database=url.database,
            charset="utf8mb4",
            connect_timeout=CONNECT_SECONDS,
            cursorclass=SSCursor,
            conv=encoders,  # no decoders: the server's own text is canonical already, and Arrow reads numbers faster
        )
    cursor = connection.cursor()

    def release() -> None:
        _leave(connection, cursor)

    try:
        with querying(url, shown, pymysql.Error, OSError):
            for statement in _SNAPSHOT:
                cursor.execute(statement)
            cursor.execute(query)
            described = cursor.description or ()
            check_columns([column[0] for column in described], "the query")
    except ExtractError:
        release()
        raise
    schema = pa.schema([(column[0], _kind(column[1])) for column in described])
    bits = [column[1] == FIELD_TYPE.BIT for column in described]
    return Extraction(
        schema=schema, batches=_batches(cursor, schema, bits, url, shown), sources=[shown], release=release
    )


def _leave(connection: pymysql.Connection, cursor: SSCursor) -> None:
    """Hang up without reading the rest of the rows, which closing cursor or connection politely would do."""
    if cursor._result is not None:
        cursor._result.unbuffered_active = False
    cursor.connection = None
    connection._force_close()


def _kind(code: int) -> pa.DataType:
    if code in _INTEGERS:
        return pa.int64()
    return pa.float64() if code in _FLOATS else pa.string()


def _batches(cursor: SSCursor, schema: pa.Schema, bits: list[bool], url: URL, shown: str) -> Iterator[pa.RecordBatch]:
    batch = None
    while True:
        with querying(url, shown, pymysql.Error, OSError):
            rows = cursor.fetchmany(next_rows(batch))
        if not rows:
            return
        cells = zip(*rows, strict=True)
        arrays = [_column(values, field, bit) for values, field, bit in zip(cells, schema, bits, strict=True)]
        batch = pa.RecordBatch.from_arrays(arrays, schema.names)
        yield batch


def _column(values: tuple[str | bytes | None, ...], field: pa.Field, bit: bool) -> pa.Array:
    if bit:
        return pa.array([None if v is None else int.from_bytes(v, "big") for v in values], pa.int64())  # type: ignore[arg-type]
    if isinstance(next((value for value in values if value is not None), None), bytes):
        return canonical_array(pa.array(values, pa.binary()))
    try:
        return canonical_array(pa.array(values, pa.string()).cast(field.type))
    except pa.ArrowInvalid:
        raise ExtractError(
            f"column {field.name!r} holds a number beyond 64 bits", "Select it as text: `cast(... as char)`."
        ) from None
