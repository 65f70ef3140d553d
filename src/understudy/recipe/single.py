"""One observation at a time: a fitted recipe as a plan that takes a record apart in plain Python, without arrays.

The plan is compiled once for a model. What hangs on one column alone is made of that column's value and remembered by
it: values repeat, so most of a record is looked up. Keys, values and their order are those of `FittedRecipe.features`
to the bit, which property tests hold; a record that a batch answers sooner is `Unfit`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import accumulate, chain
from operator import getitem, itemgetter
from typing import Any, Generic, TypeAlias, TypeVar

from understudy.hashing import hash_text, mix
from understudy.recipe.columns import Floats, Kind
from understudy.recipe.expressions import Call, Expression
from understudy.recipe.fitted import FittedRecipe, number_keys
from understudy.recipe.makers import (
    Hashes,
    Maker,
    Unfit,
    after,
    code_maker,
    combined,
    hashes_maker,
    hashes_of_code,
    maker,
    reader,
)
from understudy.values.single import Reader, rounded

__all__ = ["Plan", "Unfit"]

ROOM = 1 << 14
"""Values that a plan remembers, those of all its columns together; as many combinations of all crosses, and tokens."""
BRIEF = 64
"""Characters of a text that is remembered, at most."""

Part = TypeVar("Part")
Parts = TypeVar("Parts")
"""The parts of one output's features together."""

_Made: TypeAlias = tuple[Any, ...]
"""What is made of one value: for each output that hangs on it alone its parts, and hashes that crosses combine."""
_Place: TypeAlias = tuple[str | None, int]
"""A column, None for the crosses, and which of the things that are made of it."""


class Plan(Generic[Parts]):
    """What a recipe makes of one record: output by output, the parts of all features of which something is known."""

    def __init__(
        self,
        recipe: FittedRecipe,
        readers: Mapping[str, Reader],
        known: Callable[[int], Any],
        part: Callable[[Any, float], Part],
        together: Callable[[Sequence[Part]], Parts],
        *,
        texts: bool = False,
    ) -> None:
        """Compile a recipe.

        `readers` read the columns' values by name; an attribute without one is null. `known` tells what is known of a
        key, None for nothing, `part` makes a part of that and of the feature's value, and `together` keeps the parts of
        one output. All three always say the same. `texts` promises that values are nothing but texts.
        """
        compiler = _Compiler(recipe.learned, _Writer(known, part, together, recipe.outputs))
        places = [compiler.place(output) for output in recipe.outputs]
        kinds = {variable.name: variable.kind for output in recipe.outputs for variable in output.variables}
        names = dict.fromkeys((*readers, *kinds))
        room = _shared(len(names))
        self._names = tuple(readers)
        self._texts = texts
        self._columns = [
            _Column(readers.get(name, _nothing), kinds.get(name), compiler.makers.get(name, ()), room) for name in names
        ]
        self._absent = (None,) * (len(names) - len(readers))
        starts = accumulate((len(column.makers) for column in self._columns), initial=0)
        first = dict(zip((*names, None), starts, strict=True))  # the crosses stand behind the columns
        room = _shared(len(compiler.crosses))
        self._crosses = [
            _Cross(make, [first[name] + number for name, number in leaves], room) for leaves, make in compiler.crosses
        ]
        self._pick = picker(self._names)
        self._in_order = picker([first[name] + number for name, number in places])

    def outputs(self, record: Mapping[str, Any]) -> tuple[Parts, ...]:
        """Return the parts of a record's features, output by output; raises Unfit."""
        found = list(chain.from_iterable(self._found(record)))
        for cross in self._crosses:
            found.append(cross.look_up(found))
        return self._in_order(found)

    def _found(self, record: Mapping[str, Any]) -> list[_Made]:
        """Return what is made of each column's value, most of it from memory."""
        try:
            values = self._pick(record)
        except KeyError:
            values = tuple(map(record.get, self._names))
        if self._absent:
            values += self._absent
        keys = values if self._texts else [v if v.__class__ is str else (v.__class__, v) for v in values]
        try:
            return list(map(getitem, self._columns, keys))
        except TypeError:  # a list or an object, which no memory holds
            return [column.made(value) for column, value in zip(self._columns, values, strict=True)]


def _shared(count: int) -> int:
    """Return the room of each of so many memories."""
    return max(16, ROOM // max(count, 1))


def _has_tokens(output: Expression) -> bool:
    return output.kind in {Kind.TEXT, Kind.TOKENS} or _only_attribute(output) is None


def picker(keys: Sequence[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Return what takes several things out of a mapping or list, in the order of the keys."""
    if len(keys) == 1:
        (key,) = keys
        return lambda things: (things[key],)
    return itemgetter(*keys) if keys else lambda _: ()


class _Column(dict[Any, _Made]):
    """What the recipe makes of one column's values: asked for one that it does not remember, it makes it.

    A value that is no text is asked for as (type, value): an equal one of another type may read differently.
    """

    def __init__(self, read: Reader, kind: Kind | None, makers: Sequence[Maker], room: int) -> None:
        super().__init__()
        self.makers = tuple(makers)
        self._read = read if kind is None else reader(kind, read)
        self._room = room

    def __missing__(self, key: Any) -> _Made:
        value = key[1] if key.__class__ is tuple else key
        made = self.made(value)
        if len(value) <= BRIEF if value.__class__ is str else value.__class__ in _PLAIN:
            _remember(self, key, made, self._room)
        return made

    def made(self, value: Any) -> _Made:
        """Make what is wanted of a value, which is not remembered; raises Unfit."""
        try:
            reading = self._read(value)
            return tuple([make(reading) for make in self.makers])
        except ValueError:  # not what the column holds, or not even text
            raise Unfit from None


_PLAIN = frozenset({int, float, bool, type(None)})
"""Types, beside text, of which equal values read alike."""


class _Cross:
    """An output that combines values of several columns, remembered by their hashes."""

    def __init__(self, make: Callable[[Sequence[Hashes]], Any], places: Sequence[int], room: int) -> None:
        self._make = make
        self._pick = picker(places)
        self._memo: dict[tuple[Hashes, ...], Any] = {}
        self._room = room

    def look_up(self, found: Sequence[Any]) -> Any:
        """Return the parts of this output, given what was made of all columns."""
        hashes = self._pick(found)
        parts = self._memo.get(hashes)
        if parts is None:
            parts = self._make(hashes)
            if math.prod(map(len, hashes)) <= BRIEF:
                _remember(self._memo, hashes, parts, self._room)
        return parts


def _remember(memo: dict[Any, Any], key: Any, made: Any, room: int) -> None:
    """Remember what was made, in bounded memory; what repeats is soon there again."""
    if len(memo) >= room:
        memo.clear()
    memo[key] = made


def _nothing(_: object) -> None:
    """Read an attribute that no record holds."""


class _Compiler:
    """What the outputs of a recipe need of each column, and how columns are crossed."""

    def __init__(self, learned: Mapping[Expression, Floats], writer: _Writer) -> None:
        self._learned = learned
        self._writer = writer
        self.makers: dict[str, list[Maker]] = {}
        """What is made of each attribute's value."""
        self.crosses: list[tuple[list[_Place], Callable[[Sequence[Hashes]], Any]]] = []
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
        self,
        known: Callable[[int], Any],
        part: Callable[[Any, float], Any],
        together: Callable[[Sequence[Any]], Any],
        outputs: Sequence[Expression],
    ) -> None:
        self._known = known
        self._part = part
        self._together = together
        self._room = _shared(sum(map(_has_tokens, outputs)))

    def output(self, output: Expression, learned: Mapping[Expression, Floats]) -> Maker:
        """Compile an output of one attribute: what its value is read as to parts."""
        if output.kind is Kind.NUMERIC:
            return after(maker(output, learned), self._numbers(output))
        write, code = self.hashes(output), code_maker(output, learned)
        if code is not None:
            return after(code, cache(lambda code: write(hashes_of_code(code))))
        return after(hashes_maker(output, learned), write)

    def hashes(self, output: Expression) -> Callable[[Hashes], Any]:
        """Return what makes parts of an output's hashes: 1 for the only one, 1/sqrt(k) for each of k different ones."""
        seed, known, part, together = hash_text(output.text, 0), self._known, self._part, self._together
        known_token = lru_cache(self._room)(lambda value_hash: known(mix(seed ^ value_hash)))

        def parts(hashes: Hashes) -> Any:
            if len(hashes) == 1:
                found = known(mix(seed ^ hashes[0]))
                return together(() if found is None else (part(found, 1.0),))
            distinct = dict.fromkeys(hashes)
            value = _share(len(distinct))
            return together([part(found, value) for found in map(known_token, distinct) if found is not None])

        return parts

    def _numbers(self, output: Expression) -> Callable[[float], Any]:
        """Return what makes parts of a number: one of its value, or one of 1 where it is missing; of zero none."""
        found, found_missing = map(self._known, number_keys(hash_text(output.text, 0)))
        part, together = self._part, self._together
        none, missing = together(()), together(() if found_missing is None else (part(found_missing, 1.0),))

        def parts(number: float) -> Any:
            if number != number:  # noqa: PLR0124 - NaN
                return missing
            return together((part(found, rounded(number)),)) if number and found is not None else none

        return parts


@lru_cache(1 << 12)
def _share(count: int) -> float:
    return rounded(1.0 / math.sqrt(max(count, 1)))
