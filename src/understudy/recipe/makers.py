"""What an expression makes of one cell, in plain Python that is compiled once for a model.

The same numbers, texts and hashes as the columns of `transformations` hold, to the bit, without the words that spelled
cells carry. Words and their runs repeat, so the hashes of the latest are remembered.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache, reduce
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from understudy.hashing import hash_text
from understudy.recipe.columns import MISSING, SEED, Floats, Kind, chain_hashes, hash_code
from understudy.recipe.expressions import Expression, Variable
from understudy.recipe.transformations import CLIP, punctuation
from understudy.values.single import Cell, read_number, read_text, read_truth

LONG = 500
"""Characters of a text that are worth Python's while; kernels over a batch are faster beyond."""
MANY = 256
"""Combinations of one output that are."""

_LATEST = 1 << 13
"""Words, runs of them and characters of which is remembered what they become."""

Hashes: TypeAlias = tuple[int, ...]
"""The hashed values of one observation: a category, or any number of tokens."""

Maker: TypeAlias = Callable[[Cell], Any]
"""Makes of a cell what an expression of one attribute gives: a number (NaN where missing), a text, or Hashes."""


class Unfit(Exception):
    """A record that a batch answers sooner, or refuses in its own words."""


def maker(expression: Expression, learned: Mapping[Expression, Floats]) -> Maker:
    """Compile an expression of one attribute; what is made raises Unfit where a text is long."""
    if isinstance(expression, Variable):
        return _READ[expression.kind]
    if expression.function == "cartesian":
        return _cartesian([hashes_maker(each, learned) for each in expression.inputs])
    make = _MAKE[expression.function]
    return make(maker(expression.inputs[0], learned), expression.argument or 0, learned.get(expression, _NOTHING))


def hashes_maker(expression: Expression, learned: Mapping[Expression, Floats]) -> Callable[[Cell], Hashes]:
    """Compile an expression of one attribute that is no number to the hashes of its values; a text's are its words."""
    made = maker(expression, learned)
    if expression.kind is Kind.TEXT:
        return lambda cell: tuple(map(_word_hash, made(cell).split()))
    return made


def combined(each: Sequence[Hashes]) -> Hashes:
    """Hash every combination of a value of each; raises Unfit where they are many."""
    distinct = [tuple(dict.fromkeys(hashes)) if len(hashes) > 1 else hashes for hashes in each]
    count = 1
    for hashes in distinct:
        count *= len(hashes)
    if count > MANY:
        raise Unfit
    return tuple([reduce(chain_hashes, combination) for combination in itertools.product(*distinct)])


_NOTHING = np.empty(0)


# --- attributes ------------------------------------------------------------------------------------------------------


def _text(cell: Cell) -> str:
    text = read_text(cell)
    if len(text) > LONG:
        raise Unfit
    return text


def _category(cell: Cell) -> Hashes:
    return (hash_text(_text(cell), SEED),)


def _truth(cell: Cell) -> Hashes:
    truth = read_truth(cell)
    return _code(MISSING if truth is None else truth + 1)


@lru_cache(1 << 12)
def _code(code: int) -> Hashes:
    return (hash_code(code),)


_READ: Mapping[Kind, Maker] = {
    Kind.NUMERIC: read_number,
    Kind.BINARY: _truth,
    Kind.CATEGORICAL: _category,
    Kind.TEXT: _text,
}


# --- numbers ---------------------------------------------------------------------------------------------------------


def _quantile_bin(number_of: Maker, _: int, edges: Floats) -> Maker:
    ascending = np.ascontiguousarray(edges).data  # not a list: a thousand edges of many attributes would fill memory

    def hashes(cell: Cell) -> Hashes:
        number = number_of(cell)
        return _code(bisect_left(ascending, number) + 1 if number == number else MISSING)  # noqa: PLR0124 - not NaN

    return hashes


def _normalize(number_of: Maker, _: int, scale: Floats) -> Maker:
    mean, deviation, least, greatest = scale.tolist()
    if deviation == 0.0:
        return lambda cell: number_of(cell) * 0.0

    def normal(cell: Cell) -> float:
        number = _within(number_of(cell), least, greatest)
        return _within((number - mean) / deviation, -CLIP, CLIP)

    return normal


def _within(number: float, least: float, greatest: float) -> float:
    return least if number < least else greatest if number > greatest else number


# --- texts -----------------------------------------------------------------------------------------------------------


def _lowercase(text_of: Maker, _: int, __: Floats) -> Maker:
    def lowered(cell: Cell) -> str:
        text: str = text_of(cell)
        return text.lower() if text.isascii() else text.translate(_LOWER)

    return lowered


class _Lower(dict[int, str]):
    """The lower case of the first characters to come, as Arrow has it: one for one, and by its version of Unicode."""

    def __missing__(self, point: int) -> str:
        lower: str = pc.utf8_lower(pa.scalar(chr(point))).as_py()
        if len(self) < _LATEST:
            self[point] = lower
        return lower


_LOWER = _Lower()


def _no_punct(text_of: Maker, _: int, __: Floats) -> Maker:
    ascii_marks, marks = _marks()

    def stripped(cell: Cell) -> str:
        words = text_of(cell).split()
        return " ".join([word.strip(ascii_marks if word.isascii() else marks) for word in words])

    return stripped


@cache
def _marks() -> tuple[str, str]:
    """Return the punctuation of ASCII, and that of Unicode."""
    marks = "".join(map(chr, np.flatnonzero(punctuation())))
    return "".join(filter(str.isascii, marks)), marks


@lru_cache(_LATEST)
def _word_hash(word: str) -> int:
    return hash_text(word, SEED)


_chained = lru_cache(_LATEST)(chain_hashes)


def _ngram(text_of: Maker, n: int, _: Floats) -> Maker:
    def hashes(cell: Cell) -> Hashes:
        words = [_word_hash(word) for word in text_of(cell).split()]
        made = []
        for i, run in enumerate(words):
            made.append(run)
            for word in words[i + 1 : i + n]:
                run = _chained(run, word)  # noqa: PLW2901 - a run of words grows from its first
                made.append(run)
        return tuple(made)

    return hashes


def _osb(text_of: Maker, n: int, _: Floats) -> Maker:
    def hashes(cell: Cell) -> Hashes:
        words = [_word_hash(word) for word in text_of(cell).split()]
        return tuple(
            [
                _chained(_chained(first, distance), word)
                for i, first in enumerate(words)
                for distance, word in enumerate(words[i + 1 : i + n], 1)
            ]
        )

    return hashes


def _character_ngram(text_of: Maker, n: int, _: Floats) -> Maker:
    runs = _runs_of_characters(n)
    return lambda cell: tuple(itertools.chain.from_iterable(map(runs, text_of(cell).split())))


@cache
def _runs_of_characters(n: int) -> Callable[[str], Hashes]:
    @lru_cache(_LATEST)
    def runs(word: str) -> Hashes:
        points = list(map(ord, f" {word} " if n > 1 else word))
        return tuple([reduce(_chained, points[i : i + n]) for i in range(max(len(points) - n, 0) + 1)])

    return runs


def _cartesian(makers: Sequence[Callable[[Cell], Hashes]]) -> Maker:
    return lambda cell: combined([made(cell) for made in makers])


_MAKE: Mapping[str, Callable[[Maker, int, Floats], Maker]] = {
    "quantile_bin": _quantile_bin,
    "normalize": _normalize,
    "lowercase": _lowercase,
    "no_punct": _no_punct,
    "ngram": _ngram,
    "osb": _osb,
    "character_ngram": _character_ngram,
}
"""What may be called of one attribute, beside cartesian; a test holds that nothing of the language is missing."""
