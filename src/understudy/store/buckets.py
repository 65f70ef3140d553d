"""Buckets and what they hold, for the S3 door and for programs inside.

The bytes of an object are a blob among the objects; what key holds which blob is a row of the catalog. A put is
acknowledged when both are on the disk, and its row changes in one transaction: a key holds the object of before or of
after, whole. A kill leaves blobs that no row names, which `sweep` removes.

>>> import tempfile, pathlib
>>> from understudy.store.catalog import Catalog
>>> from understudy.store.local import LocalObjects
>>> catalog = Catalog.open("sqlite://")
>>> buckets = Buckets(catalog, LocalObjects(pathlib.Path(tempfile.mkdtemp())))
>>> _ = buckets.create("letters")
>>> buckets.put_bytes("letters", "../a b", b"hello").etag
'5d41402abc4b2a76b9719d911017c592'
>>> file, info = buckets.open("letters", "../a b")
>>> file.read(), info.size
(b'hello', 5)
>>> file.close(), catalog.close()
(None, None)
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
import sqlalchemy as sa

from understudy.errors import StoreError
from understudy.store.bucket_listing import Listed, Page, Query, page_of
from understudy.store.bucket_records import (
    Bucket,
    BucketError,
    Condition,
    Details,
    ObjectInfo,
    check_bucket_name,
    key_bytes,
)
from understudy.store.bucket_rows import (
    bucket_row,
    delete_object,
    delete_uploads,
    named_blobs,
    new_object,
    object_row,
    place_object,
)
from understudy.store.bucket_tables import bucket_uploads
from understudy.store.bucket_tables import buckets as bucket_table
from understudy.store.catalog import Catalog, now
from understudy.store.contract import Objects
from understudy.store.drafts import BLOBS, Draft, blob_age

_DAY = 86_400.0
_YOUNG = 21_600.0  # seconds; no sweep comes near, whatever the clock of its machine says
_LOOKED_AT_ONCE = 200


class Buckets:
    """The buckets of one catalog, their bytes in one place of objects.

    Every method raises BucketError with Amazon's code where the request cannot be met, and StoreError where the disk or
    the database fails. Safe to use from several threads and processes at once.
    """

    def __init__(self, catalog: Catalog, objects: Objects) -> None:
        self.catalog = catalog
        self.objects = objects

    # Buckets

    def create(self, name: str, region: str = "") -> Bucket:
        """Make a bucket; raises BucketError for a bad name, or where it exists (`BucketAlreadyOwnedByYou`)."""
        check_bucket_name(name)
        bucket = Bucket(name, now(), region, {})
        with self.catalog.writing() as connection:
            if connection.execute(sa.select(bucket_table.c.name).where(bucket_table.c.name == name)).first():
                raise BucketError("BucketAlreadyOwnedByYou", f"The bucket {name!r} exists, and you own it.")
            connection.execute(bucket_table.insert().values(msgspec.structs.asdict(bucket)))
        return bucket

    def get(self, name: str) -> Bucket:
        """Return a bucket."""
        with self.catalog.reading() as connection:
            return bucket_row(connection, name)

    def find(self) -> list[Bucket]:
        """Return all buckets by name."""
        with self.catalog.reading() as connection:
            found = [Bucket(**row) for row in connection.execute(sa.select(bucket_table)).mappings()]
        return sorted(found, key=lambda bucket: bucket.name)

    def remove(self, name: str) -> None:
        """Remove an empty bucket, with the uploads in progress in it; raises BucketError where it holds an object."""
        uploads = sa.select(bucket_uploads.c.id).where(bucket_uploads.c.bucket == name)
        with self.catalog.writing() as connection:
            bucket_row(connection, name)
            if page_of(connection, name, Query(limit=1)).entries:
                raise BucketError("BucketNotEmpty", f"The bucket you tried to delete is not empty: {name!r}.")
            blobs = delete_uploads(connection, connection.execute(uploads).scalars())
            connection.execute(bucket_table.delete().where(bucket_table.c.name == name))
        self.drop(blobs)

    def set(self, name: str, setting: str, value: str | None) -> None:
        """Keep a document about a bucket, such as its policy; None drops it."""
        with self.catalog.writing() as connection:
            settings = bucket_row(connection, name).settings | {setting: value}
            kept = {key: text for key, text in settings.items() if text is not None}
            connection.execute(bucket_table.update().where(bucket_table.c.name == name).values(settings=kept))

    # Objects

    def info(self, bucket: str, key: str) -> ObjectInfo:
        """Return what is known of an object; raises BucketError where the key holds none."""
        with self.catalog.reading() as connection:
            bucket_row(connection, bucket)
            info = object_row(connection, bucket, key)
        if info is None:
            raise BucketError("NoSuchKey", f"The specified key does not exist: {key!r}.")
        return info

    def open(self, bucket: str, key: str) -> tuple[BinaryIO, ObjectInfo]:
        """Open an object for reading from any place; the caller closes it. A later put does not disturb it."""
        info = self.info(bucket, key)
        while True:
            try:
                return self.objects.reader(info.blob), info
            except StoreError:
                found, info = info, self.info(bucket, key)
                if found.blob == info.blob:  # otherwise it was replaced between the two steps
                    raise

    def draft(self, *, hashed: bool = True) -> Draft:
        """Return a file to write the bytes of a later `put` to; one that is not hashed has no ETag of its own."""
        return Draft(self.objects, hashed=hashed)

    def put(
        self,
        bucket: str,
        key: str,
        draft: Draft,
        details: Details = Details(),  # noqa: B008 -- frozen
        condition: Condition | None = None,
        etag: str = "",
    ) -> ObjectInfo:
        """Let a key hold a draft's bytes; durable on return. Nothing is changed where the condition refuses.

        `etag` is the MD5 of the bytes where it was computed elsewhere.
        """
        key_bytes(key)
        with self.published(draft) as connection:
            bucket_row(connection, bucket)
            if condition:
                condition(object_row(connection, bucket, key))
            info = new_object(bucket, key, draft.blob, draft.size, etag or draft.etag, details)
            replaced = place_object(connection, info)
        self.drop([replaced])
        return info

    def put_bytes(self, bucket: str, key: str, data: bytes, details: Details = Details()) -> ObjectInfo:  # noqa: B008
        """Let a key hold these bytes."""
        with self.draft() as draft:
            draft.write(data)
            return self.put(bucket, key, draft, details)

    def put_file(self, bucket: str, key: str, path: Path, details: Details = Details()) -> ObjectInfo:  # noqa: B008
        """Let a key hold a copy of a file's bytes."""
        with path.open("rb") as source, self.draft() as draft:
            shutil.copyfileobj(source, draft, 1 << 20)
            return self.put(bucket, key, draft, details)

    @contextlib.contextmanager
    def writer(self, bucket: str, key: str, details: Details = Details()) -> Iterator[Draft]:  # noqa: B008
        """Give a file to write, which the key holds when the block ends without an error."""
        self.get(bucket)
        with self.draft() as draft:
            yield draft
            self.put(bucket, key, draft, details)

    def change(self, bucket: str, key: str, **changes: dict[str, str]) -> ObjectInfo:
        """Replace some of an object's details, such as `tags`; its bytes and its time stay."""
        with self.catalog.writing() as connection:
            bucket_row(connection, bucket)
            info = object_row(connection, bucket, key)
            if info is None:
                raise BucketError("NoSuchKey", f"The specified key does not exist: {key!r}.")
            details = msgspec.structs.replace(info.details, **changes)
            info = msgspec.structs.replace(info, details=details)
            place_object(connection, info)
        return info

    def delete(self, bucket: str, keys: Sequence[str], condition: Condition | None = None) -> None:
        """Let keys hold nothing, all in one transaction; keys that hold nothing are no error."""
        with self.catalog.writing() as connection:
            bucket_row(connection, bucket)
            if condition:
                for key in keys:
                    condition(object_row(connection, bucket, key))
            blobs = [delete_object(connection, bucket, key) for key in keys]
        self.drop(blobs)

    def page(self, bucket: str, query: Query) -> Page:
        """Return a page of a bucket's keys."""
        with self.catalog.reading() as connection:
            bucket_row(connection, bucket)
            return page_of(connection, bucket, query)

    def iter_keys(self, bucket: str, prefix: str = "") -> Iterator[str]:
        """Yield the keys that begin with a prefix in the order of their bytes; a put meanwhile may be seen or not."""
        return (entry.key for entry in self.iter_entries(bucket, prefix))

    def iter_entries(self, bucket: str, prefix: str = "") -> Iterator[Listed]:
        """Yield what is listed of the keys that begin with a prefix, as `iter_keys` does, page by page."""
        after = ""
        while True:
            page = self.page(bucket, Query(prefix, after=after))
            yield from page.entries
            if not page.next:
                return
            after = page.next

    # Blobs

    @contextlib.contextmanager
    def published(self, draft: Draft) -> Iterator[sa.Connection]:
        """Make a draft's bytes durable and give the transaction in which a row must name them.

        Where the block refuses, the bytes are removed. After a failure of the database they stay for the sweep: it may
        be that the row was written and only the answer was lost.
        """
        draft.publish()
        try:
            with self.catalog.writing() as connection:
                if draft.age >= _YOUNG and not self.objects.exists(draft.blob):
                    raise BucketError("RequestTimeout", "The upload took so long that its bytes were swept away.")
                yield connection
        except BucketError:
            self.drop([draft.blob])
            raise

    def sweep(self, older_than: float = _DAY) -> int:
        """Remove what killed writers left behind; return how much that was.

        It is what they had staged, and blobs that no row names and that were begun more than `older_than` seconds ago.
        Files that are no blobs stay. A blob is removed in a transaction that holds the write lock, and an old one is
        named only in one that has seen it there: a put that comes between is refused, never acknowledged and lost.
        Nobody looks for a young one, so less than the day that is usual may be given only while nobody puts.
        """
        names = self.objects.iter_names(BLOBS)
        old = (name for name in names if (age := blob_age(name)) is not None and age >= older_than)
        swept = self.objects.sweep()
        while some := list(itertools.islice(old, _LOOKED_AT_ONCE)):
            with self.catalog.reading() as connection:
                orphans = sorted(set(some) - named_blobs(connection, some))
            swept += sum(map(self._sweep_unnamed, orphans))
        return swept

    def _sweep_unnamed(self, blob: str) -> bool:
        """Remove a blob unless a row names it by now: one in a transaction, as other writers wait meanwhile."""
        with self.catalog.writing() as connection:
            orphaned = not named_blobs(connection, [blob])
            if orphaned:
                self.drop([blob])
        return orphaned

    def drop(self, blobs: Iterable[str | None]) -> None:
        """Remove blobs that no row names any more; what cannot be removed is left to the sweep."""
        for blob in blobs:
            if blob is not None:
                with contextlib.suppress(StoreError, OSError):
                    self.objects.delete(blob)
