"""What a client says about an object beside its bytes, and how it is given back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qsl

from understudy.server.payload import stored_encoding
from understudy.server.s3.xml import Fields, Node
from understudy.store.bucket_records import BucketError, Details, ObjectInfo

ENCRYPTION = "x-amz-server-side-encryption"

TAGS = 10
"""How many tags an object has at most."""

_META = "x-amz-meta-"
_METADATA_BYTES = 2048
_CONTENT = ("cache-control", "content-disposition", "content-language", "content-type", "expires")
_CHOICES = (
    ENCRYPTION,
    f"{ENCRYPTION}-aws-kms-key-id",
    f"{ENCRYPTION}-bucket-key-enabled",
    f"{ENCRYPTION}-context",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
)
_ALGORITHMS = {"AES256", "aws:kms", "aws:kms:dsse"}
_CLASSES = {
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "GLACIER_IR",
}
_OVERRIDES = {f"response-{name}": name for name in (*_CONTENT, "content-encoding")}


def details_of(headers: Mapping[str, str]) -> Details:
    """Return what a request says about the object that it makes; raises BucketError for what cannot be kept."""
    _refuse(headers)
    kept = {name: headers[name] for name in (*_CONTENT, *_CHOICES) if headers.get(name)}
    encoding = stored_encoding(headers)
    if encoding:
        kept["content-encoding"] = encoding
    if kept.get("x-amz-storage-class") == "STANDARD":
        del kept["x-amz-storage-class"]
    metadata = {name.removeprefix(_META): value for name, value in headers.items() if name.startswith(_META)}
    if sum(len(name) + len(value) for name, value in metadata.items()) > _METADATA_BYTES:
        raise BucketError(
            "MetadataTooLarge", f"Your metadata headers exceed the maximum allowed size: {_METADATA_BYTES} bytes."
        )
    tags = parse_qsl(headers.get("x-amz-tagging", ""), keep_blank_values=True)
    return Details(kept, metadata, checked_tags(tags))


def chosen(headers: Mapping[str, str]) -> dict[str, str]:
    """Return those kept headers that a copy takes from its own request: encryption and storage class."""
    kept = details_of(headers).headers
    return {name: value for name, value in kept.items() if name in _CHOICES}


def content(headers: Mapping[str, str]) -> dict[str, str]:
    """Return those kept headers that a copy takes from its source."""
    return {name: value for name, value in headers.items() if name not in _CHOICES}


def encryption(details: Details) -> dict[str, str]:
    """Return the headers that say how an object is encrypted, which answer writing as well as reading."""
    return {name: value for name, value in details.headers.items() if name.startswith(ENCRYPTION)}


def described(info: ObjectInfo, query: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that an object is read with; `response-...` parameters override its own."""
    details = info.details
    overrides = {name: _safe(query[asked]) for asked, name in _OVERRIDES.items() if query.get(asked)}
    kept = {"content-type": "binary/octet-stream"} | details.headers | overrides
    headers = {name if name.startswith("x-amz-") else name.title(): value for name, value in kept.items()}
    headers |= {f"{_META}{name}": value for name, value in details.metadata.items()}
    if details.tags:
        headers["x-amz-tagging-count"] = str(len(details.tags))
    return headers | {"Accept-Ranges": "bytes"} | stamped(info)


def stamped(info: ObjectInfo) -> dict[str, str]:
    """Return the headers that name an object's state."""
    return {"ETag": quoted(info.etag), "Last-Modified": format_datetime(moment(info.modified_at), usegmt=True)}


def checksum_headers(details: Details) -> dict[str, str]:
    """Return an object's checksums as headers."""
    headers = {f"x-amz-checksum-{name}": value for name, value in details.checksums.items()}
    return headers | ({"x-amz-checksum-type": details.checksum_type} if headers else {})


def checksum_fields(checksums: Mapping[str, str]) -> Fields:
    """Return checksums as elements of a document."""
    return [(f"Checksum{name.upper()}", value) for name, value in checksums.items()]


def quoted(etag: str) -> str:
    """Return an ETag as it travels."""
    return f'"{etag}"'


def moment(at: str) -> datetime:
    """Return a time of the catalog's to the second, which is as exact as S3's times are."""
    return datetime.fromisoformat(at).astimezone(UTC).replace(microsecond=0)


def timestamp(at: str) -> str:
    """Return a time of the catalog's as S3's documents write it."""
    return f"{moment(at):%Y-%m-%dT%H:%M:%S}.000Z"


def tags_from(root: Node, most: int = TAGS) -> dict[str, str]:
    """Read a `Tagging` document; raises BucketError for more than `most` tags, and for bad ones."""
    sets = root.all("TagSet")
    return checked_tags([(tag.get("Key"), tag.get("Value")) for found in sets for tag in found.all("Tag")], most)


def tag_fields(tags: Mapping[str, str]) -> Fields:
    """Return tags as a `Tagging` document's content."""
    return [("TagSet", [("Tag", [("Key", name), ("Value", value)]) for name, value in tags.items()])]


def checked_tags(pairs: list[tuple[str, str]], most: int = TAGS) -> dict[str, str]:
    """Return tags by name; raises BucketError for more, longer or other ones than S3 has."""
    tags = dict(pairs)
    if len(tags) != len(pairs):
        raise BucketError("InvalidTag", "Cannot provide multiple Tags with the same key.")
    if len(tags) > most:
        raise BucketError("BadRequest", f"Object tags cannot be greater than {most}.")
    if any(not name or len(name) > 128 or len(value) > 256 for name, value in pairs):
        raise BucketError("InvalidTag", "A tag's key has 1 to 128 characters, its value at most 256.")
    return tags


def _refuse(headers: Mapping[str, str]) -> None:
    if any(name.startswith(f"{ENCRYPTION}-customer-") for name in headers):
        raise BucketError("NotImplemented", "Encryption with a customer's key (SSE-C) is not supported here.")
    if any(name.startswith("x-amz-object-lock-") for name in headers):
        raise BucketError("InvalidRequest", "Bucket is missing Object Lock Configuration.")
    if headers.get(ENCRYPTION, "AES256") not in _ALGORITHMS:
        raise BucketError("InvalidEncryptionAlgorithmError", f"Supported values: {', '.join(sorted(_ALGORITHMS))}.")
    if headers.get("x-amz-storage-class", "STANDARD") not in _CLASSES:
        raise BucketError("InvalidStorageClass", "The storage class you specified is not valid.")


def _safe(value: str) -> str:
    """Return text for a header as bytes of UTF-8; raises BucketError for what would end the header."""
    if not value.isprintable():
        raise BucketError("InvalidArgument", "A response- parameter holds a control character.")
    return value.encode().decode("latin-1")
