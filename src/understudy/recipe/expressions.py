"""What a recipe comes down to: typed expressions over attributes, one for each output variable."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from understudy.recipe.columns import Kind
from understudy.recipe.transformations import TRANSFORMATIONS

PREDEFINED = {
    "ALL_TEXT": frozenset({Kind.TEXT}),
    "ALL_NUMERIC": frozenset({Kind.NUMERIC}),
    "ALL_CATEGORICAL": frozenset({Kind.CATEGORICAL}),
    "ALL_BINARY": frozenset({Kind.BINARY}),
    "ALL_INPUTS": frozenset(Kind),
}
"""The groups that every recipe has, and the kinds of attributes in them."""

BARE_NAME = re.compile(r"[^\W\d_][^\s,'\"()\\]*")
"""A name that needs no quotes: it begins with a letter and holds none of the language's own marks (reference 5.2)."""


@dataclass(frozen=True)
class Variable:
    """An attribute as it stands."""

    name: str
    kind: Kind

    @property
    def text(self) -> str:
        """The attribute's name as a recipe writes it."""
        return quote(self.name)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The attributes that are read: this one."""
        return (self,)

    @property
    def depth(self) -> int:
        """How many transformations lie upon each other: none."""
        return 0


@dataclass(frozen=True)
class Call:
    """A transformation of one or more expressions; `argument` is None where the transformation has none."""

    function: str
    inputs: tuple[Expression, ...]
    argument: int | None = None

    @property
    def kind(self) -> Kind:
        """What the transformation gives."""
        return TRANSFORMATIONS[self.function].gives

    @property
    def text(self) -> str:
        """The call as a recipe writes it, with groups and assignments spelled out: `quantile_bin(age,20)`."""
        argument = [] if self.argument is None else [str(self.argument)]
        return f"{self.function}({','.join([e.text for e in self.inputs] + argument)})"

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The attributes that are read, from left to right, repeated as they stand."""
        return tuple(variable for e in self.inputs for variable in e.variables)

    @property
    def depth(self) -> int:
        """How many transformations lie upon each other, this one included."""
        return 1 + max(e.depth for e in self.inputs)


Expression: TypeAlias = Variable | Call


def quote(name: str) -> str:
    """Write an attribute's name, in single quotes where the language needs them."""
    if BARE_NAME.fullmatch(name) and name not in PREDEFINED:
        return name
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
