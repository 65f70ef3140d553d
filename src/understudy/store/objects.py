"""Objects on local disk: whole files and folders under a name, written once and never changed.

An object appears under its name whole or not at all: it is written to a staging folder of the same file system, flushed
to the disk, and renamed. A staging folder is locked by its writer, so `sweep` tells the leftovers of a kill from the
work of a living process. A name whose last part holds `sha256-` and 64 hexadecimal digits is checked when it is read.
"""

from __future__ import annotations

import contextlib
import errno
import filecmp
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from understudy.errors import ConfigError, CorruptObject, StoreError
from understudy.store.lock import try_lock

_STAGING = ".staging"
_DIGEST = re.compile(r"sha256-([0-9a-f]{64})[^/]*")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ENOTDIR}


def open_objects(location: str) -> Objects:
    """Return the objects kept at `location`, a folder; raises ConfigError for a kind of place that is not supported."""
    if "://" in location:
        raise ConfigError(
            f"store.objects is {location!r}; only folders are supported here", "s3:// comes with `understudy[s3]`."
        )
    return Objects(Path(location))


class Objects:
    """Immutable objects below one folder.

    Names are relative, with `/` between parts: `models/ml-x`, `uploads/run-x.arrow.zst`. Writing the same bytes to a
    name again is no change; other bytes are refused. Nothing is created before the first write, so reading works on a
    read-only disk.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """Return where the object `name` lies or would lie; raises StoreError for a name that leaves the folder."""
        parts = name.split("/")
        if not name or any(part in {"", ".", "..", _STAGING} for part in parts) or "\0" in name:
            raise StoreError(f"{name!r} is no name for an object", "Use relative names such as models/ml-x.")
        return self.root.joinpath(*parts)

    def exists(self, name: str) -> bool:
        """Tell whether there is an object, file or folder, called `name`."""
        return self.path(name).exists()

    def read(self, name: str) -> bytes:
        """Return an object's bytes, checked against the digest that its name carries.

        Raises
        ------
        StoreError : there is no such object, or it cannot be read.
        CorruptObject : the bytes are not those that were written.

        """
        try:
            data = self.path(name).read_bytes()
        except OSError as error:
            raise StoreError(
                f"the object {self.path(name)} cannot be read: {error.strerror}",
                "Restore it from a copy, or learn again with `understudy learn`.",
            ) from None
        self._check(name, hashlib.sha256(data).hexdigest())
        return data

    def verify(self, name: str) -> None:
        """Check a file against the digest that its name carries, without holding it in memory; raises as `read`."""
        try:
            with self.path(name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise StoreError(f"the object {self.path(name)} cannot be read: {error.strerror}") from None
        self._check(name, digest)

    def iter_names(self, prefix: str = "") -> Iterator[str]:
        """Yield the names of all files whose name starts with `prefix`, in order."""
        start = self.root / prefix if prefix.endswith("/") else (self.root / prefix).parent if prefix else self.root
        names = (path.relative_to(self.root).as_posix() for path in start.rglob("*") if path.is_file())
        yield from sorted(name for name in names if name.startswith(prefix) and not name.startswith(f"{_STAGING}/"))

    def put_bytes(self, name: str, data: bytes) -> None:
        """Write an object; raises as `writing`."""
        with self.writing(name, needed=len(data)) as path:
            path.write_bytes(data)

    def put_content(self, folder: str, data: bytes, suffix: str = "") -> str:
        """Write an object under the name `folder/sha256-DIGEST` + `suffix` and return that name."""
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
            for file, data in files.items():
                path = folder / PurePosixPath(file)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)

    @contextlib.contextmanager
    def writing(self, name: str, *, needed: int = 0) -> Iterator[Path]:
        """Give a path at which a block makes the file or folder that then becomes the object `name`.

        `needed` is how many bytes will be written, where known; it serves the message about a full disk.

        Raises
        ------
        StoreError : the disk is full or cannot be written, or `name` holds other bytes. Nothing was changed.

        """
        target = self.path(name)
        try:
            with self._staging() as folder:
                staged = folder / "object"
                yield staged
                _flush(staged)
                self._publish(staged, target)
        except OSError as error:
            if error.errno in _FULL:
                raise self._full(name, needed) from error
            if error.errno in _REFUSED:
                raise StoreError(
                    f"the object {name!r} cannot be written below {self.root}: {error.strerror}; nothing was changed",
                    "Check the disk and the folder's permissions.",
                ) from error
            raise

    @contextlib.contextmanager
    def writer(self, name: str, *, needed: int = 0) -> Iterator[BinaryIO]:
        """Give a file to write, which becomes the object `name` when the block ends; raises as `writing`."""
        with self.writing(name, needed=needed) as path, path.open("wb") as file:
            yield file

    def reader(self, name: str) -> BinaryIO:
        """Open an object for reading from any place; the caller closes it. Raises StoreError."""
        try:
            return self.path(name).open("rb")
        except OSError as error:
            raise StoreError(f"the object {self.path(name)} cannot be read: {error.strerror}") from None

    def delete(self, name: str) -> None:
        """Remove an object, file or folder, at once; one that does not exist is no error. Needs no free space."""
        path = self.path(name)
        if not path.is_dir():
            path.unlink(missing_ok=True)
            return
        grave = self.root / _STAGING / secrets.token_hex(8)
        grave.parent.mkdir(exist_ok=True)
        path.rename(grave)
        shutil.rmtree(grave, ignore_errors=True)

    def sweep(self) -> int:
        """Remove what killed writers left behind, and nothing of a living one; return how many leftovers there were."""
        swept = 0
        staging = self.root / _STAGING
        for folder in sorted(staging.iterdir()) if staging.is_dir() else []:
            with contextlib.suppress(FileNotFoundError), _descriptor(folder) as descriptor:
                if try_lock(descriptor):
                    shutil.rmtree(folder, ignore_errors=True)
                    swept += 1
        return swept

    @contextlib.contextmanager
    def _staging(self) -> Iterator[Path]:
        """Make a staging folder that is locked while the block runs and removed afterwards."""
        folder, descriptor = self._claim()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)

    def _claim(self) -> tuple[Path, int]:
        """Make and lock a staging folder; when a sweep takes it between the two steps, make another."""
        while True:
            folder = self.root / _STAGING / secrets.token_hex(8)
            folder.mkdir(parents=True)
            with contextlib.suppress(FileNotFoundError):
                descriptor = os.open(folder, os.O_RDONLY)
                if try_lock(descriptor) and folder.exists():
                    return folder, descriptor
                os.close(descriptor)

    def _publish(self, staged: Path, target: Path) -> None:
        """Give the staged file or folder its name, unless that already holds the same."""
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if not target.exists():
                staged.rename(target)
        except OSError:
            if not target.exists():  # otherwise another writer was faster: compare below
                raise
        if staged.exists() and not _same(staged, target):
            raise StoreError(
                f"the object {target} exists already with other content",
                "Objects never change; write it under another name.",
            )
        for folder in target.parents:
            _fsync(folder)
            if folder == self.root:
                break

    def _check(self, name: str, digest: str) -> None:
        expected = _DIGEST.search(PurePosixPath(name).name)
        if expected and expected[1] != digest:
            raise CorruptObject(
                f"the object {self.path(name)} has the digest sha256-{digest}, not the one it was written with",
                "The disk changed it. Delete it, and restore it from a copy or learn again with `understudy learn`.",
            )

    def _full(self, name: str, needed: int) -> StoreError:
        free = shutil.disk_usage(self.root.parent).free
        amount = f"{needed:,} bytes were needed and {free:,} are free" if needed else f"{free:,} bytes are free"
        return StoreError(
            f"no space left below {self.root} for the object {name!r}: {amount}; nothing was changed",
            "Free some space and run again.",
        )


@contextlib.contextmanager
def _descriptor(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _fsync(path: Path) -> None:
    with _descriptor(path) as descriptor:
        os.fsync(descriptor)


def _flush(staged: Path) -> None:
    """Bring a file, or a folder with all that it holds, to the disk."""
    if staged.is_dir():
        for inner in sorted(staged.iterdir()):
            _flush(inner)
    _fsync(staged)


def _same(one: Path, other: Path) -> bool:
    """Tell whether two files, or two folders, hold the same bytes under the same names."""
    if one.is_dir() != other.is_dir():
        return False
    if one.is_file():
        return filecmp.cmp(one, other, shallow=False)
    names = sorted(path.name for path in one.iterdir())
    return names == sorted(path.name for path in other.iterdir()) and all(_same(one / n, other / n) for n in names)
