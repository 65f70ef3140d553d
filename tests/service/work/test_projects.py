"""What a project's `learn` made is judged, learned from and answered by the API as well, which speaks observations."""

import gzip
import json

import pytest

from acceptance.stage import calls_project
from service.work.stage import Stage, schema
from understudy.config import load
from understudy.errors import InvalidInput
from understudy.house import House

TRANSFORM = """
import pyarrow as pa
import pyarrow.compute as pc

def expand(batch):
    age = pc.cast(batch.column("age"), pa.float64())
    batch = batch.drop_columns(["age"])
    return batch.append_column("old", pc.greater(age, 50)).append_column("decade", pc.floor(pc.divide(age, 10)))
"""


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """Give a project with a transform function that has learned, and what it learned."""
    project = calls_project(tmp_path_factory.mktemp("project"), more='[transform]\nfunction = "features:expand"\n')
    (project.folder / "features.py").write_text(TRANSFORM)
    return project, project.do("learn")


@pytest.fixture
def stage(learned):
    """Give the project's own store."""
    opened = Stage(learned[0].folder, load(learned[0].folder))
    yield opened
    opened.close()


def test_model_is_judged_as_the_run_did(learned, stage):
    """An evaluation of a project's model on its own held-out rows finds what the run found, and no alert.

    It sees scores of 32 bits, as clients do: the losses agree so far.
    """
    document = learned[1]
    evaluation = stage.evaluation("ev", document["model_id"], document["evaluation_data_source_id"])
    found = stage.store.catalog.get(document["evaluation_id"], "evaluation").document["metrics"]
    assert evaluation["metrics"] == pytest.approx(found, rel=1e-6)
    assert evaluation["alerts"] == []
    flattered = stage.evaluation("ev-2", document["model_id"], document["training_data_source_id"])
    assert "evaluation_on_training_data" in {alert["code"] for alert in flattered["alerts"]}


def test_records_of_a_run_are_answered(learned, stage):
    """A batch over a run's held-out rows has a line for each, with its id and its label as 1 or 0."""
    document = learned[1]
    batch = stage.batch("bp", document["model_id"], document["evaluation_data_source_id"])
    assert batch["total"] == document["rows"]["evaluation"]
    name = f"out/batch-prediction/result/bp-{document['run_id']}.arrows.gz"
    location = f"s3://calls/uploads/{document['run_id']}.arrows"
    assert json.loads(stage.get("out/batch-prediction/bp.manifest")) == {location: f"s3://data/{name}"}
    header, *lines = gzip.decompress(stage.get(name)).decode().splitlines()
    assert header == "tag,trueLabel,bestAnswer,score"
    right = sum(line.split(",")[1] == line.split(",")[2] for line in lines)
    assert right / len(lines) == pytest.approx(document["metrics"]["accuracy"])


def test_model_of_a_run_answers_observations(learned, stage):
    """CSV for a project's model has the attributes behind the transform function."""
    text = schema("old:BINARY", "decade:NUMERIC", "job:CATEGORICAL")
    stage.data_source("ds-api", stage.put("b.csv", "old,decade,job\ntrue,6,nurse\nfalse,2,farmer\n"), text)
    stage.batch("bp-api", learned[1]["model_id"], "ds-api")
    lines = gzip.decompress(stage.get("out/batch-prediction/result/bp-api-b.csv.gz")).decode().splitlines()
    assert [line.partition(",")[0] for line in lines] == ["bestAnswer", "1", "0"]


def test_rows_of_a_run_make_a_model(learned, stage):
    """A model of a run's training rows is as good as the run's own and opens by its id, without a function."""
    document = learned[1]
    made = stage.model("ml-api", document["training_data_source_id"], "BINARY", parameters={"sgd.maxPasses": "100"})
    assert made["training_rows"] == document["rows"]["training"]
    assert {"old", "decade"} < {column["name"] for column in made["columns"]}
    evaluation = stage.evaluation("ev-api", "ml-api", document["evaluation_data_source_id"])
    assert evaluation["metrics"]["auc"] > document["metrics"]["auc"] - 0.05
    assert evaluation["alerts"] == []
    (answer,), _ = stage.store.predictor("ml-api").predict([{"old": "true", "decade": "6", "job": "nurse"}])
    assert answer.label in {"0", "1"}


def test_observations_that_are_gone_are_said(tmp_path):
    """Where the store no longer keeps a run's rows, the message says so."""
    project = calls_project(tmp_path)
    document = project.do("learn")
    House(load(tmp_path)).objects.delete(f"uploads/{document['run_id']}.arrows")
    stage = Stage(tmp_path, load(tmp_path))
    with pytest.raises(InvalidInput, match="no longer kept"):
        stage.evaluation("ev", document["model_id"], document["evaluation_data_source_id"])
    stage.close()
