"""Metrics of labels and predictions as plain functions of arrays.

Throughout, `labels`, `scores`, `predicted` and `weights` are arrays of one length n; a weight says how many rows a row
stands for, and None counts every row once. A figure that the rows do not determine (the AUC of one class only) is NaN.

>>> auc(np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.2, 0.9]))
0.75
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

EPSILON = 1e-7
"""Probabilities are held to [EPSILON, 1 - EPSILON] before a logarithm: about one float32 step from 1, 16.1 nats."""


def auc(labels: Floats, scores: Floats, weights: Floats | None = None) -> float:
    """Return the probability that a random 1 scores above a random 0; a tie counts half (Mann, Whitney 1947).

    `labels` are 0.0 or 1.0. NaN where one of the classes is absent. O(n log n).
    """
    _, ones, zeros = mass_by_score(labels, scores, weights)
    return auc_of_masses(ones, zeros)


def mass_by_score(labels: Floats, scores: Floats, weights: Floats | None = None) -> tuple[Floats, Floats, Floats]:
    """Return the distinct scores, ascending, and the weight of the ones and of the zeros at each: float64[k] each.

    The rows are put into an order of their own first, so the order in which they came leaves no trace in the sums.
    """
    labels, scores = np.asarray(labels, np.float64), np.asarray(scores, np.float64)
    order = np.argsort(scores, kind="stable") if weights is None else np.lexsort((weights, scores))
    ordered, mass = scores[order], _ordered_weights(weights, order)
    first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(ordered) else order
    if not len(ordered):
        return ordered, ordered, ordered
    is_one = labels[order] > 0.5
    ones = np.add.reduceat(np.where(is_one, mass, 0.0), first)
    zeros = np.add.reduceat(np.where(is_one, 0.0, mass), first)
    return ordered[first], ones, zeros


def auc_of_masses(ones: Floats, zeros: Floats) -> float:
    """Return the AUC of the weights of ones and zeros at ascending distinct scores; NaN where one class is absent."""
    pairs = float(ones.sum()) * float(zeros.sum())
    if not pairs:
        return math.nan
    below = np.cumsum(zeros) - zeros
    return float((ones * (below + 0.5 * zeros)).sum()) / pairs


def accuracy(
    labels: npt.NDArray[np.generic], predicted: npt.NDArray[np.generic], weights: Floats | None = None
) -> float:
    """Return the share of rows whose prediction is the label; NaN without rows."""
    return _mean((np.asarray(labels) == np.asarray(predicted)).astype(np.float64), weights)


def binary_log_loss(labels: Floats, scores: Floats, weights: Floats | None = None) -> float:
    """Return the mean negative log-likelihood in nats of 0/1 labels under scores, the probabilities of 1."""
    return _mean(log_losses(np.where(np.asarray(labels) > 0.5, scores, 1.0 - np.asarray(scores, np.float64))), weights)


def class_log_loss(true_probability: Floats, weights: Floats | None = None) -> float:
    """Return the mean negative log-likelihood in nats, given the probability that each row's true class was granted."""
    return _mean(log_losses(true_probability), weights)


def log_losses(true_probability: Floats) -> Floats:
    """Return each row's negative log-likelihood in nats, its probability held to [EPSILON, 1 - EPSILON]."""
    return -np.log(np.clip(np.asarray(true_probability, np.float64), EPSILON, 1.0 - EPSILON))


def macro_f1(labels: Codes, predicted: Codes, classes: int, weights: Floats | None = None) -> float:
    """Return the unweighted mean of the per-class F1 over the classes that occur as a label or as a prediction.

    `classes` is how many classes the model knows; labels outside 0..classes-1 count as one more class, whose F1 is 0.
    A class that occurs on neither side has no F1 and is left out rather than counted as 0 or 1; that is
    scikit-learn's rule, too. NaN without rows.
    """
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    known = np.where((labels >= 0) & (labels < classes), labels, classes)
    hit = known == predicted
    mass = np.ones(len(known)) if weights is None else np.asarray(weights, np.float64)
    right = np.bincount(known[hit], mass[hit], minlength=classes + 1)
    support = np.bincount(known, mass, minlength=classes + 1)
    answered = np.bincount(predicted, mass, minlength=classes + 1)
    return mean_f1(right.astype(np.float64), (support + answered).astype(np.float64))


def mean_f1(right: Floats, occurring: Floats) -> float:
    """Return the mean of 2 right / occurring over classes; `occurring` is a class's labels plus its predictions."""
    seen = occurring > 0
    return float((2.0 * right[seen] / occurring[seen]).mean()) if seen.any() else math.nan


def precision_recall_f1(labels: Floats, predicted: Floats, weights: Floats | None = None) -> tuple[float, float, float]:
    """Return precision, recall and F1 of 0/1 predictions of 0/1 labels; a ratio of nothing is 0."""
    positive, called = np.asarray(labels) > 0.5, np.asarray(predicted) > 0.5
    mass = np.ones(len(positive)) if weights is None else np.asarray(weights, np.float64)
    right, ones, answered = (float(mass[mask].sum()) for mask in (positive & called, positive, called))
    return ratio(right, answered), ratio(right, ones), ratio(2.0 * right, ones + answered)


def ratio(part: float, whole: float) -> float:
    """Return part / whole, and 0 where there is no whole."""
    return part / whole if whole else 0.0


def rmse(labels: Floats, predicted: Floats, weights: Floats | None = None) -> float:
    """Return the root of the mean squared error, in the target's unit; NaN without rows."""
    return math.sqrt(_mean((np.asarray(labels) - predicted) ** 2, weights))


def mae(labels: Floats, predicted: Floats, weights: Floats | None = None) -> float:
    """Return the mean absolute error, in the target's unit; NaN without rows."""
    return _mean(np.abs(np.asarray(labels) - predicted), weights)


def r2(labels: Floats, predicted: Floats, weights: Floats | None = None) -> float:
    """Return the share of the labels' variance that the predictions explain: at most 1, below 0 if worse than the mean.

    NaN where the labels do not vary.
    """
    labels = np.asarray(labels, np.float64)
    variance = _mean((labels - _mean(labels, weights)) ** 2, weights)
    return 1.0 - _mean((labels - predicted) ** 2, weights) / variance if variance > 0 else math.nan


def _mean(values: Floats, weights: Floats | None) -> float:
    if not len(values):
        return math.nan
    if weights is None:
        return float(values.mean())
    weights = np.asarray(weights, np.float64)
    total = float(weights.sum())
    return float((weights * values).sum()) / total if total else math.nan


def _ordered_weights(weights: Floats | None, order: Codes) -> Floats:
    return np.ones(len(order)) if weights is None else np.asarray(weights, np.float64)[order]
