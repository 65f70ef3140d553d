"""What lies behind the port, opened by one worker."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime

from understudy.house import Storehouse
from understudy.server import amazon, metrics, rest, s3, strangers
from understudy.server.app import Door, Doors
from understudy.server.http import Ready, Request, Response
from understudy.server.keys import open_keys
from understudy.server.s3.xml import error_document
from understudy.server.settings import Opened, Settings
from understudy.server.signature import S3_ERRORS, SignatureError, verify
from understudy.server.whole import Whole
from understudy.service.context import Service
from understudy.service.operations import OPERATIONS
from understudy.serving import Serving
from understudy.store.buckets import Buckets

Settle = Callable[[Storehouse], None]

_LEADS_TO_DOCS = frozenset({"/", "/docs/"})
_METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE"})


def open_doors(
    settings: Settings, opened: Opened, serving: Serving, settle: Settle, ready: Callable[[], bool]
) -> Doors:
    """Return a worker's doors.

    `settle` waits until all workers follow what changed in a store, `ready` tells whether all of them answer.
    """
    store, public_url = opened.stores[0], settings.place.serve.public_url
    keys = open_keys(settings.folder)
    buckets = Buckets(store.catalog, store.objects)
    service = Service(store, buckets, serving, lambda: settle(store), opened.houses)
    amazon_door = amazon.Door(service, keys, public_url, "https" if settings.tls else "http")
    s3_door = s3.S3Door(buckets)
    rest_door = rest.RestDoor(opened.houses, store, serving, keys, settle, ready, public_url)

    async def answer_amazon(request: Request) -> Response:
        if not request.headers.get("x-amz-target", "").startswith(amazon.TARGET) and strangers.is_stranger(request):
            return strangers.refuse(request)
        return await amazon.answer(amazon_door, request)

    async def answer_s3(request: Request) -> Response:
        try:
            signed = verify(request, keys, "s3", datetime.now(UTC))
        except SignatureError as error:
            return _refused(request, error)
        return await s3.answer(s3_door, request, signed)

    async def answer_rest(request: Request) -> Response:
        if request.raw_path in _LEADS_TO_DOCS and request.method in {"GET", "HEAD"}:
            return Response(302, headers={"Location": "/docs"})
        return await rest.answer(rest_door, request)

    def answer_at_once(whole: Whole) -> Ready | None:
        if whole.head.request.raw_path != "/":
            return rest.at_once(rest_door, whole.head.request, whole.body)
        began = time.perf_counter()
        answered = amazon.at_once(amazon_door, whole)
        if answered is not None:
            metrics.record("amazon", "Predict", 200, time.perf_counter() - began)
        return answered

    return Doors(
        amazon=_counted("amazon", answer_amazon, _operation),
        s3=_counted("s3", answer_s3, _method),
        rest=answer_rest,
        is_rest=_is_rest,
        at_once=answer_at_once,
    )


def _is_rest(path: str) -> bool:
    """Tell which paths are the REST door's: also one that browsers ask for by themselves, where nothing is."""
    return rest.is_rest(path) or path == "/favicon.ico"


def _refused(request: Request, error: SignatureError) -> Response:
    """Refuse a request in S3's words."""
    refusal, request_id = S3_ERRORS[error.reason], secrets.token_hex(8).upper()
    fields = [
        ("Code", refusal.code),
        ("Message", error.message),
        ("Resource", request.raw_path),
        ("RequestId", request_id),
    ]
    body = b"" if request.method == "HEAD" else error_document(fields)
    headers = {"Content-Type": "application/xml", "x-amz-request-id": request_id}
    if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
        headers["Connection"] = "close"  # what is left of the body is not read
    return Response(refusal.status, body, headers)


def _counted(name: str, door: Door, operation: Callable[[Request], str]) -> Door:
    """Count what a door answers, by what was asked for, its status and its time."""

    async def answer(request: Request) -> Response:
        began = time.perf_counter()
        response = await door(request)
        metrics.record(name, operation(request), response.status, time.perf_counter() - began)
        return response

    return answer


def _operation(request: Request) -> str:
    name = request.headers.get("x-amz-target", "").removeprefix(amazon.TARGET)
    return name if name in OPERATIONS else "unknown"


def _method(request: Request) -> str:
    return request.method if request.method in _METHODS else "unknown"
