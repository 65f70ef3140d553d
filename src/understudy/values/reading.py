"""Canonical cells read as numbers, truth values and text."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from understudy.later import pc
from understudy.values.canonical import canonical_array, rewrite
from understudy.values.cells import FALSE_WORDS, MISSING_WORDS, TRUE_WORDS, Flags, Floats, NumberCells
from understudy.values.coded import CODED, coded, plain_array
from understudy.values.decimals import read_decimals

_POSITIONAL = 1e16
"""Numbers below this (and above its inverse) are written without an exponent."""

_CURRENCY = (pa.string(), CODED, pa.int64(), pa.float64(), pa.bool_())


def read_numbers(array: pa.Array) -> NumberCells:
    """Read every cell as a number in decimal syntax, correctly rounded (reference 3.3, 3.5).

    A truth value reads 1 or 0. Infinities, hexadecimal and thousands separators are invalid.
    """
    array = currency(array)
    if array.type == CODED:
        return _spread(array, _numbers)
    if array.type == pa.string():
        return _counted(array, _numbers(array))
    values = floats(array)
    infinite = np.isinf(values)
    return NumberCells(np.where(infinite, np.nan, values), array.null_count, int(infinite.sum()))


def read_truths(array: pa.Array) -> NumberCells:
    """Read every cell as a truth value by Amazon ML's lists (reference 3.3): 1.0, 0.0 or NaN."""
    array = currency(array)
    if array.type == pa.bool_():
        return read_numbers(array)
    if array.type == CODED:
        return _spread(array, _truths)
    texts = read_texts(array)
    return _counted(texts, _truths(texts))


def _numbers(texts: pa.StringArray) -> Floats:
    return read_decimals(texts).values


def _truths(texts: pa.StringArray) -> Floats:
    words = pc.utf8_lower(texts)
    return np.where(among(words, TRUE_WORDS), 1.0, np.where(among(words, FALSE_WORDS), 0.0, np.nan))


def _counted(texts: pa.StringArray, values: Floats) -> NumberCells:
    """Count the missing and the invalid among the cells that could not be read."""
    unread = np.isnan(values)
    if not unread.any():
        return NumberCells(values, 0, 0)
    missing = int(np.count_nonzero(_nothing(texts.filter(pa.array(unread)))))
    return NumberCells(values, missing, int(np.count_nonzero(unread)) - missing)


def _spread(array: pa.DictionaryArray, read: Callable[[pa.StringArray], Floats]) -> NumberCells:
    """Read each different cell once, and give every row what its cell says; a null is missing."""
    cells, codes = coded(array)
    values, unread = np.append(read(cells), np.nan), array.null_count
    odd = np.flatnonzero(np.isnan(values[:-1]))
    if not len(odd):
        return NumberCells(values[codes], unread, 0)
    rows = np.bincount(codes, minlength=len(values))[odd]
    missing = int(rows[_nothing(cells.take(pa.array(odd)))].sum())
    return NumberCells(values[codes], unread + missing, int(rows.sum()) - missing)


def _nothing(texts: pa.StringArray) -> Flags:
    """Tell which texts stand for a number that is not there."""
    return among(pc.utf8_lower(texts).fill_null(""), MISSING_WORDS | {""})


def read_texts(array: pa.Array) -> pa.StringArray:
    """Read every cell as text, as it would stand in a CSV file; null reads as empty.

    A float64 is its shortest decimal, without ".0" where it is integral and without an exponent below 1e16.
    """
    array = plain_array(currency(array))
    if array.type == pa.string():
        return array.fill_null("") if array.null_count else array
    texts = array.cast(pa.string()).fill_null("")
    if array.type != pa.float64():
        return texts
    sizes = np.abs(floats(array))
    scientific = np.asarray(pc.match_substring(texts, "e").to_numpy(zero_copy_only=False))
    plain = scientific & (sizes < _POSITIONAL) & (sizes > 1 / _POSITIONAL)
    return rewrite(texts, plain, _positional)


def _positional(texts: pa.Array) -> pa.Array:
    return pa.array([spell_float(float(text)) for text in texts.to_pylist()], pa.string())


def spell_float(value: float) -> str:
    """Write a finite number as its shortest decimal; the plain twin of `read_texts` on `float64`."""
    if 1 / _POSITIONAL < abs(value) < _POSITIONAL:
        return np.format_float_positional(value, trim="-")
    return repr(value + 0.0).removesuffix(".0")


def currency(array: pa.Array) -> pa.Array:
    """Return cells of one of the four types, text perhaps coded; what is already of them is taken to be canonical."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array if array.type in _CURRENCY else canonical_array(array)


def floats(array: pa.Array) -> Floats:
    """Return int64, float64 or bool cells as float64[n], NaN where null."""
    if array.type == pa.bool_():
        array = array.cast(pa.int8())
    return np.asarray(array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)


def among(texts: pa.Array, words: frozenset[str]) -> Flags:
    """Tell which texts are among the words."""
    return np.asarray(pc.is_in(texts, value_set=pa.array(sorted(words))).to_numpy(zero_copy_only=False))
