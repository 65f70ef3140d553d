"""A batch's column by its different cells, and what is read of each of them, once.

>>> column = column_of(pa.array(["Rome", None, "Rome", "Bern"]), AttributeType.CATEGORICAL)
>>> column.cells.to_pylist(), column.codes.tolist()
(['Rome', 'Bern'], [0, 2, 0, 1])
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from understudy.hashing import hash_strings, hash_text
from understudy.schema import AttributeType
from understudy.statistics.folding import Codes, Floats, Held, UInt64s, every, ordered_keys
from understudy.values import (
    CODED,
    MISSING_WORDS,
    canonical_array,
    canonical_type,
    read_numbers,
    read_texts,
    read_truths,
)
from understudy.values.cells import NumberCells
from understudy.values.coded import fill_codes

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
    """k cells of one of the four types: all that the rows hold; there may be others, nulls among them."""
    codes: Codes
    """Which of them stands in each row, int32[n]; k where the row's cell is null."""


def column_of(array: pa.Array, kind: AttributeType) -> Column:
    """Return a column of any Arrow type by its different cells; numbers that lie far apart by all, as they are."""
    if array.type == CODED and len(array.dictionary) > _CELLS_PER_ROW * len(array):
        array = array.dictionary_decode()
    if array.type == pa.string():
        array = array.dictionary_encode()
    if array.type == CODED:
        return _encoded(array)
    if array.type != (canonical := canonical_type(array.type)):
        return column_of(canonical_array(array), kind)
    if canonical == pa.bool_():
        return Column(pa.array([False, True]), _codes(array, np.asarray(array.cast(pa.int32()).fill_null(0)), 2))
    if canonical == pa.int64() and (column := _near(array)):
        return column
    if kind is AttributeType.NUMERIC:
        return Column(array, _codes(array, every(len(array)), len(array)))
    return _encoded(array.dictionary_encode())


def _encoded(array: pa.DictionaryArray) -> Column:
    return Column(array.dictionary, _codes(array.indices, _held(array.indices, np.int32), len(array.dictionary)))


def _near(array: pa.Array) -> Column | None:
    """Code int64 cells by their distance to the least; None where they lie too far apart."""
    ends = pc.min_max(array)
    least, greatest = ends["min"].as_py() or 0, ends["max"].as_py() or 0
    if greatest - least > len(array) // _ROWS_PER_PLACE:
        return None
    cells = pa.array(least + np.arange(greatest - least + 1))
    return Column(cells, _codes(array, (_held(array, np.int64) - least).astype(np.int32), len(cells)))


def _held(array: pa.Array, kind: type[Number]) -> npt.NDArray[Number]:
    """Return the numbers that an array holds in memory; for a null any number."""
    return np.frombuffer(array.buffers()[1], kind, len(array), array.offset * np.dtype(kind).itemsize)


def _codes(array: pa.Array, codes: Codes, null: int) -> Codes:
    """Return the codes of an array's cells, `null` for its nulls."""
    if array.null_count:
        bits = read_only(np.frombuffer(array.buffers()[0], np.uint8))
        filled, codes = read_only(codes), np.empty(len(codes), np.int32)
        fill_codes(filled, bits, array.offset, null, codes)
    return read_only(codes)


def read_only(array: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Return an array as most of Arrow's memory is: so kernels are compiled for one kind alone."""
    array.flags.writeable = False
    return array


class ReadNumbers(NamedTuple):
    """k cells read as numbers, or as truth values."""

    values: Floats
    """float64[k]; NaN for what is no number."""
    keys: UInt64s
    """Their ordered keys and, as the last, that of a null, uint64[k + 1]."""
    missing: Places
    """Which cells hold nothing, as a null does."""
    invalid: Places
    """Which hold something else that cannot be read."""

    def readable(self, held: Held) -> Held:
        """Return those of the held cells that are numbers."""
        filled = held[: np.searchsorted(held, len(self.values))]
        return filled[~np.isnan(self.values[filled])] if len(self.missing) + len(self.invalid) else filled


def as_numbers(cells: pa.Array) -> ReadNumbers:
    """Read k cells as numbers."""
    return _as_read(cells, read_numbers(cells))


def as_truths(cells: pa.Array) -> ReadNumbers:
    """Read k cells as truth values."""
    return _as_read(cells, read_truths(cells))


def _as_read(cells: pa.Array, read: NumberCells) -> ReadNumbers:
    """Tell what is missing and what is invalid among k cells; no row holds one that is null."""
    missing = invalid = np.zeros(0, np.int64)
    if read.missing + read.invalid > cells.null_count:
        unread = np.flatnonzero(np.isnan(read.values) & np.asarray(cells.is_valid()))
        words = pc.utf8_lower(read_texts(cells.take(pa.array(unread))))
        nothing = np.asarray(pc.is_in(words, value_set=_MISSING))
        missing, invalid = unread[nothing], unread[~nothing]
    keys = ordered_keys(np.append(read.values, np.nan))
    return ReadNumbers(read.values, keys, missing, invalid)


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
