"""From scores to an evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from understudy.evaluation import pictures
from understudy.evaluation.document import Evaluation, TrainingSummary
from understudy.evaluation.doubts import Scores, doubts
from understudy.metrics.binary import BinaryScores
from understudy.metrics.classes import ClassScores
from understudy.metrics.numbers import NumberScores
from understudy.schema import ModelType


def summarise(
    scores: Scores,
    training: TrainingSummary,
    *,
    threshold: float = 0.5,
    confidence: float = 0.95,
    on_training_data: bool = False,
    unused: int = 0,
    schema_differences: Sequence[str] = (),
) -> Evaluation:
    """Judge a model by the scores that it gave to rows.

    `unused` counts rows without a usable target; `schema_differences` come from the function of that name;
    `on_training_data` says that the model learned from these rows. `threshold` cuts the scores of a BINARY model.
    """
    found = scores.metrics(threshold)
    evaluation = Evaluation(
        model_type=_type_of(scores),
        rows=scores.rows,
        metrics={name: None if math.isnan(value) else value for name, value in found.items()},
        intervals=scores.intervals(confidence, threshold),
        confidence=confidence,
        baseline=baseline_of(scores, training),
        alerts=tuple(doubts(scores, training, on_training_data, unused, schema_differences)),
    )
    if isinstance(scores, BinaryScores):
        return replace(
            evaluation,
            threshold=threshold,
            confusion=pictures.binary_confusion_of(scores.curve, threshold),
            curves=pictures.curves_of(scores.curve),
            histogram=pictures.score_histogram_of(scores.curve),
            calibration=pictures.calibration_of(scores.curve),
            thresholds=pictures.thresholds_of(scores.curve),
        )
    if isinstance(scores, ClassScores):
        return replace(evaluation, confusion=pictures.confusion_of(scores), per_class=pictures.class_figures_of(scores))
    return replace(evaluation, residuals=pictures.residuals_of(scores))


def baseline_of(scores: Scores, training: TrainingSummary) -> dict[str, float]:
    """Return the metrics, on the same rows, of a model that knows nothing but the target in training.

    BINARY: every row scores the training share of ones. MULTICLASS: every row is called by the most frequent class in
    training, and every class is granted its share in training. REGRESSION: every row is given the training mean.
    Metrics that these rows do not determine are left out, and so are all without training or evaluation rows.
    """
    if not scores.rows or not training.rows:
        return {}
    if isinstance(scores, NumberScores):
        found = scores.metrics_of_constant(training.mean or 0.0)
    else:
        found = _constant(scores, training).metrics()
    return {name: value for name, value in found.items() if not math.isnan(value)}


def _constant(scores: BinaryScores | ClassScores, training: TrainingSummary) -> BinaryScores | ClassScores:
    """Return the scores of the model that gives every row the same answer; rows alike are one row with their weight."""
    if isinstance(scores, BinaryScores):
        weights = np.array([scores.curve.ones, scores.curve.zeros])
        some = weights > 0
        constant = BinaryScores()
        constant.add(np.array([1.0, 0.0])[some], np.full(2, training.share("1"))[some], weights[some])
        return constant
    support = scores.confusion.support
    labels = np.flatnonzero(support)
    shares = np.array([*(training.share(name) for name in scores.classes), 0.0])
    majority = np.full(len(labels), int(np.argmax(shares)))
    answers = ClassScores(scores.classes)
    answers.add_predictions(labels, majority, shares[labels], support[labels])
    return answers


def _type_of(scores: Scores) -> ModelType:
    if isinstance(scores, BinaryScores):
        return ModelType.BINARY
    return ModelType.MULTICLASS if isinstance(scores, ClassScores) else ModelType.REGRESSION
