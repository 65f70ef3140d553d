"""Addresses presigned in AWS's older way, Signature Version 2: what boto3 still makes by default in us-east-1.

Only addresses, and only of S3: whoever can set headers signs by version 4. Source: AWS, "Signing and authenticating
REST requests (Signature Version 2)", query string request authentication alternative.
"""

from __future__ import annotations

import base64
import hmac
import re
from datetime import UTC, datetime

from understudy.server.canonical import wire
from understudy.server.http import Request
from understudy.server.keys import Key, Keys
from understudy.server.refusals import Reason, SignatureError

_NAMES = ("AWSAccessKeyId", "Expires", "Signature")

_SIGNED_PARAMETERS = frozenset(
    {"acl", "cors", "delete", "encryption", "lifecycle", "location", "logging", "notification", "partNumber", "policy"}
    | {"requestPayment", "restore", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions"}
    | {f"response-{name}" for name in ("cache-control", "content-disposition", "content-encoding", "content-language")}
    | {"response-content-type", "response-expires", "website"}
)
"""Parameters of a query that are part of what is signed."""


def is_presigned(request: Request) -> bool:
    """Tell whether a request's address carries a signature of version 2."""
    return "AWSAccessKeyId=" in request.raw_query and "Signature=" in request.raw_query


def unsigned_parameters(request: Request) -> frozenset[str]:
    """Return the names in a presigned address that its signature does not vouch for; others may have added them."""
    return frozenset(name for name, _ in request.query) - _SIGNED_PARAMETERS


def verify_presigned(request: Request, keys: Keys, now: datetime) -> Key:
    """Check a presigned address; return the key. Raises SignatureError.

    Headers that stand in the address are among the request's.
    """
    query = dict(request.query)
    missing = [name for name in _NAMES if not query.get(name)]
    if missing or not re.fullmatch("[0-9]{1,12}", query["Expires"]):
        raise SignatureError(
            Reason.MALFORMED_QUERY,
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters; Expires is a "
            f"number of seconds since 1970{'; missing: ' + ', '.join(missing) if missing else ''}.",
        )
    key = keys.find(query["AWSAccessKeyId"])
    if key is None:
        raise SignatureError(Reason.UNKNOWN_KEY, f"The AWS access key id {query['AWSAccessKeyId']} does not exist.")
    if now.timestamp() > int(query["Expires"]):
        raise SignatureError(
            Reason.EXPIRED, f"Request has expired: it was good until {query['Expires']}, now is {now.astimezone(UTC)}."
        )
    found = query["Signature"].encode()
    for path in _paths(request.raw_path):
        text = _string_to_sign(request, path, query["Expires"])
        made = base64.b64encode(hmac.digest(key.secret.encode(), wire(text), "sha1"))
        if hmac.compare_digest(made, found):
            return key
    raise SignatureError(
        Reason.MISMATCH,
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        f"Key and signing method.\n\nThe String-to-Sign should have been\n'{text}'\n",
    )


def _paths(raw: str) -> list[str]:
    """Return a path's readings: boto3 asks for `/bucket` and signs `/bucket/`, which is the same."""
    return [raw, f"{raw}/"] if raw.count("/") == 1 else [raw]


def _string_to_sign(request: Request, path: str, expires: str) -> str:
    """Return what is signed, as one character for each byte."""
    headers = request.headers
    amazons = [f"{name}:{headers[name].strip()}" for name in sorted(headers) if name.startswith("x-amz-")]
    lines = [request.method, headers.get("content-md5", ""), headers.get("content-type", ""), expires]
    return "\n".join([*lines, *amazons, path + _signed_query(request)])


def _signed_query(request: Request) -> str:
    signed = sorted((name, value) for name, value in request.query if name in _SIGNED_PARAMETERS)
    return "".join(
        f"{'&' if place else '?'}{name}{'=' + value.encode().decode('latin-1') if value else ''}"
        for place, (name, value) in enumerate(signed)
    )
