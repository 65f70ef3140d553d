"""BINARY: scores of rows whose label is 0 or 1, collected in any order, read as one curve."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from understudy.errors import InvalidInput
from understudy.metrics.functions import Floats, auc_of_masses, log_losses, mass_by_score, ratio
from understudy.metrics.intervals import Interval, delong_variance, normal, quantile, wilson, wilson_of_variance
from understudy.metrics.weights import float_weights, joined_weights


@dataclass(frozen=True)
class Counts:
    """Weights of the four outcomes at one threshold."""

    true_positive: float
    false_positive: float
    true_negative: float
    false_negative: float

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        right = self.true_positive + self.true_negative
        return ratio(right, right + self.false_positive + self.false_negative)

    @property
    def precision(self) -> float:
        """Share of ones among the rows called 1."""
        return ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float:
        """Share of the ones that are called 1."""
        return ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return ratio(2.0 * self.true_positive, 2.0 * self.true_positive + self.false_positive + self.false_negative)

    @property
    def false_positive_rate(self) -> float:
        """Share of the zeros that are called 1."""
        return ratio(self.false_positive, self.false_positive + self.true_negative)


@dataclass(frozen=True)
class ScoreCurve:
    """All rows, sorted: at each of k distinct ascending scores the weight of the ones and of the zeros, float64[k].

    The squared weights stand beside them; without weights they are the very same arrays.
    """

    scores: Floats
    ones: Floats
    zeros: Floats
    squared_ones: Floats
    squared_zeros: Floats

    @property
    def weight(self) -> float:
        """The weight of all rows."""
        return float(self.ones.sum()) + float(self.zeros.sum())

    @property
    def effective_rows(self) -> float:
        """The effective number of rows."""
        squared = float(self.squared_ones.sum()) + float(self.squared_zeros.sum())
        return self.weight**2 / squared if squared else 0.0

    def counts(self, threshold: float) -> Counts:
        """Count the outcomes where a score of at least `threshold` means 1 (reference 8.1)."""
        cut = int(np.searchsorted(self.scores, threshold, side="left"))
        return Counts(
            true_positive=float(self.ones[cut:].sum()),
            false_positive=float(self.zeros[cut:].sum()),
            true_negative=float(self.zeros[:cut].sum()),
            false_negative=float(self.ones[:cut].sum()),
        )

    @cached_property
    def auc(self) -> float:
        """Area under the ROC curve; NaN where one class is absent."""
        return auc_of_masses(self.ones, self.zeros)

    @cached_property
    def log_loss(self) -> tuple[float, float]:
        """Return the mean log loss in nats and its standard error; NaN without rows."""
        weight, if_one, if_zero = self.weight, log_losses(self.scores), log_losses(1.0 - self.scores)
        if not weight:
            return math.nan, math.nan
        mean = float((self.ones * if_one + self.zeros * if_zero).sum()) / weight
        spread = self.squared_ones * (if_one - mean) ** 2 + self.squared_zeros * (if_zero - mean) ** 2
        freedom = weight**2 - float(self.squared_ones.sum() + self.squared_zeros.sum())
        return mean, math.sqrt(float(spread.sum()) / freedom) if freedom > 0 else math.nan


class BinaryScores:
    """Labels and scores of rows in 8 bytes each, 12 with weights; figures do not depend on order, batches or merges.

    >>> seen = BinaryScores()
    >>> seen.add(np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.2, 0.9]))
    >>> seen.metrics()["auc"]
    0.75
    """

    def __init__(self) -> None:
        self.rows = 0
        """How many rows were added."""
        self._signed: list[Floats] = []  # a score, with the minus sign of a 1
        self._weights: list[npt.NDArray[np.float32] | None] = []
        self._curve: ScoreCurve | None = None

    def add(self, labels: Floats, scores: Floats, weights: Floats | None = None) -> None:
        """Add rows: labels 0.0 or 1.0, scores in 0..1, weights above 0 (kept as float32).

        Raises InvalidInput for a label or score out of range; nothing is added then.
        """
        labels, scores = np.asarray(labels, np.float64), np.asarray(scores, np.float64)
        is_one = labels == 1.0
        _require(is_one | (labels == 0.0), labels, "label", "0 or 1")
        _require((scores >= 0.0) & (scores <= 1.0), scores, "score", "a probability in 0..1")
        kept = float_weights(weights, len(scores))
        self._signed.append(np.copysign(scores, np.where(is_one, -1.0, 1.0)))
        self._weights.append(kept)
        self.rows += len(scores)
        self._curve = None

    def merge(self, other: BinaryScores) -> None:
        """Add all rows that the other has seen."""
        self._signed += other._signed
        self._weights += other._weights
        self.rows += other.rows
        self._curve = None

    @property
    def curve(self) -> ScoreCurve:
        """The rows so far as a curve; O(n log n) once, then kept until more rows come."""
        if self._curve is None:
            signed = np.concatenate([np.zeros(0), *self._signed])
            weights = joined_weights(self._weights, [len(part) for part in self._signed])
            self._signed = [signed]
            self._weights = [None if weights is None else weights.astype(np.float32)]
            self._curve = _curve(signed) if weights is None else _weighted_curve(signed, weights)
        return self._curve

    def metrics(self, threshold: float = 0.5) -> dict[str, float]:
        """Return auc, accuracy, f1, precision, recall and log_loss; NaN where the rows do not determine one."""
        counts = self.curve.counts(threshold)
        return {
            "auc": self.curve.auc,
            "accuracy": counts.accuracy if self.rows else math.nan,
            "f1": counts.f1,
            "precision": counts.precision,
            "recall": counts.recall,
            "log_loss": self.curve.log_loss[0],
        }

    def intervals(self, confidence: float = 0.95, threshold: float = 0.5) -> dict[str, Interval]:
        """Return an interval for each metric that the rows determine.

        F1 is 2q / (1 + q) of q, the share of true positives among all rows but the true negatives, and q is a share:
        its interval is that of q, carried over.
        """
        z, curve, counts = quantile(confidence), self.curve, self.curve.counts(threshold)
        per_weight = ratio(curve.effective_rows, curve.weight)
        right = counts.true_positive
        ones, called = right + counts.false_negative, right + counts.false_positive
        either = ones + called - right
        overlap = wilson(ratio(right, either), either * per_weight, z)
        loss, error = curve.log_loss
        found = {
            "accuracy": wilson(counts.accuracy, curve.effective_rows, z),
            "f1": (2 * overlap[0] / (1 + overlap[0]), 2 * overlap[1] / (1 + overlap[1])),
            "precision": wilson(counts.precision, called * per_weight, z),
            "recall": wilson(counts.recall, ones * per_weight, z),
        }
        if not math.isnan(curve.auc):
            variance = delong_variance(curve.auc, curve.ones, curve.zeros, curve.squared_ones, curve.squared_zeros)
            fewer = min(ones, curve.weight - ones) * per_weight
            found["auc"] = wilson_of_variance(curve.auc, variance, fewer, z)
        if not math.isnan(error):
            found["log_loss"] = normal(loss, error, z, lowest=0.0)
        return found


def _curve(signed: Floats) -> ScoreCurve:
    """Sort rows that count once each by score and label in one number: integers are sorted soonest.

    The bits of a float64 from 0 to 1 are ordered as the numbers are, and leave the two highest unused.
    """
    both = signed.view(np.uint64) << np.uint64(1)
    both |= np.signbit(signed)
    both.sort()
    is_one = (both & np.uint64(1)).astype(np.bool_)
    both >>= np.uint64(1)
    scores = both.view(np.float64)
    if not len(scores):
        return ScoreCurve(scores, scores, scores, scores, scores)
    first = np.flatnonzero(np.concatenate(([True], scores[1:] != scores[:-1])))
    ones = np.add.reduceat(is_one, first, dtype=np.float64)
    zeros = np.diff(first, append=len(scores)) - ones
    return ScoreCurve(scores[first], ones, zeros, ones, zeros)


def _weighted_curve(signed: Floats, weights: Floats) -> ScoreCurve:
    labels, scores = np.signbit(signed).astype(np.float64), np.abs(signed)
    _, squared_ones, squared_zeros = mass_by_score(labels, scores, weights**2)
    return ScoreCurve(*mass_by_score(labels, scores, weights), squared_ones, squared_zeros)


def _require(good: npt.NDArray[np.bool_], values: Floats, what: str, expected: str) -> None:
    if not good.all():
        row = int(np.argmin(good))
        raise InvalidInput(
            f"the {what} of row {row:,} is {values[row]}, not {expected}",
            "Leave rows without a usable label out, and count them as unused.",
        )
