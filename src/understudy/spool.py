"""Rows at rest as an Arrow stream: plain between the stages, with LZ4 where they are kept.

Both are written once, appear whole or not at all, and are read as a stream of batches. Coded columns stay coded, and
their codes take two bytes: a batch has no more different cells than that.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from understudy.errors import CorruptObject, StoreError
from understudy.values import BATCH_ROWS
from understudy.values.coded import short_batch, short_schema, unshortened_batch, unshortened_schema


class SpoolWriter:
    """Writes record batches of one schema to a file that appears, whole, when the writer closes without an error."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self._partial = path.with_name(path.name + ".partial")
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._partial.unlink(missing_ok=True)  # it may be another name of rows that are wanted
            self._file = pa.OSFile(str(self._partial), "wb")
            self._writer = pa.ipc.new_stream(self._file, short_schema(schema))

    def write(self, batch: pa.RecordBatch) -> None:
        """Append one batch."""
        try:
            for first in range(0, batch.num_rows, BATCH_ROWS):
                self._writer.write_batch(short_batch(batch.slice(first, BATCH_ROWS)))
        except OSError as error:
            raise _write_failed(self.path, error) from None

    def __enter__(self) -> SpoolWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._writer.close()
            self._file.close()
        except OSError as failure:
            self._partial.unlink(missing_ok=True)
            raise _write_failed(self.path, failure) from None
        if error is None:
            self._partial.replace(self.path)
        else:
            self._partial.unlink(missing_ok=True)


def _write_failed(path: Path, error: OSError) -> StoreError:
    return StoreError(f"rows could not be written to {path}: {error}", "Free some space and run the command again.")


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """Say which file it was where one cannot be written."""
    try:
        yield
    except OSError as error:
        raise _write_failed(path, error) from None


class ColumnFile:
    """One column of numbers, written piece after piece as they stand in memory; whoever reads it knows their type."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with storing(path):
            self._file = path.open("wb", buffering=0)  # what could not be written is not tried again on closing

    def write(self, numbers: npt.NDArray[Any]) -> None:
        """Append the next numbers; raises StoreError."""
        with storing(self._path):
            if self._file.write(numbers.tobytes()) != numbers.nbytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Write no more."""
        self._file.close()


def write_rows(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write all batches to `path`, atomically."""
    with SpoolWriter(path, schema) as writer:
        for batch in batches:
            writer.write(batch)


def read_rows(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield the rows of `path` in order, at most BATCH_ROWS at a time; raises CorruptObject."""
    yield from map(unshortened_batch, _stored(path))


def read_column(path: Path, name: str) -> Iterator[pa.Array]:
    """Yield the cells of one column of `path`, batch after batch, and look at nothing else; raises CorruptObject."""
    place = read_schema(path).get_field_index(name)
    for batch in _stored(path, pa.ipc.IpcReadOptions(included_fields=[place])):
        yield unshortened_batch(batch).column(0)


def read_schema(path: Path) -> pa.Schema:
    """Return the schema of the rows in `path`; raises CorruptObject."""
    with _reading(path), pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
        return unshortened_schema(stream.schema)


def write_kept(rows: Path, path: Path) -> None:
    """Write the rows of a file to `path`, to be kept: the same stream with LZ4. Raises StoreError and CorruptObject."""
    schema, options = short_schema(read_schema(rows)), pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
    with storing(path), pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema, options=options) as writer:
        for batch in _stored(rows):
            writer.write_batch(short_batch(batch))  # an earlier version wrote codes in four bytes


def read_kept(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield kept rows in order, at most BATCH_ROWS at a time; raises CorruptObject.

    Years may lie between writing and reading, so every offset, code and text is looked at before anybody trusts it. A
    file that ends between two batches reads as fewer rows: whoever knows how many there were must count them.
    """
    with _reading(path):
        batches = _read_parquet(path) if _is_parquet(path) else _read(path)
        yield from map(unshortened_batch, _checked(batches))


def read_kept_schema(path: Path) -> pa.Schema:
    """Return the schema of the rows that `read_kept` yields; raises CorruptObject."""
    if _is_parquet(path):
        with _reading(path):
            return pq.read_schema(path)
    return read_schema(path)


def _stored(path: Path, options: pa.ipc.IpcReadOptions | None = None) -> Iterator[pa.RecordBatch]:
    """Yield batches just as they lie in a file, with what `options` choose of them; raises CorruptObject."""
    with _reading(path):
        yield from _mapped(path, options)


def _mapped(path: Path, options: pa.ipc.IpcReadOptions | None = None) -> Iterator[pa.RecordBatch]:
    """Yield batches that are parts of the file, which nobody shortens: it is mapped, and no byte of it copied.

    A process is charged for every page of a mapped file that it has looked at, so these are given back behind it. The
    mapping, and a descriptor, go with the last batch that lies in it.
    """
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError:  # some shared folders map nothing; what else is wrong, reading says
        yield from _read(path, options)
        return
    place = pa.BufferReader(mapped)
    for batch in pa.ipc.open_stream(place, options=options):
        yield batch
        mapped.madvise(mmap.MADV_DONTNEED, 0, place.tell())


def _read(path: Path, options: pa.ipc.IpcReadOptions | None = None) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file, options=options) as stream:
        yield from stream


def _checked(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Let batches pass that are what they say; Arrow does not look by itself, and would read where nothing is."""
    for batch in batches:
        batch.validate(full=True)
        yield batch


def _is_parquet(path: Path) -> bool:
    """Tell whether rows were kept as earlier versions kept them."""
    with _reading(path), path.open("rb") as file:
        return file.read(4) == b"PAR1"


def _read_parquet(path: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path, pre_buffer=False) as file:  # ahead, the whole file would be in memory
        for group in range(file.num_row_groups):
            yield from file.read_row_group(group).combine_chunks().to_batches(BATCH_ROWS)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        raise CorruptObject(f"the rows in {path} could not be read: {error}", "Run `understudy learn` again.") from None


def link_or_copy(source: Path, target: Path) -> None:
    """Let `target` be the same bytes as `source`, without a copy where the file system can; atomically."""
    partial = target.with_name(target.name + ".partial")
    with storing(target):
        partial.unlink(missing_ok=True)
        try:
            try:
                os.link(source, partial)
            except OSError:
                shutil.copyfile(source, partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
