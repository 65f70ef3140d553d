"""The seven transformations of Amazon ML's recipes (reference 5.3, 5.4) and one of our own, in one dict.

Each is told twice: over columns, compiled, and over one observation's spelled cells, in plain Python, with the same
hashes. A transformation that learns (bins, scales) does so from the training rows' sample and is frozen afterwards.
"""

from __future__ import annotations

import itertools
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from understudy.hashing import hash_text, hash_words, string_buffers
from understudy.later import pc
from understudy.recipe import kernels
from understudy.recipe.columns import (
    MISSING,
    SEED,
    Cell,
    Column,
    Floats,
    Kind,
    Numbers,
    Spelled,
    Token,
    Values,
    chain_hashes,
    hash_code,
    spell_words,
    words,
)

CLIP = 20.0
"""Standard deviations at which a normalised number ends at the latest, where typing errors stretch the range."""

PUNCTUATED = 0x20000
"""The code point from which Unicode holds ideographs, tags and private characters, and no punctuation."""


@dataclass(frozen=True)
class Transformation:
    """One function of the recipe language.

    `takes` are the kinds that its inputs may have, `gives` is the kind of its output; `argument` is the range of its
    whole number, None where it has none; `variadic` functions take two or more inputs, others one.
    `apply(columns, argument, learned)` works on whole columns, `spell(cells, argument, learned)` on one observation;
    `learn(numbers, argument)` returns what both are given as `learned`, and stands where there is anything to learn.
    """

    takes: frozenset[Kind]
    gives: Kind
    apply: Callable[[Sequence[Column], int, Floats], Column]
    spell: Callable[[Sequence[Cell], int, Floats], Cell]
    argument: tuple[int, int] | None = None
    learn: Callable[[Floats, int], Floats] | None = None
    variadic: bool = False


# --- numbers ---------------------------------------------------------------------------------------------------------


def learn_bins(numbers: Floats, count: int) -> Floats:
    """Return the ascending inner edges of at most `count` bins with equal numbers of the numbers that are not NaN.

    An edge is a value of the sample: the k-th of `count` quantiles by the inverse of the empirical distribution. Equal
    edges merge, and none is the greatest value, so fewer distinct values give fewer bins.
    """
    return edges_between(np.sort(numbers[~np.isnan(numbers)]), count)


def edges_between(ordered: Floats, count: int) -> Floats:
    """Return the edges of `learn_bins` of ascending numbers."""
    if len(ordered) == 0:
        return np.empty(0)
    ranks = -(-np.arange(1, count) * len(ordered) // count) - 1
    edges = np.unique(ordered[np.maximum(ranks, 0)])
    inner: Floats = edges[edges < ordered[-1]]
    return inner


def _bin_codes(numbers: Floats, edges: Floats) -> npt.NDArray[np.int32]:
    """Return the numbers of the bins, from 1; a value equal to an edge lies to its left, NaN in the bin MISSING."""
    codes = np.empty(len(numbers), np.int32)
    kernels.bins_of(numbers, edges, codes)
    return codes


def _quantile_bin(columns: Sequence[Column], _: int, edges: Floats) -> Column:
    numbers: Numbers = columns[0]
    codes = _bin_codes(numbers.values, edges)
    hashes = hash_words(np.arange(len(edges) + 2, dtype=np.uint64), SEED)
    return Values(hashes, codes=codes if numbers.codes is None else codes[numbers.codes])


def _spell_bin(cells: Sequence[Cell], _: int, edges: Floats) -> Cell:
    subject, number = _number(cells)
    code = int(_bin_codes(np.array([number]), edges)[0])
    return (Token(_spell_interval(subject, code, edges), hash_code(code)),)


def _spell_interval(subject: str, code: int, edges: Floats) -> str:
    if code == MISSING:
        return f"{subject} is missing"
    if len(edges) == 0:
        return f"{subject} is known"
    if code == 1:
        return f"{subject} <= {_brief(edges[0])}"
    if code > len(edges):
        return f"{subject} > {_brief(edges[-1])}"
    return f"{subject} in ({_brief(edges[code - 2])}, {_brief(edges[code - 1])}]"


def _brief(number: float) -> str:
    return repr(float(number)).removesuffix(".0")


def learn_scale(numbers: Floats, _: int = 0) -> Floats:
    """Return mean, standard deviation, least and greatest of the numbers that are not NaN; zeros for one or none."""
    known = numbers[~np.isnan(numbers)]
    if len(known) == 0 or known.min() == known.max():
        return np.zeros(4)
    unit = np.abs(known).max()  # keeps the squares of very large and very small numbers in range
    return np.array([(known / unit).mean() * unit, (known / unit).std() * unit, known.min(), known.max()])


def _standardise(numbers: Floats, scale: Floats) -> Floats:
    """Normalise; what lies beyond the training rows' range counts as its end: a straight line is not drawn further."""
    mean, deviation, least, greatest = scale
    if deviation == 0.0:
        return numbers * 0.0
    with np.errstate(over="ignore"):
        normal: Floats = np.clip((np.clip(numbers, least, greatest) - mean) / deviation, -CLIP, CLIP)
    return normal


def _normalize(columns: Sequence[Column], _: int, scale: Floats) -> Column:
    numbers: Numbers = columns[0]
    return Numbers(_standardise(numbers.values, scale), numbers.codes)


def _spell_normalize(cells: Sequence[Cell], _: int, scale: Floats) -> Cell:
    subject, number = _number(cells)
    return Spelled(subject, float(_standardise(np.array([number]), scale)[0]))


def _number(cells: Sequence[Cell]) -> tuple[str, float]:
    (cell,) = cells
    assert isinstance(cell, Spelled)
    return cell.subject, float(cell.value)


# --- texts -----------------------------------------------------------------------------------------------------------


def _lowercase(columns: Sequence[Column], _: int, __: Floats) -> Column:
    return pc.utf8_lower(columns[0])


def _spell_lowercase(cells: Sequence[Cell], _: int, __: Floats) -> Cell:
    subject, text = _text(cells)
    return Spelled(subject, pc.utf8_lower(pa.scalar(text)).as_py())


def _text(cells: Sequence[Cell]) -> tuple[str, str]:
    (cell,) = cells
    assert isinstance(cell, Spelled)
    return cell.subject, str(cell.value)


@cache
def punctuation() -> npt.NDArray[np.bool_]:
    """Say of every code point whether Unicode counts it as punctuation (categories Pc, Pd, Ps, Pe, Pi, Pf, Po)."""
    marks = np.zeros(sys.maxunicode + 1, np.bool_)
    marks[:PUNCTUATED] = [unicodedata.category(chr(point))[0] == "P" for point in range(PUNCTUATED)]
    return marks


def _no_punct(columns: Sequence[Column], _: int, __: Floats) -> Column:
    data, offsets = string_buffers(columns[0])
    out = np.empty(offsets[-1] - offsets[0] + len(offsets), np.uint8)
    out_offsets = np.empty_like(offsets)
    kernels.strip_words(data, offsets, punctuation(), out, out_offsets)
    buffers = [None, pa.py_buffer(out_offsets), pa.py_buffer(out)]
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, *buffers[1:])


def _spell_no_punct(cells: Sequence[Cell], _: int, __: Floats) -> Cell:
    subject, text = _text(cells)
    return Spelled(subject, " ".join(filter(None, map(_strip, text.split()))))


def _strip(word: str) -> str:
    marks = punctuation()
    start, stop = 0, len(word)
    while start < stop and marks[ord(word[start])]:
        start += 1
    while start < stop and marks[ord(word[stop - 1])]:
        stop -= 1
    return word[start:stop]


def _ngram(columns: Sequence[Column], n: int, _: Floats) -> Column:
    offsets, hashes = words(columns[0]).ragged
    out_offsets, out = np.empty_like(offsets), np.empty(len(hashes) * n, np.uint64)
    kernels.runs_of_words(offsets, hashes, n, out_offsets, out)
    return Values(out[: out_offsets[-1]], out_offsets)


def _spell_ngram(cells: Sequence[Cell], n: int, _: Floats) -> Cell:
    subject, text = _text(cells)
    tokens = text.split()
    return tuple(
        _spell_run(subject, tokens[i : i + length])
        for i in range(len(tokens))
        for length in range(1, min(n, len(tokens) - i) + 1)
    )


def _spell_run(subject: str, run: list[str]) -> Token:
    hashes = [hash_text(word, SEED) for word in run]
    quoted = " ".join(f'"{word}"' for word in run)
    return Token(f"{subject}: {quoted}", reduce(chain_hashes, hashes))


def _osb(columns: Sequence[Column], n: int, _: Floats) -> Column:
    offsets, hashes = words(columns[0]).ragged
    out_offsets, out = np.empty_like(offsets), np.empty(len(hashes) * (n - 1), np.uint64)
    kernels.sparse_pairs(offsets, hashes, n, out_offsets, out)
    return Values(out[: out_offsets[-1]], out_offsets)


def _spell_osb(cells: Sequence[Cell], n: int, _: Floats) -> Cell:
    subject, text = _text(cells)
    tokens = text.split()
    return tuple(
        Token(
            f'{subject}: "{tokens[i]}{"_" * (j - i)}{tokens[j]}"',
            chain_hashes(chain_hashes(hash_text(tokens[i], SEED), j - i), hash_text(tokens[j], SEED)),
        )
        for i in range(len(tokens))
        for j in range(i + 1, min(i + n, len(tokens)))
    )


def _character_ngram(columns: Sequence[Column], n: int, _: Floats) -> Column:
    data, offsets = string_buffers(columns[0])
    out_offsets, out = np.empty_like(offsets), np.empty(2 * (offsets[-1] - offsets[0]), np.uint64)
    kernels.runs_of_characters(data, offsets, n, out_offsets, out)
    return Values(out[: out_offsets[-1]], out_offsets)


def _spell_character_ngram(cells: Sequence[Cell], n: int, _: Floats) -> Cell:
    subject, text = _text(cells)
    tokens = text.split()
    marked = [f" {word} " if n > 1 else word for word in tokens]
    runs = [word[i : i + n] for word in marked for i in range(max(len(word) - n, 0) + 1)]
    return tuple(Token(f'{subject}: "{run}"', reduce(chain_hashes, map(ord, run))) for run in runs)


# --- combinations ----------------------------------------------------------------------------------------------------


def _cartesian(columns: Sequence[Column], _: int, __: Floats) -> Column:
    return reduce(_combine, (words(column).distinct() for column in columns))


def _combine(left: Values, right: Values) -> Values:
    if left.codes is not None and right.codes is not None:
        hashes, codes = kernels.combine_single(left.hashes, left.codes, right.hashes, right.codes)
        return Values(hashes, codes=codes)
    (left_offsets, left_hashes), (right_offsets, right_hashes) = left.ragged, right.ragged
    pairs = np.diff(left_offsets) @ np.diff(right_offsets)
    offsets, out = np.empty_like(left_offsets), np.empty(pairs, np.uint64)
    kernels.combine(left_offsets, left_hashes, right_offsets, right_hashes, offsets, out)
    return Values(out, offsets)


def _spell_cartesian(cells: Sequence[Cell], _: int, __: Floats) -> Cell:
    tokens = [spell_words(cell) for cell in cells]
    return tuple(
        Token(" & ".join(t.phrase for t in combination), reduce(chain_hashes, (t.hash for t in combination)))
        for combination in itertools.product(*tokens)
    )


_TEXT = frozenset({Kind.TEXT})
_NUMERIC = frozenset({Kind.NUMERIC})
_DISCRETE = frozenset({Kind.BINARY, Kind.CATEGORICAL, Kind.TEXT, Kind.TOKENS})

TRANSFORMATIONS: Mapping[str, Transformation] = MappingProxyType(
    {
        "ngram": Transformation(_TEXT, Kind.TOKENS, _ngram, _spell_ngram, (2, 10)),
        "osb": Transformation(_TEXT, Kind.TOKENS, _osb, _spell_osb, (2, 10)),
        "lowercase": Transformation(_TEXT, Kind.TEXT, _lowercase, _spell_lowercase),
        "no_punct": Transformation(_TEXT, Kind.TEXT, _no_punct, _spell_no_punct),
        "quantile_bin": Transformation(_NUMERIC, Kind.CATEGORICAL, _quantile_bin, _spell_bin, (2, 1000), learn_bins),
        "normalize": Transformation(_NUMERIC, Kind.NUMERIC, _normalize, _spell_normalize, learn=learn_scale),
        "cartesian": Transformation(_DISCRETE, Kind.CATEGORICAL, _cartesian, _spell_cartesian, variadic=True),
        "character_ngram": Transformation(_TEXT, Kind.TOKENS, _character_ngram, _spell_character_ngram, (1, 10)),
    }
)
"""What a recipe may call, by name."""
