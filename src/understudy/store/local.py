"""Objects in a folder: made in a staging folder of the same file system, flushed to the disk, and renamed."""

from __future__ import annotations

import contextlib
import filecmp
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from understudy.folders import private_folder
from understudy.store.contract import STAGING, Objects, name_parts
from understudy.store.staging import Staging, flush, flush_one


class LocalObjects(Objects):
    """Objects below one folder; reading works on a read-only disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._staging = Staging(root)

    def path(self, name: str) -> Path:
        """Return where the object `name` lies or would lie; raises StoreError for a name that leaves the folder."""
        return self.root.joinpath(*name_parts(name))

    def where(self, name: str) -> str:
        """Return the object's path."""
        return str(self.path(name))

    def exists(self, name: str) -> bool:
        """Tell whether there is an object, file or folder, called `name`."""
        return self.path(name).exists()

    def reader(self, name: str) -> BinaryIO:
        """Open a file for reading from any place; the caller closes it. Raises StoreError."""
        with self._told(name):
            return self.path(name).open("rb")

    def iter_names(self, prefix: str = "") -> Iterator[str]:
        """Yield the names of all files whose name starts with `prefix`, in order."""
        start = self.root / prefix if prefix.endswith("/") else (self.root / prefix).parent if prefix else self.root
        names = (path.relative_to(self.root).as_posix() for path in start.rglob("*") if path.is_file())
        yield from sorted(name for name in names if name.startswith(prefix) and not name.startswith(f"{STAGING}/"))

    @contextlib.contextmanager
    def writing(self, name: str, *, needed: int = 0) -> Iterator[Path]:
        """Give a path at which a block makes the object `name`; raises as `Objects.writing`."""
        target = self.path(name)
        with self._staging.folder(name, needed=needed) as folder:
            staged = folder / "object"
            yield staged
            flush(staged)
            self._publish(name, staged, target)

    def delete(self, name: str) -> None:
        """Remove an object, file or folder, at once; one that does not exist is no error. Needs no free space."""
        path = self.path(name)
        if path.is_dir():
            self._staging.bury(path)
        else:
            path.unlink(missing_ok=True)

    def sweep(self) -> int:
        """Remove what killed writers left behind, and nothing of a living one; return how many leftovers there were."""
        return self._staging.sweep()

    @contextlib.contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """Give the object itself."""
        yield self.cached(name)

    def cached(self, name: str) -> Path:
        """Return the object's own path; raises StoreError where there is none."""
        path = self.path(name)
        with self._told(name):
            path.stat()
        return path

    def _publish(self, name: str, staged: Path, target: Path) -> None:
        """Give the staged file or folder its name, unless that already holds the same."""
        private_folder(target.parent)
        try:
            if not target.exists():
                staged.rename(target)
        except OSError:
            if not target.exists():  # otherwise another writer was faster: compare below
                raise
        if staged.exists() and not _same(staged, target):
            raise self._other_content(name)
        for folder in target.parents:
            flush_one(folder)
            if folder == self.root:
                break


def _same(one: Path, other: Path) -> bool:
    """Tell whether two files, or two folders, hold the same bytes under the same names."""
    if one.is_dir() != other.is_dir():
        return False
    if one.is_file():
        return filecmp.cmp(one, other, shallow=False)
    names = sorted(path.name for path in one.iterdir())
    return names == sorted(path.name for path in other.iterdir()) and all(_same(one / n, other / n) for n in names)
