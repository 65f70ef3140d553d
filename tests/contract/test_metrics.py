"""Every metric of the catalogue keeps the catalogue's word."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.metrics import DEFAULT_METRIC, METRICS
from understudy.metrics.binary import BinaryScores
from understudy.metrics.classes import ClassScores
from understudy.metrics.numbers import NumberScores
from understudy.schema import ModelType


def judged(kind, quality):
    """Return the metrics of a model of this type that is right on a share `quality` of 1,000 rows."""
    rng = np.random.default_rng(11)
    wrong = rng.random(1_000) >= quality
    labels = rng.integers(0, 2, 1_000)
    answers = np.where(wrong, 1 - labels, labels)
    if kind is ModelType.BINARY:
        seen = BinaryScores()
        seen.add(labels.astype(float), 0.1 + 0.8 * answers)
    elif kind is ModelType.MULTICLASS:
        seen = ClassScores(["no", "yes"])
        seen.add(labels, 0.1 + 0.8 * np.eye(2)[answers])
    else:
        seen = NumberScores()
        seen.add(labels.astype(float), answers.astype(float))
    return seen.metrics()


@pytest.mark.parametrize(("name", "kind"), [(m.name, kind) for m in METRICS.values() for kind in sorted(m.model_types)])
def test_metric_prefers_the_better_model(name, kind):
    """A model that is right more often has the better figure, in the direction that the catalogue says."""
    better, worse = judged(kind, 0.9)[name], judged(kind, 0.7)[name]
    assert (better > worse) == METRICS[name].greater_is_better
    assert better != worse


@pytest.mark.parametrize("kind", ModelType)
def test_catalogue_lists_what_a_type_reports(kind):
    """The metrics that an accumulator gives are exactly those that the catalogue lists for its type."""
    assert set(judged(kind, 0.8)) == {name for name, metric in METRICS.items() if kind in metric.model_types}
    assert kind in METRICS[DEFAULT_METRIC[kind]].model_types


@pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
def test_metric_is_described_for_people(metric):
    """Every entry stands under its own name, with a label and a unit."""
    assert METRICS[metric.name] is metric
    assert metric.label[0].isupper()
    assert metric.unit in {"share", "nats", "target"}
