"""Rows at rest: whole or not there, and read back as they were."""

import errno
import random
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from understudy.errors import CorruptObject
from understudy.spool import (
    link_or_copy,
    read_column,
    read_kept,
    read_kept_schema,
    read_rows,
    read_schema,
    write_kept,
    write_rows,
)
from understudy.values import BATCH_ROWS, coded_batch, coded_schema, plain_batch, row_keys

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
    write_rows(tmp_path / "deep" / "rows.arrow", SCHEMA, batches)
    back = list(read_rows(tmp_path / "deep" / "rows.arrow"))
    assert pa.Table.from_batches(back) == pa.Table.from_batches(batches)
    assert max(batch.num_rows for batch in back) <= BATCH_ROWS
    assert read_schema(tmp_path / "deep" / "rows.arrow") == SCHEMA


@pytest.mark.parametrize("name", ["a", "b", "c", "d"])
def test_one_column_can_be_read(tmp_path, name):
    """A column alone is what it is among the others, whatever its type, nulls and batches."""
    batches = [coded_batch(_batch(0, 10)), coded_batch(_batch(7, 20))]
    write_rows(tmp_path / "rows.arrow", coded_schema(SCHEMA), batches)
    assert list(read_column(tmp_path / "rows.arrow", name)) == [batch.column(name) for batch in batches]


def test_no_rows_are_a_file_without_rows(tmp_path):
    """An empty stream has its schema all the same."""
    write_rows(tmp_path / "rows.arrow", SCHEMA, [])
    assert sum(batch.num_rows for batch in read_rows(tmp_path / "rows.arrow")) == 0
    assert read_schema(tmp_path / "rows.arrow") == SCHEMA


def test_failing_source_leaves_the_rows_before(tmp_path):
    """Rows appear whole or not at all: a stream that breaks off changes nothing and leaves nothing."""
    file = tmp_path / "rows.arrow"
    write_rows(file, SCHEMA, [_batch(0, 3)])

    def broken():
        yield _batch(3, 3)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_rows(file, SCHEMA, broken())
    assert sum(batch.num_rows for batch in read_rows(file)) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["rows.arrow"]


@pytest.mark.parametrize("damage", [b"", b"no rows at all"])
def test_damaged_rows_are_said_to_be(tmp_path, damage):
    """A file that holds no rows any more is one clear error."""
    (tmp_path / "rows.arrow").write_bytes(damage)
    with pytest.raises(CorruptObject, match=r"rows\.arrow"):
        list(read_rows(tmp_path / "rows.arrow"))


@pytest.mark.parametrize(("read", "schema"), [(read_rows, read_schema), (read_kept, read_kept_schema)])
def test_coded_columns_stay_coded(tmp_path, read, schema):
    """Text that travels coded comes back coded, batch by batch, whatever its dictionaries are; so where it is kept."""
    batches = [coded_batch(_batch(0, 10)), coded_batch(_batch(5, 20)), coded_batch(_batch(0, 3))]
    write_rows(tmp_path / "work", coded_schema(SCHEMA), batches)
    rows = tmp_path / "work"
    if read is read_kept:
        rows = tmp_path / "rows"
        write_kept(tmp_path / "work", rows)
    back = list(read(rows))
    assert [batch.num_rows for batch in back] == [10, 20, 3]
    assert [batch.to_pylist() for batch in back] == [batch.to_pylist() for batch in batches]
    assert {batch.schema for batch in back} == {coded_schema(SCHEMA)}
    assert schema(rows) == coded_schema(SCHEMA)


def test_rows_have_as_many_different_cells_as_there_are(tmp_path):
    """Two bytes hold every code of a batch, even where its dictionary is that of many more rows, since left out."""
    texts = pa.array([f"{number:x}" for number in range(3 * BATCH_ROWS)]).dictionary_encode()
    batches = [
        pa.RecordBatch.from_arrays([texts[:BATCH_ROWS]], ["text"]),
        pa.RecordBatch.from_arrays([texts.take(pa.array([1, None, 3 * BATCH_ROWS - 1]))], ["text"]),
    ]
    write_rows(tmp_path / "rows", batches[0].schema, batches)
    back = pa.Table.from_batches(read_rows(tmp_path / "rows")).column("text").to_pylist()
    assert back[:-3] == [f"{number:x}" for number in range(BATCH_ROWS)]
    assert back[-3:] == ["1", None, f"{3 * BATCH_ROWS - 1:x}"]


def test_rows_that_were_kept_as_parquet_are_read(tmp_path):
    """Earlier versions kept rows as Parquet; these come back just the same."""
    batches = [coded_batch(_batch(0, 10)), coded_batch(_batch(5, 20))]
    with pq.ParquetWriter(tmp_path / "rows", coded_schema(SCHEMA)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    back = list(read_kept(tmp_path / "rows"))
    assert [batch.to_pylist() for batch in back] == [batch.to_pylist() for batch in batches]
    assert read_kept_schema(tmp_path / "rows") == coded_schema(SCHEMA)


def test_rows_are_kept_smaller(tmp_path):
    """What is kept are the same rows in less space, in a file of its own."""
    batches = [coded_batch(_batch(0, 30_000)), coded_batch(_batch(5, 200))]
    write_rows(tmp_path / "rows", batches[0].schema, batches)
    write_kept(tmp_path / "rows", tmp_path / "kept")
    assert [batch.to_pylist() for batch in read_kept(tmp_path / "kept")] == [batch.to_pylist() for batch in batches]
    assert read_kept_schema(tmp_path / "kept") == coded_schema(SCHEMA)
    assert (tmp_path / "kept").stat().st_size < 0.9 * (tmp_path / "rows").stat().st_size


def test_damaged_rows_are_not_kept(tmp_path):
    """Rows that broke between the stages are one clear error when they are to be kept."""
    write_rows(tmp_path / "rows", SCHEMA, [_batch(0, 300), _batch(0, 300)])
    data = (tmp_path / "rows").read_bytes()
    (tmp_path / "rows").write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(CorruptObject, match="rows"):
        write_kept(tmp_path / "rows", tmp_path / "kept")


def test_rows_that_earlier_versions_wrote_between_stages_are_read(tmp_path):
    """A work folder of a version whose codes took four bytes is as good as one of this version."""
    batch = coded_batch(_batch(0, 300))
    with pa.OSFile(str(tmp_path / "rows"), "wb") as file, pa.ipc.new_stream(file, batch.schema) as writer:
        writer.write_batch(batch)
    assert list(read_rows(tmp_path / "rows")) == [batch]
    assert list(read_column(tmp_path / "rows", "b")) == [batch.column("b")]
    write_kept(tmp_path / "rows", tmp_path / "kept")
    assert [kept.to_pylist() for kept in read_kept(tmp_path / "kept")] == [batch.to_pylist()]


def test_a_file_is_not_held_in_memory(tmp_path):
    """A process is charged for no more of a mapped file than the batches that it still looks at."""
    numbers = pa.RecordBatch.from_arrays([pa.array(range(BATCH_ROWS))] * 8, list("abcdefgh"))
    write_rows(tmp_path / "rows", numbers.schema, [numbers] * 20)  # 80 MB
    before, most = _mapped_kib(), 0
    for batch in read_rows(tmp_path / "rows"):
        assert sum(len(np.unique(column)) for column in batch.columns) == 8 * BATCH_ROWS
        most = max(most, _mapped_kib() - before)
    assert 1_000 < most < 16_000


def _mapped_kib():
    """Return how much of files stands in this process's memory."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssFile")]
    return int(line.split()[1])


def test_rows_are_read_where_nothing_can_be_mapped(tmp_path, monkeypatch):
    """Some shared folders map no file: rows are read from there all the same."""
    write_rows(tmp_path / "rows", SCHEMA, [_batch(0, 300)])
    monkeypatch.setattr("mmap.mmap", Mock(side_effect=OSError(errno.ENODEV, "No such device")))
    assert list(read_rows(tmp_path / "rows")) == [_batch(0, 300)]
    assert list(read_column(tmp_path / "rows", "c")) == [_batch(0, 300).column("c")]


@pytest.mark.parametrize("damage", [b"", b"no rows at all", b"PAR1 no rows"])
def test_damaged_kept_rows_are_said_to_be(tmp_path, damage):
    """A kept file that holds no rows any more is one clear error, whoever asks for what."""
    (tmp_path / "rows").write_bytes(damage)
    for read in (lambda file: list(read_kept(file)), read_kept_schema):
        with pytest.raises(CorruptObject, match="rows"):
            read(tmp_path / "rows")


@pytest.mark.parametrize("schema", [SCHEMA, coded_schema(SCHEMA)])
def test_kept_rows_with_a_flipped_bit_are_refused_or_read(tmp_path, schema):
    """A disk may turn any bit of a file that is kept for years: one clear error, or other rows, never a crash."""
    file = tmp_path / "rows"
    write_rows(tmp_path / "work", schema, [coded_batch(_batch(0, 300)) if schema != SCHEMA else _batch(0, 300)])
    write_kept(tmp_path / "work", file)
    whole, chance, refused = file.read_bytes(), random.Random(1), 0
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        file.write_bytes(damaged)
        try:
            for batch in read_kept(file):
                row_keys(plain_batch(batch), batch.schema.names)
        except CorruptObject:
            refused += 1
    assert refused > 50


def test_rows_that_are_being_read_are_not_those_that_take_their_place(tmp_path):
    """Whoever reads a file goes on with its rows, all of them, while others are written in its place."""
    file = tmp_path / "rows"
    write_rows(file, SCHEMA, [_batch(0, 3), _batch(3, 3)])
    reading = read_rows(file)
    first = next(reading)
    write_rows(file, SCHEMA, [_batch(50, 1)])
    assert pa.Table.from_batches([first, *reading]).column("a").to_pylist() == list(range(6))
    assert first.column("b").to_pylist() == _batch(0, 3).column("b").to_pylist()


def test_linked_rows_outlive_what_they_were_linked_to(tmp_path):
    """A link takes the place of an older file, and what is written over its source does not change it."""
    for name, rows in (("old", 1), ("new", 3)):
        write_rows(tmp_path / name, SCHEMA, [_batch(0, rows)])
    link_or_copy(tmp_path / "new", tmp_path / "old")
    write_rows(tmp_path / "new", SCHEMA, [_batch(0, 7)])
    assert [sum(b.num_rows for b in read_rows(tmp_path / name)) for name in ("old", "new")] == [3, 7]
