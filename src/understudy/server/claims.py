"""What a request says of its own signature, in the Authorization header or in the query; nothing here is verified."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import NoReturn

import msgspec

from understudy.server.canonical import ALGORITHM
from understudy.server.http import Request
from understudy.server.refusals import Reason, SignatureError

_OURS = f"{ALGORITHM} "

LONGEST_EXPIRY = 604_800
"""Seconds that a presigned address may be good for: a week."""

_NAMED_IN_QUERY = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature")
_OF_THE_SIGNATURE = frozenset(name.lower() for name in (*_NAMED_IN_QUERY, "X-Amz-Expires", "X-Amz-Content-Sha256"))
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_BASIC = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z")


class Claim(msgspec.Struct, frozen=True):
    """What a request says of its own signature."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: Sequence[str]
    signature: str
    timestamp: str
    at: datetime
    expires: int | None
    """Seconds that a presigned address is good for; None for a signature in the header."""

    @property
    def scope(self) -> str:
        """Day, region, service and `aws4_request`, with slashes between."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def claimed_service(request: Request) -> str | None:
    """Return the service that a request says it is signed for, unverified.

    None where it carries no signature of version 4; empty where it does but the service cannot be read.
    """
    header = request.headers.get("authorization", "")
    if header.startswith(ALGORITHM):
        credential = _fields(header).get("Credential", "")
    elif "X-Amz-" in request.raw_query and _presigned(query := dict(request.query)):
        credential = query.get("X-Amz-Credential", "")
    else:
        return None
    parts = credential.rsplit("/", 4)
    return parts[3] if len(parts) == 5 else ""


def is_version_2(request: Request) -> bool:
    """Tell whether a request carries a signature of version 2, in the header or in the query."""
    header = request.headers.get("authorization", "")
    return header.startswith("AWS ") or ("AWSAccessKeyId=" in request.raw_query and "Signature=" in request.raw_query)


def read_claim(request: Request) -> Claim:
    """Return what a request claims; raises SignatureError where it claims nothing, or not in the form of version 4."""
    header = request.headers.get("authorization")
    if header is not None and header.startswith(_OURS) and "X-Amz-" not in request.raw_query:
        return _claim_of_header(header, request.headers)
    query = dict(request.query) if "X-Amz-" in request.raw_query else {}
    presigned = _presigned(query)
    if header is not None and presigned:
        raise SignatureError(
            Reason.TWICE,
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the Authorization header "
            "should be specified",
        )
    if presigned:
        return _claim_of_query(query)
    if header is not None and header.startswith(_OURS):
        return _claim_of_header(header, request.headers)
    if header is not None or is_version_2(request):
        raise SignatureError(
            Reason.UNSUPPORTED,
            f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}.",
        )
    raise SignatureError(
        Reason.MISSING,
        "Missing Authentication Token: the request is not signed. `understudy env` prints the keys to sign with.",
    )


def hoisted_headers(request: Request) -> dict[str, str]:
    """Return the headers that a presigned address carries in its query, by lower-case name, as if they had been sent.

    Raises
    ------
    SignatureError : one is no header, stands there twice, or was sent, too, and with another value.

    """
    found: dict[str, str] = {}
    for name, text in request.query:
        header, value = name.lower(), text.strip().encode().decode("latin-1")
        if not _is_hoisted(header):
            continue
        if header in found:
            _refuse_query(f"The query has {header} twice.")
        if not (_HEADER_NAME.fullmatch(header) and text.isprintable()):
            _refuse_query(f"The parameter {header[:80]!r} of the query is no header, or its value is that of none.")
        if request.headers.get(header, value) != value:
            raise SignatureError(
                Reason.UNSIGNED_HEADER,
                f"The header {header} was sent with another value than the one that was signed in the query.",
            )
        found[header] = value
    return found


def _is_hoisted(name: str) -> bool:
    return name in {"content-md5", "content-type"} or (name.startswith("x-amz-") and name not in _OF_THE_SIGNATURE)


def _presigned(query: Mapping[str, str]) -> bool:
    return any(name in query for name in ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"))


def _claim_of_header(header: str, headers: Mapping[str, str]) -> Claim:
    """Return what an Authorization header claims; all before the signature is the same in request after request."""
    before, _, signature = header.rpartition("Signature=")
    if before.rstrip(" ").endswith(",") and signature.isalnum():
        named = _remembered(before)
    else:
        fields = _fields(header)
        named, signature = _named(fields), fields.get("Signature", "")
    timestamp, at = _time(headers)
    return Claim(*named, signature, timestamp, at, None)


def _named(fields: Mapping[str, str]) -> tuple[str, str, str, str, Sequence[str]]:
    missing = [name for name in ("Credential", "SignedHeaders", "Signature") if not fields.get(name)]
    if missing:
        raise SignatureError(
            Reason.MALFORMED, " ".join(f"Authorization header requires '{name}' parameter." for name in missing)
        )
    return *_credential(fields["Credential"], Reason.MALFORMED), _names(fields["SignedHeaders"])


@lru_cache(256)
def _remembered(before: str) -> tuple[str, str, str, str, Sequence[str]]:
    """Return what an Authorization header names before its signature."""
    return _named({**_fields(before), "Signature": "there"})


def _fields(header: str) -> dict[str, str]:
    """Return the parameters of an Authorization header; some clients leave out the blank behind the comma."""
    pairs = (part.strip().partition("=") for part in header.removeprefix(ALGORITHM).split(","))
    return {name: value for name, _, value in pairs}


def _claim_of_query(query: Mapping[str, str]) -> Claim:
    missing = [name for name in (*_NAMED_IN_QUERY, "X-Amz-Expires") if not query.get(name)]
    if missing:
        _refuse_query(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
            f"X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters; missing: {', '.join(missing)}."
        )
    if query["X-Amz-Algorithm"] != ALGORITHM:
        _refuse_query(f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    expires, timestamp = query["X-Amz-Expires"], query["X-Amz-Date"]
    if not re.fullmatch("[0-9]{1,10}", expires) or not 1 <= int(expires) <= LONGEST_EXPIRY:
        _refuse_query(f"X-Amz-Expires is {expires!r}; it must be a number of seconds from 1 to {LONGEST_EXPIRY}")
    at = _basic_time(timestamp)
    if at is None:
        _refuse_query(f"X-Amz-Date is {timestamp!r}; it must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    access_key_id, date, region, service = _credential(query["X-Amz-Credential"], Reason.MALFORMED_QUERY)
    names = _names(query["X-Amz-SignedHeaders"])
    return Claim(access_key_id, date, region, service, names, query["X-Amz-Signature"], timestamp, at, int(expires))


def _refuse_query(message: str) -> NoReturn:
    raise SignatureError(Reason.MALFORMED_QUERY, message)


def _credential(text: str, malformed: Reason) -> tuple[str, str, str, str]:
    """Return key id, date, region and service of a credential scope."""
    parts = text.rsplit("/", 4)
    if len(parts) != 5 or not all(parts) or parts[4] != "aws4_request":
        raise SignatureError(
            malformed,
            f'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request", got {text!r}',
        )
    return parts[0], parts[1], parts[2], parts[3]


def _names(text: str) -> Sequence[str]:
    return tuple(sorted(set(text.lower().split(";"))))


def _time(headers: Mapping[str, str]) -> tuple[str, datetime]:
    """Return when a request was signed, as text and as time: x-amz-date, or Date in either form."""
    text = headers.get("x-amz-date") or headers.get("date", "")
    at = _basic_time(text)
    if at is not None:
        return text, at
    at = _mail_time(text) if "x-amz-date" not in headers else None
    if at is None:
        raise SignatureError(
            Reason.NO_DATE,
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header, of the form "
            f"20130524T000000Z; found {text!r}",
        )
    return f"{at:%Y%m%dT%H%M%SZ}", at


@lru_cache(64)
def _basic_time(text: str) -> datetime | None:
    found = _BASIC.fullmatch(text)
    try:
        return datetime(*map(int, found.groups()), tzinfo=UTC) if found else None  # type: ignore[arg-type, misc]
    except ValueError:
        return None


def _mail_time(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
