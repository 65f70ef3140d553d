"""Places in S3 that a request names: which may be used, and what lies there at that moment.

Only this server's own buckets are looked into; those of a real S3 are the jobs' to ask.
"""

from __future__ import annotations

import re

from understudy.schema import MAX_TEXT
from understudy.service.context import Service
from understudy.service.faults import InvalidInputException
from understudy.store.bucket_records import BucketError

_BAD_OUTPUT = re.compile(r":|//|/\./|/\.\./")

_MOST_BYTES = 4 * MAX_TEXT
"""What the longest schema or recipe can have in UTF-8."""


def check_location(service: Service, url: str, member: str) -> None:
    """Let only those places in S3 be read or written that this server may use; raises InvalidInputException."""
    bucket, _ = _split(url)
    if not service.may_use_bucket(bucket):
        raise InvalidInputException(
            f"{member} is {url!r}, but there is no bucket {bucket!r} here",
            f"Create it on this server, or list it under [serve] buckets = [{bucket!r}] to use the one of a real S3.",
        )


def check_output(service: Service, url: str) -> None:
    """Hold the place for results against the original's rules; raises InvalidInputException."""
    bucket, key = _split(url)
    found = _BAD_OUTPUT.search(f"/{key}" if key else "")
    if found:
        raise InvalidInputException(
            f"OutputUri is {url!r}, whose key contains {found[0]!r}", "Leave ':', '//', '/./' and '/../' out of it."
        )
    check_location(service, f"s3://{bucket}/{key}", "OutputUri")


def check_data(service: Service, url: str, member: str) -> None:
    """Refuse a place that names neither an object nor a folder with one; raises InvalidInputException."""
    check_location(service, url, member)
    bucket, key = _split(url)
    if not service.owns_bucket(bucket):
        return
    try:
        service.buckets.info(bucket, key)
    except BucketError:
        if not _holds_any(service, bucket, key):
            raise _missing(url, member) from None


def text_at(service: Service, url: str, member: str) -> str | None:
    """Return the text of a small object; None where only the job can read it. Raises InvalidInputException."""
    check_location(service, url, member)
    bucket, key = _split(url)
    if not service.owns_bucket(bucket):
        return None
    try:
        file, info = service.buckets.open(bucket, key)
    except BucketError:
        raise _missing(url, member) from None
    with file:
        if info.size > _MOST_BYTES:
            raise InvalidInputException(
                f"{member} is {url!r}, which has {info.size:,} bytes", f"At most {MAX_TEXT:,} characters are allowed."
            )
        try:
            return file.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise InvalidInputException(f"{member} is {url!r}, which is not UTF-8", "Save it as UTF-8 text.") from None


def staged(staging: str, source_id: str) -> str:
    """Return where the rows of a data source over a query are staged."""
    return f"{staging.rstrip('/')}/{source_id}.csv"


def _split(url: str) -> tuple[str, str]:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


def _holds_any(service: Service, bucket: str, folder: str) -> bool:
    prefix = folder if not folder or folder.endswith("/") else f"{folder}/"
    try:
        return any(True for _ in service.buckets.iter_keys(bucket, prefix))
    except BucketError:
        return False


def _missing(url: str, member: str) -> InvalidInputException:
    return InvalidInputException(f"{member} is {url!r}, but nothing is there", "Upload it first, or correct the place.")
