"""How the pipeline tells what it is doing, without knowing who watches."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Somebody who watches a run; the command line draws bars, a server may keep quiet."""

    def stage(self, name: str, total: int | None = None) -> None:
        """Begin a named stage of `total` rows, or of unknown length."""

    def advance(self, rows: int) -> None:
        """Count rows done in the current stage."""

    def note(self, text: str) -> None:
        """Say something that a person should know."""


class Quiet:
    """A watcher that does not watch."""

    def stage(self, name: str, total: int | None = None) -> None:
        """Ignore the stage."""

    def advance(self, rows: int) -> None:
        """Ignore the rows."""

    def note(self, text: str) -> None:
        """Ignore the note."""
