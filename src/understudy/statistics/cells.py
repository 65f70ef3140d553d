"""A batch's column by its different cells, and what is read of each of them, once.

>>> column = column_of(pa.array(["Rome", None, "Rome", "Bern"]), AttributeType.CATEGORICAL)
>>> column.cells.to_pylist(), column.codes.tolist()
(['Rome', 'Bern'], [0, 2, 0, 1])
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from understudy.hashing import hash_strings, hash_text
from understudy.schema import AttributeType
from understudy.statistics.folding import Codes, Counts, Floats, UInt64s, ordered_keys
from understudy.statistics.kernels import code_cells
from understudy.values import (
    CODED,
    MISSING_WORDS,
    canonical_array,
    canonical_type,
    read_numbers,
    read_texts,
    read_truths,
)

TEXT_SEED = 0x57A7
_EMPTY = np.uint64(hash_text("", TEXT_SEED))
_MISSING = pa.array(sorted(MISSING_WORDS | {""}))
_CELLS_PER_ROW = 4
"""A dictionary of more cells than this for each row is that of many more rows, and is made anew."""
_ROWS_PER_PLACE = 4
"""Whole numbers are coded by their distance to the least, unless they lie too far apart for so many rows."""

Places = npt.NDArray[np.int64]
Number = TypeVar("Number", bound=np.generic)


class Column(NamedTuple):
    """n rows as k cells and a code for each row."""

    cells: pa.Array
    """k cells of one of the four types: all that the rows hold, and perhaps some that none of them holds."""
    codes: Codes
    """Which of them stands in each row, int32[n]; k where the row's cell is null."""


def column_of(array: pa.Array, kind: AttributeType) -> Column:
    """Return a column of any Arrow type by its different cells; numbers that lie far apart by all, as they are."""
    if array.type == CODED and len(array.dictionary) > _CELLS_PER_ROW * len(array):
        array = array.dictionary_decode()
    if array.type == pa.string():
        array = array.dictionary_encode()
    if array.type == CODED:
        return Column(array.dictionary, _codes(array.indices, np.int32, 0, len(array.dictionary)))
    if array.type != (canonical := canonical_type(array.type)):
        return column_of(canonical_array(array), kind)
    if canonical == pa.bool_():
        return Column(pa.array([False, True]), _codes(array.cast(pa.int32()), np.int32, 0, 2))
    if canonical == pa.int64() and (column := _near(array)):
        return column
    if kind is AttributeType.NUMERIC:
        return Column(array, read_only(np.arange(len(array), dtype=np.int32)))
    encoded = array.dictionary_encode()
    return Column(encoded.dictionary, _codes(encoded.indices, np.int32, 0, len(encoded.dictionary)))


def _near(array: pa.Array) -> Column | None:
    """Code int64 cells by their distance to the least; None where they lie too far apart."""
    ends = pc.min_max(array)
    least, greatest = ends["min"].as_py() or 0, ends["max"].as_py() or 0
    if greatest - least > len(array) // _ROWS_PER_PLACE:
        return None
    cells = pa.array(least + np.arange(greatest - least + 1))
    return Column(cells, _codes(array, np.int64, least, len(cells)))


def _codes(array: pa.Array, kind: type[np.integer[Any]], least: int, null: int) -> Codes:
    """Return integer cells of a kind less the least of them; `null` for a null."""
    valid, data = array.buffers()
    held = np.frombuffer(data, kind, len(array), array.offset * np.dtype(kind).itemsize)
    if not array.null_count:
        return read_only(held if kind is np.int32 else (held - least).astype(np.int32))
    codes = np.empty(len(held), np.int32)
    bits = read_only(np.frombuffer(valid, np.uint8))
    code_cells(read_only(held), bits, array.offset, least, null, codes)
    return read_only(codes)


def read_only(array: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Return an array as most of Arrow's memory is: so kernels are compiled for one kind alone."""
    array.flags.writeable = False
    return array


class ReadNumbers(NamedTuple):
    """k cells read as numbers, or as truth values, and a null."""

    values: Floats
    """float64[k + 1]; NaN for what is no number."""
    keys: UInt64s
    """The same as ordered keys, uint64[k + 1]."""
    missing: Places
    """Which of them hold nothing."""
    invalid: Places
    """Which of them hold something else that cannot be read."""

    def readable(self, counts: Counts) -> Counts:
        """Return the counts of cells, int32[k + 1], with 0 for those that could not be read."""
        counts = counts.copy()
        counts[self.missing] = 0
        counts[self.invalid] = 0
        return counts


def as_numbers(cells: pa.Array) -> ReadNumbers:
    """Read k cells as numbers."""
    return _as_read(cells, np.append(read_numbers(cells).values, np.nan))


def as_truths(cells: pa.Array) -> ReadNumbers:
    """Read k cells as truth values."""
    return _as_read(cells, np.append(read_truths(cells).values, np.nan))


def _as_read(cells: pa.Array, values: Floats) -> ReadNumbers:
    """Tell what is missing and what is invalid among k cells and a null that were read as numbers."""
    unread = np.flatnonzero(np.isnan(values))
    missing = np.ones(len(unread), np.bool_)
    if len(unread) > 1:
        missing[:-1] = np.asarray(cells.is_null())[unread[:-1]]
        words = pc.utf8_lower(read_texts(cells.take(pa.array(unread[~missing]))))
        missing[~missing] = np.asarray(pc.is_in(words, value_set=_MISSING))
    return ReadNumbers(values, ordered_keys(values), unread[missing], unread[~missing])


class ReadTexts(NamedTuple):
    """k cells read as text, and a null, which is the empty text."""

    texts: pa.Array
    """The k texts."""
    hashes: UInt64s
    """uint64[k + 1]."""


def as_texts(cells: pa.Array) -> ReadTexts:
    """Read k cells as text; as its last, a null."""
    texts = read_texts(cells)
    return ReadTexts(texts, np.append(hash_strings(texts, TEXT_SEED), _EMPTY))
