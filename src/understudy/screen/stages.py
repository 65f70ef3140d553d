"""The progress of a run: a bar on a terminal, one plain line per stage elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from understudy.screen.words import make_console, note, seconds


class Stages:
    """Named stages of a run, said on standard error.

    >>> with Stages(quiet=True) as stages:
    ...     stages.stage("extract", total=2)
    ...     stages.advance(2)
    """

    def __init__(
        self, console: Console | None = None, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console or make_console(sys.stderr)
        self._quiet = quiet
        self._clock = clock
        self._bar = _bar(self._console) if self._console.is_terminal and not quiet else None
        self._name = ""
        self._rows = 0
        self._began = 0.0

    def __enter__(self) -> Stages:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end("" if kind is None else "stopped after ")
        if self._bar is not None:
            self._bar.stop()

    def stage(self, name: str, total: int | None = None) -> None:
        """End the current stage and begin another of `total` rows, or of unknown length."""
        self._end()
        self._name, self._rows, self._began = name, 0, self._clock()
        if self._bar is not None:
            self._bar.add_task(name, total=total)

    def advance(self, rows: int) -> None:
        """Count rows done in the current stage."""
        self._rows += rows
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[-1], rows)

    def note(self, text: str) -> None:
        """Say something that a person should know, above the bar."""
        self._say(note(text))

    def _end(self, how: str = "") -> None:
        if not self._name:
            return
        counted = f"{self._rows:,} rows" if self._rows else ""
        self._say(Text(f"{self._name:<12}{counted:>20}   {how}{seconds(self._clock() - self._began)}"))
        self._name = ""
        if self._bar is not None:
            self._bar.remove_task(self._bar.task_ids[-1])

    def _say(self, shown: RenderableType) -> None:
        if not self._quiet:
            self._console.print(shown)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<12}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
