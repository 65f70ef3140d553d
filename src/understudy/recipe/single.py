"""One observation at a time: a fitted recipe as a plan that takes a record apart in plain Python, without arrays.

The plan is compiled once for a model. What hangs on one column alone is made of that column's value and remembered by
it: values repeat, so most of a record is looked up. Keys, values and their order are those of `FittedRecipe.features`
to the bit, which property tests hold; a record that a batch answers sooner is `Unfit`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Generic, TypeAlias, TypeVar

from understudy.hashing import hash_text, mix
from understudy.recipe.columns import Floats, Kind
from understudy.recipe.expressions import Call, Expression
from understudy.recipe.fitted import FittedRecipe, _number_keys
from understudy.recipe.makers import Hashes, Maker, Unfit, combined, hashes_maker, maker
from understudy.values.single import Cell, rounded

__all__ = ["Plan", "Reader", "Unfit"]

ROOM = 1 << 14
"""Values that a plan remembers, those of all its columns together; as many categories of all outputs, and tokens."""
BRIEF = 64
"""Characters of a text that is remembered, at most."""

Part = TypeVar("Part")
Parts: TypeAlias = tuple[Any, ...]
"""The parts of one output's features; or hashes that a cross combines."""
Reader: TypeAlias = Callable[[Any], Cell]
"""Makes a canonical cell of a record's value, None where it has none; raises ValueError where that does not fit."""

_Place: TypeAlias = tuple[str | None, int]
"""A column, None for the crosses, and which of the things that are made of it."""


class Plan(Generic[Part]):
    """What a recipe makes of one record: in order, a part for every feature of whose key something is known."""

    def __init__(
        self,
        recipe: FittedRecipe,
        readers: Mapping[str, Reader],
        known: Callable[[int], Any],
        part: Callable[[Any, float], Part],
        *,
        texts: bool = False,
    ) -> None:
        """Compile a recipe.

        `readers` read the columns' values by name; an attribute without one is null. `known` tells what is known of a
        key, None for nothing, and `part` makes a part of that and of the feature's value. Both always say the same.
        `texts` promises that values are nothing but texts.
        """
        room = _shared(max(len(readers), len(recipe.outputs)))
        compiler = _Compiler(recipe.learned, _Writer(known, part, recipe.outputs))
        places = [compiler.place(output) for output in recipe.outputs]
        names = dict.fromkeys((*readers, *compiler.makers))
        self._names = tuple(readers)
        self._texts = texts
        self._columns = [_Column(readers.get(name, _nothing), compiler.makers.get(name, ()), room) for name in names]
        self._memos = [column.memo for column in self._columns]
        self._absent = (None,) * (len(names) - len(readers))
        starts = itertools.accumulate((len(column.makers) for column in self._columns), initial=0)
        first = dict(zip((*names, None), starts, strict=True))  # the crosses stand behind the columns
        self._crosses = [
            _Cross(make, [first[name] + number for name, number in leaves], room) for leaves, make in compiler.crosses
        ]
        self._pick = _picker(self._names)
        self._in_order = _picker([first[name] + number for name, number in places])

    def parts(self, record: Mapping[str, Any]) -> Iterator[Part]:
        """Return the parts of a record's features; raises Unfit."""
        found = list(itertools.chain.from_iterable(self._found(record)))
        for cross in self._crosses:
            found.append(cross.look_up(found))
        return itertools.chain.from_iterable(self._in_order(found))

    def _found(self, record: Mapping[str, Any]) -> list[Any]:
        """Return what is made of each column's value, most of it from memory."""
        try:
            values = self._pick(record)
        except KeyError:
            values = tuple(map(record.get, self._names))
        if self._absent:
            values += self._absent
        keys = values if self._texts else [v if v.__class__ is str else (v.__class__, v) for v in values]
        try:
            found = list(map(dict.get, self._memos, keys))
        except TypeError:  # a list or an object, which no memory holds
            found = [None] * len(keys)
        if not all(found):
            for number, made in enumerate(found):
                if made is None:
                    found[number] = self._columns[number].made(values[number], keys[number])
        return found


def _shared(count: int) -> int:
    """Return the room of each of so many memories."""
    return max(16, ROOM // max(count, 1))


def _has_tokens(output: Expression) -> bool:
    return output.kind in {Kind.TEXT, Kind.TOKENS} or _only_attribute(output) is None


def _picker(keys: Sequence[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Return what takes several things out of a mapping or list, in the order of the keys."""
    if len(keys) == 1:
        (key,) = keys
        return lambda things: (things[key],)
    return itemgetter(*keys) if keys else lambda _: ()


class _Column:
    """One column: what the recipe makes of a value, remembered by the value."""

    def __init__(self, read: Reader, makers: Sequence[Maker], room: int) -> None:
        self.makers = makers or (_no_parts,)
        self.memo: dict[Any, Parts] = {}
        self._read = read
        self._room = room

    def made(self, value: Any, key: Any) -> Parts:
        """Make what is wanted of a value; `key` is what an equal value of another type does not have."""
        try:
            cell = self._read(value)
        except ValueError:
            raise Unfit from None
        made = tuple([maker(cell) for maker in self.makers])
        if value.__class__ in _PLAIN and (value.__class__ is not str or len(value) <= BRIEF):
            _remember(self.memo, key, made, self._room)
        return made


_PLAIN = frozenset({str, int, float, bool, type(None)})
"""Types of which equal values read alike."""


class _Cross:
    """An output that combines values of several columns, remembered by their hashes."""

    def __init__(self, make: Callable[[Sequence[Hashes]], Parts], places: Sequence[int], room: int) -> None:
        self._make = make
        self._pick = _picker(places)
        self._memo: dict[tuple[Hashes, ...], Parts] = {}
        self._room = room

    def look_up(self, found: Sequence[Any]) -> Parts:
        """Return the parts of this output, given what was made of all columns."""
        hashes = self._pick(found)
        parts = self._memo.get(hashes)
        if parts is None:
            parts = self._make(hashes)
            if len(parts) <= BRIEF:
                _remember(self._memo, hashes, parts, self._room)
        return parts


def _remember(memo: dict[Any, Parts], key: Any, made: Parts, room: int) -> None:
    """Remember what was made, in bounded memory; what repeats is soon there again."""
    if len(memo) >= room:
        memo.clear()
    memo[key] = made


def _nothing(_: object) -> None:
    """Read an attribute that no record holds."""


def _no_parts(_: Cell) -> Parts:
    """Make nothing of a column that the recipe does not use."""
    return ()


class _Compiler:
    """What the outputs of a recipe need of each column, and how columns are crossed."""

    def __init__(self, learned: Mapping[Expression, Floats], writer: _Writer) -> None:
        self._learned = learned
        self._writer = writer
        self.makers: dict[str, list[Maker]] = {}
        """What is made of each attribute's cell."""
        self.crosses: list[tuple[list[_Place], Callable[[Sequence[Hashes]], Parts]]] = []
        """For each output of several attributes the places of what it combines, and the combining."""

    def place(self, output: Expression) -> _Place:
        """Return where the parts of an output will be found."""
        name = _only_attribute(output)
        if name is not None:
            return self._made_of(name, self._writer.output(output, self._learned))
        leaves: list[_Place] = []
        combine, write = self._combination(output, leaves), self._writer.hashes(output)
        self.crosses.append((leaves, lambda found: write(combine(found))))
        return None, len(self.crosses) - 1

    def _made_of(self, name: str, made: Maker) -> _Place:
        makers = self.makers.setdefault(name, [])
        makers.append(made)
        return name, len(makers) - 1

    def _combination(self, expression: Expression, leaves: list[_Place]) -> Callable[[Sequence[Hashes]], Hashes]:
        """Compile an expression of several attributes; its parts that have one are leaves, which come by place."""
        name = _only_attribute(expression)
        if name is not None:
            leaves.append(self._made_of(name, hashes_maker(expression, self._learned)))
            return itemgetter(len(leaves) - 1)
        assert isinstance(expression, Call)  # only a call has several attributes: cartesian
        inputs = [self._combination(each, leaves) for each in expression.inputs]
        return lambda found: combined([made(found) for made in inputs])


def _only_attribute(expression: Expression) -> str | None:
    """Return the one attribute that an expression hangs on; None where there are several."""
    names = {variable.name for variable in expression.variables}
    return names.pop() if len(names) == 1 else None


class _Writer:
    """Turns what an output gives into the parts of its features."""

    def __init__(
        self, known: Callable[[int], Any], part: Callable[[Any, float], Any], outputs: Sequence[Expression]
    ) -> None:
        self._known = known
        self._part = part
        self._room = _shared(len(outputs))
        self._room_of_tokens = _shared(sum(map(_has_tokens, outputs)))

    def output(self, output: Expression, learned: Mapping[Expression, Floats]) -> Maker:
        """Compile an output of one attribute: its cell to parts."""
        if output.kind is Kind.NUMERIC:
            made, number_parts = maker(output, learned), self._numbers(output)
            return lambda cell: number_parts(made(cell))
        hashes, write = hashes_maker(output, learned), self.hashes(output)
        return lambda cell: write(hashes(cell))

    def hashes(self, output: Expression) -> Callable[[Hashes], Parts]:
        """Return what makes parts of an output's hashes: 1 for the only one, 1/sqrt(k) for each of k different ones."""
        seed, known, part = hash_text(output.text, 0), self._known, self._part
        room = self._room_of_tokens if _has_tokens(output) else self._room
        known_of = lru_cache(room)(lambda value_hash: known(mix(seed ^ value_hash)))

        def parts(hashes: Hashes) -> Parts:
            if len(hashes) == 1:
                found = known_of(hashes[0])
                return () if found is None else (part(found, 1.0),)
            distinct = dict.fromkeys(hashes)
            value = _share(len(distinct))
            return tuple([part(found, value) for found in map(known_of, distinct) if found is not None])

        return parts

    def _numbers(self, output: Expression) -> Callable[[float], Parts]:
        """Return what makes parts of a number: one of its value, or one of 1 where it is missing; of zero none."""
        found, found_missing = map(self._known, _number_keys(hash_text(output.text, 0)))
        part = self._part
        missing = () if found_missing is None else (part(found_missing, 1.0),)

        def parts(number: float) -> Parts:
            if math.isnan(number):
                return missing
            return (part(found, rounded(number)),) if number and found is not None else ()

        return parts


@lru_cache(1 << 12)
def _share(count: int) -> float:
    return rounded(1.0 / math.sqrt(max(count, 1)))
