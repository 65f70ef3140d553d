"""The whole way: data sources, a model, an evaluation and a batch, on real data."""

import csv
import gzip
import io

from acceptance.stage import shared
from service.work.stage import RANDOM_70, schema

IRIS = schema(
    "sepal_length:NUMERIC", "sepal_width:NUMERIC", "petal_length:NUMERIC", "petal_width:NUMERIC",
    "species:CATEGORICAL", target="species",
)  # fmt: skip


def learned(stage, location, text, model_type, splitting=RANDOM_70):
    """Split data in two, learn from the one part and judge on the other."""
    stage.data_source("ds-train", location, text, splitting=splitting, statistics=True)
    stage.data_source("ds-eval", location, text, splitting={**splitting, "complement": True})
    stage.model("ml", "ds-train", model_type)
    return stage.evaluation("ev", "ml", "ds-eval")


def test_iris_is_told_apart(stage):
    """Three kinds of flowers, split at random, are recognised as well as the original did."""
    location = stage.put("iris.csv", shared("iris/iris.csv").read_bytes())
    evaluation = learned(stage, location, IRIS, "MULTICLASS")
    assert evaluation["metrics"]["macro_f1"] > 0.9
    assert evaluation["model_type"] == "MULTICLASS"


def test_titanic_is_told_apart(stage):
    """Who survived the Titanic is told about as well as by the original, and the batch agrees with the evaluation."""
    text = shared("titanic/ch6_titanic_train.csv.schema").read_text()
    for part in ("train", "heldout"):
        location = stage.put(f"{part}.csv", shared(f"titanic/ch6_titanic_{part}.csv").read_bytes())
        stage.data_source(f"ds-{part}", location, text, statistics=part == "train")
    stage.model("ml", "ds-train", "BINARY")
    evaluation = stage.evaluation("ev", "ml", "ds-heldout")
    assert evaluation["metrics"]["auc"] > 0.8
    document = stage.batch("bp", "ml", "ds-heldout")
    lines = gzip.decompress(stage.get("out/batch-prediction/result/bp-heldout.csv.gz")).decode()
    rows = list(csv.DictReader(io.StringIO(lines)))
    assert document["total"] == len(rows) == evaluation["rows"] == 263
    right = sum(row["trueLabel"] == row["bestAnswer"] for row in rows)
    assert right / len(rows) == evaluation["metrics"]["accuracy"]
