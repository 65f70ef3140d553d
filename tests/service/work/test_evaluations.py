"""Evaluations: a model judged on rows, with the alerts that they deserve."""

import pytest

from service.work.stage import RANDOM_70, schema
from service.work.test_models import calls, text
from understudy.errors import InvalidInput, SchemaError

REST = {**RANDOM_70, "complement": True}


def learned(stage, kind="BINARY", rows=600):
    """Learn a model of a part of the calls; give the data's address."""
    location = stage.put("calls.csv", calls(kind, rows))
    stage.data_source("ds-train", location, text(kind), splitting=RANDOM_70)
    stage.data_source("ds-rest", location, text(kind), splitting=REST)
    stage.model("ml", "ds-train", kind)
    return location


def codes(evaluation):
    """Name the alerts."""
    return {alert["code"] for alert in evaluation["alerts"]}


@pytest.mark.parametrize(
    ("kind", "metric", "least", "picture"),
    [
        ("BINARY", "auc", 0.6, "curves"),
        ("MULTICLASS", "macro_f1", 0.8, "per_class"),
        ("REGRESSION", "r2", 0.9, "residuals"),
    ],
)
def test_model_is_judged_on_other_rows(stage, kind, metric, least, picture):
    """Each type has its metrics beside their baselines, its picture, and on held-out rows no alert."""
    learned(stage, kind)
    evaluation = stage.evaluation("ev", "ml", "ds-rest")
    assert evaluation["metrics"][metric] > max(least, evaluation["baseline"].get(metric, 0))
    assert evaluation[picture]
    assert codes(evaluation) == set()
    assert "Evaluation complete." in stage.get(evaluation["log"], "understudy-logs").decode()


def test_judged_on_what_it_learned_is_an_alert(stage):
    """The training data source, the same data under another id or address, and a part of them flatter the model."""
    location = learned(stage)
    assert "evaluation_on_training_data" in codes(stage.evaluation("ev-1", "ml", "ds-train"))
    stage.data_source("ds-whole", location, text("BINARY"))
    assert "evaluation_on_training_data" in codes(stage.evaluation("ev-2", "ml", "ds-whole"))
    copy = stage.put("in/copy.csv", calls("BINARY", 600))
    stage.data_source("ds-copy", copy, text("BINARY"))
    assert "evaluation_on_training_data" in codes(stage.evaluation("ev-3", "ml", "ds-copy"))
    stage.put("in/more.csv", calls("BINARY", 300, 2))
    stage.data_source("ds-more", "s3://data/in/", text("BINARY"), splitting=REST)
    assert "evaluation_on_training_data" in codes(stage.evaluation("ev-4", "ml", "ds-more"))


def test_judged_on_other_rows_is_none(stage):
    """The other part of a copy of the training data is held out; so is other data at the address of before."""
    location = learned(stage)
    stage.data_source("ds-copy", stage.put("copy.csv", calls("BINARY", 600)), text("BINARY"), splitting=REST)
    assert codes(stage.evaluation("ev-1", "ml", "ds-copy")) == set()
    stage.put("calls.csv", calls("BINARY", 600, 2))
    stage.data_source("ds-new", location, text("BINARY"))
    assert codes(stage.evaluation("ev-2", "ml", "ds-new")) == set()


def test_threshold_of_the_model_cuts(stage):
    """Whoever moved the model's threshold has the evaluation's figures at it."""
    learned(stage)
    document = stage.store.catalog.get("ml", "model").document
    stage.store.catalog.create("model", "ml-low", {**document, "threshold": 0.0}, status="COMPLETED")
    evaluation = stage.evaluation("ev", "ml-low", "ds-rest")
    assert (evaluation["threshold"], evaluation["metrics"]["recall"]) == (0.0, 1.0)


def test_types_of_training_win(stage):
    """Attributes that the evaluation's schema calls otherwise are read as in training, and the alert names them."""
    location = learned(stage)
    plain = stage.evaluation("ev-1", "ml", "ds-rest")
    odd = schema("age:TEXT", "job:TEXT", "y:CATEGORICAL", target="y")
    stage.data_source("ds-odd", location, odd, splitting=REST)
    evaluation = stage.evaluation("ev-2", "ml", "ds-odd")
    assert evaluation["metrics"] == plain["metrics"]
    assert codes(evaluation) == {"schema_mismatch"}


def test_lacking_attributes_count_as_missing(stage):
    """A data source without one of the attributes is judged all the same."""
    learned(stage)
    stage.data_source(
        "ds-few", stage.put("few.csv", "y,job\n" + "1,nurse\n0,pilot\n" * 40), schema("y:BINARY", "job:CATEGORICAL")
    )
    evaluation = stage.evaluation("ev", "ml", "ds-few")
    assert evaluation["rows"] == 80
    assert "schema_mismatch" in codes(evaluation)


def test_unusable_records_are_counted(stage):
    """Records without a target, or that cannot be read, are unused, and the alert counts them."""
    learned(stage)
    stage.data_source("ds", stage.put("b.csv", calls("BINARY", 100, 2) + "1,a,\n2,b,maybe\n3\n"), text("BINARY"))
    evaluation = stage.evaluation("ev", "ml", "ds")
    (alert,) = [alert for alert in evaluation["alerts"] if alert["code"] == "records_unused"]
    assert alert["message"].startswith("3 rows could not be used")
    assert evaluation["rows"] == 100
    assert "1 record was rejected" in evaluation["message"]


def test_class_that_the_model_never_saw_counts_as_wrong(stage):
    """Rows of a new class are judged, not left out."""
    learned(stage, "MULTICLASS")
    stage.data_source(
        "ds", stage.put("b.csv", calls("MULTICLASS", 60, 2) + "40,x,astronaut\n" * 60), text("MULTICLASS")
    )
    evaluation = stage.evaluation("ev", "ml", "ds")
    assert evaluation["rows"] == 120
    assert evaluation["metrics"]["accuracy"] <= 0.5


def test_nothing_to_compare_is_said(stage):
    """A data source without the target, or with no usable one, fails the evaluation with a reason."""
    learned(stage)
    stage.data_source("ds-1", stage.put("b.csv", "age,job\n1,a\n"), schema("age:NUMERIC", "job:CATEGORICAL"))
    with pytest.raises(SchemaError, match="no attribute 'y', which the model predicts"):
        stage.evaluation("ev-1", "ml", "ds-1")
    stage.data_source("ds-2", stage.put("c.csv", "age,job,y\n1,a,\n"), text("BINARY"))
    with pytest.raises(InvalidInput, match="none of 1 record has a 'y'"):
        stage.evaluation("ev-2", "ml", "ds-2")


def test_beyond_all_measure_is_unused(stage):
    """A number that no float holds well spoils no figure."""
    learned(stage, "REGRESSION")
    stage.data_source("ds", stage.put("b.csv", calls("REGRESSION", 100, 2) + "1,a,1e300\n"), text("REGRESSION"))
    evaluation = stage.evaluation("ev", "ml", "ds")
    assert (evaluation["rows"], codes(evaluation)) == (100, {"records_unused"})
