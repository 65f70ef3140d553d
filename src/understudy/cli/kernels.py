"""Where compiled kernels are kept for a user who can write neither beside the package nor in a cache folder at home.

Numba looks for such a place when it is imported, and refuses to go on where there is none. What it keeps is code that
it runs again, so the place must be nobody else's: never one in a shared folder that somebody could have made before.
"""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import tempfile
from pathlib import Path

from understudy.folders import PRIVATE

VARIABLE = "NUMBA_CACHE_DIR"
"""The environment variable by which Numba is told."""

_PACKAGE = Path(__file__).parents[1]
_NOT_OURS = stat.S_IWGRP | stat.S_IWOTH


def place_kernels(folder: Path) -> None:
    """Choose where kernels are kept, before Numba is imported; `folder` is the project's, and need not be there."""
    if VARIABLE in os.environ or _writable(_PACKAGE / "__pycache__") or _writable(_user_cache()):
        return
    home = (folder if folder.is_dir() else folder.parent) / PRIVATE
    os.environ[VARIABLE] = str(_kept(home) or _passing())


def _user_cache() -> Path:
    """Return the folder that Numba takes where it cannot write beside the package."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "numba"


def _writable(path: Path) -> bool:
    """Tell whether a folder, made where it is missing, takes a file: found out as Numba itself does."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return True
    except OSError:
        return False


def _kept(home: Path) -> Path | None:
    """Return a folder below the project's own one, kept for the next time; None where that is not for us alone."""
    kernels = home / "kernels"
    try:
        if _ours(home):
            kernels.mkdir(mode=0o700, exist_ok=True)
            return kernels.absolute() if _ours(kernels) and _writable(kernels) else None
    except OSError:
        return None
    return None


def _ours(folder: Path) -> bool:
    """Tell whether a folder is no link, belongs to this user, and nobody else may write there. Raises OSError."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & _NOT_OURS


def _passing() -> Path:
    """Return a new folder that is gone when this process ends."""
    folder, maker = Path(tempfile.mkdtemp(prefix="understudy-kernels-")), os.getpid()

    def clear() -> None:
        if os.getpid() == maker:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(clear)
    return folder
