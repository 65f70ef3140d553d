"""Describe: filters, order, pages, and tokens that continue one list only."""

import base64
import json

import pytest

from acceptance.stage import calls_project
from service.stage import SCHEMA, Stage
from understudy.config import load
from understudy.house import House
from understudy.service.constraints import DataSourceFilterVariable, EvaluationFilterVariable, MLModelFilterVariable
from understudy.service.faults import InvalidInputException
from understudy.service.listing import FIELDS
from understudy.service.times import epoch

LISTS = ("DescribeDataSources", "DescribeMLModels", "DescribeEvaluations", "DescribeBatchPredictions")


def forged(*parts):
    """Return what looks like a token."""
    return base64.b64encode(json.dumps(parts).encode()).decode()


def names(stage, operation="DescribeDataSources", **members):
    """Return the names on a page."""
    return [item.get("Name", "") for item in stage.ask(operation, **members)["Results"]]


def put(stage, name, location="s3://data/a.csv", caller="default"):
    """Make a data source of a name."""
    spec = {"DataLocationS3": location, "DataSchema": SCHEMA}
    stage.ask("CreateDataSourceFromS3", caller, DataSourceId=f"ds-{name}", DataSourceName=name, DataSpec=spec)


@pytest.fixture
def five(stage):
    """Give a service with five data sources, made in another order than their names'."""
    for name in "bdaec":
        put(stage, name)
    return stage


def test_order_is_that_of_creation_or_of_the_variable(five):
    """Without a variable the oldest comes first; with one its order counts; dsc turns it round."""
    assert names(five) == list("bdaec")
    assert names(five, SortOrder="dsc") == list("ceadb")
    assert names(five, FilterVariable="Name") == list("abcde")
    assert names(five, FilterVariable="Name", SortOrder="dsc") == list("edcba")


@pytest.mark.parametrize(
    ("comparisons", "expected"),
    [
        ({"EQ": "c"}, "c"),
        ({"NE": "c"}, "abde"),
        ({"GT": "c"}, "de"),
        ({"GE": "c"}, "cde"),
        ({"LT": "c"}, "ab"),
        ({"LE": "c"}, "abc"),
        ({"Prefix": "c"}, "c"),
        ({"Prefix": ""}, "abcde"),
        ({"Prefix": "C"}, ""),
        ({"GE": "b", "LT": "e"}, "bcd"),
        ({"GE": "b", "LT": "e", "NE": "c"}, "bd"),
    ],
)
def test_comparisons_filter(five, comparisons, expected):
    """Each operator means what it says, and several must all hold."""
    assert names(five, FilterVariable="Name", **comparisons) == list(expected)


def test_names_compare_by_every_character(stage):
    """Nothing in a value is a wild card, and case counts."""
    for name in ("a%", "a_", "ab", "A%"):
        put(stage, name.replace("%", "x").replace("_", "y"))
        stage.ask(
            "UpdateDataSource", DataSourceId=f"ds-{name.replace('%', 'x').replace('_', 'y')}", DataSourceName=name
        )
    assert names(stage, FilterVariable="Name", Prefix="a%") == ["a%"]
    assert names(stage, FilterVariable="Name", Prefix="a_") == ["a_"]


def test_pages_cover_a_list_once(five):
    """Page by page every item comes once, in order; the last page has no token."""
    for limit in (1, 2, 3, 5, 6):
        found, members = [], {"FilterVariable": "Name", "GE": "a", "SortOrder": "dsc", "Limit": limit}
        while True:
            answer = five.ask("DescribeDataSources", **members)
            assert len(answer["Results"]) <= limit
            found += [item["Name"] for item in answer["Results"]]
            if "NextToken" not in answer:
                break
            members["NextToken"] = answer["NextToken"]
        assert found == list("edcba")


@pytest.mark.parametrize("members", [{}, {"SortOrder": "dsc"}, {"FilterVariable": "Name", "SortOrder": "dsc"}])
def test_pages_skip_and_repeat_nothing_while_objects_come_and_go(five, members):
    """What is deleted or made between two pages loses no other object and shows none twice."""
    expected = names(five, **members)
    first = five.ask("DescribeDataSources", Limit=2, **members)
    five.ask("DeleteDataSource", DataSourceId=first["Results"][0]["DataSourceId"])
    put(five, "z")
    rest = names(five, NextToken=first["NextToken"], **members)
    assert [name for name in rest if name != "z"] == expected[2:]


@pytest.mark.parametrize("change", [{"SortOrder": "dsc"}, {"FilterVariable": "Name"}, {"FilterVariable": "Status"}])
def test_token_continues_its_own_list_only(five, change):
    """A token with another filter or order is refused, not answered with nonsense."""
    token = five.ask("DescribeDataSources", Limit=2)["NextToken"]
    assert names(five, NextToken=token) == list("aec")
    with pytest.raises(InvalidInputException, match="NextToken does not continue"):
        five.ask("DescribeDataSources", NextToken=token, **change)
    with pytest.raises(InvalidInputException, match="NextToken"):
        five.ask("DescribeEvaluations", NextToken=token)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "é",
        "AAAA",
        base64.b64encode(b"\xff\xfe").decode(),
        forged("a", 1, "0"),
        forged("a", 2**70, "0"),
        forged(1),
        forged({}),
    ],
)
def test_token_of_nobody_is_refused(five, token):
    """What was never a token is invalid input."""
    with pytest.raises(InvalidInputException, match="NextToken"):
        five.ask("DescribeDataSources", NextToken=token)


@pytest.mark.parametrize("comparison", ["EQ", "NE"])
@pytest.mark.parametrize(
    ("variable", "word", "expected"),
    [
        ("Status", "DONE", "PENDING, INPROGRESS, COMPLETED, FAILED, DELETED"),
        ("Status", "completed", "PENDING, INPROGRESS"),
        ("MLModelType", "", "BINARY, MULTICLASS, REGRESSION"),
        ("Algorithm", "SGD", "sgd"),
        ("RealtimeEndpointStatus", "UP", "NONE, READY, UPDATING, FAILED"),
    ],
)
def test_word_that_a_variable_never_is_is_refused(stage, variable, word, expected, comparison):
    """A misspelled status finds nothing, or everything, for ever; so it is said, with the words that there are."""
    with pytest.raises(InvalidInputException, match=f"(?s){comparison} is '{word}'.*one of {expected}"):
        stage.ask("DescribeMLModels", FilterVariable=variable, **{comparison: word})


def test_comparison_needs_a_variable(five):
    """A comparison with nothing is said, not ignored."""
    with pytest.raises(InvalidInputException, match="LE is given without FilterVariable"):
        five.ask("DescribeDataSources", LE="a")


def test_deleted_objects_are_left_out_unless_asked_for(five):
    """Only a filter by status shows what is deleted."""
    five.ask("DeleteDataSource", DataSourceId="ds-c")
    assert names(five) == list("bdae")
    assert names(five, FilterVariable="Name", EQ="c") == []
    assert names(five, FilterVariable="Status", EQ="DELETED") == ["c"]
    assert names(five, FilterVariable="Status") == list("bdae")


def test_shown_times_can_be_filtered_by(five):
    """A time as it is shown, to the millisecond, finds its object: as seconds, as boto3 prints it, as ISO 8601."""
    items = five.ask("DescribeDataSources")["Results"]
    entities = {entity.name: entity for entity in five.catalog.find("data_source")}
    for item in items:
        at = item["CreatedAt"]
        assert at == epoch(entities[item["Name"]].created_at)
        same = [other["Name"] for other in items if other["CreatedAt"] == at]
        others = [other["Name"] for other in items if other["CreatedAt"] != at]
        iso = entities[item["Name"]].created_at[:23]
        for spelled in (f"{at:.3f}", f"{iso}Z", iso, f"{iso.replace('T', ' ')}000+00:00"):
            assert names(five, FilterVariable="CreatedAt", EQ=spelled) == same
            assert names(five, FilterVariable="CreatedAt", NE=spelled) == others
        asked = {
            name: names(five, FilterVariable="CreatedAt", **{name: f"{at:.3f}"}) for name in ("GT", "GE", "LT", "LE")
        }
        assert asked["GE"] == [*same, *asked["GT"]]
        assert asked["LE"] == [*asked["LT"], *same]
        assert asked["LT"] + same + asked["GT"] == list("bdaec")


def test_times_outside_of_all_time(five):
    """Whole seconds, days and the far future are times as well."""
    assert names(five, FilterVariable="LastUpdatedAt", GE="0", LE="99999999999") == list("bdaec")
    assert names(five, FilterVariable="CreatedAt", LT="2017-01-01") == []


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999999", "9999-12-31T23:59:59.998Z"])
def test_end_of_all_time_can_be_compared_with(five, end):
    """What clients write for "for ever" is after everything, in every comparison."""
    for comparison in ("LE", "LT", "NE"):
        assert names(five, FilterVariable="CreatedAt", **{comparison: end}) == list("bdaec")
    for comparison in ("GE", "GT", "EQ"):
        assert names(five, FilterVariable="CreatedAt", **{comparison: end}) == []


def test_day_without_hyphens_is_not_taken_for_seconds(five):
    """Eight digits that may be meant as a day are refused with both ways to say it; other seconds are seconds."""
    with pytest.raises(InvalidInputException, match=r"(?s)'20170211', which may be a day.* 2017-02-11 .* 20170211\.0"):
        five.ask("DescribeDataSources", FilterVariable="CreatedAt", GE="20170211")
    assert names(five, FilterVariable="CreatedAt", GE="20170211.0") == list("bdaec")
    assert names(five, FilterVariable="CreatedAt", GE="100000000") == list("bdaec")


@pytest.mark.parametrize("value", ["yesterday", "-1", "1e9", "999999999999", "0001-01-01T00:00:00+14:00x", ""])
def test_what_is_no_time_is_said(five, value):
    """A time that cannot be read is invalid input, and the message shows how to write one."""
    with pytest.raises(InvalidInputException, match="seconds since 1970, or ISO 8601"):
        five.ask("DescribeDataSources", FilterVariable="CreatedAt", EQ=value)


def test_times_have_no_beginnings(five):
    """Prefix is for text."""
    with pytest.raises(InvalidInputException, match="Prefix is '2026'"):
        five.ask("DescribeDataSources", FilterVariable="CreatedAt", Prefix="2026")


def test_locations_and_users_filter(stage):
    """Data sources are found by where they lie and who made them."""
    put(stage, "a", "s3://data/2016/a.csv")
    put(stage, "b", "s3://data/2017/b.csv", caller="nightly")
    assert names(stage, FilterVariable="DataLocationS3", Prefix="s3://data/2017/") == ["b"]
    assert names(stage, FilterVariable="IAMUser", Prefix="arn:aws:iam::000000000000:user/") == ["b"]
    assert names(stage, FilterVariable="IAMUser", EQ="arn:aws:iam::000000000000:root") == ["a"]


def test_models_filter(stage):
    """Models are found by type, data, endpoint and the one algorithm."""
    stage.model("ml-1")
    stage.model("ml-2", kind="REGRESSION")
    stage.ask("CreateRealtimeEndpoint", MLModelId="ml-2")

    def found(variable, **comparison):
        answer = stage.ask("DescribeMLModels", FilterVariable=variable, **comparison)
        return [item["MLModelId"] for item in answer["Results"]]

    assert found("MLModelType", EQ="REGRESSION") == ["ml-2"]
    assert found("TrainingDataSourceId", EQ="ds-of-ml-1") == ["ml-1"]
    assert found("TrainingDataURI", Prefix="s3://data/") == ["ml-1", "ml-2"]
    assert found("RealtimeEndpointStatus", EQ="READY") == ["ml-2"]
    assert found("RealtimeEndpointStatus", EQ="NONE") == ["ml-1"]
    assert found("RealtimeEndpointStatus", NE="NONE") == ["ml-2"]
    assert found("RealtimeEndpointStatus", Prefix="NO") == ["ml-1"]
    assert found("RealtimeEndpointStatus", GT="NONE") == ["ml-2"]
    assert found("RealtimeEndpointStatus", LT="READY") == ["ml-1"]
    assert found("Algorithm", EQ="sgd") == ["ml-1", "ml-2"]
    assert found("Algorithm", Prefix="s", NE="sgd") == []
    item = stage.ask("DescribeMLModels")["Results"][0]
    assert (item["Algorithm"], "LogUri" in item) == ("sgd", False)


@pytest.mark.parametrize(
    ("operation", "make"), [("DescribeEvaluations", "evaluation"), ("DescribeBatchPredictions", "batch")]
)
def test_what_hangs_on_a_model_is_found_by_it(stage, operation, make):
    """Evaluations and batch predictions are found by model, data source and data."""
    for number in (1, 2):
        getattr(stage, make)(f"x-{number}")

    def found(variable, **comparison):
        return [item["MLModelId"] for item in stage.ask(operation, FilterVariable=variable, **comparison)["Results"]]

    assert found("MLModelId", EQ="ml-of-x-2") == ["ml-of-x-2"]
    assert found("DataSourceId", EQ="ds-for-x-1") == ["ml-of-x-1"]
    assert found("DataURI", EQ="s3://data/rows.csv") == ["ml-of-x-1", "ml-of-x-2"]


def test_every_variable_of_the_original_has_a_place():
    """Each list filters by the original's variables, and by no others."""
    variables = {
        "data_source": DataSourceFilterVariable,
        "model": MLModelFilterVariable,
        "evaluation": EvaluationFilterVariable,
        "batch_prediction": EvaluationFilterVariable,
    }
    assert {kind: set(fields) for kind, fields in FIELDS.items()} == {k: set(v.__args__) for k, v in variables.items()}


@pytest.mark.parametrize("operation", LISTS)
def test_waiter_sees_its_object_alone(stage, operation):
    """Clients wait by name: the list of one name has that object, with its status."""
    stage.evaluation("e")
    stage.batch("b")
    item = stage.ask(operation, Limit=1)["Results"][0]
    assert item["Status"] == "COMPLETED"


def test_what_a_project_made_is_listed(tmp_path):
    """Data sources, model and evaluation of `understudy learn` are shown like any other, under the project's name."""
    project = calls_project(tmp_path)
    learned = project.do("learn")
    stage = Stage(tmp_path, [House(load(tmp_path))], url=f"sqlite:///{tmp_path}/.understudy/catalog.db")
    sources = stage.ask("DescribeDataSources")["Results"]
    assert [item["Name"] for item in sources] == ["calls: training rows", "calls: evaluation rows"]
    (model,) = stage.ask("DescribeMLModels", FilterVariable="Name", EQ="ML model: calls")["Results"]
    assert (model["MLModelId"], model["TrainingDataSourceId"]) == (learned["model_id"], sources[0]["DataSourceId"])
    assert (
        model["InputDataLocationS3"] == sources[0]["DataLocationS3"] == f"s3://calls/uploads/{learned['run_id']}.arrows"
    )
    (evaluation,) = stage.ask("DescribeEvaluations", FilterVariable="MLModelId", EQ=model["MLModelId"])["Results"]
    assert float(evaluation["PerformanceMetrics"]["Properties"]["BinaryAUC"]) == learned["metrics"]["auc"]
    verbose = stage.ask("GetMLModel", MLModelId=model["MLModelId"], Verbose=True)
    by_place = {"FilterVariable": "DataLocationS3", "EQ": sources[0]["DataLocationS3"]}
    assert stage.ask("DescribeDataSources", **by_place)["Results"] == sources
    assert names(stage, FilterVariable="DataLocationS3", Prefix="s3://calls/") == [item["Name"] for item in sources]
    for operation in ("DescribeDataSources", "DescribeMLModels", "DescribeEvaluations"):
        by_user = {"FilterVariable": "IAMUser", "EQ": "arn:aws:iam::000000000000:root"}
        assert stage.ask(operation, **by_user) == stage.ask(operation)
    assert "outputs" in verbose["Recipe"]
    assert "attributes" in verbose["Schema"]
    source = stage.ask("GetDataSource", DataSourceId=sources[0]["DataSourceId"], Verbose=True)
    assert "attributes" in source["DataSourceSchema"]
