"""Champion and challenger on the same rows, by every metric."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.errors import ConfigError, InvalidInput
from understudy.metrics import functions
from understudy.promotion import Paired, compare
from understudy.promotion.influence import MEASURES
from understudy.schema import ModelType

EVERY = [(model_type, metric) for model_type, metrics in MEASURES.items() for metric in metrics]


def some_rows(model_type, rows, seed):
    """Two models that know something of the labels, and differ."""
    random = np.random.default_rng(seed)
    if model_type is ModelType.REGRESSION:
        labels = random.normal(10, 3, rows)
        return Paired.regression(labels, labels + random.normal(0, 1, rows), labels + random.normal(0, 1, rows))
    if model_type is ModelType.MULTICLASS:
        labels = random.integers(0, 5, rows)
        said = [(np.where(random.random(rows) < 0.7, labels, 0), random.random(rows)) for _ in range(2)]
        return Paired.multiclass(labels, *said)
    labels = (random.random(rows) < 0.3).astype(float)
    shared = 0.3 * labels + random.random(rows) * 0.5
    return Paired.binary(labels, *(np.clip(shared + random.normal(0, 0.1, rows), 0, 1) for _ in range(2)))


@pytest.mark.parametrize(("model_type", "metric"), EVERY)
@settings(max_examples=15, deadline=None)
@given(rows=st.integers(30, 300), seed=st.integers(0, 1000), confidence=st.floats(0.6, 0.99))
def test_comparison_turns_round_when_models_change_places(model_type, metric, rows, seed, confidence):
    """Swapping champion and challenger turns difference and interval round, and nothing else."""
    paired = some_rows(model_type, rows, seed)
    found, turned = compare(paired, metric, confidence), compare(paired.swapped(), metric, confidence)
    assert (found.champion, found.challenger) == (turned.challenger, turned.champion)
    assert found.difference == -turned.difference
    assert (found.lower, found.upper) == pytest.approx((-turned.upper, -turned.lower), abs=1e-12)
    assert found.lower <= found.difference <= found.upper


@pytest.mark.parametrize(("model_type", "metric"), EVERY)
def test_interval_widens_when_confidence_grows(model_type, metric):
    """More confidence never makes an interval narrower."""
    paired = some_rows(model_type, 200, 3)
    narrow, wide = compare(paired, metric, 0.8), compare(paired, metric, 0.99)
    assert wide.lower < narrow.lower < narrow.upper < wide.upper


@pytest.mark.parametrize(("model_type", "metric"), EVERY)
def test_equal_answers_have_no_width(model_type, metric):
    """A model compared with itself differs by exactly 0, surely."""
    paired = some_rows(model_type, 100, 1)
    itself = Paired(model_type, paired.labels, paired.champion, paired.champion)
    found = compare(itself, metric, 0.95)
    assert (found.difference, found.lower, found.upper) == (0, 0, 0)


@pytest.mark.parametrize(("model_type", "metric"), EVERY)
def test_interval_narrows_when_the_same_rows_come_four_times(model_type, metric):
    """Rows repeated keep the difference and halve the width."""
    paired = some_rows(model_type, 400, 2)
    twice = paired.followed_by(paired)
    once, often = compare(paired, metric, 0.95), compare(twice.followed_by(twice), metric, 0.95)
    assert often.difference == pytest.approx(once.difference, abs=1e-12)
    assert (often.upper - often.lower) / (once.upper - once.lower) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("model_type", "metric", "exact"),
    [
        (ModelType.BINARY, "auc", functions.auc),
        (ModelType.BINARY, "log_loss", functions.binary_log_loss),
        (ModelType.BINARY, "f1", lambda y, s: functions.precision_recall_f1(y, s >= 0.5)[2]),
        (ModelType.BINARY, "recall", lambda y, s: functions.precision_recall_f1(y, s >= 0.5)[1]),
        (ModelType.BINARY, "precision", lambda y, s: functions.precision_recall_f1(y, s >= 0.5)[0]),
        (ModelType.MULTICLASS, "macro_f1", lambda y, p: functions.macro_f1(y.astype(int), p.astype(int), 5)),
        (ModelType.REGRESSION, "rmse", functions.rmse),
        (ModelType.REGRESSION, "mae", functions.mae),
        (ModelType.REGRESSION, "r2", functions.r2),
    ],
)
def test_gate_scores_as_the_evaluation_does(model_type, metric, exact):
    """The gate's figure for a model is the figure of the model's evaluation."""
    paired = some_rows(model_type, 500, 4)
    assert compare(paired, metric, 0.95).champion == pytest.approx(exact(paired.labels, paired.champion.values))


@pytest.mark.parametrize(("model_type", "metric"), EVERY)
def test_interval_covers_the_truth_as_often_as_it_says(model_type, metric):
    """Of 400 intervals at 95 %, between them models that are truly equal, about 5 % miss 0."""
    missed = 0
    for seed in range(400):
        found = compare(some_rows(model_type, 150, seed), metric, 0.95)
        missed += not found.lower <= 0 <= found.upper
    assert missed <= 400 * 0.05 + 3 * (400 * 0.05 * 0.95) ** 0.5


def test_rows_of_one_class_cannot_tell():
    """Without a row of the other class the area under the curve does not exist, and nothing is claimed."""
    assert compare(Paired.binary([1, 1, 1], [0.2, 0.3, 0.4], [0.9, 0.8, 0.7]), "auc", 0.95) is None


@pytest.mark.parametrize(("model_type", "metric"), EVERY)
def test_one_row_cannot_tell(model_type, metric):
    """One row carries no interval."""
    assert compare(some_rows(model_type, 1, 0), metric, 0.95) is None


def test_few_perfect_rows_are_not_taken_for_proof():
    """Two models without a mistake on ten rows may still differ by a lot."""
    labels = np.array([0] * 5 + [1] * 5)
    found = compare(Paired.binary(labels, np.linspace(0, 1, 10), np.linspace(0.1, 0.9, 10)), "auc", 0.95)
    assert found.difference == 0
    assert found.upper > 0.1


def test_metric_of_another_type_is_refused_with_the_choices():
    """A metric that does not fit the model's type is wrong usage, and the right ones are named."""
    with pytest.raises(ConfigError, match="rmse, mae, r2"):
        compare(some_rows(ModelType.REGRESSION, 10, 0), "auc", 0.95)


def test_answers_of_unequal_length_are_refused():
    """Labels and answers that do not pair up are invalid input."""
    with pytest.raises(InvalidInput, match="3 labels"):
        Paired.binary([0, 1, 1], [0.5, 0.5], [0.5, 0.5, 0.5])
