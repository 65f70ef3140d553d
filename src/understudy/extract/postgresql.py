"""PostgreSQL through ADBC: Arrow batches out of a binary COPY stream."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import adbc_driver_manager
import adbc_driver_postgresql.dbapi
import pyarrow as pa
from sqlalchemy.engine import URL

from understudy.extract.extraction import Extraction, check_columns
from understudy.extract.failures import connecting, querying
from understudy.values import canonical_batch

CONNECT_SECONDS = 15

_ERRORS = (adbc_driver_manager.Error, pa.ArrowException, OSError)


def read_postgresql(url: URL, query: str, shown: str, _root: Path) -> Extraction:
    """Run a query in one read-only transaction with a snapshot of its own (repeatable read)."""
    address = url.set(drivername="postgresql")
    if "connect_timeout" not in url.query:
        address = address.update_query_dict({"connect_timeout": str(CONNECT_SECONDS)})
    with connecting(url, shown, *_ERRORS):
        # libpq takes no blank in an address, and would print the whole of one that has it
        connection = adbc_driver_postgresql.dbapi.connect(
            address.render_as_string(hide_password=False).replace(" ", "%20")
        )
    cursor = connection.cursor()

    def release() -> None:
        cursor.close()
        connection.close()

    try:
        with querying(url, shown, *_ERRORS):
            cursor.execute("set transaction isolation level repeatable read, read only")
            cursor.execute(query)
            reader = cursor.fetch_record_batch()
            check_columns(reader.schema.names, "the query")
            schema = canonical_batch(pa.RecordBatch.from_pylist([], reader.schema)).schema
    except BaseException:  # an interrupt, too
        release()
        raise
    return Extraction(schema=schema, batches=_batches(reader, url, shown), sources=[shown], release=release)


def _batches(reader: pa.RecordBatchReader, url: URL, shown: str) -> Iterator[pa.RecordBatch]:
    while True:
        with querying(url, shown, *_ERRORS):
            batch = next(reader, None)
        if batch is None:
            return
        if batch.num_rows:
            yield canonical_batch(batch)
