"""Folders of Understudy's own: what lies there is for whoever runs it, and for nobody else on the machine."""

from __future__ import annotations

import stat
from pathlib import Path

PRIVATE = ".understudy"
"""What the folder is called that holds everything a project keeps."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def private_folder(path: Path) -> None:
    """Make a folder and those above it where they are missing; a `.understudy` among them opens to its owner alone.

    What exists keeps its mode: somebody may have opened it to others on purpose. Raises OSError.
    """
    for folder in (*reversed(path.parents), path):
        if folder.name == PRIVATE and not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
    path.mkdir(parents=True, exist_ok=True)


def open_to_others(path: Path) -> bool:
    """Tell whether others than its owner may look into a folder."""
    try:
        return bool(path.stat().st_mode & _OTHERS)
    except OSError:
        return False
