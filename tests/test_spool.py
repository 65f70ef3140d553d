"""Rows at rest: whole or not there, and read back as they were."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from understudy.errors import CorruptObject
from understudy.spool import read_rows, write_rows
from understudy.values import BATCH_ROWS

SCHEMA = pa.schema([("a", pa.int64()), ("b", pa.string()), ("c", pa.float64()), ("d", pa.bool_())])


def _batch(first, rows):
    numbers = range(first, first + rows)
    columns = [
        list(numbers),
        [f"t{n}" if n % 3 else None for n in numbers],
        [n / 7 for n in numbers],
        [n % 2 == 0 for n in numbers],
    ]
    return pa.RecordBatch.from_arrays(
        [pa.array(c, t) for c, t in zip(columns, SCHEMA.types, strict=True)], schema=SCHEMA
    )


def test_rows_come_back_as_they_were(tmp_path):
    """Any batches go in; the same rows, types and nulls come out in order, in batches of bounded size."""
    batches = [_batch(0, 10), _batch(10, BATCH_ROWS), _batch(10 + BATCH_ROWS, 5)]
    write_rows(tmp_path / "deep" / "rows.parquet", SCHEMA, batches)
    back = list(read_rows(tmp_path / "deep" / "rows.parquet"))
    assert pa.Table.from_batches(back) == pa.Table.from_batches(batches)
    assert max(batch.num_rows for batch in back) <= BATCH_ROWS
    assert pq.read_schema(tmp_path / "deep" / "rows.parquet") == SCHEMA


def test_columns_can_be_chosen(tmp_path):
    """Only what is asked for is read."""
    write_rows(tmp_path / "rows.parquet", SCHEMA, [_batch(0, 3)])
    (batch,) = read_rows(tmp_path / "rows.parquet", ["c", "a"])
    assert sorted(batch.schema.names) == ["a", "c"]


def test_no_rows_are_a_file_without_rows(tmp_path):
    """An empty stream has its schema all the same."""
    write_rows(tmp_path / "rows.parquet", SCHEMA, [])
    assert sum(batch.num_rows for batch in read_rows(tmp_path / "rows.parquet")) == 0
    assert pq.read_schema(tmp_path / "rows.parquet") == SCHEMA


def test_failing_source_leaves_the_rows_before(tmp_path):
    """Rows appear whole or not at all: a stream that breaks off changes nothing and leaves nothing."""
    file = tmp_path / "rows.parquet"
    write_rows(file, SCHEMA, [_batch(0, 3)])

    def broken():
        yield _batch(3, 3)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_rows(file, SCHEMA, broken())
    assert sum(batch.num_rows for batch in read_rows(file)) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["rows.parquet"]


@pytest.mark.parametrize("damage", [b"", b"no parquet at all"])
def test_damaged_rows_are_said_to_be(tmp_path, damage):
    """A file that is no Parquet any more is one clear error."""
    (tmp_path / "rows.parquet").write_bytes(damage)
    with pytest.raises(CorruptObject, match=r"rows\.parquet"):
        list(read_rows(tmp_path / "rows.parquet"))
