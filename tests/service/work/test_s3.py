"""Addresses in S3: which objects they name, here or in a real S3."""
# ruff: noqa: F811 (pytest hands fixtures over under the names that they are imported by)

import pytest

from service.work.stage import Stage, schema
from store.test_objects import bucket, s3, s3_server  # noqa: F401 - fixtures
from understudy.errors import InvalidInput, StoreError
from understudy.service.work.s3 import make_bucket, split_url


def names(stage, url):
    """Name what an address stands for."""
    return [found.url.removeprefix("s3://data/") for found in stage.workshop().s3.find(url)]


def test_address_names_an_object_or_a_folder(stage):
    """An object is itself; a folder is all with data below it, in the order of their names, without schemas."""
    for key in ("in/b.csv", "in/a.csv", "in/deep/c.csv", "in/a.csv.schema", "in/.schema", "inside.csv"):
        stage.put(key, "x")
    for key in ("in/", "in/deep/", "in/_SUCCESS"):
        stage.put(key, "")
    assert names(stage, "s3://data/in/b.csv") == ["in/b.csv"]
    assert names(stage, "s3://data/in/") == names(stage, "s3://data/in") == ["in/a.csv", "in/b.csv", "in/deep/c.csv"]
    assert names(stage, "s3://data") == names(stage, "s3://data/") == [*names(stage, "s3://data/in/"), "inside.csv"]
    assert names(stage, "s3://data/in/a.csv.schema") == ["in/a.csv.schema"]


def test_folder_is_asked_for_page_by_page(stage, monkeypatch):
    """However many files a folder has, the catalog is asked for pages of them, not for each."""
    for number in range(5):
        stage.put(f"in/{number}.csv", "x" * number)
    monkeypatch.setattr(stage.buckets, "info", lambda *_: pytest.fail("asked for one key"))
    found = stage.workshop().s3.find("s3://data/in/")
    assert [(each.name, each.size) for each in found] == [(f"{number}.csv", number) for number in range(1, 5)]
    monkeypatch.undo()
    assert all(each.etag == stage.buckets.info("data", f"in/{each.name}").etag for each in found)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://data/none.csv", "no object 's3://data/none.csv', and no file with data below it"),
        ("s3://data/in/", "no object 's3://data/in/'"),
        ("s3://other/in/", "no bucket 'other'"),
        ("s3://other/a.csv", "no bucket 'other'"),
        ("http://data/a.csv", "no address in S3"),
        ("s3:///a.csv", "no address in S3"),
    ],
)
def test_what_is_not_there_is_said(stage, url, message):
    """The message says what was looked for."""
    stage.put("in/.schema", "{}")
    with pytest.raises(InvalidInput, match=message):
        stage.workshop().s3.find(url)


def test_small_texts_are_read(stage):
    """Schemas and recipes are read whole, unless they are none."""
    objects = stage.workshop().s3
    assert objects.text(stage.put("a.schema", "\ufeffé"), 10) == "é"
    for url, message in (
        (stage.put("b", b"\xff"), "not UTF-8"),
        (stage.put("c", "x" * 11), "has 11 bytes"),
        ("s3://data/none", "no object"),
        ("s3://data", "no object"),
        ("s3://other/none", "no bucket"),
    ):
        with pytest.raises(InvalidInput, match=message):
            objects.text(url, 10)


def test_results_need_a_bucket(stage, tmp_path):
    """Writing to a bucket that is not there is one clear message."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidInput, match="no bucket 'other'"):
        stage.workshop().s3.put("s3://other/x", tmp_path / "file", "text/plain")


def test_bucket_is_made_once(stage):
    """Making a bucket that is there is no error; a name that cannot be one is."""
    for _ in range(2):
        make_bucket(stage.buckets, "understudy-logs")
    with pytest.raises(StoreError, match="cannot be made"):
        make_bucket(stage.buckets, "No")


def test_address_is_taken_apart():
    """A key may hold anything, line breaks included."""
    assert split_url("s3://data") == ("data", "")
    assert split_url("s3://data/a//b\nc") == ("data", "a//b\nc")


def test_real_s3_is_read_and_written_where_the_place_allows_it(tmp_path, s3, bucket):
    """A bucket that [serve] names lies in a real S3: data come from there, results go there, schemas too."""
    for key, data in {"in/1.csv": "n,y\n1,0\n9,1\n", "in/2.csv": "n,y\n2,0\n8,1\n", "in/x.schema": "{}"}.items():
        s3.put_object(Bucket=bucket, Key=key, Body=data.encode())
    text = schema("n:NUMERIC", "y:BINARY", target="y")
    s3.put_object(Bucket=bucket, Key="in.schema", Body=text.encode())
    stage = Stage(tmp_path, buckets=(bucket,))
    source = stage.data_source("ds", f"s3://{bucket}/in/", None, schema_location=f"s3://{bucket}/in.schema")
    assert (source["files"], source["rows"], source["schema"]) == (2, 4, text)
    stage.model("ml", "ds", "BINARY")
    stage.batch("bp", "ml", "ds", f"s3://{bucket}/out/")
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket, Prefix="out/")["Contents"]]
    assert [key for key in keys if not key.endswith("/")] == [
        "out/batch-prediction/bp.manifest",
        "out/batch-prediction/result/bp-1.csv.gz",
        "out/batch-prediction/result/bp-2.csv.gz",
    ]
    with pytest.raises(InvalidInput, match="no object"):
        stage.workshop().s3.find(f"s3://{bucket}/none.csv")
    stage.close()
