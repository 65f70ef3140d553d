"""The grammar of one expression: text to names and applications, before anything is known of what they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from understudy.recipe.source import Literal, Source

MAX_DEPTH = 32
"""Transformations within transformations; far beyond any use, and safely within the interpreter's stack."""

_LEXEME = re.compile(
    r"""(?P<space>\s+)|(?P<quoted>'(?:[^'\\]|\\.)*')|(?P<mark>[(),])|(?P<bare>[^\s,'"()\\]+)""", re.DOTALL
)


@dataclass(frozen=True)
class Word:
    """A name or whole number as it stands at a place of the text; a `quoted` name is an attribute."""

    value: str
    quoted: bool
    place: int


@dataclass(frozen=True)
class Application:
    """A function's name and its arguments in parentheses."""

    function: Word
    arguments: tuple[Syntax, ...]


Syntax: TypeAlias = Word | Application


def read_expression(source: Source, literal: Literal) -> Syntax:
    """Read one whole expression; raises RecipeError with its place in the source."""
    return _Parser(source, literal).whole()


class _Parser:
    """Reads one expression."""

    def __init__(self, source: Source, literal: Literal) -> None:
        self.source = source
        self.literal = literal
        self.position = 0

    def whole(self) -> Syntax:
        syntax = self.expression(0)
        kind, lexeme = self.peek()
        if kind != "end":
            self.fail(f"{lexeme!r} follows a complete expression", "Write one expression in each string.")
        return syntax

    def expression(self, depth: int) -> Syntax:
        if depth > MAX_DEPTH:
            self.fail(f"transformations are nested more than {MAX_DEPTH} deep", "Nest fewer.")
        word = self.word()
        if self.peek()[1] != "(" or word.quoted:
            return word
        self.take()
        arguments = [self.expression(depth + 1)]
        while self.peek()[1] == ",":
            self.take()
            arguments.append(self.expression(depth + 1))
        if self.peek()[1] != ")":
            found = "the string ends" if self.peek()[0] == "end" else f"{self.peek()[1]!r} stands"
            self.fail(f"{found} where ',' or ')' was expected", "Close every parenthesis.")
        self.take()
        return Application(word, tuple(arguments))

    def word(self) -> Word:
        kind, lexeme = self.peek()
        place = self.literal.places[self.position]
        if kind not in ("quoted", "bare"):
            found = "the string ends" if kind == "end" else f"{lexeme!r} stands"
            self.fail(f"{found} where a name was expected", "Put a name with special characters in single quotes.")
        self.take()
        value = re.sub(r"\\(.)", r"\1", lexeme[1:-1], flags=re.DOTALL) if kind == "quoted" else lexeme
        return Word(value, kind == "quoted", place)

    def peek(self) -> tuple[str, str]:
        """Return the next lexeme's kind and text, past white space."""
        match = _LEXEME.match(self.literal.value, self.position)
        if match and match.lastgroup == "space":
            self.position = match.end()
            match = _LEXEME.match(self.literal.value, self.position)
        if match:
            return str(match.lastgroup), match[0]
        rest = self.literal.value[self.position : self.position + 1]
        return ("stray", rest) if rest else ("end", "")

    def take(self) -> None:
        self.position += len(self.peek()[1])

    def fail(self, message: str, hint: str) -> NoReturn:
        self.source.fail(message, hint, self.literal.places[self.position])
