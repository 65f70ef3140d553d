"""Where objects are made: folders locked by their writers, so that a sweep knows the dead from the living."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from understudy.errors import StoreError
from understudy.folders import private_folder
from understudy.store.contract import STAGING
from understudy.store.lock import try_lock

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ENOTDIR}


class Staging:
    """The folder `.staging/` below `root`; made when first needed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextlib.contextmanager
    def folder(self, name: str, *, needed: int = 0) -> Iterator[Path]:
        """Give a folder in which to make the object `name`, locked while the block runs and removed afterwards.

        Raises
        ------
        StoreError : the disk is full or cannot be written, here or in the block; says whether `needed` bytes fit.

        """
        try:
            folder, descriptor = self._claim()
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(descriptor)
        except OSError as error:
            if told := self._in_words(error, name, needed):
                raise told from error
            raise

    def bury(self, path: Path) -> None:
        """Make a folder disappear at once; needs no free space."""
        grave = self._new()
        grave.parent.mkdir(parents=True, exist_ok=True)
        path.rename(grave)
        shutil.rmtree(grave, ignore_errors=True)

    def sweep(self) -> int:
        """Remove what killed writers left behind, and nothing of a living one; return how many leftovers there were."""
        swept = 0
        staging = self.root / STAGING
        for folder in sorted(staging.iterdir()) if staging.is_dir() else []:
            with contextlib.suppress(FileNotFoundError), _descriptor(folder) as descriptor:
                if try_lock(descriptor):
                    shutil.rmtree(folder, ignore_errors=True)
                    swept += 1
        return swept

    def _new(self) -> Path:
        return self.root / STAGING / secrets.token_hex(8)

    def _claim(self) -> tuple[Path, int]:
        """Make and lock a staging folder; when a sweep takes it between the two steps, make another."""
        while True:
            folder = self._new()
            private_folder(folder.parent)
            folder.mkdir()
            with contextlib.suppress(FileNotFoundError):
                descriptor = os.open(folder, os.O_RDONLY)
                if try_lock(descriptor) and folder.exists():
                    return folder, descriptor
                os.close(descriptor)

    def _in_words(self, error: OSError, name: str, needed: int) -> StoreError | None:
        if error.errno in _FULL:
            return self._full(name, needed)
        if error.errno in _REFUSED:
            return StoreError(
                f"the object {name!r} cannot be written below {self.root}: {error.strerror}; nothing was changed",
                "Check the disk and the folder's permissions.",
            )
        return None

    def _full(self, name: str, needed: int) -> StoreError:
        free = shutil.disk_usage(self.root.parent).free
        amount = f"{needed:,} bytes were needed and {free:,} are free" if needed else f"{free:,} bytes are free"
        return StoreError(
            f"no space left below {self.root} for the object {name!r}: {amount}; nothing was changed",
            "Free some space and run again.",
        )


def flush(staged: Path) -> None:
    """Bring a file, or a folder with all that it holds, to the disk."""
    if staged.is_dir():
        for inner in sorted(staged.iterdir()):
            flush(inner)
    flush_one(staged)


def flush_one(path: Path) -> None:
    """Bring a file, or the list of names in a folder, to the disk."""
    with _descriptor(path) as descriptor:
        os.fsync(descriptor)


@contextlib.contextmanager
def _descriptor(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
