"""Operations about buckets: make, look, remove, and what is kept or said about one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from understudy.server.http import Response
from understudy.server.s3.answers import OWNER, empty, no_content, xml_response
from understudy.server.s3.calls import Call
from understudy.server.s3.details import tags_from, timestamp
from understudy.server.s3.xml import Fields, document, fields_of, parse
from understudy.store.bucket_records import BucketError

_POLICY_BYTES = 20 << 10
_HOME_REGION = "us-east-1"
_MOST_BUCKETS = 10_000
_REGION = re.compile("[A-Za-z0-9-]{1,40}")


def list_buckets(call: Call) -> Response:
    """Answer all buckets by name, page by page where asked."""
    after, limit = call.query.get("continuation-token", ""), call.number("max-buckets", _MOST_BUCKETS, _MOST_BUCKETS)
    prefix = call.query.get("prefix", "")
    found = [bucket for bucket in call.buckets.find() if bucket.name > after and bucket.name.startswith(prefix)]
    page = found[:limit]
    buckets: Fields = [
        ("Bucket", [("Name", bucket.name), ("CreationDate", timestamp(bucket.created_at))]) for bucket in page
    ]
    token = page[-1].name if page and len(found) > limit else None
    return xml_response(
        "ListAllMyBucketsResult",
        [("Owner", OWNER), ("Buckets", buckets), ("ContinuationToken", token), ("Prefix", prefix or None)],
    )


def create_bucket(call: Call) -> Response:
    """Make a bucket. As in Amazon's oldest region, making one again is no error where no other region is asked for."""
    region = parse(call.body, "CreateBucketConfiguration").get("LocationConstraint") if call.body.strip() else ""
    if region and not _REGION.fullmatch(region):
        raise BucketError(
            "InvalidLocationConstraint", f"The specified location-constraint is not valid: {region[:40]!r}."
        )
    try:
        call.buckets.create(call.bucket, region)
    except BucketError as error:
        if error.code != "BucketAlreadyOwnedByYou" or region:
            raise
    return empty(200, {"Location": f"/{quote(call.bucket)}"})


def head_bucket(call: Call) -> Response:
    """Say that a bucket exists."""
    return empty(200, {"x-amz-bucket-region": call.buckets.get(call.bucket).region or _HOME_REGION})


def delete_bucket(call: Call) -> Response:
    """Remove an empty bucket."""
    call.buckets.remove(call.bucket)
    return no_content()


def get_location(call: Call) -> Response:
    """Answer where a bucket was asked to be; nothing stands for Amazon's oldest region."""
    return xml_response("LocationConstraint", call.buckets.get(call.bucket).region)


def get_acl(call: Call) -> Response:
    """Answer that the owner may do everything and others nothing, which holds for all that is here."""
    if call.key:
        call.buckets.info(call.bucket, call.key)
    else:
        call.buckets.get(call.bucket)
    grantee = 'Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"'
    grant: Fields = [("Grant", [(grantee, OWNER), ("Permission", "FULL_CONTROL")])]
    return xml_response("AccessControlPolicy", [("Owner", OWNER), ("AccessControlList", grant)])


def put_acl(call: Call) -> Response:
    """Accept an ACL and forget it: who may do what is decided by keys and their roles, and nothing is ever public."""
    get_acl(call)
    return empty()


def put_policy(call: Call) -> Response:
    """Keep a policy. It is given back as it came; keys and their roles decide who may do what."""
    try:
        policy = call.body.decode()
        valid = len(call.body) <= _POLICY_BYTES and isinstance(json.loads(policy), dict)
    except (ValueError, RecursionError):
        valid = False
    if not valid:
        raise BucketError("MalformedPolicy", "Policies must be valid JSON, an object of at most 20 KB in UTF-8.")
    call.buckets.set(call.bucket, "policy", policy)
    return no_content()


def get_policy(call: Call) -> Response:
    """Answer a bucket's policy as it was put."""
    return Response(200, _policy(call).encode(), {"Content-Type": "application/json"})


def get_policy_status(call: Call) -> Response:
    """Answer that a policy makes nothing public."""
    _policy(call)
    return xml_response("PolicyStatus", [("IsPublic", False)])


def delete_policy(call: Call) -> Response:
    """Drop a bucket's policy."""
    call.buckets.set(call.bucket, "policy", None)
    return no_content()


def put_versioning(call: Call) -> Response:
    """Accept that a bucket keeps no versions; refuse to keep any."""
    status = parse(call.body, "VersioningConfiguration").get("Status")
    if status not in {"", "Suspended"}:
        raise BucketError("NotImplemented", "Versions are not kept here: a key holds the last object that was put.")
    call.buckets.set(call.bucket, "versioning", status or None)
    return empty()


def get_versioning(call: Call) -> Response:
    """Answer whether versioning was suspended; it never was enabled."""
    status = call.buckets.get(call.bucket).settings.get("versioning")
    return xml_response("VersioningConfiguration", [("Status", status)])


@dataclass(frozen=True)
class Kept:
    """A document about a bucket that is kept and given back; nothing here acts on it."""

    setting: str
    root: str
    missing: str
    """The error's code where there is none."""

    def put(self, call: Call) -> Response:
        """Keep the document, if it is one."""
        root = parse(call.body, self.root)
        if self.root == "Tagging":
            tags_from(root, most=50)
        call.buckets.set(call.bucket, self.setting, document(self.root, fields_of(root)).decode())
        return no_content() if self.root == "Tagging" else empty()

    def get(self, call: Call) -> Response:
        """Answer the document."""
        text = call.buckets.get(call.bucket).settings.get(self.setting)
        if text is None:
            raise BucketError(self.missing, f"The bucket {call.bucket!r} has no {self.root}.")
        return Response(200, text.encode(), {"Content-Type": "application/xml"})

    def delete(self, call: Call) -> Response:
        """Drop the document."""
        call.buckets.set(call.bucket, self.setting, None)
        return no_content()


KEPT = (
    Kept("encryption", "ServerSideEncryptionConfiguration", "ServerSideEncryptionConfigurationNotFoundError"),
    Kept("ownershipControls", "OwnershipControls", "OwnershipControlsNotFoundError"),
    Kept("publicAccessBlock", "PublicAccessBlockConfiguration", "NoSuchPublicAccessBlockConfiguration"),
    Kept("tagging", "Tagging", "NoSuchTagSet"),
)


def always(root: str, *fields: tuple[str, str]) -> Callable[[Call], Response]:
    """Return an operation that answers the same for every bucket: what a new one has."""

    def answer(call: Call) -> Response:
        call.buckets.get(call.bucket)
        return xml_response(root, fields)

    return answer


def never(code: str) -> Callable[[Call], Response]:
    """Return an operation that finds nothing in any bucket, for what cannot be put here."""

    def answer(call: Call) -> Response:
        call.buckets.get(call.bucket)
        raise BucketError(code, f"The bucket {call.bucket!r} has no such configuration.")

    return answer


def delete_nothing(call: Call) -> Response:
    """Remove what cannot be put here, and so is not there."""
    call.buckets.get(call.bucket)
    return no_content()


def _policy(call: Call) -> str:
    policy = call.buckets.get(call.bucket).settings.get("policy")
    if policy is None:
        raise BucketError("NoSuchBucketPolicy", f"The bucket policy does not exist: {call.bucket!r}.")
    return policy
