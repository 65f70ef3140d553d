"""Modules that are loaded when something of them is asked for: they take longer than most who name them can wait."""

from __future__ import annotations

import importlib
from typing import Any


class Module:
    """A module that is loaded when something of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self._name), name)


pc = Module("pyarrow.compute")
"""Arrow's functions over arrays, made of a registry when they are loaded; a single record needs none."""
