"""The AWS JSON door: Amazon ML's API on the wire (reference 1.1 to 1.3).

The operation's name stands in a header, its request and its answer are JSON, and every request is signed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from understudy.errors import Busy, StoreError
from understudy.server.http import BodyLost, Ready, Request, Response, TooLarge, ready_json, request_id
from understudy.server.keys import Key, Keys
from understudy.server.signature import JSON_ERRORS, SignatureError, check_claim, presign, verify
from understudy.server.threads import CHANGING, PREDICTING, READING
from understudy.server.whole import Whole
from understudy.service.context import Call, Service
from understudy.service.faults import Fault, InternalServerException, InvalidInputException
from understudy.service.operations import OPERATIONS, Operation
from understudy.service.predicting import RECORD_LIMIT, in_memory, plain_request, predicted_at_once
from understudy.serving import Served

_LOG = logging.getLogger(__name__)

TARGET = "AmazonML_20141212."
"""What stands before an operation's name in X-Amz-Target."""

PREDICT = f"{TARGET}Predict"

BODY_LIMIT = 20 * 1024 * 1024
"""Bytes of a request; the longest SQL query has 16 MiB."""

PREDICT_LIMIT = 1024 * 1024
"""Bytes of a Predict: the largest record, every character of it escaped, has 600 KiB."""

UNASKED_LIMIT = 64 * 1024
"""Bytes of a body that is read from anybody; a longer one only from whom the head of the request lets in."""

SETTLING = frozenset({"CreateRealtimeEndpoint", "DeleteRealtimeEndpoint", "UpdateMLModel", "DeleteMLModel"})
"""Operations that wait until every worker follows."""

LOG_URL_SECONDS = 3600
"""How long the url of a log can be opened."""

_MEDIA_TYPE = "application/x-amz-json-1.1"
_READY = b"content-type: %b\r\nx-amzn-requestid: %%b\r\n" % _MEDIA_TYPE.encode()

_PAUSES = (0.05, 0.2, 0.8)
"""Seconds between attempts while another process holds the catalog."""


@dataclass(frozen=True)
class Door:
    """What the door needs to answer."""

    service: Service
    keys: Keys
    public_url: str | None = None
    """How clients reach this server where it stands behind another; else it is what they call it."""
    scheme: str = "http"


class _Refused(Exception):
    """A request that reaches no operation, with the name of its error on the wire."""

    def __init__(self, name: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.name = name
        self.status = status


async def answer(door: Door, request: Request) -> Response:
    """Answer one request: an operation's document, or an error's."""
    try:
        if not _is_small(request):
            _foresee(door, request)
        return _response(200, await _answered(door, request, await request.read(BODY_LIMIT)))
    except BodyLost:
        raise
    except TooLarge:
        document = {"__type": "RequestEntityTooLargeException", "message": f"The body exceeds {BODY_LIMIT:,} bytes."}
        return _response(413, document, {"Connection": "close"})  # what is left of the body is not read
    except Fault as fault:
        return _response(fault.status, fault.document())
    except _Refused as refused:
        headers = {} if _is_small(request) else {"Connection": "close"}  # its body may not have been read
        return _response(refused.status, {"__type": refused.name, "message": str(refused)}, headers)
    except StoreError as error:
        _LOG.error("Amazon ML's API cannot use the store: %s", error.message)
        return _failed()
    except Exception:  # noqa: BLE001 - the server boundary: a client is told in the original's words
        _LOG.exception("a mistake of Understudy's own in Amazon ML's API")
        return _failed()


def at_once(door: Door, whole: Whole) -> Ready | None:
    """Answer a `Predict` by a model in memory; None, or any error, where it must go the usual way."""
    head, own, signature, body = whole
    if head.signable is None or head.request.headers.get("x-amz-target") != PREDICT:
        return None
    head.signable.check(own, signature, body, door.keys, datetime.now(UTC))  # any role may predict
    asked = _asked_of_memory(door.service, body)
    answered = None if asked is None else predicted_at_once(*asked)
    return None if answered is None else ready_json(answered, _READY % request_id().encode())


async def _answered(door: Door, request: Request, body: bytes) -> Mapping[str, Any]:
    now = datetime.now(UTC)
    key = _signer(door, request, body, now)
    operation = _operation(request)
    if key.role == "predict" and operation.name != "Predict":
        raise _Refused("AccessDeniedException", f"The key {key.name!r} may call Predict only, not {operation.name}.")
    call = _call(door, request, key, now)
    threads = CHANGING if operation.name in SETTLING else READING
    if operation.name == "Predict":
        _refuse_large(body)
        asked = _asked_of_memory(door.service, body)
        if asked is not None:
            answered = predicted_at_once(*asked)  # sooner than a thread had it in hand
            if answered is not None:
                return answered
            threads = PREDICTING
    answer: Mapping[str, Any] = await threads.run(_run, door.service, operation, call, body)
    return answer


def _asked_of_memory(service: Service, body: bytes) -> tuple[Served, dict[str, str]] | None:
    """Return the model in memory that a usual `Predict` names, and its record; None where anything is unusual."""
    asked = plain_request(body) if len(body) <= RECORD_LIMIT else None
    served = None if asked is None else in_memory(service, asked.ml_model_id)
    return None if asked is None or served is None else (served, asked.record)


def _is_small(request: Request) -> bool:
    """Tell whether a body is so small that it may be read before anything is known of who sends it."""
    length = request.headers.get("content-length", "")
    return length.isdecimal() and len(length) < 10 and int(length) <= UNASKED_LIMIT


def _foresee(door: Door, request: Request) -> None:
    """Refuse a request by its head, where that can be done."""
    try:
        check_claim(request, door.keys, "machinelearning", datetime.now(UTC))
    except SignatureError as error:
        raise _refused(error) from None
    _operation(request)


def _signer(door: Door, request: Request, body: bytes, now: datetime) -> Key:
    """Return the key that a request was signed with."""
    try:
        return verify(request, door.keys, "machinelearning", now, body).key
    except SignatureError as error:
        raise _refused(error) from None


def _refused(error: SignatureError) -> _Refused:
    refusal = JSON_ERRORS[error.reason]
    return _Refused(refusal.code, error.message, refusal.status)


def _operation(request: Request) -> Operation[Any]:
    target = request.headers.get("x-amz-target", "")
    name = target.removeprefix(TARGET)
    if request.method != "POST" or request.path != "/" or not target.startswith(TARGET) or name not in OPERATIONS:
        raise _Refused(
            "UnknownOperationException",
            f"There is no operation {target[:100]!r} at {request.method} {request.path[:100]}; expected is POST / with "
            f"X-Amz-Target: {TARGET}GetMLModel or another operation of Amazon Machine Learning.",
        )
    return OPERATIONS[name]


def _refuse_large(body: bytes) -> None:
    """Keep the event loop from reading what no record needs."""
    if len(body) > PREDICT_LIMIT:
        raise InvalidInputException(
            f"the request has {len(body):,} bytes",
            f"The names and values of a record may have {RECORD_LIMIT:,} together.",
        )


def _document(body: bytes) -> object:
    """Read a request's JSON; none at all is an empty request."""
    try:
        return msgspec.json.decode(body or b"{}")
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _Refused("SerializationException", f"The request is not JSON: {error}") from None


def _run(service: Service, operation: Operation[Any], call: Call, body: bytes) -> Mapping[str, Any]:
    """Run an operation in a thread of its own; wait a little where another process holds the catalog."""
    document = _document(body)
    for pause in _PAUSES:
        try:
            return operation.run(service, call, document)
        except Busy:
            time.sleep(pause)
    return operation.run(service, call, document)


def _call(door: Door, request: Request, key: Key, now: datetime) -> Call:
    base_url = door.public_url or f"{door.scheme}://{request.headers.get('host', 'localhost')}"

    def signed_url(bucket: str, name: str) -> str:
        url = f"{base_url}/{bucket}/{quote(name)}"
        return presign(key, "GET", url, "s3", LOG_URL_SECONDS, now)

    return Call(caller=key.name, role=key.role, base_url=base_url, now=now, presign=signed_url)


def _failed() -> Response:
    fault = InternalServerException("the request could not be served", "Try again; the server's log says more.")
    return _response(fault.status, fault.document())


def _response(status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    own = {"Content-Type": _MEDIA_TYPE, "x-amzn-RequestId": request_id()}
    return Response(status, msgspec.json.encode(document), own if headers is None else {**own, **headers})
