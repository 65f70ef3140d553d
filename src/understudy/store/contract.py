"""What objects promise, wherever they are kept: whole or absent under a name, written once, never changed.

A name whose last part holds `sha256-` and 64 hexadecimal digits is checked when it is read.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from understudy.errors import CorruptObject, StoreError

STAGING = ".staging"
"""Top part of what is being made or taken away; no object's name has it."""
FOLDER, PARTS = ".folder", ".parts"
"""What a folder is made of in S3; no object's name has them, there or here, so that a store can move."""
RESTORE = "Restore it from a copy, or learn again with `understudy learn`."
"""What to do about an object that is lost or damaged."""

_DIGEST = re.compile(r"sha256-([0-9a-f]{64})[^/]*")
_RESERVED = {"", ".", "..", STAGING, FOLDER, PARTS}


class Objects(ABC):
    """Immutable objects in one place.

    Names are relative, with `/` between parts: `models/ml-x`, `uploads/run-x.arrow.zst`. Writing the same bytes to a
    name again is no change; other bytes are refused. Nothing is created before the first write.
    """

    @abstractmethod
    def where(self, name: str) -> str:
        """Return where the object `name` lies or would lie, in words for a message."""

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Tell whether there is an object, file or folder, called `name`."""

    @abstractmethod
    def reader(self, name: str) -> BinaryIO:
        """Open a file for reading from any place; the caller closes it. Raises StoreError."""

    @abstractmethod
    def iter_names(self, prefix: str = "") -> Iterator[str]:
        """Yield the names of all files, those in folders included, whose name starts with `prefix`, in order."""

    @abstractmethod
    def writing(self, name: str, *, needed: int = 0) -> contextlib.AbstractContextManager[Path]:
        """Give a path at which a block makes the file or folder that then becomes the object `name`.

        `needed` is how many bytes will be written, where known; it serves the message about a full disk.

        Raises
        ------
        StoreError : the place is full or cannot be written, or `name` holds other bytes. Nothing was changed.

        """

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove an object, file or folder, at once; one that does not exist is no error."""

    @abstractmethod
    def sweep(self) -> int:
        """Remove what killed writers left behind, and nothing of a living one; return how many leftovers there were."""

    @abstractmethod
    def local(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """Give the object, file or folder, as one on this machine's disk, to be read while the block runs.

        Raises
        ------
        StoreError : there is no such object, or it cannot be read.
        CorruptObject : the bytes that came are not those that were written.

        """

    @abstractmethod
    def cached(self, name: str) -> Path:
        """Return the object, file or folder, as one on this machine's disk that stays, to be mapped into memory.

        A store that is far away keeps a verified copy, and later calls need not reach it. Raises as `local`.
        """

    def read(self, name: str) -> bytes:
        """Return a file's bytes, checked against the digest that its name carries.

        Raises
        ------
        StoreError : there is no such file, or it cannot be read.
        CorruptObject : the bytes are not those that were written.

        """
        with self._told(name), self.reader(name) as file:
            data = file.read()
        self._check(name, hashlib.sha256(data).hexdigest())
        return data

    def verify(self, name: str) -> None:
        """Check a file against the digest that its name carries, without holding it in memory; raises as `read`."""
        with self._told(name), self.reader(name) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
        self._check(name, digest)

    def put_bytes(self, name: str, data: bytes | memoryview[int]) -> None:
        """Write a file; raises as `writing`."""
        with self.writing(name, needed=len(data)) as path:
            path.write_bytes(data)

    def put_content(self, folder: str, data: bytes, suffix: str = "") -> str:
        """Write a file under the name `folder/sha256-DIGEST` + `suffix` and return that name."""
        name = f"{folder}/sha256-{hashlib.sha256(data).hexdigest()}{suffix}"
        self.put_bytes(name, data)
        return name

    def put_file(self, name: str, path: Path) -> None:
        """Move a file in: by a link on the same file system, by a copy from another. After success `path` is gone."""
        with self.writing(name, needed=path.stat().st_size) as staged:
            try:
                staged.hardlink_to(path)
            except OSError:
                shutil.copyfile(path, staged)
        path.unlink()

    def put_folder(self, name: str, files: Mapping[str, bytes]) -> None:
        """Write a folder of files, which appears whole or not at all; raises as `writing`."""
        needed = sum(map(len, files.values()))
        with self.writing(name, needed=needed) as folder:
            folder.mkdir()
            for file, data in files.items():
                path = folder / PurePosixPath(file)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)

    @contextlib.contextmanager
    def writer(self, name: str, *, needed: int = 0) -> Iterator[BinaryIO]:
        """Give a file to write, which becomes the object `name` when the block ends; raises as `writing`."""
        with self.writing(name, needed=needed) as path, path.open("wb") as file:
            yield file

    @contextlib.contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._unreadable(name, error.strerror or str(error)) from None

    def _unreadable(self, name: str, reason: str) -> StoreError:
        return StoreError(f"the object {self.where(name)} cannot be read: {reason}", RESTORE)

    def _other_content(self, name: str) -> StoreError:
        return StoreError(
            f"the object {self.where(name)} exists already with other content",
            "Objects never change; write it under another name.",
        )

    def _check(self, name: str, digest: str, expected: str | None = None) -> None:
        """Compare a file's digest with the expected one, which is that of the name where none is given."""
        expected = expected or digest_in(name)
        if expected and expected != digest:
            raise CorruptObject(
                f"the object {self.where(name)} has the digest sha256-{digest}, not the one it was written with",
                f"The disk changed it. {RESTORE}",
            )


def name_parts(name: str) -> list[str]:
    """Take a name apart; raises StoreError for one that leaves the store or reaches into its workings."""
    parts = name.split("/")
    if _RESERVED.intersection(parts) or "\0" in name:
        raise StoreError(f"{name!r} is no name for an object", "Use relative names such as models/ml-x.")
    return parts


def digest_in(name: str) -> str | None:
    """Return the SHA-256 that the last part of a name carries, in hexadecimal digits; None where it carries none."""
    found = _DIGEST.search(PurePosixPath(name).name)
    return found[1] if found else None


def digest_of_file(path: Path) -> str:
    """Return SHA-256 over a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
