"""What an expression makes of one value, in plain Python that is compiled once for a model.

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

from understudy.hashing import hash_text
from understudy.later import pc
from understudy.recipe.columns import MISSING, SEED, Floats, Kind, chain_hashes, hash_code
from understudy.recipe.expressions import Call, Expression, Variable
from understudy.recipe.transformations import CLIP, punctuation
from understudy.values.single import Cell, Reader, number_reader, read_text, read_truth

LONG = 500
"""Characters of a text that are worth Python's while; kernels over a batch are faster beyond."""
MANY = 256
"""Combinations of one output that are."""

_LATEST = 1 << 13
"""Words, runs of them and characters of which is remembered what they become."""

Hashes: TypeAlias = tuple[int, ...]
"""The hashed values of one observation: a category, or any number of tokens."""

Reading: TypeAlias = Any
"""A value read by its attribute's kind: a number (NaN where missing), a truth value's code, Hashes, or a text."""

Maker: TypeAlias = Callable[[Reading], Any]
"""Makes of its attribute's reading what an expression of one attribute gives: a number, a text, a code, or Hashes."""


class Unfit(Exception):
    """A record that a batch answers sooner, or refuses in its own words."""


def reader(kind: Kind, read: Reader) -> Callable[[Any], Reading]:
    """Return what reads a value by its attribute's kind; raises ValueError as `read` does, Unfit for long texts."""
    if kind is Kind.NUMERIC:
        return number_reader(read)
    reading = _READING[kind]
    return lambda value: reading(read(value))


def maker(expression: Expression, learned: Mapping[Expression, Floats]) -> Maker:
    """Compile an expression of one attribute; what is made raises Unfit where combinations are many."""
    code = code_maker(expression, learned)
    if code is not None:
        return after(code, hashes_of_code)
    if isinstance(expression, Variable):
        return _as_read
    if expression.function == "cartesian":
        makers = [hashes_maker(each, learned) for each in expression.inputs]
        return lambda reading: combined([made(reading) for made in makers])
    return _call(expression, learned)


def hashes_maker(expression: Expression, learned: Mapping[Expression, Floats]) -> Callable[[Reading], Hashes]:
    """Compile an expression of one attribute that is no number to the hashes of its values; a text's are its words."""
    made = maker(expression, learned)
    return after(made, _word_hashes) if expression.kind is Kind.TEXT else made


def code_maker(expression: Expression, learned: Mapping[Expression, Floats]) -> Callable[[Reading], int] | None:
    """Compile a truth value or a bin, of which there are few, to its code; None for any other expression."""
    if isinstance(expression, Variable):
        return _as_read if expression.kind is Kind.BINARY else None
    return _call(expression, learned) if expression.function == "quantile_bin" else None


def _call(expression: Call, learned: Mapping[Expression, Floats]) -> Maker:
    """Compile a call of one input."""
    make = _MAKE[expression.function](expression.argument or 0, learned.get(expression, _NOTHING))
    return after(maker(expression.inputs[0], learned), make)


def after(first: Maker, then: Callable[[Any], Any]) -> Maker:
    """Return what makes of a reading what `then` makes of what `first` makes of it."""
    return then if first is _as_read else lambda reading: then(first(reading))


def _as_read(reading: Reading) -> Reading:
    return reading


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
    text = cell if isinstance(cell, str) else read_text(cell)
    if len(text) > LONG:
        raise Unfit
    return text


def _category(cell: Cell) -> Hashes:
    return (hash_text(_text(cell), SEED),)


def _truth(cell: Cell) -> int:
    truth = read_truth(cell)
    return MISSING if truth is None else truth + 1


_READING: Mapping[Kind, Callable[[Cell], Reading]] = {
    Kind.BINARY: _truth,
    Kind.CATEGORICAL: _category,
    Kind.TEXT: _text,
}


# --- numbers ---------------------------------------------------------------------------------------------------------


def _quantile_bin(_: int, edges: Floats) -> Callable[[float], int]:
    ascending = np.ascontiguousarray(edges).data  # not a list: a thousand edges of many attributes would fill memory

    def code(number: float) -> int:
        return bisect_left(ascending, number) + 1 if number == number else MISSING  # noqa: PLR0124 - not NaN

    return code


@lru_cache(1 << 12)
def hashes_of_code(code: int) -> Hashes:
    """Return the hash that stands for a code."""
    return (hash_code(code),)


def _normalize(_: int, scale: Floats) -> Callable[[float], float]:
    mean, deviation, least, greatest = scale.tolist()
    if deviation == 0.0:
        return lambda number: number * 0.0

    def normal(number: float) -> float:
        if number < least:
            number = least
        elif number > greatest:
            number = greatest
        number = (number - mean) / deviation
        return -CLIP if number < -CLIP else CLIP if number > CLIP else number

    return normal


# --- texts -----------------------------------------------------------------------------------------------------------


def _lowercase(_: int, __: Floats) -> Callable[[str], str]:
    return lambda text: text.lower() if text.isascii() else text.translate(_LOWER)


class _Lower(dict[int, str]):
    """The lower case of the first characters to come, as Arrow has it: one for one, and by its version of Unicode."""

    def __missing__(self, point: int) -> str:
        lower: str = pc.utf8_lower(pa.scalar(chr(point))).as_py()
        if len(self) < _LATEST:
            self[point] = lower
        return lower


_LOWER = _Lower()


def _no_punct(_: int, __: Floats) -> Callable[[str], str]:
    ascii_marks, marks = _marks()

    def stripped(text: str) -> str:
        return " ".join([word.strip(ascii_marks if word.isascii() else marks) for word in text.split()])

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


def _word_hashes(text: str) -> Hashes:
    return tuple(map(_word_hash, text.split()))


def _ngram(n: int, _: Floats) -> Callable[[str], Hashes]:
    def hashes(text: str) -> Hashes:
        words = _word_hashes(text)
        made = []
        for i, run in enumerate(words):
            made.append(run)
            for word in words[i + 1 : i + n]:
                run = _chained(run, word)  # noqa: PLW2901 - a run of words grows from its first
                made.append(run)
        return tuple(made)

    return hashes


def _osb(n: int, _: Floats) -> Callable[[str], Hashes]:
    def hashes(text: str) -> Hashes:
        words = _word_hashes(text)
        return tuple(
            [
                _chained(_chained(first, distance), word)
                for i, first in enumerate(words)
                for distance, word in enumerate(words[i + 1 : i + n], 1)
            ]
        )

    return hashes


def _character_ngram(n: int, _: Floats) -> Callable[[str], Hashes]:
    runs = _runs_of_characters(n)
    return lambda text: tuple(itertools.chain.from_iterable(map(runs, text.split())))


@cache
def _runs_of_characters(n: int) -> Callable[[str], Hashes]:
    @lru_cache(_LATEST)
    def runs(word: str) -> Hashes:
        points = list(map(ord, f" {word} " if n > 1 else word))
        return tuple([reduce(_chained, points[i : i + n]) for i in range(max(len(points) - n, 0) + 1)])

    return runs


_MAKE: Mapping[str, Callable[[int, Floats], Callable[[Any], Any]]] = {
    "quantile_bin": _quantile_bin,
    "normalize": _normalize,
    "lowercase": _lowercase,
    "no_punct": _no_punct,
    "ngram": _ngram,
    "osb": _osb,
    "character_ngram": _character_ngram,
}
"""What may be called of one attribute, beside cartesian; a test holds that nothing of the language is missing."""
