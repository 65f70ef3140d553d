"""Pictures of an evaluation in characters: confusion heat map, score and residual histograms, ROC curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from understudy.screen.words import Bar, columns, legible, number

Floats = npt.NDArray[np.float64]

_RIGHT = ("#b5cfb0", "#93c290", "#6fb36d", "#46a049")
_WRONG = ("#d7c29e", "#e0b070", "#e8923f", "#e5653a")
_SHADED_FROM = 0.05
_CELL = 4
_LABEL = 14


def heat_map(
    confusion: Sequence[Sequence[float]], labels: Sequence[str], per_class: Mapping[str, Mapping[str, float]]
) -> RenderableType:
    """Show which classes are taken for which: rows are true, columns predicted, the most frequent first.

    A cell is the share of its row: per cent where the classes fit the width with four columns each; else one sign, a
    digit for tenths. Classes that still do not fit are pooled as `other`.

    Parameters
    ----------
    confusion : k rows of k counts, true by predicted.
    labels : the k classes in the same order.
    per_class : by label, with at least its `f1`.
    """
    return _HeatMap(np.asarray(confusion, dtype=np.float64).reshape(len(labels), len(labels)), tuple(labels), per_class)


def score_histogram(ones: Sequence[int], zeros: Sequence[int], threshold: float = 0.5) -> RenderableType:
    """Show how the scores of the actual 1s and 0s spread, back to back, the highest scores first.

    Parameters
    ----------
    ones, zeros : rows in each of the same number of equal bins of the score from 0 to 1.
    threshold : scores from here on are answered by 1.
    """
    most = max(1, *ones, *zeros)
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    for heading in ("", "actual 0"):
        table.add_column(heading, justify="right")
    table.add_column("score", justify="center")
    for heading in ("actual 1", ""):
        table.add_column(heading)
    bins = len(ones)
    for place in reversed(range(bins)):
        low = place / bins
        cut = Text(f"{low:.2f}", style="bold" if low <= threshold < low + 1 / bins else "")
        table.add_row(
            f"{zeros[place]:,}",
            Bar(zeros[place] / most, 24, right=True),
            cut,
            Bar(ones[place] / most, 24),
            f"{ones[place]:,}",
        )
    return Group(
        table, Text(f"rows with each score; left actual 0, right actual 1; cut-off {threshold:g}", style="dim")
    )


def residual_histogram(edges: Sequence[float], counts: Sequence[int]) -> RenderableType:
    """Show the residuals, true minus predicted; above 0 the prediction was too low.

    Parameters
    ----------
    edges : the bins' k + 1 edges in the target's unit, ascending.
    counts : rows in each of the k bins.
    """
    most = max(1, *counts)
    table = columns("residual", "", "", "rows", right=("residual", "rows"))
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        side = "exact" if low <= 0 < high else "too low" if low >= 0 else "too high"
        table.add_row(f"{number(low)} to {number(high)}", Text(side, style="dim"), Bar(count / most, 32), f"{count:,}")
    return table


def roc(points: Sequence[tuple[float, float]], auc: float, width: int = 41, height: int = 13) -> RenderableType:
    """Draw the ROC curve; dots mark what chance would give.

    Parameters
    ----------
    points : (false positive rate, true positive rate), ascending, from (0, 0) to (1, 1).
    auc : the area under it, for the title.
    """
    rates = np.array(points, dtype=np.float64)
    across = np.linspace(0, 1, width)
    levels = np.rint(np.interp(across, rates[:, 0], rates[:, 1]) * (height - 1)).astype(int)
    chance = np.rint(across * (height - 1)).astype(int)
    lines = [Text.assemble(("ROC curve", "bold"), f"  AUC {auc:.4f}")]
    previous = np.concatenate([[0], levels[:-1]])
    for level in reversed(range(height)):
        drawn = (levels == level) | ((previous < level) & (level < levels))
        signs = "".join("*" if on else "." if dot else " " for on, dot in zip(drawn, chance == level, strict=True))
        mark = "1.0" if level == height - 1 else "0.0" if level == 0 else "   "
        lines.append(Text(f"{mark} {signs}".rstrip()))
    lines.append(Text(f"    {'0.0':<{width - 3}}1.0", style="dim"))
    lines.append(Text("    across: false positive rate, up: true positive rate", style="dim"))
    return Group(*lines)


@dataclass(frozen=True)
class _HeatMap:
    confusion: Floats
    labels: tuple[str, ...]
    per_class: Mapping[str, Mapping[str, float]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = options.max_width - _LABEL - 18
        roomy = len(self.labels) <= max(2, room // _CELL)
        order = np.argsort(-self.confusion.sum(axis=1), kind="stable")
        counts, names = self._pooled(order, len(order) if roomy else min(len(order), room))
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        cell = _CELL if roomy else 1
        yield Text("rows: true class, columns: predicted, in the same order", style="dim")
        yield Text(_unit(roomy), style="dim")
        heads = [legible(name)[: _CELL - 1] for name in names]
        told = roomy and len(set(heads)) == len(heads)
        heading = "".join(f"{head if told else '':>{cell - 1}} " for head in heads) if roomy else " " * len(heads)
        yield Text(f"{'':<{_LABEL}}{heading}{'rows':>10}{'F1':>8}", style="dim", no_wrap=True, overflow="crop")
        for row, name in enumerate(names):
            line = Text(f"{_short(legible(name), _LABEL - 1):<{_LABEL}}", no_wrap=True, overflow="crop")
            for column, share in enumerate(shares[row]):
                line.append(_sign(share, cell), style=_shade(share, right=row == column))
            f1 = self.per_class.get(name, {}).get("f1")
            line.append(f"{counts[row].sum():>10,.0f}{'' if f1 is None else f'{f1:.3f}':>8}")
            yield line

    def _pooled(self, order: npt.NDArray[np.intp], most: int) -> tuple[Floats, list[str]]:
        """Return counts and names in order, all classes after the first `most` - 1 as one where there are more."""
        sorted_counts = self.confusion[np.ix_(order, order)]
        names = [self.labels[place] for place in order]
        if len(names) <= most:
            return sorted_counts, names
        starts = np.arange(most)
        pooled = np.add.reduceat(np.add.reduceat(sorted_counts, starts, axis=0), starts, axis=1)
        return pooled, [*names[: most - 1], f"other ({len(names) - most + 1})"]


def _unit(roomy: bool) -> str:
    return "cells: per cent of the row" if roomy else "cells: tenths of the row; * nearly all, . under a tenth"


def _sign(share: float, width: int) -> str:
    """Write a cell's share so that it can be read without colour."""
    if width > 1:
        return f"{'.' if share < 0.005 else f'{share * 100:.0f}':>{width - 1}} " if share > 0 else " " * width
    if share <= 0:
        return " "
    return "*" if share >= 0.95 else "." if share < 0.1 else f"{int(share * 10)}"


def _shade(share: float, *, right: bool) -> str:
    """Return the colours of a cell: greens on the diagonal, oranges beside it; none where little stands.

    All of them are of middle brightness, so that more stands out more on a dark terminal and on a light one.
    """
    if share < _SHADED_FROM:
        return ""
    return f"black on {(_RIGHT if right else _WRONG)[min(3, int(share * 4))]}"


def _short(text: str, width: int) -> str:
    """Shorten a label in the middle: what tells labels apart stands at an end.

    >>> _short("class number 7", 12)
    'class n~er 7'
    """
    tail = width // 3
    return text if len(text) <= width else f"{text[: width - tail - 1]}~{text[-tail:]}"
