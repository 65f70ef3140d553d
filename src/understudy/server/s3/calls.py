"""A request of S3, understood so far: whose bucket, which key, which parameters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from understudy.server.http import Request
from understudy.store.bucket_records import BucketError, key_bytes
from understudy.store.buckets import Buckets
from understudy.store.uploads import Uploads

DOCUMENT_BYTES = 2 << 20
"""The largest body of a request that is not an object."""


@dataclass(frozen=True)
class S3Door:
    """What the door opens onto."""

    buckets: Buckets

    @property
    def uploads(self) -> Uploads:
        """The uploads in progress in these buckets."""
        return Uploads(self.buckets)


@dataclass(frozen=True)
class Call:
    """One request of S3."""

    door: S3Door
    method: str
    bucket: str
    """Empty where the request is about no one bucket."""
    key: str
    """Empty where it is about the bucket."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    """The request's document; empty where the body is an object."""

    @property
    def buckets(self) -> Buckets:
        """The buckets."""
        return self.door.buckets

    @property
    def uploads(self) -> Uploads:
        """The uploads in progress."""
        return self.door.uploads

    @property
    def level(self) -> str:
        """What the request is about: `service`, `bucket` or `object`."""
        if self.key:
            return "object"
        return "bucket" if self.bucket else "service"

    def number(self, name: str, default: int, most: int) -> int:
        """Return a parameter that is a number from 0, at most `most`; raises BucketError for any other."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdecimal()):
            raise BucketError("InvalidArgument", f"Provided {name} not an integer or within integer range: {text!r}.")
        return most if len(text) > 9 else min(int(text), most)


def call_of(door: S3Door, request: Request) -> Call:
    """Read bucket, key and parameters from a request.

    Raises
    ------
    BucketError : the path is no UTF-8, the key too long, the version one that is not kept, or a parameter stands there
        twice: its signature does not say which of the two is meant.

    """
    query = dict(request.query)
    if len(query) != len(request.query):
        raise BucketError("InvalidArgument", "A parameter of the query stands there twice.")
    bucket, _, key = request.raw_path.removeprefix("/").partition("/")
    call = Call(door, request.method, decoded(bucket), decoded(key), query, request.headers)
    if call.key:
        key_bytes(call.key)
    if call.query.get("versionId", "null") != "null":
        raise BucketError("NoSuchVersion", "The specified version does not exist: objects here have one, `null`.")
    return call


def decoded(text: str) -> str:
    """Undo percent-encoding, once; a `+` is a plus. Bytes that should have been encoded arrive as Latin-1."""
    try:
        return unquote_to_bytes(text.encode("latin-1")).decode()
    except UnicodeError:
        raise BucketError("InvalidURI", "Couldn't parse the specified URI: it is no UTF-8.") from None


async def document(payload: AsyncIterator[bytes]) -> bytes:
    """Return a body that is a document; raises BucketError for one that is too long to be one."""
    data = bytearray()
    async for piece in payload:
        data += piece
        if len(data) > DOCUMENT_BYTES:
            raise BucketError(
                "MaxMessageLengthExceeded", f"Your request was too big: more than {DOCUMENT_BYTES} bytes."
            )
    return bytes(data)
