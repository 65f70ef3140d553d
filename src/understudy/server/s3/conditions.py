"""The conditions of requests: `If-Match` and its kin for reading, copying and replacing; ranges."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from understudy.server.s3.details import moment
from understudy.store.bucket_records import BucketError, Condition, ObjectInfo

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.ASCII)


def reading_status(headers: Mapping[str, str], info: ObjectInfo, start: str = "") -> int:
    """Hold a request's conditions against an object: 200 where it may be read, 304 or 412 where not (RFC 9110, 13.2.2).

    `start` begins the conditions' names: those about the source of a copy have one.
    """
    match, none_match = headers.get(f"{start}if-match"), headers.get(f"{start}if-none-match")
    modified = moment(info.modified_at)
    unmodified_since = _date(headers.get(f"{start}if-unmodified-since"))
    modified_since = _date(headers.get(f"{start}if-modified-since"))
    if match is not None:
        if not _matches(match, info.etag):
            return 412
    elif unmodified_since and modified > unmodified_since:
        return 412
    if none_match is not None:
        return 304 if _matches(none_match, info.etag) else 200
    return 304 if modified_since and modified <= modified_since else 200


def replacing_condition(headers: Mapping[str, str]) -> Condition | None:
    """Return what a key must hold for a request to replace or remove it; None where anything will do."""
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    if none_match is not None and none_match.strip() != "*":
        raise BucketError("NotImplemented", "If-None-Match takes only * when an object is written.")
    if match is None and none_match is None:
        return None

    def check(held: ObjectInfo | None) -> None:
        if match is not None and held is None:
            raise BucketError("NoSuchKey", "The specified key does not exist, so its ETag cannot match.")
        if held is not None and (none_match is not None or not _matches(match or "", held.etag)):
            raise failed()

    return check


def failed() -> BucketError:
    """Return the error of a condition that does not hold."""
    return BucketError("PreconditionFailed", "At least one of the pre-conditions you specified did not hold.")


def stretch(header: str | None, size: int) -> tuple[int, int] | None:
    """Return start and length of the range a header asks for; None for the whole, also where it is not understood.

    >>> stretch("bytes=-3", 10), stretch("bytes=8-20", 10), stretch("lines=1-2", 10)
    ((7, 3), (8, 2), None)
    """
    found = _RANGE.fullmatch(header or "")
    if found is None or found[1] == found[2] == "":
        return None
    if found[1]:
        start, end = int(found[1]), min(int(found[2] or size), size - 1)
        if found[2] and int(found[2]) < start:
            return None
    else:
        start, end = max(size - int(found[2]), 0), size - 1
    if start > end:
        raise BucketError("InvalidRange", f"The requested range is not satisfiable: {header} of {size} bytes.")
    return start, end - start + 1


def _matches(header: str, etag: str) -> bool:
    names = [name.strip().removeprefix("W/").strip('"') for name in header.split(",")]
    return "*" in names or etag in names


def _date(text: str | None) -> datetime | None:
    """Return an HTTP date; None for what is none, which the RFC says to ignore."""
    try:
        found = parsedate_to_datetime(text) if text else None
    except (ValueError, OverflowError):
        return None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found
