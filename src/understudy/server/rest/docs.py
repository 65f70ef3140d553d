"""The table of routes as a page for people: plain HTML, no script, nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup, escape

from understudy import __version__
from understudy.server.http import Response
from understudy.server.rest import examples, openapi
from understudy.server.rest.problems import REFUSALS, ErrorAnswer
from understudy.server.rest.route import JSON, Route

Json = dict[str, Any]

_TEMPLATE = Path(__file__).with_name("docs.html")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
_REFERENCE = re.compile(r"#/components/schemas/(\w+)")
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}


class Field(msgspec.Struct, frozen=True):
    """A field of a body or an answer, as the page shows it."""

    name: str
    kind: Markup
    needed: bool
    about: str


class Shown(msgspec.Struct, frozen=True):
    """A route, as the page shows it."""

    route: Route
    takes: list[Field]
    answers: list[Field]
    curl: str
    answer: str


def page(routes: Sequence[Route], name: str, base_url: str | None, host: str) -> Response:
    """Return the page; its curl lines ask the endpoint `name` at `base_url`, or else at the host that was asked."""
    base = base_url or f"http://{host if _HOST.fullmatch(host) else '127.0.0.1:8080'}"
    kinds = [kind for route in routes for kind in (route.body, route.answer, route.query) if kind]
    schemas = openapi.schemas_of([*kinds, ErrorAnswer])
    html = _template().render(
        routes=[_shown(route, name, base, schemas) for route in routes],
        shapes=[(name, schema, _fields(schema)) for name, schema in _spoken_of(routes, schemas)],
        refusals=REFUSALS.items(),
        version=__version__,
    )
    return Response(200, html.encode(), _HEADERS)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["prose"] = _prose
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))


def _prose(text: str) -> Markup:
    """Return a docstring for the page, what stands between backticks as code.

    >>> _prose("`show` < all")
    Markup('<code>show</code> &lt; all')
    """
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped within


def _shown(route: Route, name: str, base: str, schemas: dict[str, Json]) -> Shown:
    body = _fields(schemas[route.body.__name__]) if route.body else []
    return Shown(
        route=route,
        takes=[*_fields(schemas[route.query.__name__]), *_headers(route), *body],
        answers=_fields(schemas.get(route.answer.__name__, {})),
        curl=_curl(route, name, base),
        answer=_pretty(route.answer_example).replace(f'"{examples.NAME}"', f'"{name}"'),
    )


def _spoken_of(routes: Sequence[Route], schemas: dict[str, Json]) -> list[tuple[str, Json]]:
    """Return the records that stand within others: the page shows them apart."""
    whole = {kind.__name__ for route in routes for kind in (route.body, route.query) if kind}
    within = {name for schema in schemas.values() for name in _REFERENCE.findall(str(schema.get("properties", {})))}
    return sorted((name, schemas[name]) for name in within - whole)


def _fields(schema: Json) -> list[Field]:
    required = schema.get("required", [])
    return [
        Field(name, _kind(field), name in required, field.get("description", ""))
        for name, field in schema.get("properties", {}).items()
    ]


def _headers(route: Route) -> list[Field]:
    return [Field(name, Markup("header"), False, about) for name, about in route.headers.items()]


def _kind(schema: Json) -> Markup:
    """Return a field's JSON schema in a few words; records that the page shows apart are links.

    >>> _kind({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]})
    Markup('list of string or null')
    """
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="#{}">{}</a>').format(name, name)
    if "anyOf" in schema:
        return Markup(" or ").join(dict.fromkeys(_kind(choice) for choice in schema["anyOf"]))
    if "enum" in schema:
        return escape(", ".join("null" if value is None else str(value) for value in schema["enum"]))
    if schema.get("type") == "array":
        return Markup("list of ") + _kind(schema.get("items") or {})
    return escape(schema.get("type", "any value"))


def _curl(route: Route, name: str, base: str) -> str:
    """Return a line for a terminal."""
    words = ['-H "Authorization: Bearer $TOKEN"'] if route.role else []
    if route.body:
        words += [f"-H 'Content-Type: {JSON}'", f"-d '{msgspec.json.encode(route.example).decode()}'"]
    example = route.answer_example if isinstance(route.answer_example, dict) else {}
    path = route.path.format(name=name, id=example.get("id") or example.get("model_id"))
    return "curl " + " \\\n  ".join([*words, f"{base}{path}"])


def _pretty(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
