"""Amazon ML's recipe language: text and schema to one typed expression for each output variable (reference 5.1, 5.2).

    recipe    := {"groups": {name: groupexpr, ...}, "assignments": {name: expr, ...}, "outputs": [expr, ...]}
    groupexpr := group(item, ...) | group_remove(item, item, ...)
    expr      := variable | group | assignment | transformation(expr, ... [, whole number])

A transformation of a group is one of each member. An attribute that is never a feature (target, row id, row weight,
excluded) is left out together with what is made of it.
"""

from __future__ import annotations

import difflib
import itertools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from understudy.errors import RecipeError
from understudy.recipe.columns import Kind
from understudy.recipe.expressions import BARE_NAME, PREDEFINED, Call, Expression, Variable, quote
from understudy.recipe.source import Literal, Node, Source
from understudy.recipe.syntax import MAX_DEPTH, Application, Syntax, Word, read_expression
from understudy.recipe.transformations import TRANSFORMATIONS
from understudy.schema import Schema

MAX_OUTPUTS = 10_000
"""Output variables of one recipe (reference 5.1)."""

MAX_VARIABLES = 100
"""Attributes that one output may combine, repetition counted; keeps assignments from doubling without end."""

SECTIONS = ("groups", "assignments", "outputs")
GROUP_FUNCTIONS = ("group", "group_remove")
MAX_NAME = 64


@dataclass(frozen=True)
class Recipe:
    """A recipe that fits its schema.

    `text` is the JSON as it was given, `outputs` one expression for each output variable without repetition, and
    `ignored` the attributes that the text names although they are never features.
    """

    text: str
    outputs: tuple[Expression, ...]
    ignored: tuple[str, ...] = ()


def parse(text: str, schema: Schema) -> Recipe:
    """Read a recipe's JSON against a schema.

    Raises RecipeError with the line and column of the mistake in `text`.

    >>> from understudy.schema import Attribute, AttributeType
    >>> schema = Schema((Attribute("age", AttributeType.NUMERIC), Attribute("job", AttributeType.CATEGORICAL)))
    >>> [e.text for e in parse('{"outputs": ["ALL_CATEGORICAL", "quantile_bin(ALL_NUMERIC, 20)"]}', schema).outputs]
    ['job', 'quantile_bin(age,20)']
    """
    source = Source(text)
    groups, assignments, outputs = _sections(source)
    names = _Names(source, schema)
    for name, literal in groups:
        names.define_group(name, read_expression(source, literal))
    for name, literal in assignments:
        names.define_assignment(name, read_expression(source, literal))
    found: dict[Expression, None] = {}
    for literal in outputs:
        found |= dict.fromkeys(names.resolve(read_expression(source, literal), in_outputs=True))
        if len(found) > MAX_OUTPUTS:
            source.fail(f"the recipe has more than {MAX_OUTPUTS:,} output variables", "Use fewer.", literal.places[0])
    if not found:
        raise RecipeError(
            "the recipe's outputs give the learner nothing: empty groups, or attributes that are never features",
            "Name an attribute other than the target, the row id, the row weight and the excluded ones.",
        )
    return Recipe(text, tuple(found), tuple(names.ignored))


def parse_expressions(texts: Sequence[str], schema: Schema) -> list[Expression]:
    """Read expressions that stand for one output variable each, as `Expression.text` writes them."""
    source = Source("\n".join(texts))
    names = _Names(source, schema)
    found: list[Expression] = []
    start = 0
    for text in texts:
        literal = Literal(text, tuple(range(start, start + len(text) + 1)))
        found += names.resolve(read_expression(source, literal))
        start += len(text) + 1
    return found


# --- sections --------------------------------------------------------------------------------------------------------


def _sections(source: Source) -> tuple[list[tuple[Literal, Literal]], list[tuple[Literal, Literal]], list[Literal]]:
    root = source.read()
    if root.form != "object":
        source.fail(f"the recipe is a {root.form}, not an object", f"Write {{{_quoted(SECTIONS)}}}.", root.start)
    order = []
    for name, _ in root.value:
        if name.value not in SECTIONS:
            source.fail(f"the recipe has a section {name.value!r}", _nearest(name.value, SECTIONS), name.places[0])
        order.append(SECTIONS.index(name.value))
        if order != sorted(set(order)):
            hint = f"Write each section once, in the order {_quoted(SECTIONS)}."
            source.fail(f"the section {name.value!r} stands in the wrong place", hint, name.places[0])
    nodes = {name.value: node for name, node in root.value}
    if "outputs" not in nodes:
        source.fail("the recipe has no section 'outputs'", "List there what the learner gets.", root.start)
    return (
        _definitions(source, nodes, "groups"),
        _definitions(source, nodes, "assignments"),
        _outputs(source, nodes["outputs"]),
    )


def _definitions(source: Source, nodes: dict[str, Node], section: str) -> list[tuple[Literal, Literal]]:
    if section not in nodes:
        return []
    node = nodes[section]
    if node.form != "object":
        source.fail(
            f"{section!r} is a {node.form}, not an object", "Write one name and expression for each.", node.start
        )
    return [(name, _expression(source, value, f"{section} {name.value!r}")) for name, value in node.value]


def _outputs(source: Source, node: Node) -> list[Literal]:
    if node.form != "list" or not node.value:
        found = "empty" if node.form == "list" else f"a {node.form}, not a list"
        source.fail(f"'outputs' is {found}", 'List what the learner gets, for example "ALL_INPUTS".', node.start)
    return [_expression(source, value, "an output") for value in node.value]


def _expression(source: Source, node: Node, what: str) -> Literal:
    if node.form != "string":
        source.fail(f"{what} is a {node.form}, not a string", "Write the expression in double quotes.", node.start)
    literal: Literal = node.value
    return literal


# --- meaning ---------------------------------------------------------------------------------------------------------


@dataclass
class _Names:
    """What the names of a recipe stand for so far; a group or assignment may use those before it only."""

    source: Source
    schema: Schema
    ignored: dict[str, None] = field(default_factory=dict)
    own: dict[str, tuple[Expression, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kinds = {a.name: Kind(a.type.value) for a in self.schema.attributes}
        self.features = {a.name for a in self.schema.features}

    def define_group(self, name: Literal, syntax: Syntax) -> None:
        """Add a group of attributes."""
        self._check_new(name)
        if not isinstance(syntax, Application) or syntax.function.value not in GROUP_FUNCTIONS:
            self._fail(
                f"the group {name.value!r} is no group", "Write group(...) or group_remove(...).", _first(syntax)
            )
        first, *others = [self._items(argument) for argument in syntax.arguments]
        if syntax.function.value == "group":
            members = dict.fromkeys(itertools.chain(first, *others))
        else:
            removed = set(itertools.chain(*others))
            members = dict.fromkeys(item for item in first if item not in removed)
        self.own[name.value] = tuple(members)

    def define_assignment(self, name: Literal, syntax: Syntax) -> None:
        """Add a name for one expression."""
        self._check_new(name)
        self.own[name.value] = self.resolve(syntax)

    def resolve(self, syntax: Syntax, *, in_outputs: bool = False) -> tuple[Expression, ...]:
        """Return the expressions that a piece of syntax stands for: one of each member where it names a group."""
        if isinstance(syntax, Word):
            return self._meaning(syntax, in_outputs=in_outputs)
        name = syntax.function.value
        if name in GROUP_FUNCTIONS:
            self._fail(f"{name!r} stands outside 'groups'", "Define the group there and use its name.", syntax.function)
        if name not in TRANSFORMATIONS:
            self._fail(f"there is no transformation {name!r}", _nearest(name, TRANSFORMATIONS), syntax.function)
        inputs, argument = self._argument(syntax)
        members = [self.resolve(each, in_outputs=in_outputs) for each in inputs]
        if math.prod(map(len, members)) > MAX_OUTPUTS:
            self._fail(
                f"this {name!r} gives more than {MAX_OUTPUTS:,} variables", "Use smaller groups.", syntax.function
            )
        self._check_kinds(name, inputs, members)
        calls = tuple(Call(name, each, argument) for each in itertools.product(*members))
        self._check_sizes(calls, syntax.function)
        return calls

    def _check_sizes(self, calls: Sequence[Call], at: Word) -> None:
        """Hold what assignments may pile up to what `Expression.text` can be read back from."""
        if any(len(call.variables) > MAX_VARIABLES for call in calls):
            self._fail(f"one output combines more than {MAX_VARIABLES} attributes", "Combine fewer.", at)
        if any(call.depth >= MAX_DEPTH for call in calls):
            self._fail(f"transformations are nested more than {MAX_DEPTH - 1} deep", "Nest fewer.", at)

    def _argument(self, syntax: Application) -> tuple[Sequence[Syntax], int | None]:
        """Take the inputs and the whole number of a call apart, and check how many and how large they are."""
        name, given = syntax.function.value, syntax.arguments
        transformation = TRANSFORMATIONS[name]
        limits = transformation.argument
        inputs = given if limits is None else given[:-1]
        wanted = "two or more inputs" if transformation.variadic else "one input"
        if limits is not None:
            wanted += f" and a whole number from {limits[0]} to {limits[1]:,}"
        if (len(inputs) < 2) if transformation.variadic else (len(inputs) != 1):
            self._fail(f"{name!r} is given {_count(given)}", f"It takes {wanted}.", syntax.function)
        if limits is None:
            return inputs, None
        number = given[-1]
        if isinstance(number, Application) or number.quoted or not re.fullmatch(r"[0-9]{1,9}", number.value):
            self._fail(f"the last argument of {name!r} is no whole number", f"It takes {wanted}.", _first(number))
        if not limits[0] <= int(number.value) <= limits[1]:
            self._fail(f"{name!r} is given the number {number.value}", f"It takes {wanted}.", number)
        return inputs, int(number.value)

    def _check_kinds(self, name: str, inputs: Sequence[Syntax], members: Sequence[tuple[Expression, ...]]) -> None:
        takes = TRANSFORMATIONS[name].takes
        for syntax, expressions in zip(inputs, members, strict=True):
            for expression in expressions:
                if expression.kind not in takes:
                    wanted = " or ".join(kind for kind in Kind if kind in takes)
                    message = f"{name!r} takes {wanted}, but {expression.text} is {expression.kind}"
                    self._fail(message, _kind_hint(name, expression), _first(syntax))

    def _items(self, syntax: Syntax) -> tuple[Expression, ...]:
        """Return the attributes that an item of a group stands for."""
        if isinstance(syntax, Application):
            hint = "Name attributes and groups only; transform the group under 'assignments' or 'outputs'."
            self._fail(f"{syntax.function.value!r} stands inside a group", hint, syntax.function)
        return self._meaning(syntax)

    def _meaning(self, word: Word, *, in_outputs: bool = False) -> tuple[Expression, ...]:
        name = word.value
        if not word.quoted and name in self.own:
            return self.own[name]
        if not word.quoted and name in PREDEFINED:
            if name == "ALL_INPUTS" and not in_outputs:
                self._fail("'ALL_INPUTS' may stand in 'outputs' only", "Name the groups of the types instead.", word)
            return tuple(Variable(n, k) for n, k in self.kinds.items() if n in self.features and k in PREDEFINED[name])
        if name not in self.kinds:
            known = [*self.kinds, *self.own, *PREDEFINED]
            self._fail(f"{name!r} is no attribute, group or assignment before this place", _nearest(name, known), word)
        if not word.quoted and not BARE_NAME.fullmatch(name):
            self._fail(f"the name {name!r} does not begin with a letter", f"Write {quote(name)}.", word)
        if name not in self.features:
            self.ignored[name] = None
            return ()
        return (Variable(name, self.kinds[name]),)

    def _check_new(self, name: Literal) -> None:
        place = Word(name.value, quoted=False, place=name.places[0])
        if not BARE_NAME.fullmatch(name.value) or len(name.value) > MAX_NAME:
            hint = f"Begin with a letter; use at most {MAX_NAME} characters, no blanks, commas, quotes or parentheses."
            self._fail(f"{name.value!r} cannot name a group or an assignment", hint, place)
        if name.value in PREDEFINED or name.value in self.own:
            self._fail(f"the name {name.value!r} is taken", "Give every group and assignment its own name.", place)

    def _fail(self, message: str, hint: str, at: Word) -> NoReturn:
        self.source.fail(message, hint, at.place)


def _first(syntax: Syntax) -> Word:
    return syntax if isinstance(syntax, Word) else syntax.function


def _kind_hint(name: str, expression: Expression) -> str:
    if expression.kind is Kind.TOKENS and isinstance(expression, Call) and Kind.TEXT in TRANSFORMATIONS[name].takes:
        return f"Transform the text first: {expression.function}({name}(...), {expression.argument})."
    return "Correct the attribute's type in the schema, or choose another transformation."


def _count(arguments: Sequence[object]) -> str:
    return "1 argument" if len(arguments) == 1 else f"{len(arguments)} arguments"


def _nearest(name: str, known: Iterable[str]) -> str:
    options = list(known)
    close = difflib.get_close_matches(name, options, 1, 0.6)
    return f"Did you mean {close[0]!r}?" if close else f"Known are {_quoted(options[:20])}."


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
