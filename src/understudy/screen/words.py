"""How figures, verdicts, times and bars are written on every screen."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO, cast

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from understudy.metrics.catalogue import METRICS

PIPE_WIDTH = 120
"""Columns where neither a terminal nor COLUMNS says how many there are."""

_VERDICTS = {
    **dict.fromkeys(("ADMITTED", "PROMOTED", "ROLLED BACK"), "bold green"),
    "HELD": "bold yellow",
    "REFUSED": "bold red",
}
_STATES = {"COMPLETED": "green", "INPROGRESS": "yellow", "PENDING": "yellow", "FAILED": "bold red"}


def make_console(stream: TextIO | None = None) -> Console:
    """Return a console on a stream (standard output if left out), plain where the stream is no terminal."""
    stream = stream or sys.stdout
    if stream.isatty():
        width, file = None, stream
    else:
        asked = os.environ.get("COLUMNS", "")
        width, file = int(asked) if asked.isdecimal() and int(asked) else PIPE_WIDTH, cast("TextIO", _Trimmed(stream))
    return Console(file=file, width=width, highlight=False, emoji=False, markup=False, soft_wrap=False)


class _Trimmed:
    """A stream that no line leaves with blanks at its end: files and pipes have no use for what fills a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write whole lines, without the blanks at their ends."""
        return self._stream.write(re.sub(r"[ \t]+(?=\n)", "", text))


def title(text: str) -> Text:
    """Return a screen's title."""
    return Text(text, style="bold")


def columns(*headings: str, right: Iterable[str] = ()) -> Table:
    """Return a table without lines, numbers to the right; headings may be blank."""
    table = Table(
        box=None, padding=(0, 2, 0, 0), header_style="dim", show_header=any(heading.strip() for heading in headings)
    )
    numeric = set(right)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in numeric else "left")
    return table


def verdict(status: str) -> Text:
    """Return a verdict, padded or not, or the status of an object in its colour."""
    return Text(status, style=_VERDICTS.get(status.strip()) or _STATES.get(status, ""))


def metric_label(name: str) -> str:
    """Return how people read a metric's name."""
    metric = METRICS.get(name)
    return metric.label if metric else name.replace("_", " ")


def figure(name: str, value: float | None) -> str:
    """Write a metric's value: shares and nats with four decimals, errors in the target's unit with as many digits.

    >>> figure("auc", 0.93691), figure("rmse", 29853.25), figure("auc", None)
    ('0.9369', '29,853', '-')
    """
    if value is None or not math.isfinite(value):
        return "-"
    metric = METRICS.get(name)
    return number(value) if metric is not None and metric.unit == "target" else f"{value:z.4f}"


def number(value: float) -> str:
    """Write any number with about five digits.

    >>> number(12.3456), number(20000), number(123456.7)
    ('12.346', '20,000', '123,457')
    """
    if not math.isfinite(value):
        return "-"
    if value == int(value):
        return f"{int(value):,}"
    digits = max(0, 4 - math.floor(math.log10(abs(value))))
    return f"{value:z,.{digits}f}" if digits <= 7 else f"{value:.3g}"


def seconds(value: float) -> str:
    """Write a duration.

    >>> seconds(0.04), seconds(2.44), seconds(125), seconds(7300)
    ('0.0 s', '2.4 s', '2 min 5 s', '2 h 1 min')
    """
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def moment(text: str | None) -> str:
    """Write an ISO time as people read it, to the minute; anything else as it stands.

    >>> moment("2026-11-08T03:00:00+01:00"), moment("soon")
    ('2026-11-08 02:00 UTC', 'soon')
    """
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return text or "-"
    return f"{at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def legible(text: str) -> str:
    r"""Write what a label or a cell may hold so that it stays on its line: line breaks and other signs as escapes.

    >>> legible("yes\nno, naïve")
    'yes\\nno, naïve'
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def note(text: str) -> Table:
    """Return a note, wrapped between words beside its heading."""
    table = Table.grid(padding=(0, 1), pad_edge=False)
    table.add_row(Text("note:", style="yellow", no_wrap=True), Text(legible(text), style="yellow"))
    return table


@dataclass(frozen=True)
class Bar:
    """A horizontal bar of whole and half cells; number signs where the terminal knows no blocks."""

    share: float
    """How much of the width is filled, 0 to 1."""
    width: int
    """Cells of a full bar."""
    right: bool = False
    """Whether it grows from the right."""
    style: str = ""

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(self.width, self.width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        halves = round(min(max(self.share, 0), 1) * self.width * 2)
        halves = max(halves, 1 if self.share > 0 else 0)
        whole, half = divmod(halves, 2)
        if options.ascii_only:
            drawn = "#" * (whole + half)
        else:
            drawn = "▐" * half + "█" * whole if self.right else "█" * whole + "▌" * half
        yield Text(drawn.rjust(self.width) if self.right else drawn.ljust(self.width), style=self.style, no_wrap=True)
