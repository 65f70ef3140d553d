"""Uploads in parts: each part a blob of its own, put together into the object's blob at the end."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Sequence

import msgspec

from understudy.errors import StoreError
from understudy.store.bucket_listing import Query, UploadPage, upload_page
from understudy.store.bucket_records import BucketError, Condition, Details, ObjectInfo, Part, Upload, key_bytes
from understudy.store.bucket_rows import (
    bucket_row,
    delete_uploads,
    insert_upload,
    new_object,
    object_row,
    part_rows,
    place_object,
    place_part,
    upload_row,
)
from understudy.store.buckets import Buckets
from understudy.store.catalog import now
from understudy.store.drafts import Draft

PART_NUMBERS = 10_000
SMALLEST_PART = 5 << 20
"""Bytes in every part but the last, at least."""

_PIECE = 1 << 20


class Uploads:
    """The uploads in progress in some buckets. Raises as `Buckets` does."""

    def __init__(self, buckets: Buckets) -> None:
        self.buckets = buckets

    def create(self, bucket: str, key: str, details: Details, algorithm: str = "", kind: str = "") -> Upload:
        """Begin an upload. `algorithm` and `kind` are those of the checksum that its end will have."""
        key_bytes(key)
        upload_id = f"{time.time_ns() // 1000:014x}{secrets.token_hex(16)}"
        upload = Upload(upload_id, bucket, key, now(), details, algorithm, kind)
        with self.buckets.catalog.writing() as connection:
            bucket_row(connection, bucket)
            insert_upload(connection, upload)
        return upload

    def get(self, bucket: str, key: str, upload_id: str) -> Upload:
        """Return an upload in progress."""
        with self.buckets.catalog.reading() as connection:
            bucket_row(connection, bucket)
            return _known(upload_row(connection, bucket, key, upload_id))

    def find(self, bucket: str, query: Query, after_id: str = "") -> UploadPage:
        """Return uploads in progress behind the key `query.after`, or of that key behind the id `after_id`."""
        with self.buckets.catalog.reading() as connection:
            bucket_row(connection, bucket)
            return upload_page(connection, bucket, query, after_id)

    def put_part(self, upload: Upload, number: int, draft: Draft, checksums: dict[str, str], etag: str = "") -> Part:
        """Let a part hold a draft's bytes; durable on return. `etag` is their MD5 where it was computed elsewhere."""
        part = Part(number, draft.blob, draft.size, etag or draft.etag, now(), checksums)
        with self.buckets.published(draft) as connection:
            _known(upload_row(connection, upload.bucket, upload.key, upload.id))
            replaced = place_part(connection, upload.id, part)
        self.buckets.drop([replaced])
        return part

    def parts(self, upload: Upload, after: int = 0, limit: int | None = None) -> list[Part]:
        """Return the parts with numbers above `after`, in order."""
        with self.buckets.catalog.reading() as connection:
            return part_rows(connection, upload.id, after, limit)

    def chosen(self, upload: Upload, wanted: Sequence[tuple[int, str]]) -> list[Part]:
        """Return the parts that a client names by number and ETag, held against Amazon's rules."""
        numbers = [number for number, _ in wanted]
        if numbers != sorted(set(numbers)):
            raise BucketError("InvalidPartOrder", "The list of parts was not in ascending order of part numbers.")
        held = {part.number: part for part in self.parts(upload)}
        for number, etag in wanted:
            if number not in held or held[number].etag != etag:
                raise BucketError("InvalidPart", f"Part {number} was not uploaded, or has another ETag than {etag!r}.")
        parts = [held[number] for number in numbers]
        for part in parts[:-1]:
            if part.size < SMALLEST_PART:
                raise BucketError(
                    "EntityTooSmall",
                    f"Part {part.number} has {part.size} bytes; all but the last need {SMALLEST_PART}.",
                )
        return parts

    def assemble(self, upload: Upload, parts: Sequence[Part], draft: Draft, watch: Callable[[bytes], None]) -> None:
        """Write the parts' bytes to a draft one after the other; `watch` sees them, too."""
        try:
            for part in parts:
                with self.buckets.objects.reader(part.blob) as file:
                    while piece := file.read(_PIECE):
                        draft.write(piece)
                        watch(piece)
        except StoreError:
            self.get(upload.bucket, upload.key, upload.id)  # raises where it was ended meanwhile: the likely cause
            raise

    def complete(
        self,
        upload: Upload,
        parts: Sequence[Part],
        draft: Draft,
        checksums: dict[str, str],
        condition: Condition | None = None,
    ) -> ObjectInfo:
        """Let the key hold the assembled draft, and end the upload, in one transaction."""
        details = msgspec.structs.replace(
            upload.details,
            checksums=checksums,
            checksum_type=upload.checksum_type or "FULL_OBJECT",
            parts=[part.size for part in parts],
            upload_id=upload.id,
        )
        with self.buckets.published(draft) as connection:
            _known(upload_row(connection, upload.bucket, upload.key, upload.id))
            if condition:
                condition(object_row(connection, upload.bucket, upload.key))
            etag = etag_of([part.etag for part in parts])
            info = new_object(upload.bucket, upload.key, draft.blob, draft.size, etag, details)
            leftovers = [place_object(connection, info), *delete_uploads(connection, [upload.id])]
        self.buckets.drop(leftovers)
        return info

    def abort(self, upload: Upload) -> None:
        """End an upload and remove its parts."""
        with self.buckets.catalog.writing() as connection:
            _known(upload_row(connection, upload.bucket, upload.key, upload.id))
            blobs = delete_uploads(connection, [upload.id])
        self.buckets.drop(blobs)


def etag_of(part_etags: Sequence[str]) -> str:
    """Return the ETag of an object put together from parts.

    >>> etag_of(["5d41402abc4b2a76b9719d911017c592"])
    '62109206880d38a4010a98e11243924a-1'
    """
    joined = b"".join(bytes.fromhex(etag) for etag in part_etags)
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(part_etags)}"


def _known(upload: Upload | None) -> Upload:
    if upload is None:
        raise BucketError(
            "NoSuchUpload", "The specified upload does not exist: its id is wrong, or it was completed or aborted."
        )
    return upload
