"""The table of routes as an OpenAPI 3.1 document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from understudy import __version__
from understudy.server.rest.problems import REFUSALS, ErrorAnswer, Refusal
from understudy.server.rest.route import JSON, Route
from understudy.server.rest.shapes import Nothing

Json = dict[str, Any]

_REFERENCE = "#/components/schemas/{name}"

_ABOUT = (
    "Predictions by the champion of a stable name, and the facts behind them. Every refusal has one form: "
    "`error` with `code`, `message` and `hint`. HEAD is answered as GET, without the body."
)


def document(routes: Iterable[Route], base_url: str | None) -> Json:
    """Return the document; without a base url its paths are relative to where it was had from."""
    routes = tuple(routes)
    schemas, components = msgspec.json.schema_components(_types(routes), ref_template=_REFERENCE)
    named = dict(zip(_types(routes), schemas, strict=True))
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, named)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Understudy", "version": __version__, "description": _ABOUT},
        "servers": [{"url": base_url or "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {
                f"Refused{status}": _refused(status, refusal, named[ErrorAnswer])
                for status, refusal in REFUSALS.items()
            },
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The secret of an access key (`understudy env` prints it), or a token.",
                }
            },
        },
    }


def schemas_of(kinds: Iterable[type]) -> dict[str, Json]:
    """Return the schemas of records, and of all records that they speak of, by name."""
    return msgspec.json.schema_components(kinds, ref_template=_REFERENCE)[1]


def _types(routes: tuple[Route, ...]) -> list[type]:
    """Return every type that the document speaks of, each once."""
    named = [kind for route in routes for kind in (route.body, route.answer) if kind is not None]
    return list(dict.fromkeys([*named, ErrorAnswer]))


def _operation(route: Route, named: dict[type, Json]) -> Json:
    operation: Json = {
        "operationId": route.operation,
        "summary": route.summary,
        "description": (route.function.__doc__ or "").strip(),
        "parameters": [
            *map(_path_parameter, route.parameters),
            *_query_parameters(route),
            *(_header_parameter(name, about) for name, about in route.headers.items()),
        ],
        "responses": {str(status): _response(route, status, named) for status in route.statuses},
        "security": [{"token": []}] if route.role else [],
    }
    if route.role:
        operation["x-role"] = route.role
    if route.body:
        operation["requestBody"] = _request_body(route, named[route.body])
    return operation


def _path_parameter(name: str) -> Json:
    described = {"name": "The endpoint's name: the project's.", "id": "The object's id."}
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": described[name],
        "schema": {"type": "string", "minLength": 1},
    }


def _query_parameters(route: Route) -> list[Json]:
    fields = schemas_of([route.query])[route.query.__name__]["properties"]
    return [
        {"name": name, "in": "query", "required": False, "description": schema.pop("description", ""), "schema": schema}
        for name, schema in fields.items()
    ]


def _header_parameter(name: str, about: str) -> Json:
    return {"name": name, "in": "header", "required": False, "description": about, "schema": {"type": "string"}}


def _request_body(route: Route, schema: Json) -> Json:
    content: Json = {JSON: {"schema": schema, "example": route.example}}
    for media_type in route.also_reads:
        content[media_type] = {"schema": {"type": "string"}, "example": "age,job,balance\n41,nurse,1250.5\n"}
    return {"required": route.body is not Nothing, "content": content}


def _response(route: Route, status: int, named: dict[type, Json]) -> Json:
    if status == 200:
        schema = named[route.answer] if route.answers_as == JSON else {"type": "string"}
        content: Json = {"schema": schema}
        if route.answer_example is not None:
            content["example"] = route.answer_example
        return {"description": "As asked.", "content": {route.answers_as: content}}
    return {"$ref": f"#/components/responses/Refused{status}"}


def _refused(status: int, refusal: Refusal, schema: Json) -> Json:
    answer: Json = {
        "description": refusal.meaning,
        "content": {JSON: {"schema": schema, "example": msgspec.to_builtins(ErrorAnswer(refusal.example))}},
    }
    if status in _HEADERS:
        answer["headers"] = {_HEADERS[status]: {"required": True, "schema": {"type": "string"}}}
    return answer


_HEADERS = {401: "WWW-Authenticate", 405: "Allow"}
"""Headers that a refusal carries."""
