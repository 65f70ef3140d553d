"""What is wrong with a request's body or query, in plain words instead of the decoder's."""

from __future__ import annotations

import difflib
import re

import msgspec

SEE = "GET /docs shows what each path takes."

_KINDS = {
    "object": "an object",
    "array": "a list",
    "str": "text",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
}
_TYPES = re.compile(r"`([a-z]+(?: \| [a-z]+)*)`")
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_PLACE = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")


def explain(error: msgspec.DecodeError | UnicodeDecodeError | RecursionError) -> str:
    """Say where a request is wrong, what was expected and what was found.

    >>> class Age(msgspec.Struct):
    ...     years: int
    >>> try:
    ...     msgspec.json.decode(b'{"years": "old"}', type=Age)
    ... except msgspec.DecodeError as error:
    ...     explain(error)
    'years: expected an integer, got text'
    """
    if isinstance(error, RecursionError):
        return "the body is nested too deeply"
    if isinstance(error, msgspec.ValidationError):
        return _placed(str(error))
    return f"the body is not JSON in UTF-8: {error}"


def suggest(error: msgspec.DecodeError | UnicodeDecodeError | RecursionError, kind: type[msgspec.Struct]) -> str:
    """Name the field that an unknown one was meant to be, or where to look."""
    unknown = _UNKNOWN.search(str(error))
    close = difflib.get_close_matches(unknown[1], kind.__struct_fields__, n=1) if unknown else []
    return f"Did you mean {close[0]!r}?" if close else SEE


def _placed(said: str) -> str:
    found = _PLACE.search(said)
    place = found[1] if found else ""
    words = _TYPES.sub(lambda types: _in_words(types[1]), _PLACE.sub("", said))
    words = words[:1].lower() + words[1:]
    return f"{place}: {words}" if place else words


def _in_words(types: str) -> str:
    """Return `int | null` as "an integer or null"; what is no type stays as it stands, in quotes."""
    names = types.split(" | ")
    return " or ".join(_KINDS[name] for name in names) if set(names) <= set(_KINDS) else f"'{types}'"
