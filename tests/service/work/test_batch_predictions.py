"""Batch predictions: files just as the original wrote them."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.work.stage import schema
from service.work.test_models import calls, text
from understudy.model import Model
from understudy.service.thresholds import is_positive
from understudy.service.work.figures import java_double, scientific

RESULT = "out/batch-prediction/result"


def learned(stage, kind="BINARY", attributes=("age:NUMERIC", "job:CATEGORICAL")):
    """Learn a model of calls; its scores are then told by the tests."""
    stage.data_source("ds-train", stage.put("train.csv", calls(kind)), text(kind))
    return stage.model("ml", "ds-train", kind)


def scoring(monkeypatch, scores):
    """Let every model give these scores, row after row."""
    told = iter(scores)
    monkeypatch.setattr(Model, "score", lambda _, rows: np.array([next(told) for _ in range(rows.num_rows)]))


def result(stage, name):
    """Return a result file's text."""
    return gzip.decompress(stage.get(f"{RESULT}/{name}.gz")).decode()


def test_binary_file_is_byte_for_byte_the_originals(stage, monkeypatch):
    """Tag and true label first, a blank line for a record that cannot be read, numbers in Java's notation."""
    learned(stage)
    names = schema("id:CATEGORICAL", "age:NUMERIC", "y:BINARY", target="y", row_id="id")
    data = 'id,age,y\n007,41,1\nx\n"a, ""b""",2,no\n12.50,,YES\n9,3,\n'
    stage.data_source("ds", stage.put("in/calls.csv", data), names)
    scoring(monkeypatch, [0.996733, 0.00001945252, 0.5, 0.0])
    document = stage.batch("bp", "ml", "ds")
    assert result(stage, "bp-calls.csv") == (
        'tag,trueLabel,bestAnswer,score\n007,1,1,9.96733E-1\n\n"a, ""b""",0,0,1.945252E-5\n12.50,1,1,5E-1\n9,,0,0E0\n'
    )
    assert (document["total"], document["invalid"]) == (5, 1)
    assert "1 record was rejected" in document["message"]
    assert "The records lack 'job', which the model was trained with" in document["message"]


def test_columns_hang_on_type_and_schema(stage, monkeypatch):
    """Classes in their order for MULTICLASS, one score for REGRESSION; no tag or true label where there is none."""
    learned(stage, "MULTICLASS")
    stage.data_source("ds", stage.put("b.csv", "age\n1\n2\n"), schema("age:NUMERIC"))
    scoring(monkeypatch, [[0.1, 0.2, 0.3, 0.4], [1.0, 0.0, 0.0, 0.0]])
    stage.batch("bp", "ml", "ds")
    assert result(stage, "bp-b.csv") == "farmer,nurse,pilot,young\n1E-1,2E-1,3E-1,4E-1\n1E0,0E0,0E0,0E0\n"


def test_regression_gives_the_value(stage, monkeypatch):
    """A number is written with an exponent, below 0 and above 10 as well."""
    learned(stage, "REGRESSION")
    stage.data_source("ds", stage.put("b.csv", "age,y\n1, 5.50\n2,\n"), schema("age:NUMERIC", "y:NUMERIC"))
    scoring(monkeypatch, [-15.25, 123456789.0])
    stage.batch("bp", "ml", "ds")
    assert result(stage, "bp-b.csv") == "trueLabel,score\n5.50,-1.525E1\n,1.234568E8\n"


def test_threshold_of_the_model_decides(stage, monkeypatch):
    """The best answer is 1 from the model's own threshold on."""
    document = learned(stage)
    stage.store.catalog.create("model", "ml-high", {**document, "threshold": 0.75}, status="COMPLETED")
    stage.data_source("ds", stage.put("b.csv", "age\n1\n2\n"), schema("age:NUMERIC"))
    scoring(monkeypatch, [0.74, 0.75])
    stage.batch("bp", "ml-high", "ds")
    assert result(stage, "bp-b.csv") == "bestAnswer,score\n0,7.4E-1\n1,7.5E-1\n"


def test_threshold_cuts_as_in_realtime(stage, monkeypatch):
    """A score is compared as the 32 bits that clients are shown, for which 0.7 is below 0.7; evaluations do so, too."""
    document = learned(stage)
    stage.store.catalog.create("model", "ml-cut", {**document, "threshold": 0.7}, status="COMPLETED")
    names = schema("age:NUMERIC", "y:BINARY", target="y")
    stage.data_source("ds", stage.put("b.csv", "age,y\n1,1\n2,0\n3,1\n"), names)
    assert not is_positive(0.7, 0.7)
    scoring(monkeypatch, [0.7, 0.1, 0.9] * 2)
    stage.batch("bp", "ml-cut", "ds")
    assert result(stage, "bp-b.csv").splitlines()[1:] == ["1,0,7E-1", "0,0,1E-1", "1,1,9E-1"]
    assert stage.evaluation("ev", "ml-cut", "ds")["metrics"]["recall"] == 0.5


def test_each_file_has_its_result_and_the_manifest_names_them(stage):
    """One result for each input file, empty ones and those called alike included; the manifest maps them by address."""
    learned(stage)
    for key, data in {"in/a/x.csv": "age\n1\n", "in/b/x.csv": "age\n", "in/c.csv": "age\n2\n3\n"}.items():
        stage.put(key, data)
    stage.data_source("ds", "s3://data/in/", schema("age:NUMERIC"))
    document = stage.batch("bp", "ml", "ds", "s3://data/out/")
    assert document["total"] == 3
    assert json.loads(stage.get("out/batch-prediction/bp.manifest")) == {
        "s3://data/in/a/x.csv": f"s3://data/{RESULT}/bp-x.csv.gz",
        "s3://data/in/b/x.csv": f"s3://data/{RESULT}/bp-x.csv-2.gz",
        "s3://data/in/c.csv": f"s3://data/{RESULT}/bp-c.csv.gz",
    }
    assert [len(result(stage, f"bp-{name}").splitlines()) for name in ("x.csv", "x.csv-2", "c.csv")] == [2, 1, 3]
    assert stage.buckets.info("data", f"{RESULT}/bp-c.csv.gz").details.headers["content-type"] == "application/gzip"


def test_only_selected_records_are_answered(stage):
    """A split's records alone have lines, in their order; files without any have a header."""
    learned(stage)
    for number in range(3):
        stage.put(f"in/{number}.csv", "age\n" + f"{number}1\n{number}2\n")
    asked = {"percentBegin": 50, "percentEnd": 67}
    stage.data_source("ds", "s3://data/in/", schema("age:NUMERIC", row_id="age"), splitting=asked)
    assert stage.batch("bp", "ml", "ds")["total"] == 1
    answers = [result(stage, f"bp-{number}.csv").splitlines()[1:] for number in range(3)]
    assert [[line.partition(",")[0] for line in lines] for lines in answers] == [[], ["12"], []]


def test_output_may_be_a_bucket(stage):
    """Without a directory the results stand at the bucket's top."""
    learned(stage)
    stage.data_source("ds", stage.put("b.csv", "age\n1\n"), schema("age:NUMERIC"))
    stage.batch("bp", "ml", "ds", "s3://data")
    assert {"batch-prediction/bp.manifest", "batch-prediction/result/bp-b.csv.gz"} < set(stage.keys)


def test_same_work_again_writes_the_same_bytes(stage):
    """After a kill the work is done again; the files are the same to the last bit, and hold no time."""
    learned(stage)
    stage.data_source("ds", stage.put("b.csv", "age\n" + "1\n" * 1000), schema("age:NUMERIC"))
    stage.batch("bp", "ml", "ds")
    before = stage.get(f"{RESULT}/bp-b.csv.gz")
    stage.work("batch_prediction", "bp")
    assert stage.get(f"{RESULT}/bp-b.csv.gz") == before
    assert before[4:8] == b"\0\0\0\0"


def test_manifest_comes_last(stage, monkeypatch):
    """Where the manifest stands, all results do: one that fails leaves none."""
    learned(stage)
    stage.data_source("ds", stage.put("b.csv", "age\n1\n"), schema("age:NUMERIC"))
    monkeypatch.setattr(Model, "score", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        stage.batch("bp", "ml", "ds")
    assert not any(key.startswith("out/") for key in stage.keys)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_keep_seven_digits(values):
    """What is written reads back as the number to seven digits, in the shortest form."""
    for value, written in zip(values, scientific(np.array(values)).to_pylist(), strict=True):
        assert float(written) == float(f"{value:.6e}")
        mantissa, exponent = written.split("E")
        assert len(mantissa.strip("-").replace(".", "")) <= 7
        assert exponent == str(int(exponent))
        assert not mantissa.endswith((".", ".0"))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_logged_numbers_read_back(value):
    """A number in a log is the same number, with a point."""
    assert float(java_double(value)) == value
    assert "." in java_double(value)
