"""A model judged on rows: the metrics beside their baselines, the pictures, and what should make one doubt them."""

from understudy.evaluation.document import (
    Alert,
    Calibration,
    ClassFigures,
    ConfusionTable,
    Curves,
    Evaluation,
    Residuals,
    ScoreHistogram,
    Threshold,
    TrainingSummary,
)
from understudy.evaluation.doubts import Scores, schema_differences
from understudy.evaluation.summary import baseline_of, summarise

__all__ = [
    "Alert",
    "Calibration",
    "ClassFigures",
    "ConfusionTable",
    "Curves",
    "Evaluation",
    "Residuals",
    "ScoreHistogram",
    "Scores",
    "Threshold",
    "TrainingSummary",
    "baseline_of",
    "schema_differences",
    "summarise",
]
