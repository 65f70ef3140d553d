"""The table of routes as an OpenAPI 3.1 document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from understudy import __version__
from understudy.server.rest.problems import REASONS, ErrorAnswer
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
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The secret of an access key (`understudy env` prints it), or a token.",
                }
            },
        },
    }


def fields(kind: type) -> tuple[Json, list[str]]:
    """Return the schemas of a record's fields by name, and which of them must be there."""
    _, components = msgspec.json.schema_components([kind], ref_template=_REFERENCE)
    schema = components[kind.__name__]
    return schema.get("properties", {}), schema.get("required", [])


def _types(routes: tuple[Route, ...]) -> list[type]:
    """Return every type that the document speaks of, each once."""
    named = [kind for route in routes for kind in (route.body, route.answer) if kind is not None]
    return list(dict.fromkeys([*named, ErrorAnswer]))


def _operation(route: Route, named: dict[type, Json]) -> Json:
    operation: Json = {
        "operationId": route.operation,
        "summary": route.summary,
        "description": (route.function.__doc__ or "").strip(),
        "parameters": [*map(_path_parameter, route.parameters), *_query_parameters(route)],
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
    schemas, required = fields(route.query)
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": schema.get("description", ""),
            "schema": {key: value for key, value in schema.items() if key != "description"},
        }
        for name, schema in schemas.items()
    ]


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
    example = {"error": {"code": _CODES[status], "message": REASONS[status], "hint": "What to do."}}
    answer: Json = {
        "description": REASONS[status],
        "content": {JSON: {"schema": named[ErrorAnswer], "example": example}},
    }
    if status == 401:
        answer["headers"] = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
    return answer


_CODES = {
    400: "InvalidInput",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "NoChampion",
    413: "TooLarge",
    415: "UnsupportedMediaType",
    500: "InternalError",
    503: "NotReady",
}
"""A code that is typical of each status."""
