"""Requests to other services of AWS, which come here where `AWS_ENDPOINT_URL` is set for all of them.

Each is refused in its own protocol's words, so that its client shows what is wrong.
"""

from __future__ import annotations

import uuid

import msgspec

from understudy.server.claims import claimed_service
from understudy.server.http import Request, Response
from understudy.server.s3.xml import DECLARATION, escaped

CODE = "UnsupportedService"

MESSAGE = (
    "AWS_ENDPOINT_URL points every service to Understudy, which is Amazon ML and S3; "
    "set AWS_ENDPOINT_URL_MACHINE_LEARNING and AWS_ENDPOINT_URL_S3 instead."
)

_OURS = frozenset({"s3", "machinelearning", "", None})
_SPEAK_XML = frozenset({"cloudfront", "route53"})
"""Services beside S3 that speak XML without forms."""


def is_stranger(request: Request) -> bool:
    """Tell whether a request is signed for a service that this is not."""
    return claimed_service(request) not in _OURS


def refuse(request: Request) -> Response:
    """Return the error of a service that is not here."""
    request_id = str(uuid.uuid4())
    headers = {"x-amzn-RequestId": request_id, "x-amzn-ErrorType": CODE}
    if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
        headers["Connection"] = "close"  # the body is not read
    if _speaks_xml(request):
        return Response(400, _xml(request_id), {"Content-Type": "text/xml", **headers})
    document = msgspec.json.encode({"__type": CODE, "message": MESSAGE})
    return Response(400, document, {"Content-Type": "application/x-amz-json-1.1", **headers})


def _speaks_xml(request: Request) -> bool:
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    return form or claimed_service(request) in _SPEAK_XML


def _xml(request_id: str) -> bytes:
    error = f"<Error><Type>Sender</Type><Code>{CODE}</Code><Message>{escaped(MESSAGE)}</Message></Error>"
    answer = f"<ErrorResponse>{error}<RequestId>{request_id}</RequestId></ErrorResponse>"
    return DECLARATION + answer.encode()
