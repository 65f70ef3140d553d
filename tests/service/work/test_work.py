"""The table of works: what each kind of object waits for, and what all give."""

import os
import time

import pytest

from service.work.stage import schema
from understudy.errors import InvalidInput, SchemaError, StoreError, UnderstudyError
from understudy.service import secrets
from understudy.service.secrets import sweep_secrets
from understudy.service.work import WORK
from understudy.service.work.rows import CsvRows
from understudy.store.catalog import Entity


@pytest.mark.parametrize(
    ("kind", "needed"),
    [
        ("data_source", []),
        ("model", [("data_source", "ds")]),
        ("evaluation", [("model", "ml"), ("data_source", "ds")]),
        ("batch_prediction", [("model", "ml"), ("data_source", "ds")]),
    ],
)
def test_work_waits_for_what_it_reads(kind, needed):
    """Every kind names by kind and id what must be finished before."""
    document = {"training_data_source_id": "ds", "model_id": "ml", "data_source_id": "ds"}
    assert WORK[kind].waits_for(Entity("x", kind, "", "PENDING", "", "", document)) == needed


def test_every_kind_tells_time_and_log(stage):
    """Each piece of work gives the processor's milliseconds and the key of a log that is there."""
    stage.data_source("ds", stage.put("a.csv", "n,y\n1,0\n2,1\n3,1\n"), schema("n:NUMERIC", "y:BINARY", target="y"))
    stage.model("ml", "ds", "BINARY", threshold=None)
    stage.evaluation("ev", "ml", "ds")
    stage.batch("bp", "ml", "ds")
    ids = {"data_source": "ds", "model": "ml", "evaluation": "ev", "batch_prediction": "bp"}
    assert ids.keys() == WORK.keys()
    for kind, entity_id in ids.items():
        document = stage.store.catalog.get(entity_id, kind).document
        assert document["compute_ms"] >= 0
        assert stage.get(document["log"], "understudy-logs").startswith(b"Message-ID: <")


def test_deleted_model_is_left_as_it_is(stage):
    """Work on a model that was deleted meanwhile does not touch its document."""
    stage.data_source("ds", stage.put("a.csv", "n,y\n1,0\n2,1\n"), schema("n:NUMERIC", "y:BINARY", target="y"))
    stage.model("ml", "ds", "BINARY")
    stage.store.catalog.retire("ml")
    before = stage.store.catalog.get("ml", "model")
    WORK["model"].compute(stage.workshop(), before)
    assert stage.store.catalog.get("ml", "model") == before


def test_failure_leaves_a_log(stage):
    """What fails leaves a log that ends with the reason, and its key stands in the document before the job ends."""
    with pytest.raises(InvalidInput):
        stage.data_source("ds", "s3://data/none.csv", schema("n:NUMERIC"))
    document = stage.store.catalog.get("ds", "data_source").document
    lines = [line[18:] for line in stage.get(document["log"], "understudy-logs").decode().splitlines()]
    assert "INFO: Begin creating the data source." in lines
    assert "INFO: failed: there is no object 's3://data/none.csv', and no file with data below it" in lines


def test_failure_of_what_was_deleted_changes_nothing(stage):
    """An object that was deleted while work on it failed keeps its document."""
    before = stage.store.catalog.create("data_source", "ds", {"schema": "{"}, status="DELETED")
    with pytest.raises(SchemaError):
        WORK["data_source"].compute(stage.workshop(), before)
    assert stage.store.catalog.get("ds", "data_source") == before


def test_failure_stands_where_its_log_cannot_be_kept(stage, monkeypatch):
    """Without a place for the log the failure is still the one that happened."""

    def refuse(*_):
        raise StoreError("the disk is full")

    monkeypatch.setattr(stage.buckets, "put_bytes", refuse)
    with pytest.raises(InvalidInput, match="there is no object"):
        stage.data_source("ds", "s3://data/none.csv", schema("n:NUMERIC"))


@pytest.mark.parametrize("error", [MemoryError, SystemExit, ZeroDivisionError])
def test_no_failure_keeps_a_password(stage, monkeypatch, error):
    """Whatever ends the work on a data source, its password is gone."""

    def fail(*_):
        raise error

    folder = stage.workshop().secrets
    secrets.keep(folder, "data_source", "ds", "pa55word")
    monkeypatch.setattr(CsvRows, "count", fail)
    with pytest.raises(error):
        stage.data_source("ds", stage.put("a.csv", "n\n1\n"), schema("n:NUMERIC"))
    assert list(folder.iterdir()) == []


def test_unusable_schema_keeps_no_password(stage):
    """A schema that is missing or broken fails the data source before its query, and the password goes."""
    folder = stage.workshop().secrets
    stage.put("broken.schema", "{")
    for name, message in {"none": "no object", "broken": "not JSON"}.items():
        secrets.keep(folder, "data_source", name, "pa55word")
        with pytest.raises(UnderstudyError, match=message):
            stage.data_source(name, None, None, schema_location=f"s3://data/{name}.schema", source="redshift", sql={})
    assert list(folder.iterdir()) == []


def test_left_passwords_are_swept(stage):
    """Passwords of objects that ended, were deleted or never were go; those that a job needs, and new ones, stay."""
    folder = stage.workshop().secrets
    assert sweep_secrets(stage.store) == 0
    for name, status in {"wait": "PENDING", "run": "INPROGRESS", "done": "COMPLETED", "gone": "DELETED"}.items():
        stage.store.catalog.create("data_source", name, {}, status=status)
    for name in ("wait", "run", "done", "gone", "never", "new"):
        secrets.keep(folder, "data_source", name, "pa55word")
        os.utime(folder / f"data_source-{name}", (time.time() - 600,) * 2)
    (folder / "data_source-new").touch()
    assert sweep_secrets(stage.store) == 3
    assert {file.name for file in folder.iterdir()} == {"data_source-wait", "data_source-run", "data_source-new"}
