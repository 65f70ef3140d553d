"""The distribution of numbers: exact moments, and quantiles and histograms from a folded count of bit patterns."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from understudy.statistics.folding import (
    Counts,
    Floats,
    Folded,
    Held,
    UInt64s,
    every,
    moved,
    ordered_keys,
    ordered_values,
)
from understudy.statistics.kernels import add_counts, ends_of
from understudy.statistics.sums import Moments, refuse_infinite
from understudy.values import BATCH_ROWS

CAPACITY = 16_384
"""Bins of the folded count. Up to as many distinct values quantiles are exact; beyond, a bell curve's bins are
0.1-0.2 % of the value wide, and a quantile is off by about 0.1 % of the rows at most."""


class Distribution:
    """Finite float64 values, seen once; the outcome is the same in any order, in any batches, after any merges.

    >>> seen = Distribution()
    >>> seen.add(np.array([3.0, 1.0, 2.0]))
    >>> seen.quantiles([0.0, 0.5, 1.0]).tolist()
    [1.0, 2.0, 3.0]
    """

    def __init__(self) -> None:
        self.moments = Moments()
        """Count, mean, standard deviation."""
        self.minimum, self.maximum = math.inf, -math.inf
        self._bins = Folded(CAPACITY)
        self._counts = np.zeros(CAPACITY, np.int64)

    def add(self, values: Floats) -> None:
        """Add finite values, float64[n]."""
        refuse_infinite(values)
        for start in range(0, len(values), BATCH_ROWS):
            part = values[start : start + BATCH_ROWS]
            self.add_counted(part, ordered_keys(part), np.ones(len(part), np.int32), every(len(part)))

    def add_counted(self, values: Floats, keys: UInt64s, counts: Counts, held: Held) -> None:
        """Add the finite values[held] of a batch, with their ordered keys, as often as their counts say."""
        if not len(held):
            return
        least, greatest = ends_of(values, held)
        self.minimum, self.maximum = min(self.minimum, least), max(self.maximum, greatest)
        self.moments.add_counted(values, counts, held)
        numbers, moves = self._bins.numbers(keys, held)
        self._counts = moved(self._counts, moves)
        add_counts(numbers, counts, held, self._counts)

    def merge(self, other: Distribution) -> None:
        """Add all that the other has seen."""
        self.moments.merge(other.moments)
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        numbers, moves = self._bins.absorb(other._bins)
        self._counts = moved(self._counts, moves)
        np.add.at(self._counts, numbers, other._counts[: other._bins.size])

    @property
    def exact(self) -> bool:
        """Whether every distinct value still has a bin of its own."""
        return self._bins.level == 0

    @property
    def distinct(self) -> int | None:
        """How many distinct values there are; None once they share bins."""
        return self._bins.size if self.exact else None

    def quantiles(self, shares: list[float]) -> Floats:
        """Return the quantiles at shares in 0..1, float64[k]: linear between order statistics; NaN without values."""
        if not self.moments.count:
            return np.full(len(shares), math.nan)
        place = np.asarray(shares) * (self.moments.count - 1)
        low, high = self._order_statistics(np.floor(place)), self._order_statistics(np.ceil(place))
        part = place - np.floor(place)
        return np.asarray(low * (1.0 - part) + high * part)

    def counts_between(self, edges: Floats) -> npt.NDArray[np.int64]:
        """Return how many values lie in [edges[i], edges[i + 1]), int64[k - 1]; the outermost bins take all beyond."""
        lows, highs, counts = self._sorted_bins()
        middle = lows + (highs - lows) / 2.0
        place = np.searchsorted(edges[1:-1], middle, side="right")
        return np.bincount(place, counts, minlength=len(edges) - 1).astype(np.int64)

    def _sorted_bins(self) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
        """Return the bins' least and greatest values, ascending, and their counts."""
        order = np.argsort(self._bins.keys)
        level = np.uint64(self._bins.level)
        first = self._bins.keys[order] << level
        lows, highs = ordered_values(first), ordered_values(first | ((np.uint64(1) << level) - np.uint64(1)))
        return np.maximum(lows, self.minimum), np.minimum(highs, self.maximum), self._counts[: self._bins.size][order]

    def _order_statistics(self, ranks: Floats) -> Floats:
        """Return the values at ranks 0..n-1; the values of one bin are taken to lie evenly in it."""
        lows, highs, counts = self._sorted_bins()
        ends = np.cumsum(counts)
        place = np.searchsorted(ends, ranks, side="right")
        inside = (ranks - (ends - counts)[place] + 0.5) / counts[place]
        value = lows[place] + inside * (highs[place] - lows[place])
        value = np.where(ranks == 0, self.minimum, value)
        return np.where(ranks == self.moments.count - 1, self.maximum, value)
