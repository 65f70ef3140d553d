"""Operations that make an object at once: put, as a stream, and copy."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import BinaryIO

import msgspec

from understudy.server.checksums import PREFIX, SUMS, Checks, Sum
from understudy.server.http import Response
from understudy.server.payload import Payload
from understudy.server.s3.answers import empty, xml_response
from understudy.server.s3.bodies import PIECE, gathered, in_thread
from understudy.server.s3.calls import Call, decoded
from understudy.server.s3.conditions import failed, reading_status, replacing_condition
from understudy.server.s3.details import (
    checksum_fields,
    checksum_headers,
    chosen,
    content,
    details_of,
    encryption,
    quoted,
    timestamp,
)
from understudy.store.bucket_records import BucketError, Details, ObjectInfo
from understudy.store.drafts import Draft

LARGEST_PUT = 5 << 30
"""Bytes in one body, at most; larger objects are uploaded in parts."""

Watch = Callable[[bytes], object]
"""Sees the bytes of a body as they pass."""


async def put_object(call: Call, payload: Payload) -> Response:
    """Let a key hold the body. What was there stays until all of it has come and its checksums hold."""
    if "partNumber" in call.query:
        raise BucketError("InvalidArgument", "This operation does not accept a partNumber without an uploadId.")
    details, condition = details_of(call.headers), replacing_condition(call.headers)
    checks = Checks.of(call.headers)
    await in_thread(call.buckets.get, call.bucket)
    async with received(call, payload, checks) as draft:
        details = msgspec.structs.replace(details, checksums=named(checks))
        info = await in_thread(call.buckets.put, call.bucket, call.key, draft, details, condition, checks.md5)
    return empty(200, {"ETag": quoted(info.etag), **checksum_headers(info.details), **encryption(info.details)})


@contextlib.asynccontextmanager
async def received(call: Call, payload: Payload, checks: Checks, *watches: Watch) -> AsyncIterator[Draft]:
    """Give a draft that holds the whole body, its checksums verified; it is dropped unless the block publishes it.

    Raises
    ------
    BucketError : the body is too large.
    PayloadError : it is not the one that was announced.
    StoreError : the disk is full.

    """
    announced = call.headers.get("x-amz-decoded-content-length") or call.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > LARGEST_PUT):
        raise BucketError(
            "EntityTooLarge", f"Your proposed upload exceeds the maximum allowed size: {LARGEST_PUT} bytes."
        )
    draft = call.buckets.draft(hashed=False)  # the checks have hashed already
    try:
        async for piece in gathered(aiter(payload), LARGEST_PUT):
            await in_thread(show, piece, [draft.write, checks.update, *watches])
        checks.verify(payload.trailers)
        yield draft
    finally:
        await in_thread(draft.drop)


def copy_object(call: Call) -> Response:
    """Let a key hold the bytes of another object, and its details or new ones."""
    condition = replacing_condition(call.headers)
    call.buckets.get(call.bucket)
    file, source = open_source(call)
    with file, call.buckets.draft() as draft:
        _refuse_nothing(call, source)
        algorithm, total = _asked_sum(call.headers)
        copy_pieces(file, source.size, [draft.write, total.update] if total else [draft.write])
        details = _copied(call, source)
        if total:
            details = msgspec.structs.replace(details, checksums={algorithm: base64_of(total)})
        info = call.buckets.put(call.bucket, call.key, draft, details, condition)
    fields = [
        ("LastModified", timestamp(info.modified_at)),
        ("ETag", quoted(info.etag)),
        *checksum_fields(info.details.checksums),
    ]
    return xml_response("CopyObjectResult", fields, encryption(info.details))


def open_source(call: Call) -> tuple[BinaryIO, ObjectInfo]:
    """Open the object that `x-amz-copy-source` names; raises BucketError where its conditions do not hold."""
    path, _, version = call.headers["x-amz-copy-source"].partition("?versionId=")
    bucket, _, key = decoded(path).removeprefix("/").partition("/")
    if not bucket or not key:
        raise BucketError(
            "InvalidArgument", "Copy Source must mention the source bucket and key: /sourcebucket/sourcekey."
        )
    if version not in {"", "null"}:
        raise BucketError("NoSuchVersion", "The specified version does not exist: objects here have one, `null`.")
    with contextlib.ExitStack() as stack:
        file, info = call.buckets.open(bucket, key)
        stack.callback(file.close)
        if reading_status(call.headers, info, "x-amz-copy-source-") != 200:
            raise failed()
        stack.pop_all()
    return file, info


def copy_pieces(file: BinaryIO, size: int, watches: Sequence[Watch]) -> None:
    """Show the next `size` bytes of a file, piece by piece."""
    left = size
    while left and (piece := file.read(min(PIECE, left))):
        show(piece, watches)
        left -= len(piece)
    if left:
        raise BucketError("InternalError", f"The source is {left} bytes shorter than it was when it was put.")


def show(piece: bytes, watches: Sequence[Watch]) -> None:
    """Show a piece to all that watch."""
    for watch in watches:
        watch(piece)


def named(checks: Checks) -> dict[str, str]:
    """Return computed checksums by algorithm."""
    return {name.removeprefix(PREFIX): value for name, value in checks.values.items()}


def base64_of(total: Sum) -> str:
    """Return a checksum as it travels."""
    return base64.b64encode(total.digest()).decode()


def algorithm_of(headers: Mapping[str, str]) -> str:
    """Return the algorithm that a request asks for, lower-case, empty for none; raises BucketError."""
    algorithm = headers.get("x-amz-checksum-algorithm", "").lower()
    if algorithm and algorithm not in SUMS:
        raise BucketError(
            "InvalidRequest", f"Checksum algorithm provided is unsupported; use one of {', '.join(SUMS)}."
        )
    return algorithm


def _asked_sum(headers: Mapping[str, str]) -> tuple[str, Sum | None]:
    algorithm = algorithm_of(headers)
    return algorithm, SUMS[algorithm]() if algorithm else None


def _copied(call: Call, source: ObjectInfo) -> Details:
    """Return the details of a copy: those of its source or new ones, as the request directs."""
    new, old = details_of(call.headers), source.details
    details = new
    if not _directed(call, "x-amz-metadata-directive"):
        details = Details(content(old.headers) | chosen(call.headers), old.metadata)
    tags = new.tags if _directed(call, "x-amz-tagging-directive") else old.tags
    whole = old.checksums if old.checksum_type == "FULL_OBJECT" else {}
    return msgspec.structs.replace(details, tags=tags, checksums=whole)


def _directed(call: Call, header: str) -> bool:
    """Tell whether a directive says to replace; raises BucketError for one that is unknown."""
    directive = call.headers.get(header, "COPY")
    if directive not in {"COPY", "REPLACE"}:
        raise BucketError("InvalidArgument", f"Unknown {header}: {directive!r}; use COPY or REPLACE.")
    return directive == "REPLACE"


def _refuse_nothing(call: Call, source: ObjectInfo) -> None:
    """Refuse a copy that changes nothing, and one that is too large."""
    if source.size > LARGEST_PUT:
        raise BucketError("InvalidRequest", f"The specified copy source is larger than {LARGEST_PUT} bytes.")
    same = (source.bucket, source.key) == (call.bucket, call.key)
    if same and not _directed(call, "x-amz-metadata-directive") and not chosen(call.headers):
        raise BucketError(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
        )
