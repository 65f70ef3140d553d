"""From a request's JSON to the record of its operation, or to one fault that says where it went wrong."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from understudy.service.faults import InvalidInputException
from understudy.service.shapes import Shape

S = TypeVar("S", bound=Shape)

_DEPTH = 4
"""Levels of the deepest request: RDSData has DatabaseCredentials with Username."""

_SHOWN = 80

_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}
_PROBLEM = re.compile(r"(?P<what>.*?)(?: - at `(?:key in )?(?P<place>.*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`")
_LENGTH = re.compile(r"Expected `(str|array)` of length (<=|>=) (\d+)")
_BOUND = re.compile(r"Expected `(int|float)` (<=|>=) (\S+)")
_PATTERN = re.compile(r"Expected `str` matching regex '\\\\A\(\?:(.*)\)\\\\Z'")
_TYPE = re.compile(r"Expected `([a-z]+)")


def read_request(document: object, shape: type[S]) -> S:
    """Read a request; raises InvalidInputException naming the member, what was found and what was expected.

    Members that are null count as left out, as Amazon's own services take them.
    """
    given = _given(document)
    try:
        return msgspec.convert(given, shape)
    except msgspec.ValidationError as error:
        raise _explained(str(error), given, shape) from None


def _given(value: Any, depth: int = _DEPTH) -> Any:
    """Return a document without its null members; raises InvalidInputException for text that no database can keep."""
    if isinstance(value, str) and "\0" in value:
        raise InvalidInputException("a value of the request contains the character NUL", "Take it out.")
    if depth == 0:
        return value
    if isinstance(value, dict):
        return {_given(key): _given(item, depth - 1) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_given(item, depth - 1) for item in value]
    return value


def _explained(problem: str, document: Any, shape: type[Shape]) -> InvalidInputException:
    """Turn "Expected `str`, got `int` - at `$.MLModelId`" into our words."""
    found = _PROBLEM.fullmatch(problem)
    assert found is not None
    path = found["place"] or "$"
    place = path.removeprefix("$").removeprefix(".")
    missing = _MISSING.fullmatch(found["what"])
    if missing:
        member = f"{place}.{missing[1]}".removeprefix(".")
        return InvalidInputException(f"{member} is missing", "Give the request this member.")
    value = _shown(_value_at(document, path), place)
    if path.endswith("[...]"):
        key = _odd_key(_value_at(document, path.removesuffix("[...]")))
        place = f"{place.removesuffix('[...]')}[{_shown(key, place)}]"
    return InvalidInputException(
        f"{place or 'the request'} is {value}", f"Expected is {_expected(found['what'], place, shape)}."
    )


def _expected(what: str, place: str, shape: type[Shape]) -> str:
    """Say in plain words what is expected.

    >>> _expected("Expected `str` of length <= 64", "", Shape), _expected("Expected `int` >= 1", "", Shape)
    ('text of at most 64 characters', 'a whole number of at least 1')
    """
    if found := _LENGTH.match(what):
        one, many = ("character", "characters") if found[1] == "str" else ("entry", "entries")
        return f"{_KINDS[found[1]]} of {_BOUNDS[found[2]]} {int(found[3]):,} {one if found[3] == '1' else many}"
    if found := _BOUND.match(what):
        return f"{_KINDS[found[1]]} of {_BOUNDS[found[2]]} {found[3]}"
    if found := _PATTERN.match(what):
        return f"text that matches {found[1]} as a whole".replace("\\\\", "\\")
    if what.startswith("Invalid enum value"):
        return f"one of {', '.join(_choices(place, shape))}"
    found = _TYPE.match(what)
    return _KINDS.get(found[1], "another type") if found else "another value"


_BOUNDS = {"<=": "at most", ">=": "at least"}


def _choices(place: str, shape: type[Shape]) -> list[str]:
    """Return the values that a member may have: an enum's or a literal's."""
    kind = next(field.type for field in msgspec.structs.fields(shape) if field.encode_name == place)
    schema = msgspec.json.schema(kind)
    options = schema.get("anyOf", [schema])
    named = [schema["$defs"][option["$ref"].rpartition("/")[2]] if "$ref" in option else option for option in options]
    return [str(value) for option in named for value in option.get("enum", [])]


def _value_at(document: Any, path: str) -> Any:
    """Return what stands at a path like $.DataSpec.DataSchema, $.Tags[0].Key or $.Record[...]."""
    for name, index in re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", path):
        if name:
            document = document[name]
        elif index == "...":
            document = document[_odd_key(document)]
        else:
            document = document[int(index)]
    return document


def _odd_key(texts: dict[str, Any]) -> str:
    """Return the key under which there is no text."""
    return next(key for key, item in texts.items() if not isinstance(item, str))


def _shown(value: Any, place: str) -> str:
    """Write a value as it stands in a message; never a password, or what may hold one."""
    if "DatabaseCredentials" in place or (isinstance(value, str) and "Password" in value):
        return "not shown here"
    if isinstance(value, (dict, list)):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value):,}"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text):,} characters)"
