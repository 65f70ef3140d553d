"""The metrics by name: what each measures, for which models, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass

from understudy.schema import ModelType

_BINARY = frozenset({ModelType.BINARY})
_MULTICLASS = frozenset({ModelType.MULTICLASS})
_REGRESSION = frozenset({ModelType.REGRESSION})


@dataclass(frozen=True)
class Metric:
    """One figure of merit."""

    name: str
    """How project files, documents and APIs call it."""
    label: str
    """How people read it."""
    unit: str
    """What a difference of 1 is: `share`, `nats`, or the `target`'s own unit."""
    greater_is_better: bool
    """Whether a model improves by raising it."""
    model_types: frozenset[ModelType]
    """The types of model that have it."""


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("auc", "Area under the ROC curve", "share", True, _BINARY),
        Metric("accuracy", "Accuracy", "share", True, _BINARY | _MULTICLASS),
        Metric("f1", "F1", "share", True, _BINARY),
        Metric("precision", "Precision", "share", True, _BINARY),
        Metric("recall", "Recall", "share", True, _BINARY),
        Metric("macro_f1", "Mean F1 of the classes", "share", True, _MULTICLASS),
        Metric("log_loss", "Log loss", "nats", False, _BINARY | _MULTICLASS),
        Metric("rmse", "Root mean squared error", "target", False, _REGRESSION),
        Metric("mae", "Mean absolute error", "target", False, _REGRESSION),
        Metric("r2", "Explained share of the variance", "share", True, _REGRESSION),
    )
}

DEFAULT_METRIC: dict[ModelType, str] = {
    ModelType.BINARY: "auc",
    ModelType.MULTICLASS: "macro_f1",
    ModelType.REGRESSION: "rmse",
}
"""The metric that Amazon ML reported for each type (reference 7.1) and that a gate judges by unless told otherwise."""
