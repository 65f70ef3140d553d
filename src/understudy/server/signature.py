"""AWS Signature Version 4: who signed a request, and that it arrived as it was signed.

Source: AWS, "Authenticating Requests (AWS Signature Version 4)", for S3 and for other services. In the Authorization
header or in the query (presigned); security tokens are not looked at: keys here are permanent.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import NoReturn
from urllib.parse import quote, urlsplit

import msgspec

from understudy.server.canonical import ALGORITHM, canonical_requests, sign, signing_key, string_to_sign, without
from understudy.server.http import Request
from understudy.server.keys import Key, Keys

WINDOW = timedelta(minutes=15)
"""How far a client's clock may be from ours."""
LONGEST_EXPIRY = 604_800
"""Seconds that a presigned address may be good for: a week."""

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_CHUNKS_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
PAYLOAD_WORDS = (UNSIGNED_PAYLOAD, SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER, UNSIGNED_CHUNKS_TRAILER)
"""What x-amz-content-sha256 may say in place of a digest."""

_NAMED_IN_QUERY = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_BASIC = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z")
_HASH_HEADER = "x-amz-content-sha256"


class Reason(Enum):
    """Why a request's signature is refused."""

    MISSING = "not signed"
    TWICE = "signed in the header and in the query"
    UNSUPPORTED = "signed in another way"
    MALFORMED = "Authorization header not of its form"
    MALFORMED_QUERY = "parameters of a presigned address not of their form"
    NO_DATE = "no date, or one not of its form"
    WRONG_SCOPE = "signed for another service or day"
    UNKNOWN_KEY = "no such access key"
    STALE = "clocks too far apart"
    EXPIRED = "presigned, and too late"
    NOT_YET_VALID = "presigned, and too early"
    UNSIGNED_HEADER = "a header that must be signed is not"
    NO_BODY_HASH = "x-amz-content-sha256 is missing"
    MALFORMED_BODY_HASH = "x-amz-content-sha256 not of its form"
    BODY_MISMATCH = "the body is not the one that was signed"
    MISMATCH = "another signature than ours"


class Refusal(msgspec.Struct, frozen=True):
    """How AWS answers a refused signature."""

    code: str
    status: int


_INCOMPLETE = Refusal("IncompleteSignatureException", 400)
_INVALID = Refusal("InvalidSignatureException", 400)

JSON_ERRORS: Mapping[Reason, Refusal] = {
    Reason.MISSING: Refusal("MissingAuthenticationTokenException", 400),
    Reason.TWICE: _INCOMPLETE,
    Reason.UNSUPPORTED: _INCOMPLETE,
    Reason.MALFORMED: _INCOMPLETE,
    Reason.MALFORMED_QUERY: _INCOMPLETE,
    Reason.NO_DATE: _INCOMPLETE,
    Reason.WRONG_SCOPE: _INVALID,
    Reason.UNKNOWN_KEY: Refusal("UnrecognizedClientException", 400),
    Reason.STALE: _INVALID,
    Reason.EXPIRED: _INVALID,
    Reason.NOT_YET_VALID: _INVALID,
    Reason.UNSIGNED_HEADER: _INVALID,
    Reason.NO_BODY_HASH: _INVALID,
    Reason.MALFORMED_BODY_HASH: _INVALID,
    Reason.BODY_MISMATCH: _INVALID,
    Reason.MISMATCH: _INVALID,
}
"""The names of AWS's JSON services. AccessDeniedException is no reason of a signature: doors say it of roles."""

S3_ERRORS: Mapping[Reason, Refusal] = {
    Reason.MISSING: Refusal("AccessDenied", 403),
    Reason.TWICE: Refusal("InvalidArgument", 400),
    Reason.UNSUPPORTED: Refusal("InvalidRequest", 400),
    Reason.MALFORMED: Refusal("AuthorizationHeaderMalformed", 400),
    Reason.MALFORMED_QUERY: Refusal("AuthorizationQueryParametersError", 400),
    Reason.NO_DATE: Refusal("AccessDenied", 403),
    Reason.WRONG_SCOPE: Refusal("AuthorizationHeaderMalformed", 400),
    Reason.UNKNOWN_KEY: Refusal("InvalidAccessKeyId", 403),
    Reason.STALE: Refusal("RequestTimeTooSkewed", 403),
    Reason.EXPIRED: Refusal("AccessDenied", 403),
    Reason.NOT_YET_VALID: Refusal("AccessDenied", 403),
    Reason.UNSIGNED_HEADER: Refusal("AccessDenied", 403),
    Reason.NO_BODY_HASH: Refusal("InvalidRequest", 400),
    Reason.MALFORMED_BODY_HASH: Refusal("InvalidArgument", 400),
    Reason.BODY_MISMATCH: Refusal("XAmzContentSHA256Mismatch", 400),
    Reason.MISMATCH: Refusal("SignatureDoesNotMatch", 403),
}
"""The names of S3."""


class SignatureError(Exception):
    """A request is not signed as it must be."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Signed(msgspec.Struct, frozen=True):
    """A request whose signature was verified."""

    key: Key
    region: str
    timestamp: str
    """When it was signed, as 20130524T000000Z."""
    scope: str
    """Day, region, service and `aws4_request`, with slashes between."""
    payload: str
    """What was declared of the body: its SHA-256 in hexadecimal, or one of PAYLOAD_WORDS."""
    signing_key: bytes
    signature: str
    """The request's own; the first chunk of a signed stream is signed behind it."""
    presigned: bool

    def __repr__(self) -> str:
        return f"Signed(key={self.key!r}, timestamp={self.timestamp!r}, scope={self.scope!r}, payload={self.payload!r})"


class _Claim(msgspec.Struct, frozen=True):
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


def verify(request: Request, keys: Keys, service: str, now: datetime, body: bytes | None = None) -> Signed:
    """Check a request's signature for `service`.

    `body` is the whole body where it was read. S3's may be None: then `payload.plain` checks it as it arrives.

    Raises
    ------
    SignatureError : with the reason, and a message that says what was found; never with anything secret.

    """
    claim = _claim(request)
    _check_scope(claim, service)
    key = keys.find(claim.access_key_id)
    if key is None:
        raise SignatureError(
            Reason.UNKNOWN_KEY,
            f"The AWS access key id {claim.access_key_id} does not exist in our records; `understudy env` prints one "
            "that does.",
        )
    _check_time(claim, now)
    _check_signed_headers(request, claim)
    payload = _payload(request, claim, body)
    secret_key = signing_key(key.secret, claim.date, claim.region, claim.service)
    _check_signature(request, claim, payload, secret_key)
    if body is not None:
        _check_body(request, claim, payload, body)
    return Signed(
        key, claim.region, claim.timestamp, claim.scope, payload, secret_key, claim.signature, claim.expires is not None
    )


def presign(
    key: Key, method: str, url: str, service: str, expires: int, now: datetime, region: str = "us-east-1"
) -> str:
    """Return an address that may be asked for during `expires` seconds without a key at hand.

    The path of `url` stands percent-encoded; `expires` is 1 to LONGEST_EXPIRY.
    """
    parts = urlsplit(url)
    timestamp = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    date = timestamp[:8]
    scope = f"{date}/{region}/{service}/aws4_request"
    values = (ALGORITHM, f"{key.id}/{scope}", timestamp, str(expires), "host")
    names = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders")
    added = [f"{name}={quote(value, safe='')}" for name, value in zip(names, values, strict=True)]
    query = "&".join([parts.query, *added] if parts.query else added)
    payload = UNSIGNED_PAYLOAD if service == "s3" else hashlib.sha256(b"").hexdigest()
    host = {"host": re.sub(":80$" if parts.scheme == "http" else ":443$", "", parts.netloc)}
    canonical = next(canonical_requests(method, parts.path, query, host, ["host"], payload, service))
    signature = sign(signing_key(key.secret, date, region, service), string_to_sign(timestamp, scope, canonical))
    return f"{parts.scheme}://{parts.netloc}{parts.path or '/'}?{query}&X-Amz-Signature={signature}"


def _claim(request: Request) -> _Claim:
    header = request.headers.get("authorization")
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
    if header is not None and header.startswith(f"{ALGORITHM} "):
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


def _presigned(query: Mapping[str, str]) -> bool:
    return any(name in query for name in ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"))


def _claim_of_header(header: str, headers: Mapping[str, str]) -> _Claim:
    fields = _fields(header)
    missing = [name for name in ("Credential", "SignedHeaders", "Signature") if not fields.get(name)]
    if missing:
        raise SignatureError(
            Reason.MALFORMED, " ".join(f"Authorization header requires '{name}' parameter." for name in missing)
        )
    access_key_id, date, region, service = _credential(fields["Credential"], Reason.MALFORMED)
    timestamp, at = _time(headers)
    names = _names(fields["SignedHeaders"])
    return _Claim(access_key_id, date, region, service, names, fields["Signature"], timestamp, at, None)


def _fields(header: str) -> dict[str, str]:
    """Return the parameters of an Authorization header; some clients leave out the blank behind the comma."""
    pairs = (part.strip().partition("=") for part in header.removeprefix(ALGORITHM).split(","))
    return {name: value for name, _, value in pairs}


def _claim_of_query(query: Mapping[str, str]) -> _Claim:
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
    return _Claim(access_key_id, date, region, service, names, query["X-Amz-Signature"], timestamp, at, int(expires))


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


def _names(text: str) -> list[str]:
    return sorted(set(text.lower().split(";")))


def _time(headers: Mapping[str, str]) -> tuple[str, datetime]:
    """Return when a request was signed, as text and as time: x-amz-date, or Date in either form."""
    text = headers.get("x-amz-date") or headers.get("date", "")
    at = _basic_time(text)
    if at is None and "x-amz-date" not in headers:
        at = _mail_time(text)
    if at is None:
        raise SignatureError(
            Reason.NO_DATE,
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header, of the form "
            f"20130524T000000Z; found {text!r}",
        )
    return f"{at:%Y%m%dT%H%M%SZ}", at


def _basic_time(text: str) -> datetime | None:
    found = _BASIC.fullmatch(text)
    try:
        return datetime(*map(int, found.groups()), tzinfo=UTC) if found else None  # type: ignore[arg-type, misc]
    except ValueError:
        return None


def _mail_time(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _check_scope(claim: _Claim, service: str) -> None:
    if claim.service != service:
        raise SignatureError(
            Reason.WRONG_SCOPE, f"Credential should be scoped to correct service: {service!r}, not {claim.service!r}."
        )
    if claim.date != claim.timestamp[:8]:
        raise SignatureError(
            Reason.WRONG_SCOPE,
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"{claim.date!r} != {claim.timestamp[:8]!r}, from {claim.timestamp!r}.",
        )


def _check_time(claim: _Claim, now: datetime) -> None:
    early = claim.at > now + WINDOW
    if claim.expires is None:
        if early or claim.at < now - WINDOW:
            raise SignatureError(Reason.STALE, _stale(claim.timestamp, now, early=early))
    elif early:
        raise SignatureError(
            Reason.NOT_YET_VALID, f"Request is not yet valid: it was signed at {claim.timestamp}, now is {_basic(now)}."
        )
    elif now > claim.at + timedelta(seconds=claim.expires):
        raise SignatureError(
            Reason.EXPIRED,
            f"Request has expired: it was signed at {claim.timestamp} for {claim.expires:,} s, now is {_basic(now)}.",
        )


def _stale(timestamp: str, now: datetime, *, early: bool) -> str:
    """Say in AWS's words how far the clocks are apart."""
    if early:
        return (
            f"Signature not yet current: {timestamp} is still later than {_basic(now + WINDOW)} "
            f"({_basic(now)} + 15 min.)"
        )
    return f"Signature expired: {timestamp} is now earlier than {_basic(now - WINDOW)} ({_basic(now)} - 15 min.)"


def _basic(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _check_signed_headers(request: Request, claim: _Claim) -> None:
    """Refuse headers that change what a request means and are not signed: host, and what AWS demands beside it."""
    demanded = {"host"}
    if claim.service == "s3":
        demanded |= {name for name in request.headers if name.startswith("x-amz-")} - {_HASH_HEADER}
    elif "x-amz-target" in request.headers:
        demanded.add("x-amz-target")
    left_out = sorted(demanded.difference(claim.signed_headers))
    if left_out:
        raise SignatureError(
            Reason.UNSIGNED_HEADER,
            f"There were headers present in the request which were not signed: {', '.join(left_out)}. "
            "Each must be named by SignedHeaders.",
        )


def _payload(request: Request, claim: _Claim, body: bytes | None) -> str:
    """Return what stands for the body in the canonical request."""
    if claim.service != "s3":
        return hashlib.sha256(body or b"").hexdigest()
    declared = request.headers.get(_HASH_HEADER)
    if claim.expires is not None:
        in_query = dict(request.query).get("X-Amz-Content-Sha256")
        signed = declared if _HASH_HEADER in claim.signed_headers else None
        declared = in_query or signed or UNSIGNED_PAYLOAD
    if declared is None:
        raise SignatureError(Reason.NO_BODY_HASH, f"Missing required header for this request: {_HASH_HEADER}")
    if declared not in PAYLOAD_WORDS and not _DIGEST.fullmatch(declared):
        raise SignatureError(
            Reason.MALFORMED_BODY_HASH,
            f"{_HASH_HEADER} must be {', '.join(PAYLOAD_WORDS)}, or a valid sha256 value; found {declared[:80]!r}.",
        )
    return declared


def _check_signature(request: Request, claim: _Claim, payload: str, secret_key: bytes) -> None:
    query = request.raw_query if claim.expires is None else without(request.raw_query, "X-Amz-Signature")
    found = claim.signature.encode()
    likeliest = ""
    for canonical in canonical_requests(
        request.method, request.raw_path, query, request.headers, claim.signed_headers, payload, claim.service
    ):
        text = string_to_sign(claim.timestamp, claim.scope, canonical)
        if hmac.compare_digest(sign(secret_key, text).encode(), found):
            return
        likeliest = likeliest or _explained(canonical, text)
    raise SignatureError(Reason.MISMATCH, likeliest)


def _explained(canonical: str, text: str) -> str:
    """Say in AWS's words what should have been signed."""
    return (
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details.\n\n"
        f"The Canonical String for this request should have been\n'{canonical}'\n\n"
        f"The String-to-Sign should have been\n'{text}'\n"
    )


def _check_body(request: Request, claim: _Claim, payload: str, body: bytes) -> None:
    """Refuse a body whose digest is another than the header declares."""
    declared = payload if claim.service == "s3" else request.headers.get(_HASH_HEADER, "")
    if _DIGEST.fullmatch(declared) and declared.lower() != hashlib.sha256(body).hexdigest():
        raise SignatureError(
            Reason.BODY_MISMATCH, f"The provided '{_HASH_HEADER}' header does not match what was computed."
        )
