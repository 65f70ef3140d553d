"""What flows between transformations: the columns of a batch, and the spelled cells of one observation.

A column is read by the type that the schema declares, whatever the batch holds. Categories and tokens travel as hashes
of their values; the same value has the same hash everywhere, and each output of a recipe turns it into a key of its
own. A *spelled* cell says the same of one observation in words, with the same hashes: it serves explanations, and it is
the plain twin of the compiled kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from understudy.hashing import hash_strings, hash_text, hash_words, mix, string_buffers
from understudy.recipe import kernels
from understudy.values import read_numbers, read_texts, read_truths
from understudy.values.coded import CODED, Coded, coded

Floats = npt.NDArray[np.float64]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
UInt64s = npt.NDArray[np.uint64]

SEED = 0
"""Values are hashed under one seed, keys under their output's."""

MISSING = 0
"""The code of a number or a truth value that is missing or invalid; bins and truth values count from 1."""


class Kind(StrEnum):
    """What an expression of a recipe gives: one of the schema's types, or the tokens made of a text."""

    BINARY = "BINARY"
    CATEGORICAL = "CATEGORICAL"
    NUMERIC = "NUMERIC"
    TEXT = "TEXT"
    TOKENS = "tokens"


@dataclass(frozen=True)
class Numbers:
    """n numbers as k that are computed with and a code for each row; NaN for missing and invalid."""

    values: Floats
    codes: Int32s | None = None
    """Which of the values each row has [n]; None where they are the rows' own."""

    @property
    def of_rows(self) -> Floats:
        """The numbers row by row, float64[n]."""
        return self.values if self.codes is None else self.values[self.codes]


@dataclass(frozen=True)
class Values:
    """The hashed categories or tokens of n observations.

    With codes, observation i has exactly hashes[codes[i]]; with offsets, hashes[offsets[i]:offsets[i + 1]].
    """

    hashes: UInt64s
    offsets: Int64s | None = None
    codes: Int32s | None = None

    @property
    def ragged(self) -> tuple[Int64s, UInt64s]:
        """Offsets int64[n + 1] and hashes, also where each observation has exactly one."""
        if self.codes is not None:
            return np.arange(len(self.codes) + 1), self.hashes[self.codes]
        assert self.offsets is not None
        return self.offsets, self.hashes

    def distinct(self) -> Values:
        """Return these values without repetition within an observation, in order of first occurrence."""
        if self.offsets is None:
            return self
        offsets, hashes = np.empty_like(self.offsets), np.empty_like(self.hashes)
        kernels.keep_distinct(self.offsets, self.hashes, offsets, hashes)
        return Values(hashes[: offsets[-1]], offsets)


Column: TypeAlias = Any
"""NUMERIC: Numbers; TEXT: an Arrow string array, which has no type; else Values."""


@dataclass(frozen=True)
class Token:
    """One category or token in words, as in `job = teacher` or `title: "free"`, and the hash of its value."""

    phrase: str
    hash: int


@dataclass(frozen=True)
class Spelled:
    """A number or a text of one observation, and the expression that gave it in words."""

    subject: str
    value: float | str


Cell: TypeAlias = Spelled | tuple[Token, ...]


def read_column(array: pa.Array, kind: Kind) -> Column:
    """Read n cells of an attribute as its declared type, each different cell once."""
    if kind is Kind.NUMERIC:
        return _read_numbers(array)
    if kind is Kind.BINARY:
        return _read_truths(array)
    if kind is Kind.TEXT:
        return read_texts(array)
    cells, codes = _different(array)
    return Values(np.append(hash_strings(read_texts(cells), SEED), np.uint64(hash_text("", SEED))), codes=codes)


def _different(array: pa.Array) -> Coded:
    """Return the k different cells of a column of any type, and a code for each row: k where it is null."""
    if array.type != CODED and array.type != pa.string():
        array = array.dictionary_encode()
        return Coded(array.dictionary, np.asarray(array.indices.fill_null(len(array.dictionary))))
    return coded(array)


def _read_numbers(array: pa.Array) -> Numbers:
    if array.type not in (CODED, pa.string()):
        return Numbers(_finite(read_numbers(array).values))
    cells, codes = coded(array)
    return Numbers(np.append(_finite(read_numbers(cells).values), np.nan), codes)


def _finite(numbers: Floats) -> Floats:
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _read_truths(array: pa.Array) -> Values:
    cells, codes = _different(array)
    truths = np.append(read_truths(cells).values, np.nan)
    found = np.where(np.isnan(truths), MISSING, truths + 1).astype(np.int32)
    return Values(hash_words(np.arange(3, dtype=np.uint64), SEED), codes=found[codes])


def spell_cells(array: pa.Array, kind: Kind, name: str) -> list[Cell]:
    """Read n cells of the attribute `name` as `read_column` does, one by one and in words."""
    if kind is Kind.NUMERIC:
        return [Spelled(name, value) for value in _read_numbers(array).of_rows.tolist()]
    if kind is Kind.BINARY:
        return [(_spell_truth(name, truth),) for truth in read_truths(array).values.tolist()]
    texts = read_texts(array).to_pylist()
    if kind is Kind.TEXT:
        return [Spelled(name, text) for text in texts]
    return [(Token(f"{name} = {text}" if text else f"{name} is empty", hash_text(text, SEED)),) for text in texts]


def _spell_truth(name: str, truth: float) -> Token:
    if np.isnan(truth):
        return Token(f"{name} is missing", hash_code(MISSING))
    return Token(f"{name} = {int(truth)}", hash_code(int(truth) + 1))


def hash_code(code: int) -> int:
    """Hash the number of a bin or truth value; the plain twin of `hash_words` under `SEED`."""
    return mix(SEED ^ mix(code))


def chain_hashes(left: int, right: int) -> int:
    """Hash an ordered pair of hashes; the plain twin of `kernels.chain`."""
    return mix(mix(left) ^ right)


def words(column: Column) -> Values:
    """Return a column's values; a text's are its words, repeated as they stand."""
    if isinstance(column, Values):
        return column
    data, text_offsets = string_buffers(column)
    offsets = np.empty_like(text_offsets)
    hashes = np.empty((text_offsets[-1] - text_offsets[0] + len(column)) // 2, np.uint64)
    kernels.hash_words_of_texts(data, text_offsets, offsets, hashes)
    return Values(hashes[: offsets[-1]], offsets)


def spell_words(cell: Cell) -> tuple[Token, ...]:
    """Return a cell's tokens; a text's are its words. The plain twin of `words`."""
    if isinstance(cell, tuple):
        return cell
    return tuple(Token(f'{cell.subject}: "{word}"', hash_text(word, SEED)) for word in str(cell.value).split())
