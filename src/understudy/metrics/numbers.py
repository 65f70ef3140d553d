"""REGRESSION: predictions of rows whose label is a number."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from understudy.errors import InvalidInput
from understudy.metrics.functions import Floats
from understudy.metrics.intervals import Interval, Mean, normal, quantile
from understudy.metrics.weights import float_weights
from understudy.statistics.sums import ExactSum

LARGEST = 1e37
"""Labels and predictions stay below this, so that residuals fit a float32 and their fourth powers a float64."""


class Part(NamedTuple):
    """Some rows, float64[n] each."""

    labels: Floats
    residuals: Floats
    """Label minus prediction."""
    weights: Floats


class NumberScores:
    """Labels and residuals of rows in 12 bytes each, 16 with weights; figures do not depend on order or merges.

    All figures come from exact sums. The rows (labels as float64, residuals as float32) serve the variance of the
    labels, the intervals and the picture of the residuals; they stay in the parts in which they came.
    """

    def __init__(self) -> None:
        self.rows = 0
        """How many rows were added."""
        self._absolute, self._squared = Mean(), Mean()
        self._labels: list[Floats] = []
        self._residuals: list[npt.NDArray[np.float32]] = []
        self._weights: list[npt.NDArray[np.float32] | None] = []

    def add(self, labels: Floats, scores: Floats, weights: Floats | None = None) -> None:
        """Add rows: labels and predicted values in the target's unit, weights above 0 (kept as float32).

        Raises InvalidInput where a label or a prediction is not finite or beyond `LARGEST`; nothing is added then.
        """
        labels, scores = np.asarray(labels, np.float64), np.asarray(scores, np.float64)
        usable = (np.abs(labels) < LARGEST) & (np.abs(scores) < LARGEST)
        if not usable.all():
            row = int(np.argmin(usable))
            raise InvalidInput(
                f"row {row:,} has label {labels[row]} and prediction {scores[row]}, not numbers below {LARGEST:g}",
                "Leave rows without a usable label out, and count them as unused.",
            )
        residuals = labels - scores
        kept = float_weights(weights, len(labels))
        mass = np.ones(len(labels)) if kept is None else kept.astype(np.float64)
        self._absolute.add(np.abs(residuals), mass)
        self._squared.add(residuals * residuals, mass)
        self._labels.append(labels.copy())
        self._residuals.append(residuals.astype(np.float32))
        self._weights.append(kept)
        self.rows += len(labels)

    def merge(self, other: NumberScores) -> None:
        """Add all rows that the other has seen."""
        self._absolute.merge(other._absolute)
        self._squared.merge(other._squared)
        self._labels += other._labels
        self._residuals += other._residuals
        self._weights += other._weights
        self.rows += other.rows

    def parts(self) -> Iterator[Part]:
        """Yield all rows, as many at a time as were added together."""
        for labels, residuals, weights in zip(self._labels, self._residuals, self._weights, strict=True):
            mass = np.ones(len(labels)) if weights is None else weights.astype(np.float64)
            yield Part(labels, residuals.astype(np.float64), mass)

    def metrics(self, threshold: float = 0.5) -> dict[str, float]:
        """Return rmse, mae and r2, NaN where the rows do not determine one; `threshold` is for BINARY alone."""
        return self._figures(self._absolute.value, self._squared.value)

    def metrics_of_constant(self, value: float) -> dict[str, float]:
        """Return the metrics of always answering `value` to these rows."""
        absolute, squared = Mean(), Mean()
        for labels, _, weights in self.parts():
            residuals = labels - value
            absolute.add(np.abs(residuals), weights)
            squared.add(residuals * residuals, weights)
        return self._figures(absolute.value, squared.value)

    def _figures(self, absolute: float, mean_square: float) -> dict[str, float]:
        variance = self._moments()[1]
        return {
            "rmse": math.sqrt(mean_square),
            "mae": absolute,
            "r2": 1.0 - mean_square / variance if variance > 0 else math.nan,
        }

    def intervals(self, confidence: float = 0.95, threshold: float = 0.5) -> dict[str, Interval]:
        """Return an interval for each metric that the rows determine.

        The mean squared error is a mean, and its interval's roots are those of the RMSE. R² is a ratio of two means:
        its standard error is that of the linear part of its error (the delta method). `threshold` is for BINARY alone.
        """
        z, found = quantile(confidence), {}
        if not math.isnan(self._absolute.error):
            found["mae"] = normal(self._absolute.value, self._absolute.error, z, lowest=0.0)
            low, high = normal(self._squared.value, self._squared.error, z, lowest=0.0)
            found["rmse"] = (math.sqrt(low), math.sqrt(high))
        mean, variance = self._moments()
        if variance > 0:
            low, high = normal(self.metrics()["r2"], self._r2_error(mean, variance), z)
            found["r2"] = (low, min(high, 1.0))
        return found

    def _moments(self) -> tuple[float, float]:
        """Return the labels' weighted mean and variance; NaN without rows."""
        if not self.rows:
            return math.nan, math.nan
        mean = self._total(lambda part: part.weights * part.labels) / self._squared.weight
        variance = self._total(lambda part: part.weights * (part.labels - mean) ** 2) / self._squared.weight
        return mean, variance

    def _r2_error(self, mean: float, variance: float) -> float:
        unexplained = self._squared.value / variance

        def squares(part: Part) -> Floats:
            pull = part.weights * (unexplained * (part.labels - mean) ** 2 - part.residuals**2) / variance
            return pull * pull

        return math.sqrt(self._total(squares)) / self._squared.weight

    def _total(self, of: Callable[[Part], Floats]) -> float:
        """Return the exact sum of numbers that each row gives."""
        total = ExactSum()
        for part in self.parts():
            total.add(of(part))
        return total.value
