"""Row keys: one hash per row, the same whatever the source."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from understudy.hashing import UInt64s, hash_numbers, hash_strings, hash_text, hash_words
from understudy.values.canonical import rewrite
from understudy.values.coded import CODED, coded
from understudy.values.reading import among, currency, floats, parsed, read_texts
from understudy.values.shapes import PLAIN, number_shapes

_KEY_SEED = 0x6B6579

_EXACT = 2.0**53
"""From here on a float64 no longer tells neighbouring integers apart."""


def row_keys(batch: pa.RecordBatch, columns: Sequence[str]) -> UInt64s:
    """Hash every row over some of its columns, the same whatever the source's types and the columns' order.

    A number hashes alike as int64, float64 or text, a truth value like 1 or 0, null like empty; a text with a leading
    zero or a plus sign is a code, not a number. Returns uint64[n]; a column that is all null leaves it as it is.
    """
    keys = np.zeros(batch.num_rows, np.uint64)
    for name in columns:
        keys += _cell_hashes(currency(batch.column(name)), hash_text(name, _KEY_SEED))
    return hash_words(keys, _KEY_SEED)


def _cell_hashes(array: pa.Array, seed: int) -> UInt64s:
    """Hash every cell; 0 where it is empty."""
    if array.type == CODED:
        cells, codes = coded(array)
        return np.append(_cell_hashes(cells, seed), np.uint64(0))[codes]
    texts = read_texts(array)
    if array.type == pa.string():
        numbers = parsed(texts, number_shapes(texts) == PLAIN)
        words = pc.utf8_lower(texts) if np.isnan(numbers).any() else texts
        numbers[among(words, frozenset({"t", "true"}))] = 1.0
        numbers[among(words, frozenset({"f", "false"}))] = 0.0
    else:
        numbers = floats(array)
    texts = rewrite(texts, np.isfinite(numbers) & (np.abs(numbers) >= _EXACT), _integers)
    hashes = np.where(np.abs(numbers) < _EXACT, hash_numbers(numbers, seed), hash_strings(texts, seed))
    hashes[np.asarray(pc.equal(texts, "").to_numpy(zero_copy_only=False))] = 0
    return hashes


def _integers(texts: pa.Array) -> pa.Array:
    """Write numbers of 2**53 and more as whole digits, so that long ids stay apart and 1e17 is its digits."""
    return pa.array([str(whole_number(text)) for text in texts.to_pylist()], pa.string())


def whole_number(text: str) -> int:
    """Return the integer that a number's text stands for, exactly where it is written in digits alone."""
    return int(text) if text.lstrip("+-").isdigit() else int(float(text))
