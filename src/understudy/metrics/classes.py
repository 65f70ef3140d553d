"""MULTICLASS: the confusion matrix, kept sparse, and the probability that each row's own class was granted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from understudy.errors import InvalidInput
from understudy.metrics.functions import Codes, Floats, log_losses, mean_f1
from understudy.metrics.intervals import Interval, Mean, normal, quantile, wilson, wilson_of_variance
from understudy.metrics.weights import Kept, float_weights

_UNIT_BITS = 173
"""Weights add up as integers in units of 2**-173, which every float32 is a multiple of: no order, no rounding."""


@dataclass(frozen=True)
class Confusion:
    """The cells of the matrix that are not 0: true class, predicted class, weight; sorted by the first two.

    Class number `classes` stands for all labels that the model never saw.
    """

    classes: int
    true: Codes
    predicted: Codes
    weight: Floats

    @property
    def right(self) -> Floats:
        """Weight of the rows of each class that are called by it, float64[classes + 1]."""
        return self._by(self.true, self.true == self.predicted)

    @property
    def support(self) -> Floats:
        """Weight of the rows of each class, float64[classes + 1]."""
        return self._by(self.true, slice(None))

    @property
    def predictions(self) -> Floats:
        """Weight of the rows called by each class, float64[classes + 1]."""
        return self._by(self.predicted, slice(None))

    def _by(self, codes: Codes, chosen: npt.NDArray[np.bool_] | slice) -> Floats:
        return np.bincount(codes[chosen], self.weight[chosen], minlength=self.classes + 1).astype(np.float64)


class ClassScores:
    """What the metrics of many classes need of any number of rows: memory grows with the matrix's nonzero cells only.

    >>> seen = ClassScores(["cat", "dog"])
    >>> seen.add(seen.codes(pa.array(["cat", "emu"])), np.array([[0.9, 0.1], [0.2, 0.8]]))
    >>> seen.metrics()["accuracy"]
    0.5
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        """The model's classes, in the order of the scores' columns."""
        self.rows = 0
        """How many rows were added."""
        self._cells: dict[int, int] = {}
        self._loss = Mean()
        self._confusion: Confusion | None = None

    def codes(self, labels: pa.Array) -> Codes:
        """Return each label's place among the classes, int64[n]; len(classes) for a label that the model never saw."""
        found = pc.fill_null(pc.index_in(labels, pa.array(self.classes, labels.type)), len(self.classes))
        return np.asarray(found).astype(np.int64)

    def add(self, labels: Codes, scores: npt.NDArray[np.floating], weights: Floats | None = None) -> None:
        """Add rows: labels as `codes` gives them, scores [n, classes] the classes' probabilities, weights above 0.

        The prediction is the class of the greatest score, the first of equals. A label that the model never saw was
        granted the probability 0. Raises InvalidInput for scores that are not finite or not one per class.
        """
        n, known = len(labels), len(self.classes)
        if scores.shape != (n, known) or not np.isfinite(scores).all():
            raise InvalidInput(
                f"{n:,} rows of {known:,} classes came with scores of shape {scores.shape}, or some are not numbers",
                "Give one finite probability for each row and class.",
            )
        true = np.where((labels >= 0) & (labels < known), labels, known)
        granted = np.zeros(n)
        seen = np.flatnonzero(true < known)
        granted[seen] = scores[seen, true[seen]]
        self.add_predictions(true, np.argmax(scores, axis=1).astype(np.int64), granted, weights)

    def add_predictions(
        self, labels: Codes, predicted: Codes, true_probability: Floats, weights: Floats | None = None
    ) -> None:
        """Add rows whose predicted class and true class's probability are at hand, without a matrix of scores."""
        kept = float_weights(weights, len(labels))
        for cell, units in _cell_units(labels * (len(self.classes) + 1) + predicted, kept).items():
            self._cells[cell] = self._cells.get(cell, 0) + units
        mass = np.ones(len(labels)) if kept is None else kept.astype(np.float64)
        self._loss.add(log_losses(true_probability), mass)
        self.rows += len(labels)
        self._confusion = None

    def merge(self, other: ClassScores) -> None:
        """Add all that the other has seen; both know the same classes."""
        if other.classes != self.classes:
            raise InvalidInput("scores of different classes cannot be merged", "Merge what one model has scored.")
        for cell, units in other._cells.items():
            self._cells[cell] = self._cells.get(cell, 0) + units
        self._loss.merge(other._loss)
        self.rows += other.rows
        self._confusion = None

    @property
    def effective_rows(self) -> float:
        """The effective number of rows: how many equally heavy rows would tell as much."""
        return self._loss.rows

    @property
    def confusion(self) -> Confusion:
        """The confusion matrix so far; made once, then kept until more rows come."""
        if self._confusion is None:
            cells = sorted(self._cells)
            places = np.array(cells, np.int64)
            weight = np.array([self._cells[cell] / (1 << _UNIT_BITS) for cell in cells], np.float64)
            side = len(self.classes) + 1
            self._confusion = Confusion(len(self.classes), places // side, places % side, weight)
        return self._confusion

    def metrics(self, threshold: float = 0.5) -> dict[str, float]:
        """Return macro_f1, accuracy and log_loss, NaN without rows; `threshold` is for BINARY alone."""
        confusion, weight = self.confusion, self._loss.weight
        right = confusion.right
        return {
            "macro_f1": mean_f1(right, confusion.support + confusion.predictions),
            "accuracy": float(right.sum()) / weight if weight else math.nan,
            "log_loss": self._loss.value,
        }

    def intervals(self, confidence: float = 0.95, threshold: float = 0.5) -> dict[str, Interval]:
        """Return an interval for each metric that the rows determine.

        The variance of macro F1 is that of the linear part of its error (the delta method), a sum over the matrix.
        `threshold` is for BINARY alone.
        """
        z, figures, rows = quantile(confidence), self.metrics(), self._loss.rows
        if not self.rows:
            return {}
        found = {
            "macro_f1": wilson_of_variance(figures["macro_f1"], self._macro_f1_variance(), rows, z),
            "accuracy": wilson(figures["accuracy"], rows, z),
        }
        if not math.isnan(self._loss.error):
            found["log_loss"] = normal(figures["log_loss"], self._loss.error, z, lowest=0.0)
        return found

    def _macro_f1_variance(self) -> float:
        confusion = self.confusion
        occurring = (confusion.support + confusion.predictions) / self._loss.weight
        share = np.divide(1.0, occurring, out=np.zeros_like(occurring), where=occurring > 0)
        f1 = 2.0 * confusion.right / self._loss.weight * share
        hit = confusion.true == confusion.predicted
        gain = np.where(
            hit,
            2.0 * (1.0 - f1[confusion.true]) * share[confusion.true],
            -(f1 * share)[confusion.true] - (f1 * share)[confusion.predicted],
        )
        spread = float((confusion.weight * gain**2).sum()) / self._loss.weight
        return spread / int(np.count_nonzero(occurring)) ** 2 / self._loss.rows


def _cell_units(cells: Codes, weights: Kept | None) -> dict[int, int]:
    """Return the sum of the weights of each cell, in units of 2**-173."""
    if weights is None:
        found, counts = np.unique(cells, return_counts=True)
        return {cell: count << _UNIT_BITS for cell, count in zip(found.tolist(), counts.tolist(), strict=True)}
    fraction, exponent = np.frexp(weights)
    groups, place = np.unique(cells * 512 + (exponent + _UNIT_BITS - 24), return_inverse=True)
    sums = np.bincount(place, fraction.astype(np.float64) * 2.0**24)
    units: dict[int, int] = {}
    for group, total in zip(groups.tolist(), sums.tolist(), strict=True):
        units[group >> 9] = units.get(group >> 9, 0) + (int(total) << (group & 511))
    return units
