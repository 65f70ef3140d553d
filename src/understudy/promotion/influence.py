"""A metric's value on some rows, and how much each row pulls it.

Every metric here is a smooth function of means over rows, so its sampling error is that of the mean of its *influence
values* (Hampel 1974; for the area under the curve these are DeLong's placement values, DeLong 1988, in one sort as in
Sun and Xu 2014). The difference of two models' influence values, row by row, gives the paired error of the difference
in O(n log n) time and without random draws.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from understudy.errors import ConfigError
from understudy.metrics.functions import log_losses
from understudy.promotion.paired import Answers, Floats, Measured, Paired
from understudy.schema import ModelType

THRESHOLD = 0.5


Measure = Callable[[Floats, Answers], Measured | None]
"""From labels and answers to a measured metric; None where the rows cannot tell (one class only, no rows)."""


def mean_of(losses: Floats) -> Measured | None:
    """Measure a mean over rows."""
    if len(losses) < 2:
        return None
    value = float(losses.mean())
    return Measured(value, losses - value, len(losses) - 1)


def auc(labels: Floats, answers: Answers) -> Measured | None:
    """Measure the area under the ROC curve; ties count half."""
    positive = labels > THRESHOLD
    ones = int(positive.sum())
    zeros = len(labels) - ones
    if min(ones, zeros) < 2:
        return None
    order = np.argsort(answers.values)
    ordered = answers.values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    ends = np.append(starts[1:], len(ordered))
    sizes = ends - starts
    below = np.concatenate([[0], np.cumsum(~positive[order])])
    under = np.concatenate([[0], np.cumsum(positive[order])])
    zeros_below = np.repeat((below[starts] + below[ends]) / (2 * zeros), sizes)
    ones_above = np.repeat(1 - (under[starts] + under[ends]) / (2 * ones), sizes)
    influence = np.empty(len(labels))
    influence[order] = np.where(positive[order], zeros_below, ones_above)
    value = float(influence[positive].mean())
    influence -= value
    influence *= np.where(positive, len(labels) / ones, len(labels) / zeros)
    return Measured(value, influence, min(ones, zeros) - 1)


def accuracy_binary(labels: Floats, answers: Answers) -> Measured | None:
    """Measure the share of rows on the right side of the threshold."""
    return mean_of(((answers.values >= THRESHOLD) == (labels > THRESHOLD)).astype(np.float64))


def accuracy_classes(labels: Floats, answers: Answers) -> Measured | None:
    """Measure the share of rows whose class was predicted."""
    return mean_of((answers.values == labels).astype(np.float64))


def log_loss_binary(labels: Floats, answers: Answers) -> Measured | None:
    """Measure the mean log loss of the positive class's score, in nats."""
    return mean_of(log_losses(np.where(labels > THRESHOLD, answers.values, 1 - answers.values)))


def log_loss_classes(_: Floats, answers: Answers) -> Measured | None:
    """Measure the mean log loss of the true class's score, in nats."""
    assert answers.probability is not None, "MULTICLASS answers carry the score of the true class"
    return mean_of(log_losses(answers.probability))


def ratio(labels: Floats, part: Floats, whole: Floats) -> Measured | None:
    """Measure sum(part) / sum(whole), 0 where there is no whole; labels without a positive cannot tell."""
    if len(labels) < 2 or not labels.any():
        return None
    total = float(whole.mean())
    if total == 0:
        return Measured(0.0, np.zeros(len(labels)), len(labels) - 1)
    value = float(part.mean() / total)
    return Measured(value, (part - value * whole) / total, len(part) - 1)


def precision(labels: Floats, answers: Answers) -> Measured | None:
    """Measure the share of predicted positives that are positive."""
    said = (answers.values >= THRESHOLD).astype(np.float64)
    return ratio(labels, said * labels, said)


def recall(labels: Floats, answers: Answers) -> Measured | None:
    """Measure the share of positives that were predicted."""
    return ratio(labels, (answers.values >= THRESHOLD) * labels, labels)


def f1(labels: Floats, answers: Answers) -> Measured | None:
    """Measure the harmonic mean of precision and recall."""
    said = (answers.values >= THRESHOLD).astype(np.float64)
    return ratio(labels, 2 * said * labels, said + labels)


def macro_f1(labels: Floats, answers: Answers) -> Measured | None:
    """Measure the mean F1 of the classes that occur among labels or predictions; a label below 0 is nobody's class."""
    if len(labels) < 2:
        return None
    said = answers.values.astype(np.int64)
    known = int(max(labels.max(), said.max())) + 1
    true = np.where(labels >= 0, labels, known).astype(np.int64)
    occurring = np.bincount(true, minlength=known + 1) + np.bincount(said, minlength=known + 1)
    right = np.bincount(true[true == said], minlength=known + 1)
    share = np.divide(1.0, occurring, out=np.zeros(known + 1), where=occurring > 0) / np.count_nonzero(occurring)
    mean_shares = 2 * right * share
    pull = mean_shares * share * np.count_nonzero(occurring)
    influence = len(labels) * (2 * share[true] * (true == said) - pull[true] - pull[said])
    return Measured(float(mean_shares.sum()), influence, len(labels) - 1)


def mae(labels: Floats, answers: Answers) -> Measured | None:
    """Measure the mean absolute error, in the target's unit."""
    return mean_of(np.abs(answers.values - labels))


def rmse(labels: Floats, answers: Answers) -> Measured | None:
    """Measure the root of the mean squared error, in the target's unit."""
    squared = mean_of((answers.values - labels) ** 2)
    if squared is None:
        return None
    value = float(np.sqrt(squared.value))
    slope = 1 / (2 * value) if value else 0.0
    return Measured(value, squared.influence * slope, squared.freedom)


def r2(labels: Floats, answers: Answers) -> Measured | None:
    """Measure the share of the labels' variance that is explained."""
    squared = mean_of((answers.values - labels) ** 2)
    spread = mean_of((labels - labels.mean()) ** 2) if len(labels) else None
    if squared is None or spread is None or spread.value == 0:
        return None
    left = squared.value / spread.value
    influence = (left * spread.influence - squared.influence) / spread.value
    return Measured(1 - left, influence, squared.freedom)


MEASURES: dict[ModelType, dict[str, Measure]] = {
    ModelType.BINARY: {
        "auc": auc,
        "accuracy": accuracy_binary,
        "f1": f1,
        "precision": precision,
        "recall": recall,
        "log_loss": log_loss_binary,
    },
    ModelType.MULTICLASS: {"macro_f1": macro_f1, "accuracy": accuracy_classes, "log_loss": log_loss_classes},
    ModelType.REGRESSION: {"rmse": rmse, "mae": mae, "r2": r2},
}
"""What each type of model can be judged by."""


def measure_both(rows: Paired, metric: str) -> tuple[Measured | None, Measured | None]:
    """Measure champion and challenger by a metric; raises ConfigError where it is none of the model type's."""
    if metric not in rows.measured:
        known = MEASURES[rows.model_type]
        if metric not in known:
            raise ConfigError(
                f"the metric {metric!r} does not judge a {rows.model_type} model", f"Use one of {', '.join(known)}."
            )
        rows.measured[metric] = (
            known[metric](rows.labels, rows.champion),
            known[metric](rows.labels, rows.challenger),
        )
    return rows.measured[metric]


def skills(rows: Paired, yardstick: Floats) -> tuple[Measured | None, Measured | None]:
    """Measure what champion and challenger know about some rows: 1 is everything, 0 nothing, below 0 the opposite.

    The same question whatever metric the gate decides by. BINARY: 2 AUC - 1. MULTICLASS and REGRESSION: the share of
    the errors (or of the squared errors) of the best constant that the model avoids; the constant comes from
    `yardstick`, float64[m], the labels of rows that are trusted.
    """
    if rows.model_type is ModelType.BINARY:
        champion, challenger = measure_both(rows, "auc")
        return _skill_of(champion), _skill_of(challenger)
    return _avoided(rows, rows.champion, yardstick), _avoided(rows, rows.challenger, yardstick)


def _skill_of(area: Measured | None) -> Measured | None:
    return area and Measured(2 * area.value - 1, 2 * area.influence, area.freedom)


def _avoided(rows: Paired, answers: Answers, yardstick: Floats) -> Measured | None:
    if not len(yardstick):
        return None
    if rows.model_type is ModelType.MULTICLASS:
        errors = (answers.values != rows.labels).astype(np.float64)
        unit = 1 - float(np.bincount(yardstick.astype(np.int64)).max()) / len(yardstick)
    else:
        errors = (answers.values - rows.labels) ** 2
        unit = float(yardstick.var())
    missed = mean_of(errors)
    if missed is None or unit == 0:
        return None
    return Measured(1 - missed.value / unit, -missed.influence / unit, missed.freedom)
