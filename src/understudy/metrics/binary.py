"""BINARY: scores of rows whose label is 0 or 1, collected in any order, read as one curve."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from understudy.errors import InvalidInput
from understudy.metrics.curve import Packed, ScoreCurve, packed
from understudy.metrics.functions import Floats, ratio
from understudy.metrics.intervals import Interval, normal, quantile, wilson, wilson_of_variance
from understudy.metrics.weights import float_weights, joined_weights


class BinaryScores:
    """Labels and scores of rows in 8 bytes each, 12 with weights; figures do not depend on order, batches or merges.

    Figures take 16 bytes a row for a while; with weights 117, as weighted rows are not gone through in pieces.

    >>> seen = BinaryScores()
    >>> seen.add(np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.2, 0.9]))
    >>> seen.metrics()["auc"]
    0.75
    """

    def __init__(self) -> None:
        self.rows = 0
        """How many rows were added."""
        self._packed: list[Packed] = []
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
        self._packed.append(packed(is_one, scores))
        self._weights.append(kept)
        self.rows += len(scores)
        self._curve = None

    def merge(self, other: BinaryScores) -> None:
        """Add all rows that the other has seen."""
        self._packed += other._packed
        self._weights += other._weights
        self.rows += other.rows
        self._curve = None

    @property
    def curve(self) -> ScoreCurve:
        """The rows so far as a curve; O(n log n) once, then kept until more rows come."""
        if self._curve is None:
            weights = joined_weights(self._weights, [len(part) for part in self._packed])
            rows = self._joined()
            self._packed, self._weights = [rows], [None if weights is None else weights.astype(np.float32)]
            self._curve = ScoreCurve.of_rows(rows) if weights is None else ScoreCurve.of_weighted_rows(rows, weights)
        return self._curve

    def _joined(self) -> Packed:
        """Return all rows in one array; each part is given up when it is copied."""
        if len(self._packed) == 1:
            return self._packed[0]
        rows, end = np.empty(self.rows, np.uint64), self.rows
        while self._packed:
            part = self._packed.pop()
            rows[end - len(part) : end] = part
            end -= len(part)
        return rows

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
            fewer = min(ones, curve.weight - ones) * per_weight
            found["auc"] = wilson_of_variance(curve.auc, curve.auc_variance, fewer, z)
        if not math.isnan(error):
            found["log_loss"] = normal(loss, error, z, lowest=0.0)
        return found


def _require(good: npt.NDArray[np.bool_], values: Floats, what: str, expected: str) -> None:
    if not good.all():
        row = int(np.argmin(good))
        raise InvalidInput(
            f"the {what} of row {row:,} is {values[row]}, not {expected}",
            "Leave rows without a usable label out, and count them as unused.",
        )
