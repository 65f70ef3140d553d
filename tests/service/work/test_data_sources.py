"""Data sources: rows are counted, described, and refused with a reason."""

import pytest

from service.work.stage import schema
from understudy.errors import InvalidInput, SchemaError

NAMES = schema("age:NUMERIC", "job:CATEGORICAL", "yes:BINARY", target="yes")
DATA = "age,job,yes\n41,nurse,1\n,pilot,0\n52,nurse,y\n33,,n\n"


def test_rows_are_counted(stage):
    """Without statistics there are the size, the files, the rows and those rejected."""
    location = stage.put("a.csv", DATA + "1,2\n")
    source = stage.data_source("ds", location, NAMES)
    assert source["size_in_bytes"] == len(DATA) + 4
    assert (source["files"], source["rows"], source["rejected"]) == (1, 4, 1)
    assert (source["location"], source["schema"]) == (location, NAMES)
    assert "statistics" not in source
    assert source["message"].startswith("1 record was rejected, in line 6 of s3://data/a.csv: 2 fields")
    assert source["compute_ms"] >= 0


def test_rows_are_described(stage):
    """With statistics each attribute has its insight, of the taken rows alone, and the rows a digest."""
    location = stage.put("a.csv", DATA)
    whole = stage.data_source("ds-1", location, NAMES, statistics=True)
    assert whole["rows"] == whole["statistics"]["rows"] == 4
    age, job, yes = whole["statistics"]["attributes"]
    assert (age["mean"], age["missing"], job["distinct"], yes["true"], yes["false"]) == (42.0, 1, 3, 2, 2)
    half = stage.data_source("ds-2", location, NAMES, splitting={"percentBegin": 0, "percentEnd": 50}, statistics=True)
    assert half["statistics"]["rows"] == 2
    assert half["digest"] != whole["digest"]
    assert half["size_in_bytes"] == whole["size_in_bytes"]
    assert "message" not in half


def test_same_rows_have_one_digest(stage):
    """However the files are cut and dressed, the same rows have the same digest."""
    one = stage.data_source("ds-1", stage.put("a.csv", DATA), NAMES, statistics=True)
    stage.put("in/1.csv", "age,job,yes\r\n41.0,nurse,1\r\n")
    stage.put("in/2.csv", 'age,job,yes\n,"pilot",0\n52,nurse,y\n33,,n')
    other = stage.data_source("ds-2", "s3://data/in/", NAMES, statistics=True)
    assert (one["digest"], other["files"]) == (other["digest"], 2)


def test_schema_may_lie_in_s3(stage):
    """Where no schema is given, its address names it, and the data source keeps its text."""
    source = stage.data_source("ds", stage.put("a.csv", DATA), None, schema_location=stage.put("a.schema", NAMES))
    assert source["schema"] == NAMES


def test_schema_that_lies_in_s3_is_read_as_strictly_as_one_in_a_request(stage):
    """A misspelled member of a schema that only the job can read fails the data source, as it would the Create."""
    place = stage.put("a.schema", NAMES.replace("targetAttributeName", "tagretAttributeName"))
    with pytest.raises(SchemaError, match="Did you mean 'targetAttributeName'"):
        stage.data_source("ds", stage.put("a.csv", DATA), None, schema_location=place)


def test_log_tells_what_was_read(stage):
    """The log names the files and the counts."""
    source = stage.data_source("ds", stage.put("a.csv", DATA), NAMES)
    log = stage.get(source["log"], "understudy-logs").decode()
    assert f"INFO: file: s3://data/a.csv size={len(DATA)}\n" in log
    assert "INFO: finished: valid-records=4 invalid-records=0\n" in log


@pytest.mark.parametrize(
    ("data", "text", "error", "message"),
    [
        (DATA, "{", SchemaError, "the schema is not JSON"),
        (DATA, "[" * 100_000, SchemaError, "the schema is nested too deeply"),
        (DATA, schema("age:NUMERIC", target="yes"), SchemaError, "the schema's target is 'yes'"),
        ("age,job,yes\n", NAMES, InvalidInput, "holds no record that the data source takes"),
        ("age,job,yes\n1\n2\n", NAMES, InvalidInput, "all 2 records could not be read"),
    ],
    ids=["no schema", "deep schema", "no such target", "no rows", "no good rows"],
)
def test_unusable_data_are_refused(stage, data, text, error, message):
    """A data source without a usable schema or row says what is the matter."""
    with pytest.raises(error, match=message):
        stage.data_source("ds", stage.put("a.csv", data), text)
