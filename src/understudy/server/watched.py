"""A small file that is read again when it changes, and written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from understudy.errors import ConfigError, StoreError

LAG_SECONDS = 0.5
"""How old what is known of a file may be."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO

Content = TypeVar("Content")
_Stamp = tuple[int, ...] | None


class Watched(Generic[Content]):
    """What stands in a file that people may change at any time; a missing file is as good as an empty one.

    Making one reads the file; raises ConfigError where it is damaged.
    """

    def __init__(self, path: Path, parse: Callable[[Path, str], Content], empty: Content) -> None:
        self.path = path
        self._parse = parse
        self._empty = empty
        self._damage: tuple[str, str] | None = None
        self._look_at = 0.0
        self._stamp: _Stamp = None
        self._content = empty
        self.read()

    def content(self) -> Content:
        """Return what stood in the file at most LAG_SECONDS ago; mostly one look at a clock."""
        return self._content if time.monotonic() < self._look_at else self.look()

    def look(self) -> Content:
        """Return what stands in the file now; where that is damaged, the last that was not."""
        with contextlib.suppress(ConfigError):
            self.read()
        return self._content

    def read(self) -> Content:
        """Return what stands in the file now; raises ConfigError where it is damaged or cannot be read."""
        self._look_at = time.monotonic() + LAG_SECONDS
        stamp = _stamp(self.path)
        if stamp != self._stamp:
            # The stamp is older than the text, never newer: a change in between is seen at the next look.
            self._stamp, self._damage = stamp, None
            try:
                self._content = self._parse(self.path, _text(self.path)) if stamp else self._empty
            except ConfigError as error:
                self._damage = (error.message, error.hint)
        if self._damage:
            raise ConfigError(*self._damage)
        return self._content

    def warnings(self) -> list[str]:
        """Say what is wrong with the file, if anything."""
        self.look()
        found = [f"{self._damage[0]}; what it said before still counts"] if self._damage else []
        with contextlib.suppress(OSError):
            mode = stat.S_IMODE(self.path.stat().st_mode)
            if mode & _OTHERS:
                found.append(f"{self.path} is open to other users (mode {mode:o}): `chmod 600 {self.path}`")
        return found


def replace_file(path: Path, text: str) -> None:
    """Write a file whole, at mode 0600 where it is new, with mode and owner as they were where it is not.

    Raises
    ------
    StoreError : it cannot be written; what stood there before still does.

    """
    target = path.resolve()  # a link to a file kept elsewhere stays one
    try:
        descriptor, staged = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                _keep_access(target, descriptor)
                file.flush()
                os.fsync(descriptor)
            Path(staged).replace(target)
        except BaseException:
            Path(staged).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {error.strerror}; nothing was changed", "Check the folder and its free space."
        ) from None


def _keep_access(target: Path, descriptor: int) -> None:
    with contextlib.suppress(FileNotFoundError, PermissionError):
        before = target.stat()
        os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
        os.fchown(descriptor, before.st_uid, before.st_gid)


def _stamp(path: Path) -> _Stamp:
    """Return what changes with a file; None where there is none."""
    try:
        found = path.stat()
    except OSError as error:
        return None if isinstance(error, FileNotFoundError) else (0,)
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", "Check its owner and permissions.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start:,})", "Save it as UTF-8.") from None
