"""Why a signature is refused, and AWS's own name and status for each reason."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import msgspec


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
