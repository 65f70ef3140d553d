"""What a learner sees of observations: hashed keys and values, by column or row after row.

A column answers what its rows share only once, so that training reads *feature columns*; a model that scores single
rows, and whoever explains them, reads sparse rows. Both say the same.

>>> single = Single(np.array([77, 99], np.uint64), np.array([1, 0, 1], np.int32))
>>> number = Number(5, 6, np.array([0.5, np.nan, 0.0]))
>>> sparse = FeatureColumns(3, (single, number)).sparse()
>>> sparse.indptr.tolist(), sparse.keys.tolist(), sparse.values.tolist()
([0, 2, 4, 5], [99, 5, 77, 6, 99], [1.0, 0.5, 1.0, 1.0, 1.0])
"""
# ruff: noqa: ANN001, ANN202 (numba infers a kernel's types; it takes arrays, not objects)

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from understudy import compiling as nb

UInt64s = npt.NDArray[np.uint64]
Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Features:
    """Sparse features of n observations, row after row (CSR).

    Row i holds keys[indptr[i]:indptr[i + 1]] and the values at the same places. A key is a 64-bit hash of an output of
    the recipe and its value; within one row no key stands twice.
    """

    indptr: Int64s
    keys: UInt64s
    values: npt.NDArray[np.float32]

    @property
    def rows(self) -> int:
        """How many observations these are."""
        return len(self.indptr) - 1


class Single(NamedTuple):
    """Exactly one feature of value 1 for each of n observations: a category, a truth value, a bin."""

    keys: UInt64s
    """The k different keys; some may stand in no row."""
    codes: npt.NDArray[np.int32]
    """Which of them each row has [n]."""


class Number(NamedTuple):
    """A number for each of n observations: its feature has it as value, zero is no feature."""

    key: int
    missing: int
    """The key, of value 1, of a row whose number is missing."""
    values: npt.NDArray[np.float64]
    """The numbers [n], NaN where missing."""


class Tokens(NamedTuple):
    """Any number of features for each of n observations, the k of a row each of value 1/sqrt(k)."""

    offsets: Int64s
    """Row i has keys[offsets[i]:offsets[i + 1]] [n + 1]."""
    keys: UInt64s


FeatureColumn: TypeAlias = Single | Number | Tokens


@dataclass(frozen=True)
class FeatureColumns:
    """The features of n observations, column after column, each an output of the recipe."""

    rows: int
    columns: tuple[FeatureColumn, ...]

    def sparse(self) -> Features:
        """Return the same features row after row, in the order of the columns."""
        sizes = np.zeros(self.rows + 1, np.int64)
        for column in self.columns:
            sizes[1:] += _sizes(column)
        indptr = np.cumsum(sizes)
        keys, values = np.empty(indptr[-1], np.uint64), np.empty(indptr[-1], np.float32)
        ends = indptr[:-1].copy()
        for column in self.columns:
            if isinstance(column, Single):
                _write_single(column.keys, column.codes, ends, keys, values)
            elif isinstance(column, Number):
                _write_numbers(column.values, np.uint64(column.key), np.uint64(column.missing), ends, keys, values)
            else:
                _write_tokens(column.offsets, column.keys, ends, keys, values)
        return Features(indptr, keys, values)


def _sizes(column: FeatureColumn) -> Int64s | int:
    """Return how many features each observation gets of a column."""
    if isinstance(column, Single):
        return 1
    return (column.values != 0.0).astype(np.int64) if isinstance(column, Number) else np.diff(column.offsets)


@nb.njit(nogil=True, cache=True)
def _write_single(single, codes, ends, keys, values):  # type: ignore[no-untyped-def]
    """Append one feature of value 1 to every row; `ends` moves along."""
    for row in range(len(codes)):
        at = ends[row]
        keys[at] = single[codes[row]]
        values[at] = 1.0
        ends[row] = at + 1


@nb.njit(nogil=True, cache=True)
def _write_tokens(offsets, tokens, ends, keys, values):  # type: ignore[no-untyped-def]
    """Append k features of value 1/sqrt(k) to a row that has k tokens; `ends` moves along."""
    for row in range(len(offsets) - 1):
        at = ends[row]
        value = 1.0 / np.sqrt(max(offsets[row + 1] - offsets[row], 1))
        for i in range(offsets[row], offsets[row + 1]):
            keys[at] = tokens[i]
            values[at] = value
            at += 1
        ends[row] = at


@nb.njit(nogil=True, cache=True)
def _write_numbers(numbers, key, missing_key, ends, keys, values):  # type: ignore[no-untyped-def]
    """Append each number under `key`, or 1 under `missing_key` for NaN; a zero is no feature. `ends` moves along."""
    for row in range(len(numbers)):
        number = numbers[row]
        at = ends[row]
        if np.isnan(number):
            keys[at] = missing_key
            values[at] = 1.0
            ends[row] = at + 1
        elif number != 0.0:
            keys[at] = key
            values[at] = number
            ends[row] = at + 1
