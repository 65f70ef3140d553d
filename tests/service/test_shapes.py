"""The shapes of requests are the original's, and what does not fit them is said in plain words."""

import enum
import json
import re
import types
import typing

import msgspec
import pytest

from service.stage import original
from understudy.service import shapes
from understudy.service.constraints import whole
from understudy.service.faults import InvalidInputException
from understudy.service.operations import OPERATIONS
from understudy.service.reading import read_request
from understudy.service.shapes import Shape

NOT_JUDGED = {"VipURL"}
"""Patterns that reference 13 says not to judge."""
BY_HAND = {"TagKey", "TagValue"}
"""Patterns that `tagging` checks, with a fault of their own."""

GOOD = {
    "CreateDataSourceFromS3": {"DataSourceId": "ds-1", "DataSpec": {"DataLocationS3": "s3://data/a.csv"}},
    "CreateMLModel": {"MLModelId": "ml-1", "MLModelType": "BINARY", "TrainingDataSourceId": "ds-1"},
    "GetMLModel": {"MLModelId": "ml-1"},
    "Predict": {"MLModelId": "ml-1", "Record": {"x": "1"}, "PredictEndpoint": "localhost"},
    "DescribeMLModels": {},
    "AddTags": {"Tags": [], "ResourceId": "ml-1", "ResourceType": "MLModel"},
    "CreateDataSourceFromRDS": {
        "DataSourceId": "ds-1",
        "RoleARN": "role",
        "RDSData": {
            "DatabaseInformation": {"InstanceIdentifier": "i", "DatabaseName": "d"},
            "DatabaseCredentials": {"Username": "u", "Password": "long enough"},
            "SelectSqlQuery": "select 1",
            "S3StagingLocation": "s3://data/staging",
            "ResourceRole": "r",
            "ServiceRole": "s",
            "SubnetId": "n",
            "SecurityGroupIds": ["g"],
        },
    },
}


@pytest.mark.parametrize("name", original().operation_names)
def test_request_is_the_originals(name):
    """Every member, its type, length, pattern, values, and whether it is required, are those of botocore's model."""
    _compare(OPERATIONS[name].request, original().operation_model(name).input_shape)


@pytest.mark.parametrize("name", original().operation_names)
def test_declared_faults_are_the_originals(name):
    """An operation declares the exceptions that botocore's model declares, with a code where that has one."""
    declared = original().operation_model(name).error_shapes
    faults = {fault.__name__: fault for fault in OPERATIONS[name].faults}
    assert set(faults) == {shape.name for shape in declared}
    for shape in declared:
        assert (faults[shape.name].code is not None) == ("code" in shape.members), shape.name


def test_there_are_the_originals_operations_and_no_more():
    """The table has each of the 28 operations once."""
    assert sorted(OPERATIONS) == sorted(original().operation_names)


def _compare(record, shape):
    fields = {field.encode_name: field for field in msgspec.structs.fields(record)}
    assert set(fields) == set(shape.members)
    assert {name for name, field in fields.items() if field.required} == set(shape.required_members), shape.name
    for name, field in fields.items():
        _compare_type(field.type, shape.members[name], f"{shape.name}.{name}")


def _compare_type(kind, shape, place):
    kind, metas = _taken_apart(kind)
    limits = {
        "min": next((m.min_length if m.min_length is not None else m.ge for m in metas), None),
        "max": next((m.max_length if m.max_length is not None else m.le for m in metas), None),
        "pattern": next((m.pattern for m in metas), None),
    }
    pattern = None if shape.name in NOT_JUDGED | BY_HAND else shape.metadata.get("pattern")
    wanted = {"min": shape.metadata.get("min"), "max": shape.metadata.get("max"), "pattern": pattern and whole(pattern)}
    assert limits == wanted, place
    if shape.type_name == "structure":
        _compare(kind, shape)
    elif shape.type_name == "list":
        _compare_type(typing.get_args(kind)[0], shape.member, place)
    elif shape.type_name == "map":
        assert typing.get_args(kind) == (str, str), place
    elif shape.metadata.get("enum"):
        assert sorted(_values(kind)) == sorted(shape.metadata["enum"]), place
    else:
        assert kind is {"string": str, "boolean": bool, "integer": int, "float": float}[shape.type_name], place


def _taken_apart(kind):
    """Return a type without `Annotated` and `| None`, and what was annotated."""
    metas = []
    while True:
        if typing.get_origin(kind) in (typing.Union, types.UnionType):
            (kind,) = [each for each in typing.get_args(kind) if each is not type(None)]
        elif typing.get_origin(kind) is typing.Annotated:
            kind, *more = typing.get_args(kind)
            metas += more
        else:
            return kind, metas


def _values(kind):
    return [str(each.value) for each in kind] if isinstance(kind, enum.EnumMeta) else typing.get_args(kind)


@pytest.mark.parametrize(
    ("operation", "members", "words"),
    [
        ("GetMLModel", {"MLModelId": None}, "MLModelId is missing"),
        ("GetMLModel", {"MLModelId": ""}, "MLModelId is ''. Expected is text of at least 1 character"),
        ("GetMLModel", {"MLModelId": "x" * 65}, r"MLModelId is 'x+'. Expected is text of at most 64 characters"),
        (
            "GetMLModel",
            {"MLModelId": "a b"},
            r"MLModelId is 'a b'. Expected is text that matches \[a-zA-Z0-9_.-\]\+ as",
        ),
        ("GetMLModel", {"MLModelId": "a\n"}, r"MLModelId is 'a\\n'"),
        ("GetMLModel", {"MLModelId": 7}, "MLModelId is 7. Expected is text"),
        ("GetMLModel", {"Verbose": "yes"}, "Verbose is 'yes'. Expected is true or false"),
        ("GetMLModel", {"MLModelId": "a\0"}, "the character NUL"),
        ("DescribeMLModels", {"Limit": 0}, "Limit is 0. Expected is a whole number of at least 1"),
        ("DescribeMLModels", {"Limit": 101}, "Limit is 101. Expected is a whole number of at most 100"),
        ("DescribeMLModels", {"Limit": 1.5}, "Limit is 1.5. Expected is a whole number"),
        ("DescribeMLModels", {"SortOrder": "desc"}, "SortOrder is 'desc'. Expected is one of asc, dsc"),
        ("DescribeMLModels", {"FilterVariable": "Id"}, "FilterVariable is 'Id'. Expected is one of .*TrainingDataURI"),
        ("DescribeMLModels", {"EQ": "x" * 1025}, "EQ is 'x+... .1,027 characters.. Expected is text of at most 1,024"),
        ("Predict", {"Record": {"a": "1", "x": 3}}, r"Record\['x'\] is 3. Expected is text"),
        ("Predict", {"Record": {"x" * 99: 0.9}}, r"Record\['x{79}\.\.\. \(101 characters\)\] is 0.9"),
        ("CreateMLModel", {"Parameters": {"sgd.maxPasses": 10}}, r"Parameters\['sgd.maxPasses'\] is 10"),
        ("Predict", {"Record": ["x"]}, "Record is a list of 1. Expected is an object"),
        ("AddTags", {"Tags": [{"Key": "k" * 129}]}, r"Tags\[0\].Key is 'k+.*at most 128"),
        ("AddTags", {"Tags": [{}] * 101}, "Tags is a list of 101. Expected is a list of at most 100 entries"),
        ("AddTags", {"ResourceType": "Model"}, "one of BatchPrediction, DataSource, Evaluation, MLModel"),
        ("CreateDataSourceFromS3", {"DataSpec": {}}, "DataSpec.DataLocationS3 is missing"),
        ("CreateDataSourceFromS3", {"DataSpec": {"DataLocationS3": "/a"}}, "DataSpec.DataLocationS3 is '/a'.*s3://"),
        ("CreateDataSourceFromS3", {"DataSourceName": "  "}, "DataSourceName is '  '"),
    ],
)
def test_what_does_not_fit_is_said(operation, members, words):
    """A message names the member, what was found there and what was expected."""
    with pytest.raises(InvalidInputException) as raised:
        read_request({**GOOD[operation], **members}, OPERATIONS[operation].request)
    assert re.search(words, raised.value.text), raised.value.text


@pytest.mark.parametrize("document", [None, [], "text", 7, True])
def test_request_that_is_no_object_is_said(document):
    """JSON that is no object is invalid input, not a mistake of ours."""
    with pytest.raises(InvalidInputException, match="the request is "):
        read_request(document, shapes.GetMLModelInput)


@pytest.mark.parametrize(
    ("credentials", "place"),
    [
        ({"Username": "u", "Password": "hunter2"}, "RDSData.DatabaseCredentials.Password"),
        ({"Username": 7, "Password": "hunter2"}, "RDSData.DatabaseCredentials.Username"),
        ("u:hunter2", "RDSData.DatabaseCredentials"),
    ],
)
def test_password_is_in_no_message(credentials, place):
    """A password of a wrong length or in a wrong place is not repeated to whoever reads the error."""
    request = GOOD["CreateDataSourceFromRDS"]
    with pytest.raises(InvalidInputException) as raised:
        read_request(
            {**request, "RDSData": {**request["RDSData"], "DatabaseCredentials": credentials}},
            shapes.CreateDataSourceFromRDSInput,
        )
    assert f"{place} is not shown here" in raised.value.text
    assert "hunter2" not in raised.value.text


def test_structure_sent_as_text_is_not_shown_where_it_holds_a_password():
    """A client that sends JSON within JSON does not read its password in the error."""
    text = json.dumps({"DatabaseCredentials": {"Password": "hunter2"}})
    with pytest.raises(InvalidInputException, match="RDSData is not shown here") as raised:
        read_request({**GOOD["CreateDataSourceFromRDS"], "RDSData": text}, shapes.CreateDataSourceFromRDSInput)
    assert "hunter2" not in raised.value.text


def test_password_is_in_no_representation():
    """What a log writes of a request has no password in it."""
    request = read_request(GOOD["CreateDataSourceFromRDS"], shapes.CreateDataSourceFromRDSInput)
    assert "long enough" not in repr(request)


@pytest.mark.parametrize("operation", GOOD)
def test_unknown_members_are_ignored(operation):
    """A member that the original does not have changes nothing."""
    shape = OPERATIONS[operation].request
    assert read_request({**GOOD[operation], "Unknown": {"deep": []}}, shape) == read_request(GOOD[operation], shape)


def test_null_counts_as_left_out():
    """Members without a value may be sent as null, within structures, too."""
    spec = {"DataLocationS3": "s3://data/a.csv", "DataSchema": None}
    given = {"DataSourceId": "ds-1", "DataSpec": spec, "ComputeStatistics": None, "DataSourceName": None}
    assert read_request(given, shapes.CreateDataSourceFromS3Input) == read_request(
        GOOD["CreateDataSourceFromS3"], shapes.CreateDataSourceFromS3Input
    )


def test_every_shape_says_what_it_is():
    """Each record of a request has a sentence."""
    records = [each for each in vars(shapes).values() if isinstance(each, type) and issubclass(each, Shape)]
    assert len(records) > 30
    assert all(record.__doc__ and "\n\n" not in record.__doc__ for record in records)
