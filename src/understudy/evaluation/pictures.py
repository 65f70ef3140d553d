"""What people look at: curves, histograms, confusion matrix, calibration, residuals."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from understudy.evaluation.document import (
    Calibration,
    ClassFigures,
    ConfusionTable,
    Curves,
    Residuals,
    ScoreHistogram,
    Threshold,
)
from understudy.metrics.classes import ClassScores
from understudy.metrics.curve import Masses, ScoreCurve
from understudy.metrics.functions import Floats, ratio
from understudy.metrics.numbers import NumberScores
from understudy.statistics import Bins, Distribution

CURVE_POINTS = 200
SCORE_BINS = 40
CALIBRATION_BINS = 15
RESIDUAL_BINS = 40
SHOWN_CLASSES = 100
OTHER = "other"
_RESIDUAL_QUANTILES = ("0.01", "0.05", "0.25", "0.5", "0.75", "0.95", "0.99")


def curves_of(curve: ScoreCurve) -> Curves:
    """Return the ROC and precision-recall curves at no more than `CURVE_POINTS` scores, the highest first."""
    thresholds = _evenly_spaced(curve)
    found = curve.outcomes(thresholds)
    return Curves(
        threshold=tuple(thresholds.tolist()),
        false_positive_rate=tuple(each.false_positive_rate for each in found),
        recall=tuple(each.recall for each in found),
        precision=tuple(each.precision for each in found),
    )


def _evenly_spaced(curve: ScoreCurve) -> Floats:
    """Return scores at which the ROC curve has come equally far since the one before, along its own length."""
    ones, zeros = (max(mass, 1e-300) for mass in (curve.ones, curve.zeros))
    found: list[float] = []
    wanted = np.zeros(0)
    for piece, ones_up_to, zeros_up_to in curve.descending():
        missed, spared = ones_up_to - piece.ones, zeros_up_to - piece.zeros
        length = ((curve.ones - missed) / ones + (curve.zeros - spared) / zeros)[::-1]
        if not found:
            whole = bool(curve.ones) + bool(curve.zeros)
            wanted = np.linspace(length[0], whole, CURVE_POINTS)
        places = np.searchsorted(length, wanted)
        reached = places < len(length)
        found += piece.scores[::-1][np.unique(places[reached])].tolist()
        wanted = wanted[~reached]
    return np.array(found)


def score_histogram_of(curve: ScoreCurve) -> ScoreHistogram:
    """Return the ones' and the zeros' scores in `SCORE_BINS` bins."""
    ones, zeros = np.zeros(SCORE_BINS), np.zeros(SCORE_BINS)
    for piece in curve.pieces():
        place = np.minimum((piece.scores * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)
        cuts = np.searchsorted(place, np.arange(SCORE_BINS + 1))
        ones += _between(cuts, piece.ones)
        zeros += _between(cuts, piece.zeros)
    edges = np.linspace(0.0, 1.0, SCORE_BINS + 1)
    return ScoreHistogram(tuple(edges.tolist()), tuple(ones.tolist()), tuple(zeros.tolist()))


def calibration_of(curve: ScoreCurve) -> tuple[Calibration, ...]:
    """Return at most `CALIBRATION_BINS` groups of rows of similar score, about equally heavy, lowest scores first."""
    levels = np.append(np.arange(CALIBRATION_BINS) / CALIBRATION_BINS, np.inf)
    sums = np.zeros((3, CALIBRATION_BINS))
    for piece, ones, zeros in curve.ranked():
        mass = piece.ones + piece.zeros
        cuts = np.searchsorted((ones + zeros - mass / 2.0) / curve.weight, levels)
        sums += [_between(cuts, each) for each in (mass, piece.ones, mass * piece.scores)]
    return tuple(Calibration(score / heavy, one / heavy, heavy) for heavy, one, score in sums.T.tolist() if heavy)


def _between(cuts: npt.NDArray[np.int64], mass: Masses) -> Floats:
    """Return the sums of mass[cuts[i] : cuts[i + 1]], float64[k - 1] of k cuts, of which the last is the end."""
    filled, sums = np.flatnonzero(np.diff(cuts)), np.zeros(len(cuts) - 1)
    sums[filled] = np.add.reduceat(mass, cuts[filled])
    return sums


def thresholds_of(curve: ScoreCurve) -> tuple[Threshold, ...]:
    """Return what each threshold from 0.01 to 0.99 would bring."""
    cuts = np.arange(1, 100) / 100.0
    return tuple(
        Threshold(cut, each.accuracy, each.false_positive_rate, each.precision, each.recall)
        for cut, each in zip(cuts.tolist(), curve.outcomes(cuts), strict=True)
    )


def binary_confusion_of(curve: ScoreCurve, threshold: float) -> ConfusionTable:
    """Return the confusion matrix of two classes, `1` first."""
    seen = curve.counts(threshold)
    rows = (seen.true_positive, seen.false_negative), (seen.false_positive, seen.true_negative)
    return ConfusionTable(("1", "0"), rows)


def confusion_of(scores: ClassScores) -> ConfusionTable:
    """Return the confusion matrix of the `SHOWN_CLASSES` most frequent classes, the others put together."""
    confusion, known = scores.confusion, len(scores.classes)
    frequent = _by_frequency(scores)
    shown = frequent[:SHOWN_CLASSES]
    folded = known - len(shown)
    labels = [scores.classes[code] for code in shown] + ([OTHER] if folded else [])
    unseen = len(labels)
    place = np.full(known + 1, len(shown))
    place[shown] = np.arange(len(shown))
    place[known] = unseen
    cells = place[confusion.true] * (unseen + 1) + place[confusion.predicted]
    matrix = np.bincount(cells, confusion.weight, minlength=(unseen + 1) ** 2).reshape(unseen + 1, unseen + 1)
    rows = [tuple(row) for row in matrix[:, :unseen].tolist()]
    return ConfusionTable(tuple(labels), tuple(rows[:-1]), folded, rows[-1] if any(rows[-1]) else ())


def class_figures_of(scores: ClassScores) -> tuple[ClassFigures, ...]:
    """Return precision, recall and F1 of every class that occurred, most frequent first."""
    right, support, predicted = (
        each.tolist() for each in (scores.confusion.right, scores.confusion.support, scores.confusion.predictions)
    )
    return tuple(
        ClassFigures(
            label=scores.classes[code],
            precision=ratio(right[code], predicted[code]),
            recall=ratio(right[code], support[code]),
            f1=ratio(2.0 * right[code], support[code] + predicted[code]),
            support=support[code],
            predicted=predicted[code],
        )
        for code in _by_frequency(scores)
        if support[code] or predicted[code]
    )


def residuals_of(scores: NumberScores) -> Residuals | None:
    """Return the distribution of label minus prediction over the rows, each counted once; None without rows."""
    if not scores.rows:
        return None
    seen = Distribution()
    for part in scores.parts():
        seen.add(part.residuals)
    quantiles = dict(
        zip(_RESIDUAL_QUANTILES, seen.quantiles([float(share) for share in _RESIDUAL_QUANTILES]).tolist(), strict=True)
    )
    edges = np.linspace(quantiles["0.01"], quantiles["0.99"], RESIDUAL_BINS + 1)
    sd = seen.moments.sd
    return Residuals(
        mean=seen.moments.mean,
        sd=None if math.isnan(sd) else sd,
        quantiles=quantiles,
        histogram=Bins(tuple(edges.tolist()), tuple(seen.counts_between(edges).tolist())),
    )


def _by_frequency(scores: ClassScores) -> list[int]:
    """Return the numbers of the model's classes, most frequent label first, equals by label."""
    support = scores.confusion.support
    return sorted(range(len(scores.classes)), key=lambda code: (-support[code], scores.classes[code]))
