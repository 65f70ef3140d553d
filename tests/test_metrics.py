"""Metrics: plain functions, accumulators that merge, and intervals that hold what they promise."""

from __future__ import annotations

import itertools
import math
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.errors import InvalidInput
from understudy.metrics import curve as curves
from understudy.metrics import functions
from understudy.metrics.binary import BinaryScores
from understudy.metrics.classes import ClassScores
from understudy.metrics.numbers import NumberScores

SEED = 7


def binary_rows(rows, seed=SEED, weighted=False):
    """Rows of a model that is right more often than not, with ties among the scores."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < 0.3).astype(float)
    scores = np.round(np.clip(0.3 + 0.3 * labels + 0.25 * rng.normal(size=rows), 0, 1), 2)
    return labels, scores, rng.choice([0.1, 1.0, 2.5], rows) if weighted else None


def class_rows(rows, seed=SEED, weighted=False):
    """Rows of four classes, of which the model knows three."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(4, rows, p=[0.6, 0.2, 0.15, 0.05])
    scores = rng.random((rows, 3)) + 1.5 * np.eye(4)[labels][:, :3]
    weights = rng.choice([0.1, 1.0, 2.5], rows) if weighted else None
    return labels, scores / scores.sum(axis=1, keepdims=True), weights


def number_rows(rows, seed=SEED, weighted=False):
    """Rows of a good regression far away from zero."""
    rng = np.random.default_rng(seed)
    labels = 1e6 + 100 * rng.normal(size=rows)
    return labels, labels + 30 * rng.normal(size=rows), rng.choice([0.1, 1.0, 2.5], rows) if weighted else None


ACCUMULATORS = {
    "BINARY": (BinaryScores, binary_rows),
    "MULTICLASS": (lambda: ClassScores(["a", "b", "c"]), class_rows),
    "REGRESSION": (NumberScores, number_rows),
}


def collected(kind, columns):
    """One accumulator that has seen all rows at once."""
    seen = ACCUMULATORS[kind][0]()
    seen.add(*columns)
    return seen


def part(columns, chosen):
    return [None if column is None else column[chosen] for column in columns]


def test_auc_counts_ties_half():
    """The AUC is the share of (1, 0) pairs in the right order, a tie counting half."""
    labels, scores, weights = binary_rows(60, weighted=True)
    ones, zeros = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    won = np.sign(scores[ones][:, None] - scores[zeros][None, :]) / 2 + 0.5
    pairs = weights[ones][:, None] * weights[zeros][None, :]
    assert functions.auc(labels, scores) == pytest.approx(won.mean(), rel=1e-12)
    assert functions.auc(labels, scores, weights) == pytest.approx((won * pairs).sum() / pairs.sum(), rel=1e-12)


def test_metrics_agree_with_scikit_learn():
    """Every plain function gives scikit-learn's figure, with and without weights."""
    sk = pytest.importorskip("sklearn.metrics")
    for weighted in (False, True):
        labels, scores, weights = binary_rows(500, weighted=weighted)
        called = (scores >= 0.5).astype(float)
        close = pytest.approx
        assert functions.auc(labels, scores, weights) == close(sk.roc_auc_score(labels, scores, sample_weight=weights))
        assert functions.accuracy(labels, called, weights) == close(
            sk.accuracy_score(labels, called, sample_weight=weights)
        )
        expected = sk.precision_recall_fscore_support(labels, called, average="binary", sample_weight=weights)[:3]
        assert functions.precision_recall_f1(labels, called, weights) == close(expected)
        inside = np.clip(scores, 0.01, 0.99)
        assert functions.binary_log_loss(labels, inside, weights) == close(
            sk.log_loss(labels, inside, sample_weight=weights)
        )
        truth, probabilities, weights = class_rows(500, weighted=weighted)
        answered = probabilities.argmax(axis=1)
        expected = sk.f1_score(truth, answered, average="macro", sample_weight=weights, zero_division=0)
        assert functions.macro_f1(truth, answered, 3, weights) == close(expected)
        labels, values, weights = number_rows(500, weighted=weighted)
        assert functions.rmse(labels, values, weights) == close(
            sk.root_mean_squared_error(labels, values, sample_weight=weights)
        )
        assert functions.mae(labels, values, weights) == close(
            sk.mean_absolute_error(labels, values, sample_weight=weights)
        )
        assert functions.r2(labels, values, weights) == close(sk.r2_score(labels, values, sample_weight=weights))


def test_macro_f1_leaves_out_classes_that_never_occur():
    """A class that is neither a label nor a prediction has no F1; one that is only predicted has 0."""
    labels = np.array([0, 0, 1])
    assert functions.macro_f1(labels, labels, classes=5) == 1.0
    assert functions.macro_f1(labels, np.array([0, 0, 4]), classes=5) == pytest.approx(1 / 3)


def test_macro_f1_counts_unseen_labels_as_one_class_of_errors():
    """Labels that the model never saw cost it one more class with an F1 of 0, however many they are."""
    assert functions.macro_f1(np.array([0, 1, 2, 9]), np.array([0, 1, 0, 1]), classes=2) == pytest.approx(
        (2 / 3 + 2 / 3 + 0) / 3
    )


@pytest.mark.parametrize("kind", ACCUMULATORS)
@pytest.mark.parametrize("weighted", [False, True])
def test_accumulator_agrees_with_plain_functions(kind, weighted):
    """What an accumulator says of rows is what the plain functions say of them."""
    labels, scores, weights = columns = ACCUMULATORS[kind][1](400, weighted=weighted)
    if weights is not None:
        weights = weights.astype(np.float32)
    if kind == "BINARY":
        called = scores >= 0.5
        precision, recall, f1 = functions.precision_recall_f1(labels, called, weights)
        expected = {
            "auc": functions.auc(labels, scores, weights),
            "accuracy": functions.accuracy(labels, called, weights),
            "f1": f1,
            "precision": precision,
            "recall": recall,
            "log_loss": functions.binary_log_loss(labels, scores, weights),
        }
    elif kind == "MULTICLASS":
        answered = scores.argmax(axis=1)
        granted = np.column_stack([scores, np.zeros(len(labels))])[np.arange(len(labels)), labels]
        expected = {
            "macro_f1": functions.macro_f1(labels, answered, 3, weights),
            "accuracy": functions.accuracy(labels, answered, weights),
            "log_loss": functions.class_log_loss(granted, weights),
        }
    else:
        expected = {name: getattr(functions, name)(labels, scores, weights) for name in ("rmse", "mae", "r2")}
    assert collected(kind, columns).metrics() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("kind", ACCUMULATORS)
@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 120), max_size=5), order=st.randoms(use_true_random=False), weighted=st.booleans())
def test_merge_gives_the_same_bits_for_every_split_and_order(kind, cuts, order, weighted):
    """However rows are cut into parts and in whatever order the parts are merged, every figure keeps its bits."""
    columns = ACCUMULATORS[kind][1](120, weighted=weighted)
    edges = sorted({0, 120, *cuts})
    parts = [collected(kind, part(columns, slice(a, b))) for a, b in itertools.pairwise(edges)]
    order.shuffle(parts)
    merged = ACCUMULATORS[kind][0]()
    for each in parts:
        merged.merge(each)
    whole = collected(kind, columns)
    assert merged.rows == whole.rows
    assert merged.metrics() == whole.metrics()
    assert merged.intervals() == whole.intervals()


@pytest.mark.parametrize("kind", ACCUMULATORS)
def test_integer_weight_counts_as_repeated_rows(kind):
    """A row of weight 3 moves every metric as three such rows would."""
    labels, scores, _ = columns = ACCUMULATORS[kind][1](80)
    times = np.arange(80) % 3 + 1
    repeated = collected(kind, part(columns, np.repeat(np.arange(80), times)))
    weighted = collected(kind, (labels, scores, times.astype(float)))
    assert weighted.metrics() == pytest.approx(repeated.metrics(), rel=1e-9)


@pytest.mark.parametrize("kind", ACCUMULATORS)
def test_intervals_hold_the_figure_of_many_rows(kind):
    """Of intervals at 0.9 from 200 samples, 0.8 to 0.97 hold the figure of a very large sample."""
    make = ACCUMULATORS[kind][1]
    truth = collected(kind, make(200_000, seed=1)).metrics()
    held = dict.fromkeys(truth, 0)
    for seed in range(200):
        found = collected(kind, make(300, seed=seed + 2)).intervals(0.9)
        for name, (low, high) in found.items():
            held[name] += low <= truth[name] <= high
    assert {name: 160 <= count <= 194 for name, count in held.items()} == dict.fromkeys(truth, True), held


def test_delong_interval_has_the_variance_of_placements():
    """The width of the AUC's interval is DeLong's, computed here pair by pair."""
    labels, scores, _ = columns = binary_rows(2_000)
    ones, zeros = scores[labels == 1], scores[labels == 0]
    won = np.sign(ones[:, None] - zeros[None, :]) / 2 + 0.5
    error = math.sqrt(won.mean(axis=1).var(ddof=1) / len(ones) + won.mean(axis=0).var(ddof=1) / len(zeros))
    low, high = collected("BINARY", columns).intervals(0.95)["auc"]
    assert (high - low) / 2 == pytest.approx(1.95996 * error, rel=0.01)


def test_flawless_scores_on_few_rows_are_not_certain():
    """Perfect answers on six rows leave room for doubt in every share's interval."""
    labels = np.array([0.0, 0, 0, 1, 1, 1])
    for kind, columns in {
        "BINARY": (labels, labels),
        "MULTICLASS": (labels.astype(int), np.eye(3)[labels.astype(int)]),
    }.items():
        found = collected(kind, columns).intervals()
        found.pop("log_loss")
        assert all(low < 0.9 and high == 1.0 for low, high in found.values())


def test_figures_of_one_class_only_are_not_a_number():
    """Without zeros there is no AUC, neither as a figure nor as an interval."""
    seen = collected("BINARY", (np.ones(3), np.array([0.1, 0.9, 0.9])))
    assert math.isnan(seen.metrics()["auc"])
    assert "auc" not in seen.intervals()


def test_threshold_includes_the_score_that_equals_it():
    """A score of exactly the threshold means 1, as the service's API had it."""
    seen = collected("BINARY", (np.array([1.0, 0.0]), np.array([0.5, 0.49])))
    assert seen.metrics(0.5)["accuracy"] == 1.0
    assert seen.metrics(0.51)["recall"] == 0.0


def test_labels_that_the_model_never_saw_are_errors():
    """An unknown label stands in a row of its own of the confusion matrix and is never right."""
    seen = ClassScores(["cat", "dog"])
    codes = seen.codes(pa.array(["dog", "emu"]))
    seen.add(codes, np.array([[0.1, 0.9], [0.5, 0.5]]))
    assert seen.confusion.support.tolist() == [0.0, 1.0, 1.0]
    assert seen.metrics()["accuracy"] == 0.5


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("BINARY", (np.array([2.0]), np.array([0.5]))),
        ("BINARY", (np.array([1.0]), np.array([math.nan]))),
        ("BINARY", (np.array([1.0]), np.array([0.5]), np.array([-1.0]))),
        ("MULTICLASS", (np.array([1]), np.array([[0.5, 0.5]]))),
        ("REGRESSION", (np.array([math.nan]), np.array([0.5]))),
        ("REGRESSION", (np.array([1.0]), np.array([1e60]))),
    ],
)
def test_unusable_rows_are_refused_and_leave_nothing_behind(kind, columns):
    """A label, score or weight that is no such thing is an InvalidInput, and nothing of its batch is counted."""
    seen = ACCUMULATORS[kind][0]()
    with pytest.raises(InvalidInput):
        seen.add(*columns)
    assert seen.rows == 0
    assert all(math.isnan(figure) or figure == 0 for figure in seen.metrics().values())


def test_thousands_of_classes_keep_only_the_cells_that_occur():
    """The confusion matrix of 5,000 classes holds as many cells as pairs occurred."""
    seen = ClassScores([str(number) for number in range(5_000)])
    labels = np.arange(10_000) % 5_000
    seen.add_predictions(labels, np.roll(labels, 1), np.full(10_000, 0.1))
    assert len(seen.confusion.weight) == 5_000


@pytest.mark.parametrize("kind", ["BINARY", "REGRESSION"])
def test_figures_of_many_rows_take_little_more_memory_than_the_rows(kind):
    """Metrics and intervals of 400,000 rows take no more than three times the rows' own bytes at any moment."""
    labels, scores, _ = ACCUMULATORS[kind][1](400_000)
    scores = np.random.default_rng(SEED).permutation(400_000) / 4e5 if kind == "BINARY" else scores
    each = {"BINARY": 8, "REGRESSION": 12}[kind]
    seen = ACCUMULATORS[kind][0]()
    tracemalloc.start()
    try:
        for first in range(0, 400_000, 20_000):
            seen.add(labels[first : first + 20_000], scores[first : first + 20_000])
        seen.metrics()
        seen.intervals()
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 3 * each * 400_000


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(1, 300), piece=st.integers(1, 60), digits=st.integers(1, 9), seed=st.integers(0, 2**32 - 1))
def test_curve_says_the_same_in_pieces_and_whole(rows, piece, digits, seed):
    """Wherever pieces end, among ties or not: counts and AUC are the plain functions', losses within 1e-12 of it."""
    rng = np.random.default_rng(seed)
    labels, scores = (rng.random(rows) < 0.4).astype(float), np.round(rng.random(rows), digits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves, "PIECE", piece)
        seen = collected("BINARY", (labels, scores))
        found = seen.curve
    np.testing.assert_equal(found.auc, functions.auc(labels, scores))
    assert found.log_loss[0] == pytest.approx(functions.binary_log_loss(labels, scores), rel=1e-12)
    losses = functions.log_losses(np.where(labels > 0.5, scores, 1 - scores))
    if rows > 1:
        assert found.log_loss[1] == pytest.approx(losses.std(ddof=1) / math.sqrt(rows), rel=1e-9, abs=1e-12)
    ones, zeros = scores[labels == 1], scores[labels == 0]
    if min(len(ones), len(zeros)) > 1:
        won = np.sign(ones[:, None] - zeros[None, :]) / 2 + 0.5
        variance = won.mean(axis=1).var(ddof=1) / len(ones) + won.mean(axis=0).var(ddof=1) / len(zeros)
        assert found.auc_variance == pytest.approx(variance, rel=1e-9, abs=1e-12)
    for threshold in (0.0, 0.3, float(scores[0]), 1.0, 1.5):
        called = scores >= threshold
        expected = [np.sum(called == right) for right in (False, True)]
        counts = found.counts(threshold)
        assert counts.true_positive + counts.false_positive == expected[1]
        assert counts.true_positive == np.sum(called & (labels == 1))
        assert counts.false_negative + counts.true_negative == expected[0]


def test_threshold_above_all_weighted_scores_calls_nothing():
    """However weights round when they are added up, no weight is left where no row is."""
    rng = np.random.default_rng(SEED)
    seen = collected("BINARY", ((rng.random(999) < 0.3).astype(float), rng.random(999) / 2, rng.random(999) + 0.1))
    above = seen.curve.counts(0.5)
    assert (above.true_positive, above.false_positive, above.precision) == (0.0, 0.0, 0.0)


def test_constant_answers_have_the_metrics_of_plain_functions():
    """What a constant answer would score is what it scores."""
    labels, scores, weights = number_rows(300, weighted=True)
    found = collected("REGRESSION", (labels, scores, weights)).metrics_of_constant(1e6)
    constant, weights = np.full(300, 1e6), weights.astype(np.float32)
    expected = {name: getattr(functions, name)(labels, constant, weights) for name in ("rmse", "mae", "r2")}
    assert found == pytest.approx(expected, rel=1e-9)
