"""One record of texts in one compiled call: a recipe as a short program, whose steps a kernel takes.

It is for whoever learns record by record and has kernels anyway: a value that is new costs no more than one that comes
again. Its plain twin is `single.Plan`, which is asked wherever the program passes: for recipes that take texts apart,
and for values that are not texts, are spelled in an unusual way, or are no number where one should be.
"""

# ruff: noqa: ANN001, ANN202 - numba infers the types of kernels

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from understudy import compiling as nb
from understudy.features import Features
from understudy.hashing import hash_at, hash_text, mix64
from understudy.memory import load_few
from understudy.recipe.columns import MISSING, SEED, Floats, Kind
from understudy.recipe.expressions import Call, Expression, Variable
from understudy.recipe.fitted import FittedRecipe, number_keys
from understudy.recipe.kernels import bin_of, chain
from understudy.recipe.single import picker
from understudy.recipe.transformations import CLIP
from understudy.values.cells import FALSE_WORDS, TRUE_WORDS
from understudy.values.decimals import CODE, NO_NUMBER, read_one
from understudy.values.shapes import EDGE, TIME, ZEROS, canonical_form, shape_of
from understudy.values.single import Reader, number_text_of_record, text_of_record

END = "\0"
"""Ends each cell of a record that is handed to the kernel."""

CATEGORY, TRUTH, NUMBER, NORMAL, BIN, CHAIN, KEY, VALUE = range(8)
"""Steps. The first three read a cell, the next three compute, the last two give a feature; see `_run`."""

_READ = {Kind.CATEGORICAL: CATEGORY, Kind.BINARY: TRUTH, Kind.NUMERIC: NUMBER}

_SEED, _NO_HASH = np.uint64(SEED), np.uint64(0)

_PASSED = -1
"""What the kernel says where the plan is to answer."""

_SPELLINGS = {
    spelling: code
    for code, words in ((1, FALSE_WORDS), (2, TRUE_WORDS))
    for word in sorted(words)
    for spelling in sorted({word, word.upper(), word.title()})
}
_WORDS = np.array([int.from_bytes(spelling.encode(), "little") for spelling in _SPELLINGS], np.uint64)
_CODES = np.array(list(_SPELLINGS.values()))
"""The usual spellings of truth values, as the bytes of a word, and their codes."""


class Program:
    """What makes the features of one record whose values are texts, to the bit as a batch of it has them."""

    def __init__(self, recipe: FittedRecipe, names: list[str]) -> None:
        """Compile a recipe that `program` found fit; `names` are the columns to be read whether it has them or not."""
        compiler = _Compiler(recipe.learned)
        for name in names:
            compiler.slot(Variable(name, Kind.NUMERIC))
        for output in recipe.outputs:
            compiler.give(output)
        self._pick = picker(tuple(compiler.columns))
        self._count = len(compiler.columns)
        self._steps = np.array(compiler.steps)
        self._constants = np.array(compiler.constants, np.float64)
        self._seeds = np.array(compiler.seeds, np.uint64)
        self._size = len(recipe.outputs)

    def features(self, record: Mapping[str, Any]) -> Features | None:
        """Return a record's features; None where the plan is to be asked."""
        try:
            data = np.frombuffer((END.join(self._pick(record)) + END).encode(), np.uint8)
        except (KeyError, TypeError, UnicodeEncodeError):
            return None
        keys, values = np.empty(self._size, np.uint64), np.empty(self._size, np.float32)
        size = _run(data, self._count, self._steps, self._constants, self._seeds, keys, values)
        return None if size == _PASSED else Features(np.array([0, size]), keys[:size], values[:size])


def program(recipe: FittedRecipe, readers: Mapping[str, Reader]) -> Program | None:
    """Compile a recipe of categories, truth values, numbers and their crosses over columns of text; None for others."""
    texts = all(read in (text_of_record, number_text_of_record) for read in readers.values())
    names = {variable.name for output in recipe.outputs for variable in output.variables}
    if not (texts and names and names <= readers.keys() and all(map(_is_simple, recipe.outputs))):
        return None
    return Program(recipe, [name for name, read in readers.items() if read is number_text_of_record])


def _is_simple(expression: Expression) -> bool:
    """Tell whether an expression gives exactly one number or one hash, for which there are steps."""
    if isinstance(expression, Variable):
        return expression.kind in _READ
    return expression.function in _COMPUTE and all(map(_is_simple, expression.inputs))


class _Compiler:
    """Steps that leave what each expression gives in a slot of its own."""

    def __init__(self, learned: Mapping[Expression, Floats]) -> None:
        self._learned = learned
        self._slots: dict[Expression, int] = {}
        self.columns: dict[str, int] = {}
        self.steps: list[tuple[int, int, int, int]] = []
        self.constants: list[float] = []
        self.seeds: list[int] = []

    def give(self, output: Expression) -> None:
        """Add the steps that give an output's feature."""
        slot, seed = self.slot(output), hash_text(output.text, 0)
        self._step(VALUE if output.kind is Kind.NUMERIC else KEY, slot, len(self.seeds))
        self.seeds += number_keys(seed) if output.kind is Kind.NUMERIC else [seed]

    def slot(self, expression: Expression) -> int:
        """Return where an expression's number or hash will stand, after the steps that this takes."""
        if expression not in self._slots:
            if isinstance(expression, Variable):
                column = self.columns.setdefault(expression.name, len(self.columns))
                made = self._step(_READ[expression.kind], column)
            else:
                made = _COMPUTE[expression.function](self, expression)
            self._slots[expression] = made
        return self._slots[expression]

    def normalize(self, call: Call) -> int:
        return self._step(NORMAL, self.slot(call.inputs[0]), *self._learned_by(call))

    def quantile_bin(self, call: Call) -> int:
        return self._step(BIN, self.slot(call.inputs[0]), *self._learned_by(call))

    def cartesian(self, call: Call) -> int:
        left, *others = map(self.slot, call.inputs)
        for right in others:
            left = self._step(CHAIN, left, right)
        return left

    def _learned_by(self, call: Call) -> tuple[int, int]:
        """Store what a transformation learned among the constants; return the place and the number of them."""
        numbers = self._learned[call].tolist()
        self.constants += numbers
        return len(self.constants) - len(numbers), len(numbers)

    def _step(self, step: int, first: int, second: int = 0, count: int = 0) -> int:
        """Add a step; return the slot that it fills, which is its own number."""
        self.steps.append((step, first, second, count))
        return len(self.steps) - 1


_COMPUTE: Mapping[str, Callable[[_Compiler, Call], int]] = {
    "normalize": _Compiler.normalize,
    "quantile_bin": _Compiler.quantile_bin,
    "cartesian": _Compiler.cartesian,
}


@nb.njit(nogil=True, cache=True)
def _run(data, columns, steps, constants, seeds, keys, values):  # type: ignore[no-untyped-def]
    """Take all steps on one record; return how many features there are, or _PASSED.

    `data` uint8 holds the cells, each with END behind it. A step int64[4] is its kind and its operands: a column, or
    slots, which are the numbers of earlier steps; then the place, and the number, of constants or seeds.
    """
    base, size = data.ctypes.data, 0
    ends = np.empty(columns + 1, np.int64)
    if not _find_ends(data, ends):
        return _PASSED
    hashes, numbers = np.empty(len(steps), np.uint64), np.empty(len(steps), np.float64)
    for slot in range(len(steps)):
        step, first, second, count = steps[slot]
        if step <= NUMBER:
            start, stop = ends[first] + 1, ends[first + 1]
            if step == CATEGORY:
                known, hashes[slot] = _category(base, start, stop, len(data))
            elif step == TRUTH:
                known, hashes[slot] = _truth(base + start, stop - start)
            else:
                known, numbers[slot] = _number(base + start, base + stop)
            if not known:
                return _PASSED
        elif step == NORMAL:
            numbers[slot] = _normal(numbers[first], constants, second)
        elif step == BIN:
            hashes[slot] = _hash_code(bin_of(numbers[first], constants, second, count))
        elif step == CHAIN:
            hashes[slot] = chain(hashes[first], hashes[second])
        elif step == KEY:
            keys[size], values[size] = mix64(seeds[second] ^ hashes[first]), 1.0
            size += 1
        else:
            missing = np.isnan(numbers[first])
            keys[size], values[size] = seeds[second + missing], 1.0 if missing else numbers[first]
            size += numbers[first] != 0.0  # a zero is no feature: the next one takes its place
    return size


@nb.njit
def _find_ends(data, ends):  # type: ignore[no-untyped-def]
    """Write where each cell ends, behind a -1; tell whether no cell holds an END of its own."""
    ends[0], found = -1, 1
    for i in range(len(data)):
        if data[i] == 0:
            if found == len(ends):
                return False
            ends[found] = i
            found += 1
    return True


@nb.njit
def _category(base, start, stop, size):  # type: ignore[no-untyped-def]
    """Hash the canonical form of a cell, if it takes no more than to leave zeros away."""
    at, length = base + start, stop - start
    shape = shape_of(at, at + length)
    if shape & (EDGE | TIME):
        return False, _NO_HASH
    if shape & ZEROS:
        at, length, _ = canonical_form(at, length, at)  # which writes nothing but times
    return True, hash_at(base, at - base, at - base + length, size, _SEED)


@nb.njit
def _truth(at, length):  # type: ignore[no-untyped-def]
    if length == 0:
        return True, _hash_code(MISSING)
    if length < 8:
        word = load_few(at, length)
        for k in range(len(_WORDS)):
            if _WORDS[k] == word:
                return True, _hash_code(_CODES[k])
    return False, _NO_HASH


@nb.njit
def _number(at, stop):  # type: ignore[no-untyped-def]
    value, shape = read_one(at, stop)
    return (shape != NO_NUMBER and shape <= CODE) or at == stop, value


@nb.njit
def _normal(number, constants, at):  # type: ignore[no-untyped-def]
    mean, deviation, least, greatest = constants[at], constants[at + 1], constants[at + 2], constants[at + 3]
    if deviation == 0.0:
        return number * 0.0
    return _within((_within(number, least, greatest) - mean) / deviation, -CLIP, CLIP)


@nb.njit
def _within(number, least, greatest):  # type: ignore[no-untyped-def]
    return least if number < least else greatest if number > greatest else number


@nb.njit
def _hash_code(code):  # type: ignore[no-untyped-def]
    return mix64(_SEED ^ mix64(np.uint64(code)))
