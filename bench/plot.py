"""The plot: how many times what Understudy takes a peer takes, logarithmic, as SVG for bright screens and dark ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from measuring import Bar, Spread, number

WIDTH, NAMES, RIGHT = 960, 360, 90
"""Pixels in all, of the names to the left, and of the figures to the right."""
LINE, HEAD, TOP = 24, 34, 58
"""Pixels of a bar's line, of a group's heading, and above the first one."""

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 } .group { font-weight: 600 } .faint { fill: #59636e }
.grid { stroke: #d1d9e0 } .one { stroke: #1f2328 } .dearer { fill: #2f6fb3 } .cheaper { fill: #c4661f }
.spread { stroke: #1f2328; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .faint { fill: #9198a1 } .grid { stroke: #3d444d } .one, .spread { stroke: #f0f6fc }
.dearer { fill: #4a90d9 } .cheaper { fill: #e08a45 } }
"""


def draw(bars: Sequence[Bar]) -> str:
    """Draw bars that start at 1, what Understudy takes: to the right a peer takes more, to the left less.

    A bar ends at the median of the rounds; the thin line reaches from the least to the greatest.
    """
    scale = _Scale(bars)
    body, y = [], TOP
    for group, members in itertools.groupby(bars, key=lambda bar: bar.group):
        y += HEAD
        body.append(f'<text class="group" x="4" y="{y - 10}">{escape(group)}</text>')
        for bar in members:
            body.append(_bar(bar, y, scale))
            y += LINE
    if not bars:
        body.append(f'<text class="faint" x="4" y="{TOP}">Not measured yet</text>')
    height = y + 10
    title = "Times what Understudy takes, logarithmic: the bar is the median of the rounds, the line their spread"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">\n'
        f'<style>{STYLE}</style>\n<text x="4" y="16">{title}</text>\n'
        + "\n".join([*_grid(scale, height), *body])
        + "\n</svg>\n"
    )


class _Scale:
    """From times to pixels; whole decades around everything that is shown."""

    def __init__(self, bars: Sequence[Bar]) -> None:
        shown = [value for bar in bars for value in bar.times] or [1.0]
        self.first = math.floor(math.log10(min(1.0, *shown)))
        self.last = max(math.ceil(math.log10(max(1.0, *shown))), self.first + 1)

    def x(self, times: float) -> float:
        """Return where that many times stands."""
        share = (math.log10(times) - self.first) / (self.last - self.first)
        return round(NAMES + share * (WIDTH - NAMES - RIGHT), 1)


def _bar(bar: Bar, y: int, scale: _Scale) -> str:
    median, least, greatest = Spread.of(bar.times)
    start, end = sorted((scale.x(1), scale.x(median)))
    kind = "dearer" if median >= 1 else "cheaper"
    middle, text = y + 7, y + 12
    figure = max(end, scale.x(greatest), scale.x(1)) + 8
    return (
        f'<text x="{NAMES - 10}" y="{text}" text-anchor="end">{escape(bar.name.replace("`", ""))}</text>'
        f'<rect class="{kind}" x="{start}" y="{y}" width="{max(end - start, 1):.1f}" height="14" rx="2"/>'
        f'<line class="spread" x1="{scale.x(least)}" x2="{scale.x(greatest)}" y1="{middle}" y2="{middle}"/>'
        f'<text class="faint" x="{figure:.1f}" y="{text}">{number(median)}</text>'
    )


def _grid(scale: _Scale, height: int) -> Iterable[str]:
    """Draw a line for each power of ten, the stronger one at 1."""
    for power in range(scale.first, scale.last + 1):
        x, kind = scale.x(10.0**power), "one" if power == 0 else "grid"
        yield f'<line class="{kind}" x1="{x}" x2="{x}" y1="{TOP - 12}" y2="{height}"/>'
        yield f'<text class="faint" x="{x}" y="{TOP - 18}" text-anchor="middle">{10.0**power:,g}</text>'
