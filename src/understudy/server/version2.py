"""Addresses presigned in AWS's older way, Signature Version 2: what boto3 still makes by default in us-east-1.

Only addresses, and only of S3: whoever can set headers signs by version 4. Source: AWS, "Signing and authenticating
REST requests (Signature Version 2)", query string request authentication alternative.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

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


def verify_presigned(request: Request, keys: Keys, now: datetime) -> tuple[Key, str]:
    """Check a presigned address; return the key and the signature. Raises SignatureError."""
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
    for text in _strings_to_sign(request, query):
        made = base64.b64encode(hmac.digest(key.secret.encode(), text.encode(), "sha1"))
        if hmac.compare_digest(made, found):
            return key, query["Signature"]
    raise SignatureError(
        Reason.MISMATCH,
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        f"Key and signing method.\n\nThe String-to-Sign should have been\n'{text}'\n",
    )


def _strings_to_sign(request: Request, query: Mapping[str, str]) -> Iterator[str]:
    """Yield what may have been signed: Content-MD5 and Content-Type as sent, or as they stand in the query."""
    for given in (request.headers, {name.lower(): value for name, value in query.items()}):
        lines = [request.method, given.get("content-md5", ""), given.get("content-type", ""), query["Expires"]]
        yield "\n".join([*lines, *_amazon_headers(request, query), _resource(request)])


def _amazon_headers(request: Request, query: Mapping[str, str]) -> list[str]:
    """Return the headers of Amazon's own, sorted; presigned, they may stand in the query."""
    sent = {**query, **request.headers}
    return [f"{name.lower()}:{sent[name].strip()}" for name in sorted(sent, key=str.lower) if _is_amazons(name)]


def _is_amazons(name: str) -> bool:
    return name.lower().startswith("x-amz-")


def _resource(request: Request) -> str:
    signed = sorted((name, value) for name, value in request.query if name in _SIGNED_PARAMETERS)
    return request.raw_path + "".join(
        f"{'&' if place else '?'}{name}{'=' + value if value else ''}" for place, (name, value) in enumerate(signed)
    )
