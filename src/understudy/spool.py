"""Rows at rest between the stages: Parquet, written once, read as a stream of batches; coded columns stay coded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from understudy.errors import CorruptObject, StoreError
from understudy.values import BATCH_ROWS


class SpoolWriter:
    """Writes record batches of one schema to a file that appears, whole, when the writer closes without an error."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self._partial = path.with_name(path.name + ".partial")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(
            self._partial, schema, compression="lz4", write_statistics=False, store_schema=True
        )

    def write(self, batch: pa.RecordBatch) -> None:
        """Append one batch."""
        try:
            self._writer.write_batch(batch, row_group_size=BATCH_ROWS)
        except OSError as error:
            raise _write_failed(self.path, error) from None

    def __enter__(self) -> SpoolWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._writer.close()
        except OSError as failure:
            self._partial.unlink(missing_ok=True)
            raise _write_failed(self.path, failure) from None
        if error is None:
            self._partial.replace(self.path)
        else:
            self._partial.unlink(missing_ok=True)


def _write_failed(path: Path, error: OSError) -> StoreError:
    return StoreError(f"rows could not be written to {path}: {error}", "Free some space and run the command again.")


def write_rows(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write all batches to `path`, atomically."""
    with SpoolWriter(path, schema) as writer:
        for batch in batches:
            writer.write(batch)


def link_or_copy(source: Path, target: Path) -> None:
    """Let `target` be the same bytes as `source`, without a copy where the file system can; atomically."""
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    try:
        os.link(source, partial)
    except OSError:
        try:
            shutil.copyfile(source, partial)
        except OSError as error:
            raise _write_failed(target, error) from None
    partial.replace(target)


def read_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the rows of `path` in order, at most BATCH_ROWS at a time; raises CorruptObject."""
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:  # buffered ahead, the whole file would stay in memory
            yield from file.iter_batches(BATCH_ROWS, columns=None if columns is None else list(columns))
    except (pa.ArrowException, OSError) as error:
        raise CorruptObject(f"the rows in {path} could not be read: {error}", "Run `understudy learn` again.") from None
