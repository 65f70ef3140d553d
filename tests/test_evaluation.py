"""Evaluation: metrics beside baselines, pictures that add up, and alerts that neither sleep nor cry wolf."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from understudy.evaluation import Evaluation, TrainingSummary, schema_differences, summarise
from understudy.metrics import METRICS, functions
from understudy.metrics import curve as curves
from understudy.metrics.binary import BinaryScores
from understudy.metrics.classes import ClassScores
from understudy.metrics.numbers import NumberScores
from understudy.schema import Attribute, AttributeType, ModelType, Schema
from understudy.statistics import Statistics

CLASSES = ["a", "b", "c"]


def binary(rows=2_000, share=0.3, seed=1):
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < share).astype(float)
    seen = BinaryScores()
    seen.add(labels, rng.beta(2 + 3 * labels, 4 - labels))
    return seen, labels


def classes(rows=2_000, shares=(0.6, 0.3, 0.1), seed=1):
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, rows, p=shares)
    scores = rng.random((rows, 3)) + np.eye(3)[labels]
    seen = ClassScores(CLASSES)
    seen.add(labels, scores / scores.sum(axis=1, keepdims=True))
    return seen, labels


def numbers(rows=2_000, mean=10.0, seed=1):
    rng = np.random.default_rng(seed)
    labels = rng.normal(mean, 2.0, rows)
    seen = NumberScores()
    seen.add(labels, labels + rng.normal(size=rows))
    return seen, labels


def summary_of_numbers(labels):
    """Return the summary of training rows with these labels."""
    seen = Statistics(Schema((Attribute("y", AttributeType.NUMERIC),)))
    seen.add(pa.RecordBatch.from_pydict({"y": labels}))
    return TrainingSummary.of_numbers(seen.insights().of("y"))


def training(kind, rows=4_000):
    return {
        "BINARY": TrainingSummary.of_classes({"1": round(0.3 * rows), "0": rows - round(0.3 * rows)}),
        "MULTICLASS": TrainingSummary.of_classes({"a": 6 * rows // 10, "b": 3 * rows // 10, "c": rows // 10}),
        "REGRESSION": summary_of_numbers(np.random.default_rng(9).normal(10.0, 2.0, rows)),
    }[kind]


MAKERS = {"BINARY": binary, "MULTICLASS": classes, "REGRESSION": numbers}


def codes_of(evaluation):
    return [alert.code for alert in evaluation.alerts]


@pytest.mark.parametrize("kind", MAKERS)
def test_evaluation_names_every_metric_of_its_type(kind):
    """Metrics, intervals and baseline name the metrics of the model's type, and each figure lies in its interval."""
    found = summarise(MAKERS[kind]()[0], training(kind))
    names = {name for name, metric in METRICS.items() if ModelType(kind) in metric.model_types}
    assert found.model_type == ModelType(kind)
    assert set(found.metrics) == set(found.intervals) == set(found.baseline) == names
    assert all(low <= found.metrics[name] <= high for name, (low, high) in found.intervals.items())
    assert found.alerts == ()


@pytest.mark.parametrize("kind", MAKERS)
def test_evaluation_survives_json(kind):
    """The document read back is the document written."""
    found = summarise(MAKERS[kind]()[0], training(kind))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Evaluation) == found


@pytest.mark.parametrize("kind", MAKERS)
def test_evaluation_of_no_rows_is_a_document_too(kind):
    """Without rows there are no figures, no baseline, and an alert; nothing breaks and nothing is infinite."""
    empty = {"BINARY": BinaryScores(), "MULTICLASS": ClassScores(CLASSES), "REGRESSION": NumberScores()}[kind]
    found = summarise(empty, training(kind))
    assert found.rows == 0
    assert found.baseline == {}
    assert not any(found.metrics.values())
    assert codes_of(found) == ["too_little_evaluation_data"]
    assert msgspec.json.decode(msgspec.json.encode(found), type=Evaluation) == found


def test_binary_baseline_scores_every_row_alike():
    """The baseline's AUC is 0.5, its accuracy the majority's share, its log loss that of the training share of ones."""
    seen, labels = binary()
    found = summarise(seen, training("BINARY")).baseline
    assert found["auc"] == 0.5
    assert found["accuracy"] == pytest.approx(1 - labels.mean())
    assert found["log_loss"] == pytest.approx(functions.binary_log_loss(labels, np.full(len(labels), 0.3)))


def test_multiclass_baseline_answers_the_training_majority():
    """The baseline is macro F1 and accuracy of one constant answer, and the log loss of the training shares."""
    seen, labels = classes()
    found = summarise(seen, training("MULTICLASS")).baseline
    always = np.zeros(len(labels), int)
    assert found["macro_f1"] == pytest.approx(functions.macro_f1(labels, always, 3))
    assert found["accuracy"] == pytest.approx(np.mean(labels == 0))
    assert found["log_loss"] == pytest.approx(functions.class_log_loss(np.array([0.6, 0.3, 0.1])[labels]))


def test_regression_baseline_answers_the_training_mean():
    """The baseline's errors are those of the training mean, whatever the mean of the rows judged."""
    seen, labels = numbers(mean=11.0)
    summary = training("REGRESSION")
    found = summarise(seen, summary).baseline
    assert found["rmse"] == pytest.approx(functions.rmse(labels, np.full(len(labels), summary.mean)))
    assert found["r2"] < 0


def test_pictures_of_a_binary_model_add_up():
    """Histogram and calibration hold every row, curves are monotone and short, and the table agrees with the matrix."""
    seen, labels = binary()
    found = summarise(seen, training("BINARY"), threshold=0.4)
    assert sum(found.histogram.ones) == labels.sum()
    assert sum(found.histogram.zeros) == len(labels) - labels.sum()
    assert sum(group.weight for group in found.calibration) == len(labels)
    assert 10 <= len(found.calibration) <= 20
    curves = found.curves
    assert len(curves.threshold) <= 200
    assert list(curves.recall) == sorted(curves.recall)
    assert list(curves.false_positive_rate) == sorted(curves.false_positive_rate)
    assert (curves.recall[-1], curves.false_positive_rate[-1]) == (1.0, 1.0)
    (hits, misses), (false_alarms, _) = found.confusion.matrix
    row = next(each for each in found.thresholds if each.threshold == 0.4)
    assert row.recall == pytest.approx(hits / (hits + misses)) == found.metrics["recall"]
    assert row.precision == pytest.approx(hits / (hits + false_alarms)) == found.metrics["precision"]


def test_thinned_roc_curve_keeps_its_area():
    """The area under the at most 200 points of the document is the AUC to three digits."""
    found = summarise(binary(rows=50_000)[0], training("BINARY"))
    area = np.trapezoid([0, *found.curves.recall], [0, *found.curves.false_positive_rate])
    assert area == pytest.approx(found.metrics["auc"], abs=1e-3)


def test_calibrated_scores_lie_on_the_diagonal():
    """Where labels are drawn by their scores, every group's share of ones is near its mean score."""
    rng = np.random.default_rng(3)
    scores = rng.random(60_000)
    seen = BinaryScores()
    seen.add((rng.random(60_000) < scores).astype(float), scores)
    for group in summarise(seen, training("BINARY")).calibration:
        assert group.share_of_ones == pytest.approx(group.mean_score, abs=0.03)


def test_confusion_table_orders_classes_by_frequency():
    """The most frequent class comes first, the matrix holds every row, and per-class figures follow the same order."""
    seen, labels = classes(shares=(0.1, 0.3, 0.6))
    found = summarise(seen, training("MULTICLASS"))
    assert found.confusion.labels == ("c", "b", "a")
    assert [sum(row) for row in found.confusion.matrix] == [np.sum(labels == code) for code in (2, 1, 0)]
    assert [each.label for each in found.per_class] == ["c", "b", "a"]
    assert np.mean([each.f1 for each in found.per_class]) == pytest.approx(found.metrics["macro_f1"])
    assert found.confusion.unseen == ()


def test_confusion_table_folds_the_rarest_of_many_classes():
    """Of 150 classes the document shows 100 and puts 50 together, and rows of unknown classes stand apart."""
    seen = ClassScores([f"class {number:03}" for number in range(150)])
    labels = np.repeat(np.arange(150), np.arange(150, 0, -1))
    seen.add_predictions(labels, np.roll(labels, 1), np.full(len(labels), 0.5))
    seen.add_predictions(np.full(7, 150), np.zeros(7, int), np.zeros(7))
    table = summarise(seen, TrainingSummary.of_classes({"class 000": 10})).confusion
    assert len(table.labels) == 101
    assert table.labels[-1] == "other"
    assert table.folded == 50
    assert sum(map(sum, table.matrix)) == len(labels)
    assert sum(table.unseen) == 7


def test_residuals_show_a_systematic_error():
    """Predictions that are 3 too low have residuals around 3, and the histogram holds every row."""
    seen = NumberScores()
    labels = np.random.default_rng(1).normal(size=500)
    seen.add(labels, labels - 3.0 + np.linspace(-0.1, 0.1, 500))
    found = summarise(seen, TrainingSummary(rows=0)).residuals
    assert found.mean == pytest.approx(3.0, abs=1e-6)
    assert found.quantiles["0.5"] == pytest.approx(3.0, abs=1e-3)
    assert sum(found.histogram.counts) == 500


def test_alerts_name_what_was_told():
    """Training rows, unused rows and a foreign schema each raise their alert of the reference."""
    found = summarise(
        binary()[0], training("BINARY"), on_training_data=True, unused=3, schema_differences=["'age' is missing"]
    )
    assert codes_of(found) == ["evaluation_on_training_data", "schema_mismatch", "records_unused"]
    assert "'age' is missing" in found.alerts[1].message


def test_small_evaluation_is_alerted_below_a_tenth_of_training():
    """Less than 10 % of the training rows is too little; exactly 10 % is not."""
    seen = binary(rows=400)[0]
    assert codes_of(summarise(seen, training("BINARY", rows=4_000))) == []
    assert codes_of(summarise(seen, training("BINARY", rows=4_010))) == ["too_little_evaluation_data"]


@pytest.mark.parametrize(
    ("kind", "shifted", "nearby"),
    [
        ("BINARY", {"share": 0.45}, {"share": 0.33}),
        ("MULTICLASS", {"shares": (0.3, 0.3, 0.4)}, {"shares": (0.57, 0.33, 0.1)}),
        ("REGRESSION", {"mean": 12.0}, {"mean": 10.1}),
    ],
)
def test_shifted_target_is_alerted_and_a_trifle_is_not(kind, shifted, nearby):
    """A target that moved far is alerted; one that moved a little is not, not even where many rows prove it."""
    assert codes_of(summarise(MAKERS[kind](**shifted)[0], training(kind))) == ["target_distribution_differs"]
    assert codes_of(summarise(MAKERS[kind](rows=200_000, **nearby)[0], training(kind, rows=200_000))) == []


@pytest.mark.parametrize("kind", MAKERS)
def test_same_target_raises_no_alarm_in_small_samples(kind):
    """Of 200 honest evaluations of 60 rows, at most two are called different."""
    trained = training(kind, rows=500)
    alarmed = [bool(codes_of(summarise(MAKERS[kind](rows=60, seed=seed)[0], trained))) for seed in range(200)]
    assert sum(alarmed) <= 2


def test_class_that_training_never_saw_shifts_the_target():
    """Many rows of an unknown class are a difference of the distribution, and the alert says which."""
    seen = ClassScores(CLASSES)
    labels = np.repeat([0, 1, 2, 3], [600, 300, 100, 300])
    seen.add(labels, np.full((len(labels), 3), 1 / 3))
    found = summarise(seen, training("MULTICLASS"))
    assert codes_of(found) == ["target_distribution_differs"]
    assert "unknown to the model" in found.alerts[0].message


def test_schema_differences_say_what_is_missing_additional_and_retyped():
    """Each kind of difference is named with its attribute; equal schemas have none."""
    numeric, text = AttributeType.NUMERIC, AttributeType.TEXT
    trained = Schema((Attribute("age", numeric), Attribute("note", text)))
    evaluated = Schema((Attribute("age", text), Attribute("town", text)))
    assert schema_differences(trained, trained) == []
    assert schema_differences(trained, evaluated) == [
        "'note' is missing",
        "'town' is additional",
        "'age' is TEXT, but was NUMERIC in training",
    ]


def test_weights_reach_every_picture():
    """Doubling every weight leaves metrics and baseline alone and doubles what the pictures hold."""
    labels = np.array([0.0, 1.0, 0.0, 1.0])
    scores = np.array([0.1, 0.8, 0.6, 0.4])
    once, twice = BinaryScores(), BinaryScores()
    once.add(labels, scores, np.array([1.0, 2.0, 1.0, 3.0]))
    twice.add(labels, scores, np.array([2.0, 4.0, 2.0, 6.0]))
    first, second = (summarise(each, training("BINARY")) for each in (once, twice))
    assert first.metrics == second.metrics
    assert first.baseline == pytest.approx(second.baseline)
    assert 2 * sum(first.histogram.ones) == sum(second.histogram.ones) == 10
    assert not math.isclose(first.metrics["accuracy"], 0.5)


@pytest.mark.parametrize("digits", [2, 12])
def test_pictures_do_not_hang_on_where_pieces_end(monkeypatch, digits):
    """Curves, histogram, calibration and thresholds of rows in pieces of seven are those of the rows as a whole."""
    rng = np.random.default_rng(8)
    scores = np.round(rng.random(3_000), digits)
    labels = (rng.random(3_000) < scores).astype(float)

    def judged():
        seen = BinaryScores()
        seen.add(labels, scores)
        return summarise(seen, training("BINARY"))

    whole = judged()
    monkeypatch.setattr(curves, "PIECE", 7)
    parted = judged()
    assert parted.curves == whole.curves
    assert parted.histogram == whole.histogram
    assert parted.thresholds == whole.thresholds
    for one, other in zip(parted.calibration, whole.calibration, strict=True):
        assert msgspec.structs.astuple(one) == pytest.approx(msgspec.structs.astuple(other), rel=1e-12)
