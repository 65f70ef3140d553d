"""A recipe's JSON, read so that every character of every string knows where it stands in the text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from understudy.errors import RecipeError

MAX_TEXT = 131_071
"""Characters of a recipe (reference 5.1)."""

_STRING = r'"(?:[^"\\]|\\.)*"'
_COMMENT = re.compile(rf"{_STRING}|(//|/\*)")
_LEXEME = re.compile(rf"\s*({_STRING}|[\[\]{{}}:,]|[^\s\[\]{{}}:,\"]+)", re.DOTALL)
_CHARACTER = re.compile(r"\\u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|\\u\w{4}|\\.|.", re.DOTALL)


@dataclass(frozen=True)
class Literal:
    """A string of the JSON text; places[i] is where its character i stands there, the last one where it ends."""

    value: str
    places: tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """A value of the JSON text, where it starts, and its form.

    A string's value is a Literal, a list's the nodes, an object's the pairs of Literal and node, else the raw text.
    """

    value: Any
    start: int
    form: str


class Source:
    """The text of a recipe."""

    def __init__(self, text: str) -> None:
        self.text = text

    def fail(self, message: str, hint: str, place: int) -> NoReturn:
        """Raise RecipeError with the line and column of a place in the text."""
        line = self.text.count("\n", 0, place) + 1
        raise RecipeError(message, hint, line=line, column=place - self.text.rfind("\n", 0, place))

    def read(self) -> Node:
        """Read the JSON text; raises RecipeError where it is too long or no JSON."""
        if len(self.text) > MAX_TEXT:
            raise RecipeError(f"the recipe has {len(self.text):,} characters", f"At most {MAX_TEXT:,} are allowed.")
        comment = next((match for match in _COMMENT.finditer(self.text) if match[1]), None)
        if comment:
            self.fail("the recipe holds a comment", "JSON has no comments: take it out.", comment.start())
        try:
            json.loads(self.text)
        except json.JSONDecodeError as error:
            self.fail(f"the recipe is not JSON: {error.msg}", "See docs/recipes.md for its form.", error.pos)
        except RecursionError:
            raise RecipeError("the recipe's JSON is nested too deeply", "See docs/recipes.md for its form.") from None
        return _Reader(self.text).value()


class _Reader:
    """Walks over text that is known to be JSON."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0

    def next(self) -> tuple[str, int]:
        match = _LEXEME.match(self.text, self.place)
        assert match, "json.loads accepted this text"
        self.place = match.end()
        return match[1], match.start(1)

    def value(self) -> Node:
        return self.node(*self.next())

    def node(self, lexeme: str, start: int) -> Node:
        if lexeme == "{":
            return Node(tuple(self.members()), start, "object")
        if lexeme == "[":
            return Node(tuple(self.elements()), start, "list")
        if lexeme[0] == '"':
            return Node(_literal(lexeme, start), start, "string")
        return Node(lexeme, start, "number or word")

    def members(self) -> Iterator[tuple[Literal, Node]]:
        for lexeme, start in self.until("}"):
            self.next()  # the colon
            yield _literal(lexeme, start), self.value()

    def elements(self) -> Iterator[Node]:
        for lexeme, start in self.until("]"):
            yield self.node(lexeme, start)

    def until(self, end: str) -> Iterator[tuple[str, int]]:
        """Yield the first lexeme of every member or element."""
        found = self.next()
        while found[0] != end:
            yield self.next() if found[0] == "," else found
            found = self.next()


def _literal(lexeme: str, start: int) -> Literal:
    inner = lexeme[1:-1]
    places = tuple(start + 1 + match.start() for match in _CHARACTER.finditer(inner))
    return Literal(json.loads(lexeme), (*places, start + len(lexeme) - 1))
