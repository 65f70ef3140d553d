"""Columns by what differs in them: whatever is asked of a cell's text is answered once for each different cell.

A column of text may travel as Arrow's `dictionary<int32, string>`: canonical cells that all differ, none null, and an
index for each row, null where the cell is. Most columns repeat themselves, so that work on the dictionary is little.

>>> cells, codes = coded(pa.array(["Rome", None, "Rome", "Bern"]))
>>> cells.to_pylist(), codes.tolist()
(['Rome', 'Bern'], [0, 2, 0, 1])
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

CODED = pa.dictionary(pa.int32(), pa.string())
"""The type of a coded column of text."""


class Coded(NamedTuple):
    """n cells of text as k different ones and a code for each."""

    cells: pa.StringArray
    """The k different cells; none is null or empty."""
    codes: npt.NDArray[np.int32]
    """Which of them stands in each row, int32[n]; k where the row's cell is null."""


def coded(array: pa.Array) -> Coded:
    """Return a canonical column of text, plain or coded, by its different cells."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if array.type != CODED:
        array = array.dictionary_encode()
    cells, indices = array.dictionary, array.indices
    if indices.null_count:
        indices = indices.fill_null(len(cells))
    return Coded(cells, np.asarray(indices))


def plain_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the same batch without coded columns: what a function of the user's is given."""
    if CODED not in batch.schema.types:
        return batch
    columns = [column.dictionary_decode() if column.type == CODED else column for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
