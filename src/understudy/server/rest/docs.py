"""The table of routes as a page for people: plain HTML, no script, nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import msgspec

from understudy import __version__
from understudy.server.http import Response
from understudy.server.rest import openapi
from understudy.server.rest.problems import REASONS
from understudy.server.rest.route import JSON, Route

_TEMPLATE = Path(__file__).with_name("docs.html")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}


class Field(msgspec.Struct, frozen=True):
    """A field of a body or an answer, as the page shows it."""

    name: str
    kind: str
    needed: bool
    about: str


class Shown(msgspec.Struct, frozen=True):
    """A route, as the page shows it."""

    route: Route
    anchor: str
    fields: list[Field]
    """Of query and body."""
    answers: list[Field]
    curl: str
    answer: str
    statuses: list[tuple[int, str]]


def page(routes: Sequence[Route], base_url: str | None, host: str) -> Response:
    """Return the page; its curl lines go to `base_url`, or else to the host that was asked."""
    base = base_url or f"http://{host if _HOST.fullmatch(host) else '127.0.0.1:8080'}"
    shown = [_shown(route, base) for route in routes]
    html = _template().render(routes=shown, base=base, version=__version__, reasons=REASONS.items())
    return Response(200, html.encode(), _HEADERS)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))


def _shown(route: Route, base: str) -> Shown:
    return Shown(
        route=route,
        anchor=route.operation,
        fields=[*_fields(route.query), *(_fields(route.body) if route.body else [])],
        answers=_fields(route.answer) if issubclass(route.answer, msgspec.Struct) else [],
        curl=_curl(route, base),
        answer=_pretty(route.answer_example),
        statuses=[(status, REASONS[status]) for status in route.statuses if status != 200],
    )


def _fields(kind: type) -> list[Field]:
    schemas, required = openapi.fields(kind)
    return [
        Field(name, _kind(schema), name in required, schema.get("description", "")) for name, schema in schemas.items()
    ]


def _kind(schema: dict[str, Any]) -> str:
    """Return a field's JSON schema in a few words.

    >>> _kind({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]})
    'list of string or null'
    """
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(choice) for choice in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join("null" if value is None else str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items') or {})}"
    return str(schema.get("type", "any value"))


def _curl(route: Route, base: str) -> str:
    """Return a line for a terminal."""
    words = ["curl"]
    if route.role:
        words.append('-H "Authorization: Bearer $TOKEN"')
    if route.body:
        words += [f"-H 'Content-Type: {JSON}'", f"-d '{msgspec.json.encode(route.example).decode()}'"]
    path = re.sub(r"\{(\w+)\}", lambda name: "calls" if name[1] == "name" else route.answer_example["id"], route.path)
    return " \\\n  ".join([*words, f"{base}{path}"])


def _pretty(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
