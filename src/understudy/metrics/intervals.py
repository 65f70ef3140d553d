"""How sure a figure is: Wilson's interval for shares, the normal one for means.

Importance weights enter by the effective number of rows (Kish 1965): (sum of weights)² / sum of squared weights.
Figures in 0..1 that are no plain share (AUC, macro F1) take Wilson's interval at the number of rows at which a share
would have their variance, so no interval leaves 0..1 and a flawless score on few rows is not mistaken for certainty.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from understudy.metrics.functions import Floats
from understudy.statistics.sums import ExactSum

Interval = tuple[float, float]


def quantile(confidence: float) -> float:
    """Return how many standard errors a two-sided normal interval of this confidence extends."""
    return NormalDist().inv_cdf(0.5 + confidence / 2.0)


def wilson(share: float, rows: float, z: float) -> Interval:
    """Return the score interval of a share seen in `rows` rows (Wilson 1927); all of 0..1 where there are none."""
    if not rows > 0:
        return 0.0, 1.0
    spread = z * z / rows
    middle = (share + spread / 2.0) / (1.0 + spread)
    half = z * math.sqrt(max(share * (1.0 - share) / rows + spread / (4.0 * rows), 0.0)) / (1.0 + spread)
    return max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share))


def wilson_of_variance(figure: float, variance: float, rows: float, z: float) -> Interval:
    """Return Wilson's interval for a figure in 0..1 with this variance; `rows` serves where the variance is 0."""
    return wilson(figure, figure * (1.0 - figure) / variance if variance > 0 else rows, z)


def normal(figure: float, error: float, z: float, lowest: float = -math.inf) -> Interval:
    """Return figure ± z standard errors, not below `lowest`."""
    return max(lowest, figure - z * error), figure + z * error


class Mean:
    """A weighted mean and its standard error: one pass, merged without rounding."""

    def __init__(self) -> None:
        self._weights, self._squared_weights = ExactSum(), ExactSum()
        self._first, self._squared_first, self._second = ExactSum(), ExactSum(), ExactSum()

    def add(self, values: Floats, weights: Floats) -> None:
        """Add finite values and their weights, float64[n] each."""
        squared = weights * weights
        self._weights.add(weights)
        self._squared_weights.add(squared)
        self._first.add(weights * values)
        self._squared_first.add(squared * values)
        self._second.add(squared * values * values)

    def merge(self, other: Mean) -> None:
        """Add all that the other mean has seen."""
        self._weights.merge(other._weights)
        self._squared_weights.merge(other._squared_weights)
        self._first.merge(other._first)
        self._squared_first.merge(other._squared_first)
        self._second.merge(other._second)

    @property
    def weight(self) -> float:
        """The sum of the weights."""
        return self._weights.value

    @property
    def rows(self) -> float:
        """The effective number of rows."""
        squared = self._squared_weights.value
        return self.weight**2 / squared if squared else 0.0

    @property
    def value(self) -> float:
        """The mean; NaN without rows."""
        return self._first.value / self.weight if self.weight else math.nan

    @property
    def error(self) -> float:
        """The mean's standard error; NaN for fewer than two rows."""
        freedom = self.weight**2 - self._squared_weights.value
        if not freedom > 0:
            return math.nan
        mean = self.value
        spread = self._second.value - 2.0 * mean * self._squared_first.value + mean**2 * self._squared_weights.value
        return math.sqrt(max(spread, 0.0) / freedom)
