"""From a request to its answer: find the route, admit the caller, read the body, call, and say what went wrong."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import Any

import msgspec

from understudy.errors import UnderstudyError
from understudy.server import metrics
from understudy.server.http import BodyLost, Ready, Request, Response, TooLarge, json_response
from understudy.server.rest.door import RestDoor
from understudy.server.rest.probes import get_metrics
from understudy.server.rest.problems import HOW_TO_ASK, REFUSALS, Problem, problem_of
from understudy.server.rest.route import JSON, KIB, MIB, Call, Route
from understudy.server.rest.routes import SEGMENTS, Found, find
from understudy.server.rest.shapes import Nothing
from understudy.server.rest.wording import SEE, explain, suggest
from understudy.server.threads import CHANGING, PREDICTING, READING, Threads

_LOG = logging.getLogger(__name__)


def is_rest(path: str) -> bool:
    """Tell whether a path is one of this door's, known or not.

    >>> is_rest("/v1/endpoints/calls"), is_rest("/v1"), is_rest("/v1x"), is_rest("/")
    (True, True, False, False)
    """
    return path.lstrip("/").partition("/")[0] in SEGMENTS and path.startswith("/") and not path.startswith("//")


async def answer(door: RestDoor, request: Request) -> Response:
    """Answer a request, whatever is wrong with it; raises BodyLost alone: nobody is there to be answered."""
    started = time.perf_counter()
    found = find(request.raw_path)
    route = found.route(request.method)
    response = await _guarded(door, request, found, route)
    operation = route.operation if route else "unknown"
    metrics.record("rest", operation, response.status, time.perf_counter() - started)
    return _headers_only(response) if request.method == "HEAD" else response


def at_once(door: RestDoor, request: Request, body: bytes) -> Ready | None:
    """Answer a POST whose body is at hand, where that takes hardly any time; None, or any error, where it does not."""
    started = time.perf_counter()
    found = find(request.raw_path)
    route = found.route("POST")
    if route is None or route.at_once is None or len(body) > route.limit:
        return None
    _admit(door, request, route)
    asked = route.readers[_media_type(route, request)](body)
    answered = route.at_once(Call(door, request, found.parameters, asked, _query(route, request)))
    if answered is not None:
        metrics.record("rest", route.operation, 200, time.perf_counter() - started)
    return answered


async def _guarded(door: RestDoor, request: Request, found: Found, route: Route | None) -> Response:
    try:
        if route is None:
            raise _nowhere(request, found)
        return await _answered(door, request, route, found.parameters)
    except BodyLost:
        raise
    except Problem as problem:
        return problem.response()
    except UnderstudyError as error:
        return _logged(problem_of(error), request)
    except RecursionError as error:
        return Problem(400, "InvalidInput", explain(error), SEE).response()
    except Exception:  # noqa: BLE001 - our own mistake; whoever asks learns no details
        _LOG.exception("%s %s failed", request.method, request.raw_path)
        return Problem(500, *msgspec.structs.astuple(REFUSALS[500].example)).response()


async def _answered(door: RestDoor, request: Request, route: Route, parameters: dict[str, str]) -> Response:
    _admit(door, request, route)
    query = _query(route, request)
    call = Call(door, request, parameters, await _body(route, request), query)
    made = await (route.function(call) if route.waits else _threads(route).run(route.function, call))
    return made if isinstance(made, Response) else json_response(made)


def _threads(route: Route) -> Threads:
    """Return the threads for a route: who monitors is not kept waiting, and who waits for workers keeps nobody."""
    if route.function is get_metrics:
        return PREDICTING
    return READING if route.method == "GET" else CHANGING


def _nowhere(request: Request, found: Found) -> Problem:
    if not found.routes:
        return Problem(404, "NotFound", f"there is nothing at {request.path!r}", SEE)
    hint = f"It takes {found.allow}."
    message = f"{request.path!r} does not take {request.method}"
    return Problem(405, "MethodNotAllowed", message, hint, {"Allow": found.allow})


def _admit(door: RestDoor, request: Request, route: Route) -> None:
    """Let those in who may ask; raises the 401 or 403 of the others."""
    if route.role is None:
        return
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise _unknown("no token was sent", 'realm="understudy"')
    caller = door.keys.bearer(token.strip())
    if caller is None:
        raise _unknown("the token is not known", 'realm="understudy", error="invalid_token"')
    if caller.role not in ("admin", route.role):
        raise Problem(
            403,
            "Forbidden",
            f"{caller.name!r} has the role {caller.role}; this takes {route.role}",
            "Ask with the secret of an access key, or with a token of that role.",
        )


def _unknown(message: str, challenge: str) -> Problem:
    return Problem(401, "Unauthorized", message, HOW_TO_ASK, {"WWW-Authenticate": f"Bearer {challenge}"})


def _query(route: Route, request: Request) -> Any:
    """Return the query as the route's own record; a route that asks for none ignores what stands there."""
    if route.query is Nothing:
        return Nothing()
    try:
        return msgspec.convert(dict(request.query), route.query, strict=False)
    except msgspec.ValidationError as error:
        raise Problem(400, "InvalidInput", f"in the query, {explain(error)}", suggest(error, route.query)) from None


async def _body(route: Route, request: Request) -> Any:
    """Read the body as the route's own record; None where the route takes no body."""
    if route.body is None:
        return None
    try:
        data = await request.read(route.limit)
    except TooLarge:
        raise Problem(413, "TooLarge", f"the body is larger than {_size(route.limit)}", "Send it in parts.") from None
    if not data and route.body is Nothing:
        return Nothing()
    read = route.readers[_media_type(route, request)]
    try:
        return read(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, "InvalidInput", explain(error), suggest(error, route.body)) from None


def _media_type(route: Route, request: Request) -> str:
    """Return the body's media type, JSON where none is said; raises the 415 of one that is not read here."""
    sent = request.headers.get("content-type", JSON)
    kind, coding = sent.partition(";")[0].strip().lower(), request.headers.get("content-encoding", "identity")
    if kind in route.readers and coding.strip().lower() == "identity":
        return kind
    found = repr(sent) if kind not in route.readers else f"in the coding {coding!r}"
    hint = f"Send it plain, with `Content-Type: {' or '.join(route.readers)}`."
    raise Problem(415, "UnsupportedMediaType", f"the body is {found}", hint)


def _size(limit: int) -> str:
    return f"{limit // MIB} MiB" if limit >= MIB else f"{limit // KIB} KiB"


def _logged(problem: Problem, request: Request) -> Response:
    if problem.status >= 500:
        _LOG.error("%s %s failed: %s", request.method, request.raw_path, problem.error.message)
    return problem.response()


def _headers_only(response: Response) -> Response:
    """Return the answer to HEAD: the headers that GET would have had, and no body."""
    length = {"Content-Length": str(len(response.body))} if isinstance(response.body, bytes) else {}
    return replace(response, body=b"", headers={**response.headers, **length})
