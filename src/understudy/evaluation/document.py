"""The records of an evaluation; every one is a JSON document."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from understudy.schema import ModelType
from understudy.statistics import Bins, NumericInsight

Row = tuple[float, ...]


class Alert(msgspec.Struct, frozen=True):
    """Something that should make one doubt an evaluation (reference 7.5). The evaluation stands beside it."""

    code: str
    """`evaluation_on_training_data`, `too_little_evaluation_data`, `schema_mismatch`, `records_unused` or
    `target_distribution_differs`."""
    message: str
    """What was found and what to do."""


class TrainingSummary(msgspec.Struct, frozen=True):
    """The target as it was in training: the rows of each class, or the distribution of a number."""

    rows: int
    """Training rows with a usable target."""
    classes: dict[str, int] = {}
    """Rows of each class, `1` and `0` for BINARY; empty for REGRESSION."""
    mean: float | None = None
    """Mean of a numeric target."""
    sd: float | None = None
    """Standard deviation of a numeric target."""
    bands: Bins = Bins((), ())
    """About ten equally frequent bins of a numeric target."""

    @classmethod
    def of_classes(cls, counts: Mapping[str, int]) -> TrainingSummary:
        """Summarise a target of classes by the rows of each."""
        return cls(rows=sum(counts.values()), classes=dict(counts))

    @classmethod
    def of_numbers(cls, insight: NumericInsight) -> TrainingSummary:
        """Summarise a numeric target by its insight in the training rows."""
        return cls(rows=sum(insight.bands.counts), mean=insight.mean, sd=insight.sd, bands=insight.bands)

    def share(self, name: str) -> float:
        """Return the share of a class among the training rows; 0 for one that never occurred."""
        return self.classes.get(name, 0) / self.rows if self.rows else 0.0


class ConfusionTable(msgspec.Struct, frozen=True):
    """How often each true class was called by each class."""

    labels: tuple[str, ...]
    """The most frequent classes, most frequent first; `other` last where some are put together."""
    matrix: tuple[Row, ...]
    """matrix[i][j] is the weight of the rows of class labels[i] that were called labels[j]."""
    folded: int = 0
    """How many classes `other` puts together; what they confuse among themselves stands on its diagonal."""
    unseen: Row = ()
    """The same for rows whose class the model never saw; empty without any."""


class ClassFigures(msgspec.Struct, frozen=True):
    """How well one class is recognised."""

    label: str
    precision: float
    """Share of right ones among the rows called by this class."""
    recall: float
    """Share of right ones among the rows of this class."""
    f1: float
    """Harmonic mean of the two."""
    support: float
    """Weight of the rows of this class."""
    predicted: float
    """Weight of the rows called by this class."""


class Curves(msgspec.Struct, frozen=True):
    """The ROC and the precision-recall curve: what each threshold brings, from the highest score down."""

    threshold: Row
    """At most 200 scores that occurred, evenly spread along the ROC curve, which starts at (0, 0)."""
    false_positive_rate: Row
    recall: Row
    precision: Row


class ScoreHistogram(msgspec.Struct, frozen=True):
    """The scores of the ones and of the zeros in equally wide bins of 0..1."""

    edges: Row
    ones: Row
    """Weight of the ones in each bin."""
    zeros: Row
    """Weight of the zeros in each bin."""


class Calibration(msgspec.Struct, frozen=True):
    """Rows of similar score: a well calibrated model's share of ones is their mean score."""

    mean_score: float
    share_of_ones: float
    weight: float
    """Weight of these rows."""


class Threshold(msgspec.Struct, frozen=True):
    """What calling every row of at least this score 1 would bring."""

    threshold: float
    accuracy: float
    false_positive_rate: float
    precision: float
    recall: float


class Residuals(msgspec.Struct, frozen=True):
    """Label minus prediction: positive where the prediction was too low."""

    mean: float
    """Away from 0: a systematic error."""
    sd: float | None
    quantiles: dict[str, float]
    """By share of the rows below."""
    histogram: Bins
    """Equally wide bins of the middle 98 %; the outermost two take all beyond."""


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """A model judged on rows. Parts that its type does not have are None or empty."""

    model_type: ModelType
    rows: int
    """Rows judged."""
    metrics: dict[str, float | None]
    """Every metric of the type (see `understudy.metrics.METRICS`); None where the rows do not determine one."""
    intervals: dict[str, tuple[float, float]]
    """For each metric that has one, its interval at `confidence`."""
    confidence: float
    baseline: dict[str, float]
    """The same metrics of a model that knows nothing but the target in training."""
    alerts: tuple[Alert, ...] = ()
    threshold: float | None = None
    """BINARY: the score from which on a row was called 1."""
    confusion: ConfusionTable | None = None
    per_class: tuple[ClassFigures, ...] = ()
    """MULTICLASS: every class that occurred, most frequent first."""
    curves: Curves | None = None
    histogram: ScoreHistogram | None = None
    calibration: tuple[Calibration, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    """BINARY: 0.01 to 0.99."""
    residuals: Residuals | None = None
