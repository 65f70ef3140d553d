"""Listing what a bucket holds: versions 1 and 2 of the operation, and as versions."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from urllib.parse import quote

from understudy.server.http import Response
from understudy.server.s3.answers import OWNER, xml_response
from understudy.server.s3.calls import Call
from understudy.server.s3.details import quoted, timestamp
from understudy.server.s3.xml import Fields
from understudy.store.bucket_listing import Listed, Page, Query
from understudy.store.bucket_records import BucketError

MOST = 1000
"""Entries in one page, at most."""


def list_objects(call: Call) -> Response:
    """List keys, version 1: pages go on behind a `marker`."""
    if call.query.get("list-type") == "2":
        return _list_objects_v2(call)
    query = query_of(call, call.query.get("marker", ""), "max-keys")
    page = call.buckets.page(call.bucket, query)
    encode = encoder(call)
    # Without a delimiter clients go on behind the last key: Amazon's promise, and what old ones do.
    next_marker = encode(page.next) if page.next and query.delimiter else None
    fields: Fields = [
        *_head(call, query, page),
        ("Marker", encode(query.after)),
        ("NextMarker", next_marker),
        *(("Contents", _entry(entry, encode, OWNER)) for entry in page.entries),
        *prefix_fields(page.common_prefixes, encode),
    ]
    return xml_response("ListBucketResult", fields)


def _list_objects_v2(call: Call) -> Response:
    """List keys, version 2: pages go on by a token."""
    token = call.query.get("continuation-token")
    start = call.query.get("start-after", "")
    query = query_of(call, start if token is None else _untoken(token), "max-keys")
    page = call.buckets.page(call.bucket, query)
    encode = encoder(call)
    owner = OWNER if call.query.get("fetch-owner") == "true" else None
    fields: Fields = [
        *_head(call, query, page),
        ("KeyCount", len(page.entries) + len(page.common_prefixes)),
        ("StartAfter", encode(start) or None),
        ("ContinuationToken", token),
        ("NextContinuationToken", _token(page.next) if page.next else None),
        *(("Contents", _entry(entry, encode, owner)) for entry in page.entries),
        *prefix_fields(page.common_prefixes, encode),
    ]
    return xml_response("ListBucketResult", fields)


def list_versions(call: Call) -> Response:
    """List every key as its one version, `null`."""
    query = query_of(call, call.query.get("key-marker", ""), "max-keys")
    page = call.buckets.page(call.bucket, query)
    encode = encoder(call)
    version: Fields = [("VersionId", "null"), ("IsLatest", True)]
    fields: Fields = [
        *_head(call, query, page),
        ("KeyMarker", encode(query.after)),
        ("VersionIdMarker", call.query.get("version-id-marker", "")),
        ("NextKeyMarker", encode(page.next) if page.next else None),
        ("NextVersionIdMarker", "null" if page.next else None),
        *(("Version", [*version, *_entry(entry, encode, OWNER)]) for entry in page.entries),
        *prefix_fields(page.common_prefixes, encode),
    ]
    return xml_response("ListVersionsResult", fields)


def query_of(call: Call, after: str, limit: str) -> Query:
    """Read from a request which keys to list; `limit` names the parameter that says how many."""
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    return Query(prefix, delimiter, after, call.number(limit, MOST, MOST))


def encoder(call: Call) -> Callable[[str], str]:
    """Return how keys are to be written in the answer; raises BucketError for another way than S3 knows."""
    kind = call.query.get("encoding-type", "")
    if kind not in {"", "url"}:
        raise BucketError("InvalidArgument", f"Invalid Encoding Method specified in Request: {kind!r}.")
    return quote if kind else str


def prefix_fields(prefixes: list[str], encode: Callable[[str], str]) -> Fields:
    """Return common prefixes as elements."""
    return [("CommonPrefixes", [("Prefix", encode(prefix))]) for prefix in prefixes]


def _head(call: Call, query: Query, page: Page) -> Fields:
    encode = encoder(call)
    return [
        ("Name", call.bucket),
        ("Prefix", encode(query.prefix)),
        ("Delimiter", encode(query.delimiter) or None),
        ("MaxKeys", query.limit),
        ("EncodingType", call.query.get("encoding-type") or None),
        ("IsTruncated", bool(page.next)),
    ]


def _entry(entry: Listed, encode: Callable[[str], str], owner: Fields | None) -> Fields:
    return [
        ("Key", encode(entry.key)),
        ("LastModified", timestamp(entry.modified_at)),
        ("ETag", quoted(entry.etag)),
        ("Size", entry.size),
        ("Owner", owner),
        ("StorageClass", "STANDARD"),
    ]


def _token(entry: str) -> str:
    return base64.urlsafe_b64encode(entry.encode()).decode()


def _untoken(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise BucketError("InvalidArgument", "The continuation token provided is incorrect.") from None
