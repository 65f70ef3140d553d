"""Bytes on their way into a bucket: staged and hashed as they come, then published whole or dropped."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import secrets
import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, BinaryIO

from understudy.errors import StoreError
from understudy.store.contract import Objects

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

BLOBS = "blobs/"
"""Where all bytes of buckets lie among the objects."""

_BLOB = re.compile(BLOBS + "[0-9a-f]{2}/([0-9a-f]{10})-[0-9a-f]{24}")


class _Dropped(Exception):
    """Tells the objects' writer that its block failed."""


class Draft(io.RawIOBase):
    """A file to write that becomes a blob by `publish`; a block around it leaves nothing of one that did not.

    Closing only ends the writing, as whoever wraps a file in another does; it can be published then.

    The blob's name says nothing of bucket or key, so no key can leave the store or be refused by a file system. It says
    when the draft was begun, so that a sweep can spare what is young.
    """

    def __init__(self, objects: Objects, *, hashed: bool = True) -> None:
        self._begun = time.time()
        self.blob = f"{BLOBS}{secrets.token_hex(1)}/{int(self._begun):010x}-{secrets.token_hex(12)}"
        self.size = 0
        self._md5 = hashlib.md5(usedforsecurity=False) if hashed else None
        self._writer: AbstractContextManager[BinaryIO] = objects.writer(self.blob)
        self._file: BinaryIO | None = None

    @property
    def etag(self) -> str:
        """The MD5 of what was written, in hexadecimal; empty where it was not to be hashed."""
        return self._md5.hexdigest() if self._md5 else ""

    @property
    def age(self) -> float:
        """How many seconds ago it was begun."""
        return time.time() - self._begun

    def writable(self) -> bool:
        """Say that this is a file to write."""
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """Add bytes, all of them; raises StoreError where the disk takes no more."""
        try:
            self._opened().write(data)
        except OSError as error:
            self._leave(error)
            raise
        if self._md5:
            self._md5.update(data)
        written = memoryview(data).nbytes
        self.size += written
        return written

    def publish(self) -> None:
        """Bring the bytes to the disk under the blob's name; raises StoreError, and then leaves nothing."""
        self._opened()
        self._leave(None)

    def drop(self) -> None:
        """Leave nothing of what was written, unless it was published."""
        self.close()
        if self._file is not None:
            with contextlib.suppress(StoreError, OSError):
                self._leave(_Dropped())

    def __exit__(self, *_: object) -> None:
        self.drop()

    def __del__(self) -> None:
        self.drop()

    def _opened(self) -> BinaryIO:
        if self._file is None:
            self._file = self._writer.__enter__()
        return self._file

    def _leave(self, error: Exception | None) -> None:
        """End the writer's block, with an error or without."""
        self._file = None
        self._writer.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)


def blob_age(blob: str) -> float | None:
    """Return how many seconds ago a blob's draft was begun; None for a name that is no blob's.

    >>> blob_age("blobs/.DS_Store")
    """
    found = _BLOB.fullmatch(blob)
    return time.time() - int(found[1], 16) if found else None
