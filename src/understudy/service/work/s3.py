"""What an s3 address names: objects of this store's own buckets, or of a real S3 where the place allows the bucket."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from understudy.errors import InvalidInput, StoreError
from understudy.store.bucket_records import BucketError, Details
from understudy.store.buckets import Buckets
from understudy.store.s3 import Bucket

_URL = re.compile(r"s3://([^/]+)(?:/(.*))?", re.DOTALL)

_SCHEMA = ".schema"
"""How the names of schemas end, which may lie beside the data (reference 3.2)."""


class Found(NamedTuple):
    """An object as it was when it was looked for."""

    key: str
    size: int
    etag: str
    """Changes with the bytes."""


class Shelf(Protocol):
    """One bucket."""

    def look(self, key: str) -> Found | None:
        """Return the object of a key; None where there is none."""

    def below(self, prefix: str) -> Iterator[Found]:
        """Yield the objects whose keys begin with a prefix, in order."""

    def open(self, key: str) -> tuple[BinaryIO, str]:
        """Open an object for reading; return its etag, too."""

    def put(self, key: str, path: Path, content_type: str) -> None:
        """Let a key hold a copy of a file."""


@dataclass(frozen=True)
class Input:
    """One object to read."""

    url: str
    size: int
    etag: str
    _shelf: Shelf
    _key: str

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self._key.rsplit("/", 1)[-1]

    @contextlib.contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Give the object's bytes; raises InvalidInput where they are no longer those that were found."""
        file, etag = self._shelf.open(self._key)
        with file:
            if etag != self.etag:
                raise InvalidInput(
                    f"{self.url} was replaced while it was read", "Create it again when nobody writes to it."
                )
            yield file


class S3:
    """Reads and writes objects by their addresses."""

    def __init__(self, buckets: Buckets, allowed: Sequence[str] = ()) -> None:
        self._buckets = buckets
        self._allowed = allowed
        self._shelves: dict[str, Shelf] = {}

    def find(self, url: str) -> list[Input]:
        """Return the object that an address names, or else all objects in the folder that it names, in order.

        Schemas and empty objects, such as the markers of folders, are passed over in a folder.

        Raises
        ------
        InvalidInput : the address is none, or names nothing.
        """
        bucket, key = split_url(url)
        shelf = self._shelf(bucket)
        single = shelf.look(key) if key and not key.endswith("/") else None
        found = [single] if single else list(_data(shelf, key))
        if not found:
            raise InvalidInput(
                f"there is no object {url!r}, and no file with data below it",
                "Check the address; upload the file first.",
            )
        return [Input(f"s3://{bucket}/{each.key}", each.size, each.etag, shelf, each.key) for each in found]

    def text(self, url: str, most: int) -> str:
        """Return a small object as text; raises InvalidInput where it has more bytes, or is not UTF-8."""
        bucket, key = split_url(url)
        shelf = self._shelf(bucket)
        found = shelf.look(key) if key else None
        if found is None:
            raise InvalidInput(f"there is no object {url!r}", "Check the address; upload the file first.")
        if found.size > most:
            raise InvalidInput(f"{url} has {found.size:,} bytes", f"At most {most:,} are allowed.")
        file, _ = shelf.open(key)
        with file:
            try:
                return file.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                raise InvalidInput(f"{url} is not UTF-8 text", "Save it as UTF-8.") from None

    def exists(self, url: str) -> bool:
        """Tell whether an address names an object."""
        bucket, key = split_url(url)
        return self._shelf(bucket).look(key) is not None

    def put(self, url: str, path: Path, content_type: str) -> None:
        """Write a copy of a file to an address."""
        bucket, key = split_url(url)
        self._shelf(bucket).put(key, path, content_type)

    def _shelf(self, bucket: str) -> Shelf:
        if bucket not in self._shelves:
            own = bucket not in self._allowed
            self._shelves[bucket] = _Own(self._buckets, bucket) if own else _External(bucket)
        return self._shelves[bucket]


def split_url(url: str) -> tuple[str, str]:
    """Return the bucket and the key of an address; raises InvalidInput where it is none.

    >>> split_url("s3://letters/2017/a.csv")
    ('letters', '2017/a.csv')
    """
    found = _URL.fullmatch(url)
    if not found:
        raise InvalidInput(f"{url!r} is no address in S3", "Write s3://bucket/key.")
    return found[1], found[2] or ""


def _data(shelf: Shelf, key: str) -> Iterator[Found]:
    prefix = key if not key or key.endswith("/") else f"{key}/"
    return (found for found in shelf.below(prefix) if found.size and not found.key.endswith(_SCHEMA))


@dataclass(frozen=True)
class _Own:
    """A bucket of this store."""

    buckets: Buckets
    name: str

    def look(self, key: str) -> Found | None:
        try:
            info = self.buckets.info(self.name, key)
        except BucketError as error:
            if error.code != "NoSuchKey":
                raise self._explained(error) from None
            return None
        return Found(key, info.size, info.etag)

    def below(self, prefix: str) -> Iterator[Found]:
        try:
            for entry in self.buckets.iter_entries(self.name, prefix):
                yield Found(entry.key, entry.size, entry.etag)
        except BucketError as error:
            raise self._explained(error) from None

    def open(self, key: str) -> tuple[BinaryIO, str]:
        file, info = self.buckets.open(self.name, key)
        return file, info.etag

    def put(self, key: str, path: Path, content_type: str) -> None:
        try:
            self.buckets.put_file(self.name, key, path, Details(headers={"content-type": content_type}))
        except BucketError as error:
            raise self._explained(error) from None

    def _explained(self, error: BucketError) -> InvalidInput:
        if error.code != "NoSuchBucket":
            return InvalidInput(f"s3://{self.name}: {error.message}")
        return InvalidInput(
            f"there is no bucket {self.name!r} here",
            "Create it, or name it under [serve] buckets where it is one of a real S3.",
        )


class _External:
    """A bucket of a real S3, by the credentials of the environment."""

    def __init__(self, name: str) -> None:
        self._bucket = Bucket(f"s3://{name}")

    def look(self, key: str) -> Found | None:
        if not self._bucket.has(key):
            return None
        with self._bucket.open(key) as file:
            size = file.seek(0, os.SEEK_END)
        return Found(key, size, self._mark(key, size))

    def below(self, prefix: str) -> Iterator[Found]:
        keys = (entry.key for entry in self._bucket.list(prefix.rstrip("/")))
        return (found for key in sorted(keys, key=str.encode) if (found := self.look(key)))

    def open(self, key: str) -> tuple[BinaryIO, str]:
        try:
            file = self._bucket.open(key)
        except FileNotFoundError:
            raise InvalidInput(f"{self._bucket.location}/{key} is no longer there", "Upload it again.") from None
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        return file, self._mark(key, size)

    def put(self, key: str, path: Path, content_type: str) -> None:
        self._bucket.put(key, path)

    def _mark(self, key: str, size: int) -> str:
        """Stand in for an etag, which Arrow's client does not tell: no two addresses have the same."""
        return f"{size} bytes of {self._bucket.location}/{key}"


def make_bucket(buckets: Buckets, name: str) -> None:
    """Make a bucket of this store's own where it is missing."""
    try:
        buckets.get(name)
    except BucketError:
        try:
            buckets.create(name)
        except BucketError as error:
            if error.code != "BucketAlreadyOwnedByYou":
                raise StoreError(f"the bucket {name!r} cannot be made: {error.message}") from None
