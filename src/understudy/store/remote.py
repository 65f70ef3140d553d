"""Objects in S3: files as they are; folders that exist once the list of their files does; copies kept on this machine.

A file is one key, and S3 writes a key whole or not at all. A folder `models/ml-x` is its files under
`models/ml-x/.parts/` and, written last and taken away first, the key `models/ml-x/.folder`: the files' names and
digests. Parts without that key are seen by nobody. A key in `.staging/` names the folder while it is made or taken
away, so `sweep` finds what a killed process left without listing the whole store.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote

import msgspec

from understudy.errors import CorruptObject, StoreError
from understudy.store.contract import FOLDER, PARTS, RESTORE, STAGING, Objects, digest_in, digest_of_file, name_parts
from understudy.store.s3 import Bucket
from understudy.store.staging import Staging, flush

ABANDONED_AFTER = timedelta(days=1)
"""Age at which a folder that is still being made or taken away counts as left behind; its writer may be anywhere."""

_CHUNK = 8 << 20

Digests = dict[str, str]
"""The files of a folder: path in it -> SHA-256 in hexadecimal digits."""


class RemoteObjects(Objects):
    """Objects below a prefix of a bucket, made and kept as copies below `cache`."""

    def __init__(self, location: str, cache: Path) -> None:
        self.cache = cache
        self._bucket = Bucket(location)
        self._staging = Staging(cache)

    def where(self, name: str) -> str:
        """Return the object's address."""
        return f"{self._bucket.location}/{name}"

    def exists(self, name: str) -> bool:
        """Tell whether there is an object, file or whole folder, called `name`."""
        return self._key(name) is not None or self._folder(name) is not None

    def read(self, name: str) -> bytes:
        """Return a file's bytes as `Objects.read`; those of one named by its digest come from its copy."""
        return self.cached(name).read_bytes() if digest_in(name) else super().read(name)

    def reader(self, name: str) -> BinaryIO:
        """Open a file for reading from any place; the caller closes it. Raises StoreError."""
        key = self._key(name)
        if key is None:
            raise self._missing(name)
        return self._open(name, key)

    def iter_names(self, prefix: str = "") -> Iterator[str]:
        """Yield the names of all files, those of whole folders included, whose name starts with `prefix`, in order."""
        top, separator, _ = prefix.partition("/")
        keys = [entry.key for entry in self._bucket.list(top if separator else "")]
        whole = {key.removesuffix(f"/{FOLDER}") for key in keys if key.endswith(f"/{FOLDER}")}
        names = (_name(key, whole) for key in keys)
        yield from sorted(name for name in names if name and name.startswith(prefix))

    @contextlib.contextmanager
    def writing(self, name: str, *, needed: int = 0) -> Iterator[Path]:
        """Give a path at which a block makes the object `name`; raises as `Objects.writing`."""
        name_parts(name)
        with self._staging.folder(name, needed=needed) as folder:
            staged = folder / "object"
            yield staged
            if staged.is_dir():
                self._publish_folder(name, staged)
            else:
                self._publish_file(name, staged)

    def delete(self, name: str) -> None:
        """Remove an object, file or folder, and its copy; one that does not exist is no error."""
        name_parts(name)
        self._bucket.delete(name)
        if self._bucket.list(name):
            with self._unsettled(name):
                self._bucket.delete(f"{name}/{FOLDER}")
                self._bucket.delete_below(name)
        _remove(self._copy(name))

    def sweep(self) -> int:
        """Remove what killed writers left behind, here and there, and copies of what is gone; return how many."""
        swept = self._staging.sweep()
        for entry in self._bucket.list(STAGING):
            if datetime.now(UTC) - entry.changed > ABANDONED_AFTER:
                self._settle(entry.key)
                swept += 1
        copies = [path for path in self.cache.iterdir() if path.name != STAGING] if self.cache.is_dir() else []
        for copy in copies:
            if not self.exists(unquote(copy.name)):
                _remove(copy)
                swept += 1
        return swept

    @contextlib.contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """Give a copy of the object, file or folder, that lasts as long as the block; raises as `Objects.local`."""
        with self._staging.folder(name) as folder:
            yield self._fetch(name, folder / "object")

    def cached(self, name: str) -> Path:
        """Return a verified copy of the object that stays; fetched when there is none or a damaged one."""
        copy = self._copy(name)
        if not _is_intact(name, copy):
            with self._staging.folder(name) as folder:
                fetched = self._fetch(name, folder / "object")
                flush(fetched)
                _replace(copy, fetched, grave=folder / "damaged")
        return copy

    def _copy(self, name: str) -> Path:
        name_parts(name)
        return self.cache / quote(name, safe="")

    def _key(self, name: str) -> str | None:
        """Return the key of a file: its own, or that of a part of a whole folder; None where there is no such file."""
        parts = name_parts(name)
        if self._bucket.has(name):
            return name
        for depth in range(len(parts) - 1, 0, -1):
            folder, file = "/".join(parts[:depth]), "/".join(parts[depth:])
            if file in (self._folder(folder) or {}):
                return f"{folder}/{PARTS}/{file}"
        return None

    def _folder(self, name: str) -> Digests | None:
        """Return the files of a folder; None where there is none, or not yet."""
        try:
            with self._bucket.open(f"{name}/{FOLDER}") as file:
                return msgspec.json.decode(file.read(), type=Digests)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise CorruptObject(f"the folder {self.where(name)} cannot be understood: {error}", RESTORE) from None

    def _open(self, name: str, key: str) -> BinaryIO:
        try:
            return self._bucket.open(key)
        except FileNotFoundError:  # deleted since it was found
            raise self._missing(name) from None

    def _missing(self, name: str) -> StoreError:
        return self._unreadable(name, "No such object")

    def _publish_file(self, name: str, staged: Path) -> None:
        key = self._key(name)
        if key is None and self._folder(name) is None:
            self._bucket.put(name, staged)
        elif key is None or not self._is_same(name, key, staged):
            raise self._other_content(name)

    def _is_same(self, name: str, key: str, staged: Path) -> bool:
        with self._open(name, key) as there, staged.open("rb") as here:
            while ours := here.read(_CHUNK):
                if there.read(len(ours)) != ours:
                    return False
            return not there.read(1)

    def _publish_folder(self, name: str, staged: Path) -> None:
        files = {path.relative_to(staged).as_posix(): path for path in sorted(staged.rglob("*")) if path.is_file()}
        digests = {file: digest_of_file(path) for file, path in files.items()}
        before = self._folder(name)
        if before == digests:
            return
        if before is not None or self._key(name) is not None:
            raise self._other_content(name)
        with self._unsettled(name):
            self._clear(f"{name}/{PARTS}", keep=set(files))
            for file, path in files.items():
                self._bucket.put(f"{name}/{PARTS}/{file}", path)
            self._bucket.put(f"{name}/{FOLDER}", msgspec.json.encode(digests))

    def _clear(self, parts: str, keep: set[str]) -> None:
        """Remove a killed writer's other files; not those of our names, as a twin of ours may be writing the same."""
        for entry in self._bucket.list(parts):
            if entry.key.removeprefix(f"{parts}/") not in keep:
                self._bucket.delete(entry.key)

    @contextlib.contextmanager
    def _unsettled(self, name: str) -> Iterator[None]:
        """Leave word of a folder while it is made or taken away; the word stays when that fails."""
        word = f"{STAGING}/{quote(name, safe='')}"
        self._bucket.put(word, b"")
        yield
        self._bucket.delete(word)

    def _settle(self, word: str) -> None:
        name = unquote(word.removeprefix(f"{STAGING}/"))
        if self._folder(name) is None:
            self._bucket.delete_below(f"{name}/{PARTS}")
        self._bucket.delete(word)

    def _fetch(self, name: str, target: Path) -> Path:
        """Copy a file or a folder, with its list, to a path; raises StoreError and CorruptObject."""
        key = self._key(name)
        if key is not None:
            self._download(name, key, target, digest_in(name))
            return target
        digests = self._folder(name)
        if digests is None:
            raise self._missing(name)
        for file, digest in digests.items():
            self._download(f"{name}/{file}", f"{name}/{PARTS}/{file}", target / file, digest)
        (target / FOLDER).write_bytes(msgspec.json.encode(digests))
        return target

    def _download(self, name: str, key: str, target: Path, expected: str | None) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with self._open(name, key) as file, target.open("wb") as copy:
            chunks: Callable[[], bytes] = partial(file.read, _CHUNK)
            for chunk in iter(chunks, b""):
                digest.update(chunk)
                copy.write(chunk)
        self._check(name, digest.hexdigest(), expected)


def _name(key: str, whole: set[str]) -> str | None:
    """Return the name of the file under a key; None for what is none, or part of a folder that is not whole."""
    if key.startswith(f"{STAGING}/") or key.endswith(f"/{FOLDER}"):
        return None
    folder, separator, file = key.partition(f"/{PARTS}/")
    if not separator:
        return key
    return f"{folder}/{file}" if folder in whole else None


def _is_intact(name: str, copy: Path) -> bool:
    """Tell whether there is a copy whose bytes have the digests that the folder's list or the name carries."""
    try:
        if not copy.is_dir():
            return digest_in(name) in (None, digest_of_file(copy))
        digests = msgspec.json.decode((copy / FOLDER).read_bytes(), type=Digests)
        return all(digest_of_file(copy / file) == digest for file, digest in digests.items())
    except (OSError, msgspec.DecodeError):
        return False


def _replace(copy: Path, fetched: Path, grave: Path) -> None:
    """Put a fetched object in the place of its copy; another process may have done so meanwhile."""
    if copy.exists():
        copy.rename(grave)
    try:
        fetched.rename(copy)
    except OSError:
        if not copy.exists():
            raise


def _remove(copy: Path) -> None:
    if copy.is_dir():
        shutil.rmtree(copy, ignore_errors=True)
    else:
        copy.unlink(missing_ok=True)
