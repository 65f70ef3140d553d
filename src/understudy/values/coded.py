"""Columns by what differs in them: whatever is asked of a cell's text is answered once for each different cell.

A column of text may travel as Arrow's `dictionary<int32, string>`: canonical cells that all differ, none null, and an
index for each row, null where the cell is. Most columns repeat themselves, so that work on the dictionary is little.

>>> cells, codes = coded(pa.array(["Rome", None, "Rome", "Bern"]))
>>> cells.to_pylist(), codes.tolist()
(['Rome', 'Bern'], [0, 2, 0, 1])
"""

# ruff: noqa: ANN001, ANN201 - numba infers the types of kernels

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from understudy import compiling as nb

CODED = pa.dictionary(pa.int32(), pa.string())
"""The type of a coded column of text."""

SHORT = pa.dictionary(pa.uint16(), pa.string())
"""The type of a coded column at rest: the rows of a batch (BATCH_ROWS) have no more different cells than that."""

Codes = npt.NDArray[np.int32]


class Coded(NamedTuple):
    """n cells of text as k different ones and a code for each."""

    cells: pa.StringArray
    """The k different cells; none is null or empty. One may stand in no row: rows are filtered without them."""
    codes: Codes
    """Which of them stands in each row, int32[n]; k where the row's cell is null."""


def coded(array: pa.Array) -> Coded:
    """Return a canonical column of text, plain or coded, by its different cells."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if array.type != CODED:
        array = array.dictionary_encode()
    cells, indices = array.dictionary, array.indices
    if not indices.null_count:
        return Coded(cells, np.asarray(indices))
    bits, numbers = indices.buffers()
    first, codes = indices.offset, np.empty(len(indices), np.int32)
    fill_codes(np.frombuffer(numbers, np.int32)[first:], np.frombuffer(bits, np.uint8), first, len(cells), codes)
    return Coded(cells, codes)


@nb.njit(nogil=True, cache=True)
def fill_codes(numbers, bits, first, missing, codes):  # type: ignore[no-untyped-def]
    """Copy numbers whose bit is set; the bits of a validity bitmap begin at `first`."""
    for i in range(len(codes)):
        at, code = first + i, np.int64(numbers[i])
        there = (np.int64(bits[at >> 3]) >> (at & 7)) & 1
        codes[i] = missing + there * (code - missing)  # no branch: none foretells where nulls are


def plain_array(array: pa.Array) -> pa.Array:
    """Return the same cells, not coded."""
    return array.dictionary_decode() if array.type == CODED else array


def plain_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the same batch without coded columns: what a function of the user's is given."""
    return _every_column(batch, plain_array) if CODED in batch.schema.types else batch


def coded_array(array: pa.Array) -> pa.Array:
    """Return the same canonical cells, coded where they are text."""
    return array.dictionary_encode() if array.type == pa.string() else array


def coded_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the same canonical batch with its columns of text coded: what a source gives."""
    return _every_column(batch, coded_array) if pa.string() in batch.schema.types else batch


def coded_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema of `coded_batch`."""
    return _every_type(schema, pa.string(), CODED)


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema of `plain_batch`: what is recorded of columns, however they travel."""
    return _every_type(schema, CODED, pa.string())


def short_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the same batch of at most BATCH_ROWS rows, coded columns as SHORT."""
    return _every_column(batch, _short_array)


def unshortened_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the same batch, coded columns as CODED."""
    return _every_column(batch, _unshortened_array)


def short_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema of `short_batch`."""
    return _every_type(schema, CODED, SHORT)


def unshortened_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema of `unshortened_batch`."""
    return _every_type(schema, SHORT, CODED)


def _short_array(array: pa.Array) -> pa.Array:
    if array.type != CODED:
        return array
    if len(array.dictionary) > 1 << 16:  # of rows that were filtered out, too
        array = array.dictionary_decode().dictionary_encode()
    return _of_codes(array, pa.uint16())


def _unshortened_array(array: pa.Array) -> pa.Array:
    if array.type != SHORT:
        return array
    return _of_codes(array, pa.int32())


def _of_codes(array: pa.DictionaryArray, codes: pa.DataType) -> pa.DictionaryArray:
    """Return the same cells by codes of another type, which are known to fit: to look again takes longer."""
    return pa.DictionaryArray.from_arrays(array.indices.cast(codes, safe=False), array.dictionary, safe=False)


def _every_type(schema: pa.Schema, old: pa.DataType, new: pa.DataType) -> pa.Schema:
    return pa.schema([(field.name, new if field.type == old else field.type) for field in schema])


def _every_column(batch: pa.RecordBatch, change: Callable[[pa.Array], pa.Array]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([change(column) for column in batch.columns], names=batch.schema.names)
