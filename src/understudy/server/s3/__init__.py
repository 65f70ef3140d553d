"""The S3 door: buckets and objects, path style, for whoever signed as a client of S3 does."""

from __future__ import annotations

import dataclasses
import logging
import secrets
from dataclasses import dataclass

from understudy.errors import StoreError
from understudy.server.checksums import Checks
from understudy.server.http import BodyLost, Request, Response
from understudy.server.payload import Payload, PayloadError, plain
from understudy.server.s3.bodies import Tracked, in_slow_thread, in_thread
from understudy.server.s3.calls import Call, S3Door, call_of, document
from understudy.server.s3.errors import error_response, store_failure
from understudy.server.s3.patience import patiently
from understudy.server.s3.routing import OPERATIONS, SLOW, STREAMED, Operation, Route, refuse, refuse_unsigned, route_of
from understudy.server.signature import Signed
from understudy.store.bucket_records import BucketError

__all__ = ["S3Door", "answer"]

_LOG = logging.getLogger(__name__)


async def answer(door: S3Door, request: Request, signed: Signed) -> Response:
    """Answer a request whose signature was verified.

    Every response has `x-amz-request-id`. That of HEAD has no body, and its own Content-Length. A body that is a stream
    has `aclose`, to be called where it is not sent to its end. An error that came before the request's body was read
    says `Connection: close`, which must be done. Raises BodyLost, which only the port can answer.
    """
    failed = _Failed(request.raw_path, secrets.token_hex(8).upper())
    body = Tracked(aiter(request.body))
    headers = {"x-amz-request-id": failed.request_id}
    try:
        whole = dataclasses.replace(request, headers={**request.headers, **signed.hoisted}, body=body)
        response = await _answer(door, whole, signed, failed)
    except BodyLost:
        raise
    except Exception as error:  # noqa: BLE001 - the server boundary: a client is told in S3's words
        response = failed(error)
        if not await body.drained():  # what is left of it must not be taken for the next request
            headers["Connection"] = "close"
    shown = b"" if request.method == "HEAD" else response.body
    return Response(response.status, shown, headers | dict(response.headers))


@dataclass(frozen=True)
class _Failed:
    """Makes the response of an error of one request."""

    resource: str
    request_id: str

    def __call__(self, error: Exception) -> Response:
        match error:
            case BucketError():
                known = error
            case PayloadError():
                known = BucketError(error.code, error.message)
            case StoreError():
                known = store_failure(error)
            case _:
                _LOG.error("a mistake of Understudy's own at %s", self.resource, exc_info=error)
                known = BucketError("InternalError", "A mistake of Understudy's own; its log says more.")
        return error_response(known, self.resource, self.request_id)


async def _answer(door: S3Door, request: Request, signed: Signed, failed: _Failed) -> Response:
    if signed.key.role == "predict":
        raise BucketError("AccessDenied", "Access Denied: this key may only ask for predictions.")
    call = call_of(door, request)
    route = route_of(call)
    refuse_unsigned(signed.unsigned)
    payload = plain(request, signed)
    if route in STREAMED:
        return await STREAMED[route](call, payload)
    if route not in OPERATIONS:
        raise refuse(route)
    if call.method in {"PUT", "POST"}:
        call = dataclasses.replace(call, body=await _document(route, call, payload))
    if route in SLOW:
        return await patiently(_attempt(OPERATIONS[route], call, failed))
    return await in_thread(OPERATIONS[route], call)


async def _attempt(operation: Operation, call: Call, failed: _Failed) -> Response:
    """Return an operation's response or that of its error: when its answer has begun, nobody is there to catch one."""
    try:
        return await in_slow_thread(operation, call)
    except Exception as error:  # noqa: BLE001 - the server boundary
        return failed(error)


async def _document(route: Route, call: Call, payload: Payload) -> bytes:
    """Return the request's document, its checksums verified."""
    body = await document(aiter(payload))
    if route[2] not in {"uploadId", "uploads", "copy", "uploadId copy"}:  # there a checksum is that of the object
        await in_thread(_check, Checks.of(call.headers), body, payload)
    return body


def _check(checks: Checks, body: bytes, payload: Payload) -> None:
    """Verify the checksums of a document; in a thread, since the first one of some kinds loads a compiler."""
    checks.update(body)
    checks.verify(payload.trailers)
