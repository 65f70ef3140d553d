"""An evenly spread, bounded, deterministic sample of a stream of rows.

>>> sample = EvenSample(limit_rows=4)
>>> sample.add(pa.RecordBatch.from_pydict({"row": list(range(10))}))
>>> sample.table().column("row").to_pylist()
[0, 4, 8]
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from understudy.errors import InvalidInput
from understudy.values import plain_batch

LIMIT_ROWS = 100_000
"""Rows that a sample holds at most."""

LIMIT_CELLS = 8_000_000
"""Cells that a sample holds at most, so that wide rows do not fill the memory."""

LEAST_ROWS = 5_000
"""Rows that a sample may hold however wide they are."""


class EvenSample:
    """Every 2**k-th row of a stream, k being the least that keeps the sample within its limit.

    Which rows these are hangs on the stream's length alone, not on where its batches end.
    """

    def __init__(self, limit_rows: int = LIMIT_ROWS) -> None:
        self._limit = limit_rows
        self._stride = 1
        self._seen = 0
        self._batches: list[pa.RecordBatch] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Take the stream's next rows; all batches have one schema."""
        first = -self._seen % self._stride
        self._seen += batch.num_rows
        self._batches.append(_every(batch, first, self._stride))
        while self._kept > self._most(batch.num_columns):
            self._stride *= 2
            self._batches = list(_halved(self._batches))

    def table(self) -> pa.Table:
        """Return the sample; raises InvalidInput where the stream had no batch."""
        if not self._batches:
            raise InvalidInput("there are no rows to sample", "Check the query or the files.")
        return pa.Table.from_batches(self._batches)

    @property
    def _kept(self) -> int:
        return sum(batch.num_rows for batch in self._batches)

    def _most(self, columns: int) -> int:
        return min(self._limit, most_rows(columns))


def most_rows(columns: int) -> int:
    """Return how many rows of so many columns a sample may hold."""
    return min(LIMIT_ROWS, max(LEAST_ROWS, LIMIT_CELLS // max(columns, 1)))


def stride(rows: int, columns: int) -> int:
    """Return the stride that an `EvenSample` of so many rows of so many columns ends with.

    >>> stride(100_000, 21), stride(100_001, 21)
    (1, 2)
    """
    found = 1
    while -(-rows // found) > most_rows(columns):
        found *= 2
    return found


def _halved(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """Return every second row over all batches, from the first on."""
    position, halves = 0, []
    for batch in batches:
        halves.append(_every(batch, position % 2, 2))
        position += batch.num_rows
    return [half for half in halves if half.num_rows] or halves[:1]


def _every(batch: pa.RecordBatch, first: int, stride: int) -> pa.RecordBatch:
    """Copy every stride-th row from `first` on, so that the sample keeps no whole batch or dictionary alive."""
    return plain_batch(batch.take(pa.array(np.arange(first, batch.num_rows, stride, dtype=np.int64))))
