"""MySQL and MariaDB through PyMySQL: rows as the server writes them, cast by Arrow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

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

_PATHS = ("ssl_ca", "ssl_cert", "ssl_key")
_SWITCHES = ("ssl_verify_cert", "ssl_verify_identity", "ssl_disabled")
_ON = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(("0", "false", "no", "off"), False)
"""What a switch in an address may say."""

_SNAPSHOT = (
    "set time_zone = '+00:00'",
    "set session transaction isolation level repeatable read",
    "start transaction with consistent snapshot, read only",
)


def read_mysql(url: URL, query: str, shown: str, root: Path) -> Extraction:
    """Run a query in one read-only transaction with a consistent snapshot, rows streamed.

    The address may say `ssl_ca`, `ssl_cert`, `ssl_key` (paths from the project), `ssl_verify_cert`,
    `ssl_verify_identity`, `ssl_disabled` (true or false) and `connect_timeout` (seconds).
    """
    options = _options(url, root)
    with connecting(url, shown, pymysql.Error, OSError, RuntimeError, ValueError):
        connection = pymysql.connect(
            host=url.host or "localhost",
            port=url.port or 3306,
            user=url.username,
            password=url.password or "",
            database=url.database,
            charset="utf8mb4",
            cursorclass=SSCursor,
            conv=encoders,  # no decoders: the server's own text is canonical already, and Arrow reads numbers faster
            **options,
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
    except BaseException:  # an interrupt, too
        release()
        raise
    schema = pa.schema([(column[0], _kind(column[1])) for column in described])
    bits = [column[1] == FIELD_TYPE.BIT for column in described]
    return Extraction(
        schema=schema, batches=_batches(cursor, schema, bits, url, shown), sources=[shown], release=release
    )


def _options(url: URL, root: Path) -> dict[str, Any]:
    """Read the parameters behind the question mark of an address; raises ExtractError where one says nothing here."""
    options: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS}
    for key, given in url.query.items():
        value = given if isinstance(given, str) else given[-1]
        if key in _PATHS:
            options[key] = str(root / value)
        elif key in _SWITCHES and value.lower() in _ON:
            options[key] = _ON[value.lower()]
        elif key == "connect_timeout" and value.isdecimal() and int(value) > 0:
            options[key] = int(value)
        elif key in {*_SWITCHES, "connect_timeout"}:
            expected = "a whole number of seconds" if key == "connect_timeout" else "true or false"
            raise ExtractError(f"extract.url has {key}={value!r}; expected {expected}", "Correct it in the address.")
        elif key != "charset":  # rows are always read as utf8mb4, whatever the address asks for
            known = ", ".join((*_PATHS, *_SWITCHES, "connect_timeout"))
            raise ExtractError(f"extract.url has the unknown parameter {key!r}", f"Known are {known}.")
    return options


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
