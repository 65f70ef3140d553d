"""AWS Signature Version 4: who signed a request, and that it arrived as it was signed.

Addresses of S3 may be presigned by version 2 (`version2`), which boto3 does by default.

Source: AWS, "Authenticating Requests (AWS Signature Version 4)", for S3 and for other services. In the Authorization
header or in the query (presigned); security tokens are not looked at: keys here are permanent.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import msgspec

from understudy.server.canonical import ALGORITHM, canonical_requests, sign, signing_key, string_to_sign, without
from understudy.server.claims import (
    LONGEST_EXPIRY,
    Claim,
    claimed_service,
    hoisted_headers,
    is_version_2,
    read_claim,
)
from understudy.server.http import Request
from understudy.server.keys import Key, Keys
from understudy.server.refusals import JSON_ERRORS, S3_ERRORS, Reason, Refusal, SignatureError
from understudy.server.version2 import is_presigned, unsigned_parameters, verify_presigned

__all__ = [
    "JSON_ERRORS",
    "LONGEST_EXPIRY",
    "PAYLOAD_WORDS",
    "S3_ERRORS",
    "SIGNED_CHUNKS",
    "SIGNED_CHUNKS_TRAILER",
    "UNSIGNED_CHUNKS_TRAILER",
    "UNSIGNED_PAYLOAD",
    "WINDOW",
    "Reason",
    "Refusal",
    "Signable",
    "SignatureError",
    "Signed",
    "check_claim",
    "claimed_service",
    "is_version_2",
    "presign",
    "signable",
    "verify",
]

WINDOW = timedelta(minutes=15)
"""How far a client's clock may be from ours."""

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_CHUNKS_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
PAYLOAD_WORDS = (UNSIGNED_PAYLOAD, SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER, UNSIGNED_CHUNKS_TRAILER)
"""What x-amz-content-sha256 may say in place of a digest."""

_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_HASH_HEADER = "x-amz-content-sha256"
_SUMMED_BY_SDK = "x-amz-sdk-checksum-algorithm"


class Signed(msgspec.Struct, frozen=True):
    """A request whose signature was verified."""

    key: Key
    timestamp: str
    """When it was signed, as 20130524T000000Z."""
    scope: str
    """Day, region, service and `aws4_request`, with slashes between."""
    payload: str
    """What was declared of the body: its SHA-256 in hexadecimal, or one of PAYLOAD_WORDS."""
    signing_key: bytes
    signature: str
    """The request's own; the first chunk of a signed stream is signed behind it."""
    hoisted: Mapping[str, str] = {}
    """Headers that stand in a presigned address, by lower-case name; they count as if they had been sent."""
    unsigned: frozenset[str] = frozenset()
    """Parameters of the query that the signature does not vouch for; version 4 leaves none."""

    def __repr__(self) -> str:
        return f"Signed(key={self.key!r}, timestamp={self.timestamp!r}, scope={self.scope!r}, payload={self.payload!r})"


def verify(request: Request, keys: Keys, service: str, now: datetime, body: bytes | None = None) -> Signed:
    """Check a request's signature for `service`.

    `body` is the whole body where it was read. S3's may be None: then `payload.plain` checks it as it arrives.

    Raises
    ------
    SignatureError : with the reason, and a message that says what was found; never with anything secret.

    """
    if service == "s3" and is_presigned(request):
        return _older(request, keys, now)
    claim, key = _admitted(request, keys, service, now)
    payload = _payload(request, claim, body)
    secret_key = signing_key(key.secret, claim.date, claim.region, claim.service)
    _check_signature(request, claim, payload, secret_key)
    if service == "s3" and body is not None and _DIGEST.fullmatch(payload):
        _check_body(payload, body)
    hoisted = {} if claim.expires is None else _meant(hoisted_headers(request))
    return Signed(key, claim.timestamp, claim.scope, payload, secret_key, claim.signature, hoisted)


class Signable(NamedTuple):
    """What the signature in a head is verified by, but for signature and body: the same for many requests."""

    claim: Claim
    scope: str
    canonical: str
    """The canonical request, in its likeliest reading, up to the body's digest, which ends it."""

    def check(self, own: Mapping[bytes, bytes], signature: str, body: bytes, keys: Keys, now: datetime) -> None:
        """Check an ASCII signature of the head and a body; raises SignatureError, also if another reading is right.

        `own` are the request's headers, ASCII without blanks, that were not in the head which this was made of.
        """
        claim = self.claim
        key = _known_key(claim, keys, now)
        canonical = self._with(own) + hashlib.sha256(body).hexdigest()
        text = string_to_sign(claim.timestamp, self.scope, canonical)
        ours = sign(signing_key(key.secret, claim.date, claim.region, claim.service), text)
        if not hmac.compare_digest(ours, signature):
            raise SignatureError(Reason.MISMATCH, _explained(canonical, text))

    def _with(self, own: Mapping[bytes, bytes]) -> str:
        """Return the canonical request with those of a request's own headers that are signed."""
        canonical = self.canonical
        for name, value in own.items():
            if (header := name.decode()) in self.claim.signed_headers:
                canonical = canonical.replace(f"\n{header}:\n", f"\n{header}:{value.decode()}\n")
        return canonical


def signable(request: Request, service: str) -> Signable:
    """Prepare the check of a request that is signed in its head for a service which signs the body's digest.

    Raises SignatureError where it claims nothing, or not for that service.
    """
    claim = read_claim(request)
    _check_scope(claim, service)
    _check_signed_headers(request, claim)
    readings = canonical_requests(
        request.method, request.raw_path, request.raw_query, request.headers, claim.signed_headers, "", service
    )
    return Signable(claim, claim.scope, next(readings))


def check_claim(request: Request, keys: Keys, service: str, now: datetime) -> None:
    """Check what a signature claims, as far as that can be done before the body is there; raises SignatureError."""
    _admitted(request, keys, service, now)


def _admitted(request: Request, keys: Keys, service: str, now: datetime) -> tuple[Claim, Key]:
    """Return a request's claim and the key that it names, which is known, in scope and in time."""
    claim = read_claim(request)
    _check_scope(claim, service)
    key = _known_key(claim, keys, now)
    _check_signed_headers(request, claim)
    return claim, key


def _known_key(claim: Claim, keys: Keys, now: datetime) -> Key:
    """Return the key that a claim names, made in time."""
    key = keys.find(claim.access_key_id)
    if key is None:
        raise SignatureError(
            Reason.UNKNOWN_KEY,
            f"The AWS access key id {claim.access_key_id} does not exist in our records; `understudy env` prints one "
            "that does.",
        )
    _check_time(claim, now)
    return key


def _older(request: Request, keys: Keys, now: datetime) -> Signed:
    """Check an address that was presigned by version 2; what is sent to it is not signed."""
    hoisted = hoisted_headers(request)
    whole = dataclasses.replace(request, headers={**request.headers, **hoisted})
    key = verify_presigned(whole, keys, now)
    return Signed(key, _basic(now), "", UNSIGNED_PAYLOAD, b"", "", _meant(hoisted), unsigned_parameters(request))


def _meant(hoisted: Mapping[str, str]) -> dict[str, str]:
    """Leave out a checksum that an SDK computed by itself when it presigned: of no body, as there was none yet."""
    algorithm = hoisted.get(_SUMMED_BY_SDK, "").lower()
    return {name: hoisted[name] for name in hoisted if name not in {_SUMMED_BY_SDK, f"x-amz-checksum-{algorithm}"}}


def presign(
    key: Key, method: str, url: str, service: str, expires: int, now: datetime, region: str = "us-east-1"
) -> str:
    """Return an address that may be asked for during `expires` seconds without a key at hand.

    The path of `url` stands percent-encoded; `expires` is 1 to LONGEST_EXPIRY.
    """
    parts = urlsplit(url)
    timestamp = _basic(now)
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


def _check_scope(claim: Claim, service: str) -> None:
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


def _check_time(claim: Claim, now: datetime) -> None:
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


def _check_signed_headers(request: Request, claim: Claim) -> None:
    """Refuse headers that change what a request means and are not signed: host, and what AWS demands beside it."""
    demanded = {"host"}
    if claim.service == "s3":
        demanded |= {name for name in request.headers if name.startswith("x-amz-")} - {_HASH_HEADER}
    elif "x-amz-target" in request.headers:
        demanded.add("x-amz-target")
    left_out = demanded.difference(claim.signed_headers)
    if left_out:
        raise SignatureError(
            Reason.UNSIGNED_HEADER,
            f"There were headers present in the request which were not signed: {', '.join(sorted(left_out))}. "
            "Each must be named by SignedHeaders.",
        )


def _payload(request: Request, claim: Claim, body: bytes | None) -> str:
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


def _check_signature(request: Request, claim: Claim, payload: str, secret_key: bytes) -> None:
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


def _check_body(declared: str, body: bytes) -> None:
    if declared.lower() != hashlib.sha256(body).hexdigest():
        raise SignatureError(
            Reason.BODY_MISMATCH, f"The provided '{_HASH_HEADER}' header does not match what was computed."
        )
