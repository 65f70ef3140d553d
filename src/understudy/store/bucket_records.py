"""The words of buckets: a bucket, an object in it, an upload in parts, and the one error."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from understudy.errors import UnderstudyError

KEY_BYTES = 1024
"""The longest key, in bytes of UTF-8."""

RESERVED_NAMES = frozenset(
    {"console", "docs", "healthz", "invocations", "metrics", "openapi.json", "ping", "readyz", "static"}
)
"""First parts of the port's own paths that could also be names of buckets."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_RESERVED_STARTS = ("xn--", "sthree-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


class BucketError(UnderstudyError):
    """What was asked of a bucket cannot be done; nothing was changed. `code` is Amazon S3's name for the reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Bucket(msgspec.Struct, frozen=True):
    """A bucket."""

    name: str
    created_at: str
    """ISO 8601 in UTC, as the catalog writes it."""
    region: str
    """The location its maker asked for; empty for none."""
    settings: dict[str, str]
    """Documents about the bucket by sub-resource, such as `policy`, kept and given back as they came."""


class Details(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of an object beyond its bytes."""

    headers: dict[str, str] = {}
    """Headers given back with the object, by lower-case name."""
    metadata: dict[str, str] = {}
    """The user's own, by the name behind `x-amz-meta-`."""
    tags: dict[str, str] = {}
    checksums: dict[str, str] = {}
    """Base64 by algorithm (`crc32`, ...), those of composite type with `-` and the number of parts."""
    checksum_type: str = "FULL_OBJECT"
    """FULL_OBJECT or COMPOSITE."""
    parts: list[int] = []
    """The sizes of the parts that it was uploaded in; empty for one uploaded whole."""
    upload_id: str = ""
    """The multipart upload that made it."""


class ObjectInfo(msgspec.Struct, frozen=True):
    """An object in a bucket."""

    bucket: str
    key: str
    blob: str
    """The name of its bytes in the objects."""
    size: int
    etag: str
    """The MD5 in hexadecimal, without quotes; of an upload in parts the MD5 of its parts' MD5s, `-`, their number."""
    modified_at: str
    details: Details = Details()


class Upload(msgspec.Struct, frozen=True):
    """An upload in parts that is in progress."""

    id: str
    bucket: str
    key: str
    started_at: str
    details: Details
    """What the finished object will have."""
    checksum_algorithm: str = ""
    """Lower-case; empty where the client named none."""
    checksum_type: str = ""


class Part(msgspec.Struct, frozen=True):
    """A part of an upload."""

    number: int
    blob: str
    size: int
    etag: str
    modified_at: str
    checksums: dict[str, str]


Condition = Callable[[ObjectInfo | None], None]
"""Looks at what a key holds in the transaction that would replace it; raises BucketError to keep that."""


def check_bucket_name(name: str) -> None:
    """Hold a new bucket's name against Amazon's rules and the port's own paths; raises BucketError."""
    fits = _NAME.fullmatch(name) and not _ADDRESS.fullmatch(name)
    if not fits or name.startswith(_RESERVED_STARTS) or name.endswith(_RESERVED_ENDS):
        raise BucketError(
            "InvalidBucketName",
            "The specified bucket is not valid: 3 to 63 of a-z, 0-9, '-' and '.', beginning and ending with a letter "
            "or digit, without '..', not like an IP address, and without the beginnings and endings Amazon reserves.",
        )
    if name in RESERVED_NAMES:
        raise BucketError("InvalidBucketName", f"The specified bucket is not valid: /{name} is a path of this server.")


def key_bytes(key: str) -> bytes:
    """Return a key as it is stored and sorted; raises BucketError for one that is empty or too long."""
    encoded = key.encode()
    if len(encoded) > KEY_BYTES:
        raise BucketError("KeyTooLongError", f"Your key is too long: {len(encoded)} bytes of at most {KEY_BYTES}.")
    if not encoded:
        raise BucketError("InvalidArgument", "A key cannot be empty.")
    return encoded
