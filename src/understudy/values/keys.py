"""Row keys: one hash per row, the same whatever the source."""

# ruff: noqa: ANN001, ANN202 - numba infers the types of kernels

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
import pyarrow as pa

from understudy import compiling as nb
from understudy.hashing import (
    UInt64s,
    hash_at,
    hash_numbers,
    hash_strings,
    hash_text,
    hash_words,
    mix64,
    text_buffers,
)
from understudy.later import pc
from understudy.memory import load8, load32
from understudy.values.canonical import rewrite
from understudy.values.coded import CODED, coded
from understudy.values.decimals import PLAIN, read_decimals
from understudy.values.reading import currency, floats, read_texts

_KEY_SEED = 0x6B6579

_EXACT = 2.0**53
"""From here on a float64 no longer tells neighbouring integers apart."""

_TRUE, _FALS, _E = (int.from_bytes(word, "little") for word in (b"true", b"fals", b"e"))
_T, _F = ord("t"), ord("f")
_SMALL = np.uint64(0x20202020)
"""These bits make capital letters small, and no other byte a letter of these words."""


def row_keys(batch: pa.RecordBatch, columns: Sequence[str]) -> UInt64s:
    """Hash every row over some of its columns, the same whatever the source's types and the columns' order.

    A number hashes alike as int64, float64 or text, a truth value like 1 or 0, null like empty; a text with a leading
    zero or a plus sign is a code, not a number. Returns uint64[n]; a column that is all null leaves it as it is.
    """
    return row_hashes(batch, [columns])[0]


def row_hashes(batch: pa.RecordBatch, choices: Sequence[Sequence[str]]) -> list[UInt64s]:
    """Return what `row_keys` gives for each of several choices of columns, looking at every cell once.

    >>> batch = pa.RecordBatch.from_pydict({"id": ["1", "2"], "city": ["Rome", "Bern"]})
    >>> key, whole = row_hashes(batch, [["id"], ["id", "city"]])
    >>> bool((key == row_keys(batch, ["id"])).all() and (whole == row_keys(batch, ["city", "id"])).all())
    True
    """
    sums: dict[tuple[bool, ...], UInt64s] = {}
    for name in dict.fromkeys(chain(*choices)):
        chosen = tuple(name in columns for columns in choices)
        if chosen not in sums:
            sums[chosen] = np.zeros(batch.num_rows, np.uint64)
        _add_hashes(currency(batch.column(name)), hash_text(name, _KEY_SEED), sums[chosen])
    keys = [np.zeros(batch.num_rows, np.uint64) for _ in choices]
    for chosen, total in sums.items():
        for place in np.flatnonzero(chosen):
            keys[place] += total
    return [hash_words(each, _KEY_SEED) for each in keys]


def _add_hashes(array: pa.Array, seed: int, sums: UInt64s) -> None:
    """Add the hash of every cell to its row's sum; 0 where it is empty."""
    if array.type == CODED:
        cells, codes = coded(array)
        hashes = np.zeros(len(cells) + 1, np.uint64)
        _hash_texts(cells, seed, hashes[:-1])
        _add_spread(hashes, codes, sums)
    elif array.type == pa.string():
        hashes = np.empty(len(array), np.uint64)
        _hash_texts(array, seed, hashes)
        sums += hashes
    else:
        sums += _number_hashes(array, seed)


def _hash_texts(texts: pa.StringArray, seed: int, hashes: UInt64s) -> None:
    """Hash cells of text: a plain number or a truth value by its value, long whole numbers by their digits."""
    values, shapes = read_decimals(texts)
    data, offsets = text_buffers(texts)
    if _hash_cells(data, offsets, values, shapes, np.uint64(seed), hashes):
        long = (shapes == PLAIN) & (np.abs(values) >= _EXACT)
        hashes[long] = hash_strings(_integers(texts.filter(pa.array(long))), seed)


@nb.njit(nogil=True, cache=True)
def _hash_cells(data, offsets, values, shapes, seed, hashes):  # type: ignore[no-untyped-def]
    """Hash cells of text by what they are; return whether some are long numbers, hashed only as they stand."""
    base, size, long = data.ctypes.data, len(data), False
    bits = values.view(np.uint64)
    for i in range(len(hashes)):
        start, stop = np.int64(offsets[i]), np.int64(offsets[i + 1])
        value, word = values[i], bits[i] if values[i] != 0 else np.uint64(0)
        plain = shapes[i] == PLAIN
        if not plain or not abs(value) < _EXACT:
            long |= plain and abs(value) >= _EXACT
            truth = _truth(base + start, stop - start)
            if truth < 0:
                hashes[i] = hash_at(base, start, stop, size, seed) if stop > start else np.uint64(0)
                continue
            word = _ONE_BITS if truth else np.uint64(0)
        hashes[i] = mix64(seed ^ mix64(word))
    return long


_ONE_BITS = np.float64(1).view(np.uint64)


@nb.njit
def _truth(at, length):  # type: ignore[no-untyped-def]
    """Return 1 for the words t and true in any case, 0 for f and false, else -1."""
    if length == 1:
        letter = load8(at) | 32
        return 1 if letter == _T else 0 if letter == _F else -1
    if length == 4 and load32(at) | _SMALL == _TRUE:
        return 1
    if length == 5 and load32(at) | _SMALL == _FALS and load8(at + 4) | 32 == _E:
        return 0
    return -1


@nb.njit(nogil=True, cache=True)
def _add_spread(hashes, codes, sums):  # type: ignore[no-untyped-def]
    for i in range(len(codes)):
        sums[i] += hashes[codes[i]]


def _number_hashes(array: pa.Array, seed: int) -> UInt64s:
    """Hash numbers and truth values by value, those of 2**53 and more by their text."""
    numbers = floats(array)
    hashes = hash_numbers(numbers, seed)
    rest = ~(np.abs(numbers) < _EXACT)
    if rest.any():
        texts = read_texts(array.filter(pa.array(rest)))
        texts = rewrite(texts, np.isfinite(numbers[rest]), _integers)
        hashes[rest] = np.where(np.asarray(pc.equal(texts, "")), np.uint64(0), hash_strings(texts, seed))
    return hashes


def _integers(texts: pa.Array) -> pa.Array:
    """Write numbers of 2**53 and more as whole digits, so that long ids stay apart and 1e17 is its digits."""
    return pa.array([str(whole_number(text)) for text in texts.to_pylist()], pa.string())


def whole_number(text: str) -> int:
    """Return the integer that a number's text stands for, exactly where it is written in digits alone."""
    return int(text) if text.lstrip("+-").isdigit() else int(float(text))
