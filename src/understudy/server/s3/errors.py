"""Which HTTP status an error of S3 has, and its response."""

from __future__ import annotations

from understudy.errors import Busy, StoreError
from understudy.server.http import Response
from understudy.server.s3.xml import error_document
from understudy.store.bucket_records import BucketError

_STATUSES = {
    "AccessDenied": 403,
    "BucketAlreadyExists": 409,
    "BucketAlreadyOwnedByYou": 409,
    "BucketNotEmpty": 409,
    "InternalError": 500,
    "InvalidRange": 416,
    "MethodNotAllowed": 405,
    "NoSuchBucket": 404,
    "NoSuchBucketPolicy": 404,
    "NoSuchCORSConfiguration": 404,
    "NoSuchKey": 404,
    "NoSuchLifecycleConfiguration": 404,
    "NoSuchObjectLockConfiguration": 404,
    "NoSuchPublicAccessBlockConfiguration": 404,
    "NoSuchTagSet": 404,
    "NoSuchUpload": 404,
    "NoSuchVersion": 404,
    "NoSuchWebsiteConfiguration": 404,
    "ObjectLockConfigurationNotFoundError": 404,
    "OwnershipControlsNotFoundError": 404,
    "PreconditionFailed": 412,
    "ReplicationConfigurationNotFoundError": 404,
    "ServerSideEncryptionConfigurationNotFoundError": 404,
    "SignatureDoesNotMatch": 403,
    "SlowDown": 503,
}
"""All others are 400. `NotImplemented`, too: Amazon answers 501, but here no request makes an error of the server's."""


def status_of(code: str) -> int:
    """Return the HTTP status of an error's code."""
    return _STATUSES.get(code, 400)


def error_response(error: BucketError, resource: str, request_id: str) -> Response:
    """Return an error as S3's XML."""
    fields = [
        ("Code", error.code),
        ("Message", error.message),
        ("Resource", resource),
        ("RequestId", request_id),
    ]
    return Response(status_of(error.code), error_document(fields), {"Content-Type": "application/xml"})


def store_failure(error: StoreError) -> BucketError:
    """Say a failure of disk or database in S3's words; clients try again after both."""
    return BucketError("SlowDown" if isinstance(error, Busy) else "InternalError", str(error))
