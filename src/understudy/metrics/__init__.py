"""Metrics: plain functions of arrays, the catalogue of their names, and one-pass accumulators that merge."""

from understudy.metrics.binary import BinaryScores, Counts, ScoreCurve
from understudy.metrics.catalogue import DEFAULT_METRIC, METRICS, Metric
from understudy.metrics.classes import ClassScores, Confusion
from understudy.metrics.functions import (
    EPSILON,
    accuracy,
    auc,
    binary_log_loss,
    class_log_loss,
    macro_f1,
    mae,
    precision_recall_f1,
    r2,
    rmse,
)
from understudy.metrics.numbers import NumberScores

__all__ = [
    "DEFAULT_METRIC",
    "EPSILON",
    "METRICS",
    "BinaryScores",
    "ClassScores",
    "Confusion",
    "Counts",
    "Metric",
    "NumberScores",
    "ScoreCurve",
    "accuracy",
    "auc",
    "binary_log_loss",
    "class_log_loss",
    "macro_f1",
    "mae",
    "precision_recall_f1",
    "r2",
    "rmse",
]
