"""Predict: the original's response shapes, its quirks, and values read leniently."""

import numpy as np
import pyarrow as pa
import pytest

from service.stage import check, original
from test_training import learn, task, world
from understudy.prediction import Column, Predictor
from understudy.schema import ModelType
from understudy.service.faults import InvalidInputException, PredictorNotMountedException
from understudy.service.predicting import RECORD_LIMIT
from understudy.serving import Served

COLUMNS = tuple(Column(name, "string" if name == "colour" else "double") for name in ("x", "colour", "weight", "y"))
ALGORITHM = {"Algorithm": "SGD"}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Give a model of each type."""
    folder = tmp_path_factory.mktemp("models")
    return {kind: learn(task(kind), world(kind), folder / kind)[0] for kind in ModelType}


@pytest.fixture
def ask(stage, models):
    """Give a function that asks a model of a type for the prediction of a record."""

    def predict(kind, record, threshold=0.5, by="ml-1"):
        served = Served("ml-1", Predictor("ml-1", models[kind], COLUMNS), threshold)
        stage.memory.by_id["ml-1"] = stage.memory.by_name["policies"] = served
        return stage.ask("Predict", MLModelId=by, Record=record, PredictEndpoint="http://localhost")["Prediction"]

    return predict


def score(model, x, colour):
    """Score a row as training would see it."""
    row = pa.RecordBatch.from_arrays(
        [pa.array([x], pa.float64()), pa.array([colour], pa.string())], names=["x", "colour"]
    )
    return model.score(row)[0]


@pytest.mark.parametrize(("x", "label"), [(0.9, "1"), (0.1, "0")])
def test_binary_score_is_that_of_1(ask, models, x, label):
    """One score, the probability of 1 also under the key 0, with the digits of a 32-bit float."""
    answer = ask(ModelType.BINARY, {"x": str(x), "colour": "blue"})
    expected = float(np.float32(score(models[ModelType.BINARY], x, "blue")))
    assert answer == {
        "predictedLabel": label,
        "predictedScores": {label: expected},
        "details": {**ALGORITHM, "PredictiveModelType": "BINARY"},
    }
    assert (expected > 0.5) == (label == "1")


def test_threshold_decides_the_label(ask, models):
    """A score that reaches the threshold is 1, even exactly."""
    shown = float(np.float32(score(models[ModelType.BINARY], 0.9, "blue")))
    assert ask(ModelType.BINARY, {"x": "0.9", "colour": "blue"}, threshold=shown)["predictedLabel"] == "1"
    assert (
        ask(ModelType.BINARY, {"x": "0.9", "colour": "blue"}, threshold=np.nextafter(shown, 1))["predictedLabel"] == "0"
    )
    assert ask(ModelType.BINARY, {"x": "0.1"}, threshold=0.0)["predictedLabel"] == "1"


def test_multiclass_has_a_score_for_each_class(ask, models):
    """Scores of all classes sum to 1, and the label has the highest."""
    answer = ask(ModelType.MULTICLASS, {"x": "0.9", "colour": "green"})
    assert set(answer["predictedScores"]) == set(models[ModelType.MULTICLASS].target.classes)
    assert sum(answer["predictedScores"].values()) == pytest.approx(1)
    assert answer["predictedLabel"] == max(answer["predictedScores"], key=answer["predictedScores"].get) == "green"
    assert answer["details"] == {**ALGORITHM, "PredictiveModelType": "MULTICLASS"}


def test_regression_has_a_value(ask, models):
    """A number, and no label."""
    answer = ask(ModelType.REGRESSION, {"x": "0.5", "colour": "red"})
    expected = float(np.float32(score(models[ModelType.REGRESSION], 0.5, "red")))
    assert answer == {"predictedValue": expected, "details": {**ALGORITHM, "PredictiveModelType": "REGRESSION"}}


@pytest.mark.parametrize("record", [{"x": "tall"}, {"x": ""}, {"x": "1,000"}, {"x": "NaN"}, {"x": "0x1F"}, {}])
@pytest.mark.parametrize("kind", ModelType)
def test_unreadable_number_counts_as_missing(ask, models, kind, record):
    """A value that is no number is never an error: it is answered as if it were not there."""
    assert ask(kind, {**record, "colour": "red"}) == ask(kind, {"colour": "red"})
    answer = ask(kind, {"colour": "red"})
    missing = score(models[kind], None, "red")
    shown = answer.get("predictedValue", next(iter(answer.get("predictedScores", {}).values()), None))
    assert shown == pytest.approx(float(np.ravel(missing)[0]), rel=1e-6)


@pytest.mark.parametrize("kind", ModelType)
def test_target_and_unknown_names_are_not_looked_at(ask, kind):
    """What the record says of the target, or of something that the model does not know, changes nothing."""
    record = {"x": "0.9", "colour": "blue"}
    assert ask(kind, {**record, "y": "whatever", "colr": "red", "": ""}) == ask(kind, record)


@pytest.mark.parametrize(
    "record", [{}, {"x": "1e308"}, {"x": "-1e308"}, {"colour": "x" * 100_000}, {"colour": "never seen"}]
)
@pytest.mark.parametrize("kind", ModelType)
def test_every_answer_is_finite(ask, kind, record):
    """Empty records, huge numbers and values never seen are answered with numbers that JSON can write."""
    answer = {"Prediction": ask(kind, record)}
    check(answer, original().operation_model("Predict").output_shape)
    numbers = [
        answer["Prediction"].get("predictedValue", 0.0),
        *answer["Prediction"].get("predictedScores", {}).values(),
    ]
    assert np.isfinite(numbers).all()


def test_champion_answers_by_its_endpoints_name(ask, stage):
    """The name of an endpoint predicts like the id of its champion."""
    record = {"x": "0.9", "colour": "blue"}
    assert ask(ModelType.BINARY, record, by="policies") == ask(ModelType.BINARY, record)


def test_prediction_does_not_touch_the_catalog(ask, stage, monkeypatch):
    """Where a model answers, a catalog that is gone changes nothing."""
    answer = ask(ModelType.BINARY, {"x": "0.9"})
    with monkeypatch.context() as patch:
        patch.setitem(vars(stage.store), "catalog", None)
        assert ask(ModelType.BINARY, {"x": "0.9"}) == answer


def test_model_without_endpoint_says_so(stage):
    """A model that exists but does not answer is another fault than one that does not exist."""
    stage.model()
    with pytest.raises(PredictorNotMountedException, match="CreateRealtimeEndpoint"):
        stage.ask("Predict", MLModelId="ml-1", Record={}, PredictEndpoint="x")


@pytest.mark.parametrize("status", ["DELETED", "FAILED", "PENDING"])
def test_model_that_cannot_answer_has_no_endpoint(stage, status):
    """Whatever became of a model, clients catch one fault for those that do not answer."""
    stage.model(status=status)
    with pytest.raises(PredictorNotMountedException, match="is deleted" if status == "DELETED" else "no realtime"):
        stage.ask("Predict", MLModelId="ml-1", Record={}, PredictEndpoint="x")


@pytest.mark.parametrize("name", ["colour", "é"])
def test_record_is_as_long_as_an_observation(ask, name):
    """Names and values have at most 100 KB of UTF-8 together; one byte more is refused, known to the model or not."""
    longest = "é" * ((RECORD_LIMIT - len(name.encode())) // 2)
    ask(ModelType.BINARY, {name: longest})
    with pytest.raises(InvalidInputException, match="Record has 102,401 bytes"):
        ask(ModelType.BINARY, {name: longest + "x"})
