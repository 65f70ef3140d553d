"""Which operation a request of S3 is: by what it is about, its method, and the sub-resource its query names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from understudy.server.http import Response
from understudy.server.payload import Payload
from understudy.server.s3 import buckets, listing, multipart, objects, writing
from understudy.server.s3.calls import Call
from understudy.store.bucket_records import BucketError

Operation = Callable[[Call], Response]
"""Runs in a thread; the request's document was read."""

StreamedOperation = Callable[[Call, Payload], Awaitable[Response]]
"""Reads the body itself."""

SUBRESOURCES = (
    "uploadId",
    "uploads",
    "acl",
    "attributes",
    "tagging",
    "delete",
    "location",
    "policy",
    "policyStatus",
    "versioning",
    "versions",
    "encryption",
    "cors",
    "lifecycle",
    "website",
    "replication",
    "logging",
    "notification",
    "accelerate",
    "requestPayment",
    "publicAccessBlock",
    "ownershipControls",
    "object-lock",
    "legal-hold",
    "retention",
    "restore",
    "select",
    "torrent",
    "analytics",
    "inventory",
    "metrics",
    "intelligent-tiering",
    "session",
    "metadataTable",
    "metadataConfiguration",
    "renameObject",
    "append",
)
"""Words of a query that make another operation of a request; all other words only say more about it."""

OPERATIONS: dict[tuple[str, str, str], Operation] = {
    ("service", "GET", ""): buckets.list_buckets,
    ("bucket", "PUT", ""): buckets.create_bucket,
    ("bucket", "HEAD", ""): buckets.head_bucket,
    ("bucket", "DELETE", ""): buckets.delete_bucket,
    ("bucket", "GET", ""): listing.list_objects,
    ("bucket", "GET", "versions"): listing.list_versions,
    ("bucket", "GET", "uploads"): multipart.list_uploads,
    ("bucket", "POST", "delete"): objects.delete_objects,
    ("bucket", "GET", "location"): buckets.get_location,
    ("bucket", "GET", "acl"): buckets.get_acl,
    ("bucket", "PUT", "acl"): buckets.put_acl,
    ("bucket", "GET", "policy"): buckets.get_policy,
    ("bucket", "PUT", "policy"): buckets.put_policy,
    ("bucket", "DELETE", "policy"): buckets.delete_policy,
    ("bucket", "GET", "policyStatus"): buckets.get_policy_status,
    ("bucket", "GET", "versioning"): buckets.get_versioning,
    ("bucket", "PUT", "versioning"): buckets.put_versioning,
    ("bucket", "GET", "requestPayment"): buckets.always("RequestPaymentConfiguration", ("Payer", "BucketOwner")),
    ("bucket", "GET", "logging"): buckets.always("BucketLoggingStatus"),
    ("bucket", "GET", "notification"): buckets.always("NotificationConfiguration"),
    ("bucket", "GET", "accelerate"): buckets.always("AccelerateConfiguration"),
    ("bucket", "GET", "cors"): buckets.never("NoSuchCORSConfiguration"),
    ("bucket", "GET", "lifecycle"): buckets.never("NoSuchLifecycleConfiguration"),
    ("bucket", "GET", "website"): buckets.never("NoSuchWebsiteConfiguration"),
    ("bucket", "GET", "replication"): buckets.never("ReplicationConfigurationNotFoundError"),
    ("bucket", "GET", "object-lock"): buckets.never("ObjectLockConfigurationNotFoundError"),
    **{("bucket", "DELETE", word): buckets.delete_nothing for word in ("cors", "lifecycle", "website", "replication")},
    **{("bucket", "PUT", kept.setting): kept.put for kept in buckets.KEPT},
    **{("bucket", "GET", kept.setting): kept.get for kept in buckets.KEPT},
    **{("bucket", "DELETE", kept.setting): kept.delete for kept in buckets.KEPT},
    ("object", "PUT", "copy"): writing.copy_object,
    ("object", "GET", ""): objects.get_object,
    ("object", "HEAD", ""): objects.head_object,
    ("object", "DELETE", ""): objects.delete_object,
    ("object", "GET", "attributes"): objects.get_attributes,
    ("object", "GET", "tagging"): objects.get_object_tagging,
    ("object", "PUT", "tagging"): objects.put_object_tagging,
    ("object", "DELETE", "tagging"): objects.delete_object_tagging,
    ("object", "GET", "acl"): buckets.get_acl,
    ("object", "PUT", "acl"): buckets.put_acl,
    ("object", "GET", "retention"): buckets.never("NoSuchObjectLockConfiguration"),
    ("object", "GET", "legal-hold"): buckets.never("NoSuchObjectLockConfiguration"),
    ("object", "POST", "uploads"): multipart.create_upload,
    ("object", "PUT", "uploadId copy"): multipart.copy_part,
    ("object", "GET", "uploadId"): multipart.list_parts,
    ("object", "POST", "uploadId"): multipart.complete_upload,
    ("object", "DELETE", "uploadId"): multipart.abort_upload,
}

SLOW = {
    ("object", "PUT", "copy"),
    ("object", "PUT", "uploadId copy"),
    ("object", "POST", "uploadId"),
}
"""Operations whose time grows with the bytes that they copy here."""

STREAMED: dict[tuple[str, str, str], StreamedOperation] = {
    ("object", "PUT", ""): writing.put_object,
    ("object", "PUT", "uploadId"): multipart.put_part,
}

Route = tuple[str, str, str]


def route_of(call: Call) -> Route:
    """Return what a request asks for, known or not."""
    words = [word for word in SUBRESOURCES if word in call.query][:1]
    if call.method == "PUT" and "x-amz-copy-source" in call.headers:
        words.append("copy")
    return call.level, call.method, " ".join(words)


def refuse_unsigned(unsigned: frozenset[str]) -> None:
    """Refuse an operation that the request's signature does not vouch for; raises BucketError."""
    added = sorted(unsigned.intersection(SUBRESOURCES))
    if added:
        raise BucketError(
            "AccessDenied",
            f"A signature of version 2 does not cover ?{added[0]}, so anybody may have added it; sign by version 4.",
        )


def refuse(route: Route) -> BucketError:
    """Return the error of a request that is no operation here."""
    level, method, words = route
    if words:
        return BucketError("NotImplemented", f"{method} ?{words} of a {level} is not implemented by Understudy.")
    return BucketError("MethodNotAllowed", f"The specified method is not allowed against this resource: {method}.")
