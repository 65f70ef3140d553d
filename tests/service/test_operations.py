"""The 28 operations: each succeeds as the original did, and fails with each fault that it declares."""

import random
import stat
import threading

import msgspec
import pytest

from service.stage import NOW, SCHEMA, UNLABELLED, Stage, original
from understudy.config import Project
from understudy.config.tables import Extract, Store
from understudy.house import House
from understudy.service.faults import (
    IdempotentParameterMismatchException,
    InternalServerException,
    InvalidInputException,
    InvalidTagException,
    LimitExceededException,
    PredictorNotMountedException,
    ResourceNotFoundException,
    TagLimitExceededException,
)
from understudy.service.operations import OPERATIONS
from understudy.service.shapes import wire_name
from understudy.store.catalog import Promotion

S3_SPEC = {"DataLocationS3": "s3://data/rows.csv", "DataSchema": SCHEMA}
OF_S3 = {"DataSourceId": "ds-1", "DataSourceName": "rows", "DataSpec": S3_SPEC, "ComputeStatistics": True}
SQL_SPEC = {
    "DatabaseInformation": {"DatabaseName": "shop", "ClusterIdentifier": "cluster-1"},
    "SelectSqlQuery": "select * from rows",
    "DatabaseCredentials": {"Username": "reader", "Password": "S3cretS3cret"},
    "S3StagingLocation": "s3://data/staging/",
    "DataSchema": SCHEMA,
}
OF_REDSHIFT = {"DataSourceId": "ds-1", "DataSpec": SQL_SPEC, "RoleARN": "arn:aws:iam::1:role/r"}
OF_RDS = {
    "DataSourceId": "ds-1",
    "RDSData": {
        **SQL_SPEC,
        "DatabaseInformation": {"DatabaseName": "shop", "InstanceIdentifier": "instance-1"},
        "ResourceRole": "resource",
        "ServiceRole": "service",
        "SubnetId": "subnet",
        "SecurityGroupIds": ["group"],
    },
    "RoleARN": "arn:aws:iam::1:role/r",
}
OF_MODEL = {"MLModelId": "ml-1", "MLModelType": "BINARY", "TrainingDataSourceId": "ds-1"}
OF_EVALUATION = {"EvaluationId": "ev-1", "MLModelId": "ml-1", "EvaluationDataSourceId": "ds-1"}
OF_BATCH = {
    "BatchPredictionId": "bp-1",
    "MLModelId": "ml-1",
    "BatchPredictionDataSourceId": "ds-1",
    "OutputUri": "s3://data/out/",
}
PREDICT = {"MLModelId": "ml-1", "Record": {"x": "1"}, "PredictEndpoint": "http://localhost"}
TARGET_X = SCHEMA.replace('targetAttributeName": "y"', 'targetAttributeName": "x"')
ON_MODEL = {"ResourceId": "ml-1", "ResourceType": "MLModel"}
TAGS = {"Tags": [{"Key": "team", "Value": "red"}, {"Key": "bare"}], **ON_MODEL}


def nothing(stage):
    """Prepare nothing."""


def source(stage):
    """Prepare a data source."""
    stage.source()


def model(stage):
    """Prepare a model."""
    stage.model()


def both(stage):
    """Prepare a model and a data source."""
    stage.model()
    stage.source()


def evaluation(stage):
    """Prepare an evaluation."""
    stage.evaluation(metrics={"auc": 0.25, "accuracy": None})


def batch(stage):
    """Prepare a batch prediction."""
    stage.batch(total=7, invalid=1)


def served(stage):
    """Prepare a model that answers."""
    stage.memory.by_id["ml-1"] = stage.fake_served("ml-1")


def tagged(stage):
    """Prepare a model with tags."""
    stage.model()
    stage.ask("AddTags", **TAGS)


SUCCESS = {
    "CreateDataSourceFromS3": (nothing, OF_S3, {"DataSourceId": "ds-1"}),
    "CreateDataSourceFromRedshift": (nothing, OF_REDSHIFT, {"DataSourceId": "ds-1"}),
    "CreateDataSourceFromRDS": (nothing, OF_RDS, {"DataSourceId": "ds-1"}),
    "CreateMLModel": (source, OF_MODEL, {"MLModelId": "ml-1"}),
    "CreateEvaluation": (both, OF_EVALUATION, {"EvaluationId": "ev-1"}),
    "CreateBatchPrediction": (both, OF_BATCH, {"BatchPredictionId": "bp-1"}),
    "CreateRealtimeEndpoint": (
        model,
        {"MLModelId": "ml-1"},
        {
            "MLModelId": "ml-1",
            "RealtimeEndpointInfo": {
                "PeakRequestsPerSecond": 200,
                "CreatedAt": 1795417200.123,
                "EndpointUrl": "http://127.0.0.1:8080",
                "EndpointStatus": "READY",
            },
        },
    ),
    "GetDataSource": (
        source,
        {"DataSourceId": "ds-1"},
        {"Status": "COMPLETED", "DataLocationS3": "s3://data/rows.csv"},
    ),
    "GetMLModel": (
        model,
        {"MLModelId": "ml-1"},
        {
            "Status": "COMPLETED",
            "EndpointInfo": {"PeakRequestsPerSecond": 0, "EndpointStatus": "NONE"},
            "ScoreThreshold": 0.5,
        },
    ),
    "GetEvaluation": (
        evaluation,
        {"EvaluationId": "ev-1"},
        {"PerformanceMetrics": {"Properties": {"BinaryAUC": "0.25"}}, "MLModelId": "ml-of-ev-1"},
    ),
    "GetBatchPrediction": (
        batch,
        {"BatchPredictionId": "bp-1"},
        {"TotalRecordCount": 7, "InvalidRecordCount": 1, "OutputUri": "s3://data/out/"},
    ),
    "DescribeDataSources": (nothing, {}, {"Results": []}),
    "DescribeMLModels": (nothing, {"Limit": 10}, {"Results": []}),
    "DescribeEvaluations": (nothing, {"SortOrder": "dsc"}, {"Results": []}),
    "DescribeBatchPredictions": (nothing, {"FilterVariable": "Name", "Prefix": "a"}, {"Results": []}),
    "UpdateDataSource": (source, {"DataSourceId": "ds-1", "DataSourceName": "n"}, {"DataSourceId": "ds-1"}),
    "UpdateMLModel": (model, {"MLModelId": "ml-1", "ScoreThreshold": 0.77}, {"MLModelId": "ml-1"}),
    "UpdateEvaluation": (evaluation, {"EvaluationId": "ev-1", "EvaluationName": "n"}, {"EvaluationId": "ev-1"}),
    "UpdateBatchPrediction": (
        batch,
        {"BatchPredictionId": "bp-1", "BatchPredictionName": ""},
        {"BatchPredictionId": "bp-1"},
    ),
    "DeleteDataSource": (source, {"DataSourceId": "ds-1"}, {"DataSourceId": "ds-1"}),
    "DeleteMLModel": (model, {"MLModelId": "ml-1"}, {"MLModelId": "ml-1"}),
    "DeleteEvaluation": (evaluation, {"EvaluationId": "ev-1"}, {"EvaluationId": "ev-1"}),
    "DeleteBatchPrediction": (batch, {"BatchPredictionId": "bp-1"}, {"BatchPredictionId": "bp-1"}),
    "DeleteRealtimeEndpoint": (
        model,
        {"MLModelId": "ml-1"},
        {"MLModelId": "ml-1", "RealtimeEndpointInfo": {"PeakRequestsPerSecond": 0, "EndpointStatus": "NONE"}},
    ),
    "AddTags": (model, TAGS, ON_MODEL),
    "DeleteTags": (tagged, {"TagKeys": ["team", "unknown"], **ON_MODEL}, ON_MODEL),
    "DescribeTags": (tagged, ON_MODEL, {**ON_MODEL, "Tags": [{"Key": "bare"}, {"Key": "team", "Value": "red"}]}),
    "Predict": (
        served,
        PREDICT,
        {"Prediction": {"predictedValue": 2.5, "details": {"Algorithm": "SGD", "PredictiveModelType": "REGRESSION"}}},
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_succeeds(stage, name):
    """Each operation answers in the original's shape, with what is known."""
    prepare, members, expected = SUCCESS[name]
    prepare(stage)
    answer = stage.ask(name, **members)
    assert {member: answer.get(member) for member in expected} == expected


def many_tags(stage):
    """Prepare a model with as many tags as it may have."""
    stage.model()
    stage.ask("AddTags", Tags=[{"Key": f"k{n}"} for n in range(50)], **ON_MODEL)


def made(name):
    """Prepare what the operation `name` made."""

    def prepare(stage):
        before, members, _ = SUCCESS[name]
        before(stage)
        stage.ask(name, **members)

    return prepare


def a_text_member(name):
    """Name a member of an operation's request that is text."""
    members = original().operation_model(name).input_shape.members
    return next(member for member, shape in members.items() if shape.type_name == "string")


def deleted(name, undo):
    """Prepare what the operation `name` is about, and delete it."""

    def prepare(stage):
        SUCCESS[name][0](stage)
        stage.ask(undo, **SUCCESS[undo][1])

    return prepare


FAULTS = [
    # Create
    *(
        (
            name,
            made(name),
            {**SUCCESS[name][1], name_member: "another"},
            IdempotentParameterMismatchException,
            name_member,
        )
        for name, name_member in (
            ("CreateDataSourceFromS3", "DataSourceName"),
            ("CreateDataSourceFromRedshift", "DataSourceName"),
            ("CreateDataSourceFromRDS", "RoleARN"),
            ("CreateMLModel", "MLModelName"),
            ("CreateEvaluation", "EvaluationName"),
            ("CreateBatchPrediction", "BatchPredictionName"),
        )
    ),
    *(
        ("CreateDataSourceFromS3", nothing, {**OF_S3, "DataSpec": spec}, InvalidInputException, words)
        for spec, words in (
            ({"DataLocationS3": "s3://data/a.csv"}, "neither DataSchema nor DataSchemaLocationS3"),
            ({**S3_SPEC, "DataSchemaLocationS3": "s3://data/a.schema"}, "both DataSchema and"),
            ({**S3_SPEC, "DataSchema": "{}"}, "DataSchema: the schema's version is not given"),
            ({**S3_SPEC, "DataSchema": SCHEMA.replace("target", "tagret")}, "Did you mean 'targetAttributeName'"),
            ({**S3_SPEC, "DataSchema": SCHEMA.replace("BINARY", "TEXT")}, "target 'y' is TEXT"),
            (
                {**S3_SPEC, "DataLocationS3": "s3://data/b.csv"},
                "DataLocationS3 is .* nothing is there\nUpload it first",
            ),
            ({**S3_SPEC, "DataLocationS3": "s3://data/20"}, "DataLocationS3 is .* nothing is there"),
            (
                {"DataLocationS3": "s3://data/a.csv", "DataSchemaLocationS3": "s3://data/a.csv.schema"},
                "DataSchemaLocationS3 is 's3://data/a.csv.schema', but nothing is there\nUpload it first",
            ),
            (
                {"DataLocationS3": "s3://data/a.csv", "DataSchemaLocationS3": "s3://data/a.csv"},
                "DataSchemaLocationS3: the schema is not JSON",
            ),
            ({**S3_SPEC, "DataSchema": "[" * 100_000}, "nested too deeply"),
            ({**S3_SPEC, "DataLocationS3": "s3://other/a.csv"}, r"no bucket 'other' here.*\[serve\] buckets"),
            ({"DataLocationS3": "s3://data/a.csv", "DataSchemaLocationS3": "s3://other/a"}, "DataSchemaLocationS3 is"),
            ({**S3_SPEC, "DataRearrangement": '{"splitting": 1}'}, "splitting of DataRearrangement"),
        )
    ),
    (
        "CreateDataSourceFromRedshift",
        nothing,
        {
            **OF_REDSHIFT,
            "DataSpec": {**SQL_SPEC, "DatabaseInformation": {"DatabaseName": "a", "ClusterIdentifier": "b"}},
        },
        InvalidInputException,
        r"no database 'b'.*\[serve.databases\]",
    ),
    (
        "CreateDataSourceFromRDS",
        nothing,
        {**OF_RDS, "RDSData": {**OF_RDS["RDSData"], "S3StagingLocation": "s3://other/"}},
        InvalidInputException,
        "S3StagingLocation is 's3://other/'",
    ),
    *(
        ("CreateMLModel", prepare, {**OF_MODEL, **members}, InvalidInputException, words)
        for prepare, members, words in (
            (nothing, {}, "TrainingDataSourceId is 'ds-1', but no data source"),
            (lambda stage: stage.source(status="FAILED", message="no rows"), {}, "that is FAILED: no rows"),
            (lambda stage: stage.source(status="DELETED"), {}, "that is DELETED"),
            (lambda stage: stage.source(statistics=False), {}, "without statistics"),
            (lambda stage: stage.source(schema=UNLABELLED), {}, "names no target"),
            (source, {"MLModelType": "REGRESSION"}, "is BINARY\nAsk for BINARY"),
            (source, {"Parameters": {"sgd.maxPasses": "0"}}, "sgd.maxPasses is '0'"),
            (source, {"Parameters": {"sgd.passes": "1"}}, "Parameters has the unknown parameter 'sgd.passes'"),
            (source, {"Parameters": {"algorithm": "forest"}}, "only sgd"),
            (source, {"Recipe": "{}"}, "Recipe: the recipe has no section 'outputs'"),
            (source, {"Recipe": '{"outputs": ["colur"]}'}, "Did you mean 'colour'"),
            (source, {"Recipe": "[" * 100_000}, "Recipe"),
            (source, {"RecipeUri": "s3://other/r.json"}, "RecipeUri"),
            (source, {"RecipeUri": "s3://data/r.json"}, "RecipeUri is .* nothing is there"),
            (source, {"RecipeUri": "s3://data/a.csv"}, "Recipe: the recipe is not JSON"),
            (source, {"Recipe": "{}", "RecipeUri": "s3://data/r"}, "both Recipe and RecipeUri"),
        )
    ),
    ("CreateEvaluation", source, OF_EVALUATION, InvalidInputException, "MLModelId is 'ml-1', but no ML model"),
    ("CreateEvaluation", model, OF_EVALUATION, InvalidInputException, "EvaluationDataSourceId is 'ds-1'"),
    (
        "CreateEvaluation",
        lambda stage: (stage.model(), stage.source(schema=UNLABELLED)),
        OF_EVALUATION,
        InvalidInputException,
        "names no target, which an evaluation needs",
    ),
    (
        "CreateEvaluation",
        lambda stage: (stage.model(), stage.source(schema=TARGET_X)),
        OF_EVALUATION,
        InvalidInputException,
        "target of data source 'ds-1' is 'x', but the ML model 'ml-1' predicts 'y'",
    ),
    (
        "CreateEvaluation",
        lambda stage: (stage.model(status="FAILED"), stage.source()),
        OF_EVALUATION,
        InvalidInputException,
        "an ML model that is FAILED",
    ),
    *(
        ("CreateBatchPrediction", both, {**OF_BATCH, "OutputUri": uri}, InvalidInputException, words)
        for uri, words in (
            ("s3://data/a:b", "contains ':'"),
            ("s3://data//a", "contains '//'"),
            ("s3://data/a//b", "contains '//'"),
            ("s3://data/a/./b", "contains '/./'"),
            ("s3://data/../b", "contains '/../'"),
            ("s3://other/a", "no bucket 'other'"),
        )
    ),
    ("CreateBatchPrediction", model, OF_BATCH, InvalidInputException, "BatchPredictionDataSourceId is 'ds-1'"),
    (
        "CreateRealtimeEndpoint",
        lambda stage: stage.model(status="INPROGRESS"),
        {"MLModelId": "ml-1"},
        InvalidInputException,
        "is INPROGRESS",
    ),
    # What is not there
    *(
        (name, nothing, {**SUCCESS[name][1]}, ResourceNotFoundException, "has the id")
        for name, operation in OPERATIONS.items()
        if ResourceNotFoundException in operation.faults and name != "Predict"
    ),
    ("Predict", nothing, PREDICT, ResourceNotFoundException, "no ML model has the id 'ml-1'"),
    # What is malformed
    *((name, nothing, {a_text_member(name): 7}, InvalidInputException, "is") for name in OPERATIONS),
    # What is deleted
    *(
        (name, deleted(name, undo), SUCCESS[name][1], InvalidInputException, "is deleted")
        for name, undo in (
            ("UpdateDataSource", "DeleteDataSource"),
            ("UpdateMLModel", "DeleteMLModel"),
            ("UpdateEvaluation", "DeleteEvaluation"),
            ("UpdateBatchPrediction", "DeleteBatchPrediction"),
            ("CreateRealtimeEndpoint", "DeleteMLModel"),
            ("DeleteRealtimeEndpoint", "DeleteMLModel"),
            ("AddTags", "DeleteMLModel"),
            ("DeleteTags", "DeleteMLModel"),
        )
    ),
    # Update
    ("UpdateMLModel", model, {"MLModelId": "ml-1"}, InvalidInputException, "neither MLModelName nor ScoreThreshold"),
    ("UpdateMLModel", model, {"MLModelId": "ml-1", "ScoreThreshold": 1.01}, InvalidInputException, "from 0 to 1"),
    (
        "UpdateMLModel",
        lambda stage: stage.model(kind="REGRESSION"),
        {"MLModelId": "ml-1", "ScoreThreshold": 0.5},
        InvalidInputException,
        "is REGRESSION\nOnly BINARY",
    ),
    # Predict
    ("Predict", model, PREDICT, PredictorNotMountedException, "no realtime endpoint"),
    # Tags
    ("AddTags", model, {**TAGS, "Tags": [{"Key": "a*"}]}, InvalidTagException, r"key 'a\*' contains '\*'"),
    ("AddTags", model, {**TAGS, "Tags": [{"Key": "a", "Value": "50%"}]}, InvalidTagException, "value '50%'"),
    ("AddTags", model, {**TAGS, "Tags": [{"Key": "aws:a"}]}, InvalidTagException, "begins with 'aws:'"),
    ("AddTags", model, {**TAGS, "Tags": [{"Key": "AWS:"}]}, InvalidTagException, "begins with 'aws:'"),
    ("AddTags", model, {**TAGS, "Tags": [{"Value": "a"}]}, InvalidTagException, "has no Key"),
    ("AddTags", many_tags, TAGS, TagLimitExceededException, "52 tags"),
    ("DeleteTags", model, {"TagKeys": ["a*"], **ON_MODEL}, InvalidTagException, "contains"),
]


@pytest.mark.parametrize(
    ("name", "prepare", "members", "fault", "words"), FAULTS, ids=[f"{f[0]}-{f[3].__name__}-{f[4]:.20}" for f in FAULTS]
)
def test_operation_fails_with_declared_fault(stage, name, prepare, members, fault, words):
    """What is wrong is answered with the fault that the original declares, found, expected and remedy in its words."""
    prepare(stage)
    with pytest.raises(fault, match=f"(?s).*{words}") as raised:
        stage.ask(name, **members)
    assert fault in OPERATIONS[name].faults
    assert raised.value.document()["__type"] == fault.__name__


def test_every_declared_fault_has_a_case():
    """The table above has each fault of each operation, but for those that only the door and nobody answers with."""
    elsewhere = {InternalServerException, LimitExceededException}
    declared = {(name, fault) for name, operation in OPERATIONS.items() for fault in operation.faults}
    told = {(name, fault) for name, _, _, fault, _ in FAULTS}
    assert {pair for pair in declared - told if pair[1] not in elsewhere} == set()


# --- Create ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name.startswith("Create")])
def test_same_create_again_makes_nothing(stage, name):
    """The same request with the same id succeeds again, and changes nothing."""
    made(name)(stage)
    kinds = ("data_source", "model", "evaluation", "batch_prediction")
    before = [stage.catalog.find(kind) for kind in kinds]
    assert stage.ask(name, **SUCCESS[name][1]) == stage.ask(name, **SUCCESS[name][1])
    assert [stage.catalog.find(kind) for kind in kinds] == before


def test_create_again_is_answered_after_what_it_referred_to_is_gone(stage):
    """A client that repeats its Create is not troubled by what became of the data source."""
    made("CreateMLModel")(stage)
    stage.ask("DeleteDataSource", DataSourceId="ds-1")
    assert stage.ask("CreateMLModel", **OF_MODEL) == {"MLModelId": "ml-1"}


def test_id_of_a_deleted_object_can_be_used_again(stage):
    """What the original could not be trusted with works here: a new object under the old id, without the old tags."""
    tagged(stage)
    stage.ask("DeleteMLModel", MLModelId="ml-1")
    stage.ask("CreateMLModel", **{**OF_MODEL, "MLModelName": "second", "TrainingDataSourceId": "ds-of-ml-1"})
    assert stage.ask("GetMLModel", MLModelId="ml-1")["Name"] == "second"
    assert stage.ask("DescribeTags", **ON_MODEL)["Tags"] == []


def test_id_of_a_former_champion_stays_its_own(stage):
    """A model that an endpoint's history names keeps its id for good."""
    stage.model()
    stage.model("ml-2")
    stage.catalog.record(Promotion("policies", "promote", "ml-1", "ADMITTED", (), None, "ml-1"))
    stage.catalog.record(Promotion("policies", "promote", "ml-2", "ADMITTED", (), "ml-1", "ml-2"))
    stage.ask("DeleteMLModel", MLModelId="ml-1")
    with pytest.raises(IdempotentParameterMismatchException, match="once answered"):
        stage.ask("CreateMLModel", **{**OF_MODEL, "TrainingDataSourceId": "ds-of-ml-1"})


def test_kinds_have_ids_of_their_own(stage):
    """A data source and a model may share an id."""
    stage.source("same")
    stage.ask("CreateMLModel", MLModelId="same", MLModelType="BINARY", TrainingDataSourceId="same")
    assert stage.ask("GetMLModel", MLModelId="same")["TrainingDataSourceId"] == "same"


def test_what_is_unfinished_may_be_built_upon(stage):
    """Data source, model, evaluation and batch prediction can be asked for in one go."""
    stage.ask("CreateDataSourceFromS3", **OF_S3)
    stage.ask("CreateMLModel", **OF_MODEL)
    stage.ask("CreateEvaluation", **OF_EVALUATION)
    stage.ask("CreateBatchPrediction", **OF_BATCH)
    assert [entity.kind for entity in stage.catalog.unfinished(["data_source", "model", "evaluation"])] == [
        "data_source",
        "model",
        "evaluation",
    ]


def test_schema_that_is_yet_to_be_read_is_not_judged(stage):
    """With the schema in a real S3, its target and the names in a recipe are the job's to check; a grammar is known."""
    spec = {"DataLocationS3": "s3://real-bucket/a.csv", "DataSchemaLocationS3": "s3://real-bucket/a.csv.schema"}
    stage.ask("CreateDataSourceFromS3", DataSourceId="ds-1", DataSpec=spec, ComputeStatistics=True)
    for recipe in (
        "[]",
        '{"outputs": ["log(x"]}',
        '{"groups": {"a": "group("}, "outputs": ["a"]}',
        "{",
        '{"outputs": 1',
    ):
        with pytest.raises(InvalidInputException, match="Recipe: "):
            stage.ask("CreateMLModel", **OF_MODEL, Recipe=recipe)
    stage.ask("CreateMLModel", **OF_MODEL, Recipe='{"outputs": ["anything"]}')
    stage.ask("CreateMLModel", **{**OF_MODEL, "MLModelId": "ml-2"}, RecipeUri="s3://real-bucket/recipe.json")
    document = stage.catalog.get("ds-1", "data_source").document
    assert (document["schema"], document["schema_location"]) == (None, "s3://real-bucket/a.csv.schema")
    assert stage.catalog.get("ml-2", "model").document["recipe"] is None


def test_schema_and_recipe_of_our_own_buckets_are_read_at_once(stage):
    """What lies here is checked and kept as it is at that moment: models are held against it before any job has run."""
    stage.shelves.put("s3://data/a.csv.schema", "\ufeff" + SCHEMA)
    stage.shelves.put("s3://data/good.json", '{"outputs": ["colour"]}')
    stage.shelves.put("s3://data/bad.json", '{"outputs": ["colur"]}')
    spec = {"DataLocationS3": "s3://data/2016", "DataSchemaLocationS3": "s3://data/a.csv.schema"}
    stage.ask("CreateDataSourceFromS3", DataSourceId="ds-1", DataSpec=spec, ComputeStatistics=True)
    assert stage.ask("GetDataSource", DataSourceId="ds-1", Verbose=True)["DataSourceSchema"] == SCHEMA
    with pytest.raises(InvalidInputException, match="Did you mean 'colour'"):
        stage.ask("CreateMLModel", **OF_MODEL, RecipeUri="s3://data/bad.json")
    with pytest.raises(InvalidInputException, match="is BINARY"):
        stage.ask("CreateMLModel", **{**OF_MODEL, "MLModelType": "REGRESSION"})
    stage.ask("CreateMLModel", **OF_MODEL, RecipeUri="s3://data/good.json")
    assert stage.ask("GetMLModel", MLModelId="ml-1", Verbose=True)["Recipe"] == '{"outputs": ["colour"]}'


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xff{", "is not UTF-8"), (b" " * 524_285, "has 524,285 bytes"), (b" " * 131_072, "has 131,072 characters")],
)
def test_schema_that_cannot_be_one_is_refused_unread(stage, content, words):
    """An object that is no text, or too large, is no schema."""
    stage.shelves.put("s3://data/a.csv.schema", content)
    spec = {"DataLocationS3": "s3://data/a.csv", "DataSchemaLocationS3": "s3://data/a.csv.schema"}
    with pytest.raises(InvalidInputException, match=words):
        stage.ask("CreateDataSourceFromS3", DataSourceId="ds-1", DataSpec=spec)


@pytest.mark.parametrize(
    "location", ["s3://data", "s3://data/", "s3://data/2016", "s3://data/2016/", "s3://data/a.csv"]
)
def test_data_are_an_object_or_a_folder(stage, location):
    """Data may be one object, all below a folder, or a whole bucket."""
    spec = {**S3_SPEC, "DataLocationS3": location}
    assert stage.ask("CreateDataSourceFromS3", DataSourceId="ds-1", DataSpec=spec) == {"DataSourceId": "ds-1"}


def test_data_of_a_query_are_known_by_the_place_they_will_have(stage):
    """A model on a query's rows names the file that they are staged in, before and after it is written."""
    stage.ask("CreateDataSourceFromRedshift", **OF_REDSHIFT, ComputeStatistics=True)
    stage.ask("CreateMLModel", **OF_MODEL)
    shown = stage.ask("GetDataSource", DataSourceId="ds-1")["DataLocationS3"]
    assert shown == "s3://data/staging/ds-1.csv"
    assert stage.ask("GetMLModel", MLModelId="ml-1")["InputDataLocationS3"] == shown


def test_evaluation_of_a_trained_model_goes_by_what_it_learned(stage):
    """What a model was trained with counts, whatever became of its data source; a model that learned elsewhere, too."""
    stage.model(schema=SCHEMA)
    stage.ask("DeleteDataSource", DataSourceId="ds-of-ml-1")
    stage.source(schema=TARGET_X)
    with pytest.raises(InvalidInputException, match="predicts 'y'"):
        stage.ask("CreateEvaluation", **OF_EVALUATION)


def test_parameters_are_filled_in_and_keep_their_spelling(stage):
    """Six keys, the API's defaults, and numbers as the caller wrote them; the last may come from an earlier answer."""
    stage.source()
    given = {"sgd.maxPasses": "100", "sgd.l2RegularizationAmount": "1e-6", "algorithm": "sgd"}
    stage.ask("CreateMLModel", **OF_MODEL, Parameters=given)
    assert stage.ask("GetMLModel", MLModelId="ml-1")["TrainingParameters"] == {
        "algorithm": "sgd",
        "sgd.maxPasses": "100",
        "sgd.maxMLModelSizeInBytes": "33554432",
        "sgd.shuffleType": "none",
        "sgd.l1RegularizationAmount": "0.0",
        "sgd.l2RegularizationAmount": "1e-6",
    }


@pytest.mark.parametrize("name", ["CreateDataSourceFromRedshift", "CreateDataSourceFromRDS"])
def test_password_stands_in_a_file_of_its_own(stage, name):
    """The password is for its job alone: not in the catalog, and in a file that nobody else can read."""
    made(name)(stage)
    document = stage.catalog.get("ds-1", "data_source").document
    assert "S3cret" not in msgspec.json.encode(document).decode()
    assert document["sql"]["query"] == "select * from rows"
    (file,) = stage.service.secrets.iterdir()
    assert file.name == "data_source-ds-1"
    assert file.read_text() == "S3cretS3cret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    stage.ask("DeleteDataSource", DataSourceId="ds-1")
    assert list(stage.service.secrets.iterdir()) == []


@pytest.mark.parametrize("name", ["CreateDataSourceFromRedshift", "CreateDataSourceFromRDS"])
def test_password_stands_nowhere_in_the_document(stage, name):
    """What is shown of an object by any door has no password, wherever a client put copies of it."""
    _, members, _ = SUCCESS[name]
    member = "DataSpec" if name.endswith("Redshift") else "RDSData"
    spec = members[member]
    credentials = {**spec["DatabaseCredentials"], "password": "S3cretS3cret", "Extra": {"Password": "S3cretS3cret"}}
    spec = {**spec, "DatabaseCredentials": credentials, "Password": "S3cretS3cret"}
    stage.ask(name, **{**members, member: spec}, Password="S3cretS3cret")
    document = stage.catalog.get("ds-1", "data_source").document
    assert document["request"][member]["DatabaseCredentials"] == {"Username": "reader"}
    assert "S3cret" not in msgspec.json.encode(document).decode()


def test_password_is_that_of_the_create_that_won(stage, monkeypatch):
    """Of two Creates of one id at the same time, the one that makes the object leaves its password, too."""
    asked_twice, made_first = threading.Event(), threading.Event()
    create_once = stage.catalog.create_once

    def in_turn(*given, **named):
        if threading.current_thread() is other:
            asked_twice.set()
            made_first.wait(10)
            return create_once(*given, **named)
        other.start()
        asked_twice.wait(0.5)
        entity = create_once(*given, **named)
        made_first.set()
        return entity

    def ask(password):
        credentials = {"Username": "reader", "Password": password}
        spec = {**SQL_SPEC, "DatabaseCredentials": credentials}
        assert stage.ask("CreateDataSourceFromRedshift", **{**OF_REDSHIFT, "DataSpec": spec}) == {
            "DataSourceId": "ds-1"
        }

    other = threading.Thread(target=ask, args=("the second",))
    monkeypatch.setattr(stage.catalog, "create_once", in_turn)
    ask("the first")
    other.join()
    assert (stage.service.secrets / "data_source-ds-1").read_text() == "the first"


def test_password_of_who_came_too_late_is_not_kept(stage, monkeypatch):
    """A data source of files that takes the id meanwhile needs no password, and has none."""
    create_once = stage.catalog.create_once

    def overtaken(*given, **named):
        monkeypatch.setattr(stage.catalog, "create_once", create_once)
        stage.ask("CreateDataSourceFromS3", **OF_S3)
        return create_once(*given, **named)

    monkeypatch.setattr(stage.catalog, "create_once", overtaken)
    with pytest.raises(IdempotentParameterMismatchException):
        stage.ask("CreateDataSourceFromRedshift", **OF_REDSHIFT)
    assert list(stage.service.secrets.iterdir()) == []


def test_refused_create_leaves_no_password(stage):
    """What is refused at once keeps nothing."""
    with pytest.raises(InvalidInputException):
        stage.ask("CreateDataSourceFromRedshift", **{**OF_REDSHIFT, "DataSpec": {**SQL_SPEC, "DataSchema": "{}"}})
    assert not stage.service.secrets.exists()


# --- Get -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "metadata"),
    [
        (
            "CreateDataSourceFromRedshift",
            {
                "RedshiftMetadata": {
                    "RedshiftDatabase": {"DatabaseName": "shop", "ClusterIdentifier": "cluster-1"},
                    "DatabaseUserName": "reader",
                }
            },
        ),
        (
            "CreateDataSourceFromRDS",
            {
                "RDSMetadata": {
                    "Database": {"DatabaseName": "shop", "InstanceIdentifier": "instance-1"},
                    "DatabaseUserName": "reader",
                    "ResourceRole": "resource",
                    "ServiceRole": "service",
                }
            },
        ),
    ],
)
def test_query_is_shown_when_verbose(stage, name, metadata):
    """Where the rows came from is always shown, the query and the schema only when asked for; a password never."""
    made(name)(stage)
    plain = stage.ask("GetDataSource", DataSourceId="ds-1")
    verbose = stage.ask("GetDataSource", DataSourceId="ds-1", Verbose=True)
    ((member, shown),) = metadata.items()
    assert plain[member] == shown
    assert verbose[member] == {**shown, "SelectSqlQuery": "select * from rows"}
    assert verbose["DataSourceSchema"] == SCHEMA
    assert plain["RoleARN"] == "arn:aws:iam::1:role/r"
    assert set(verbose) - set(plain) == {"DataSourceSchema"}


def test_pending_object_shows_what_is_known(stage):
    """Before its job has run, an object has no times of work, no size and no message."""
    stage.ask("CreateDataSourceFromS3", **OF_S3)
    shown = stage.ask("GetDataSource", DataSourceId="ds-1")
    assert shown["Status"] == "PENDING"
    assert set(shown) == {
        "DataSourceId",
        "DataLocationS3",
        "ComputeStatistics",
        "CreatedByIamUser",
        "CreatedAt",
        "LastUpdatedAt",
        "Name",
        "Status",
    }


def test_finished_object_shows_what_its_job_found(stage):
    """Sizes, counts, times to the millisecond, and a url of the log."""
    stage.source(size_in_bytes=10, files=2, compute_ms=880, log="ds-1/log", message="2 of 9 rows rejected")
    shown = stage.ask("GetDataSource", DataSourceId="ds-1")
    expected = {"DataSizeInBytes": 10, "NumberOfFiles": 2, "ComputeTime": 880, "Message": "2 of 9 rows rejected"}
    assert {member: shown[member] for member in expected} == expected
    assert shown["LogUri"] == "http://127.0.0.1:8080/understudy-logs/ds-1/log?X-Amz-Signature=0"
    assert (shown["StartedAt"], shown["FinishedAt"]) == (1795417201.0, 1795417202.5)


def test_message_is_one_line(stage):
    """What was found and what to do stand in one line, whether shown or said of what an object is to be made of."""
    stage.source(status="FAILED", message="the schema declares 3 columns\nCorrect it.")
    shown = stage.ask("GetDataSource", DataSourceId="ds-1")["Message"]
    assert shown.startswith("the schema declares 3 columns. Correct it. Delete it, or use another id")
    with pytest.raises(InvalidInputException, match=r"that is FAILED: the schema declares 3 columns\. Correct it\.\n"):
        stage.ask("CreateMLModel", **OF_MODEL)


@pytest.mark.parametrize("message", [None, "x" * 20_000])
def test_failed_object_says_that_the_same_create_does_not_run_again(stage, message):
    """The same Create goes on naming what failed, so its Message says how to begin anew, whatever else it holds."""
    stage.source(status="FAILED", **({"message": message} if message else {}))
    stage.ask("CreateDataSourceFromS3", **{**OF_S3, "DataSpec": S3_SPEC, "DataSourceName": ""})
    shown = stage.ask("GetDataSource", DataSourceId="ds-1")
    assert shown["Status"] == "FAILED"
    assert shown["Message"].endswith("the same Create does not run again.")
    assert len(shown["Message"]) <= 10_240


def test_compute_time_of_a_source_without_statistics_is_not_shown(stage):
    """The original tells it only where statistics were computed."""
    stage.source(statistics=False, compute_ms=880)
    assert "ComputeTime" not in stage.ask("GetDataSource", DataSourceId="ds-1")


def test_verbose_model_shows_recipe_and_schema(stage):
    """What the job chose and read is shown when asked for."""
    stage.model(recipe='{"outputs": ["ALL_INPUTS"]}', schema=SCHEMA, size_in_bytes=100)
    shown = stage.ask("GetMLModel", MLModelId="ml-1", Verbose=True)
    assert (shown["Recipe"], shown["Schema"]) == ('{"outputs": ["ALL_INPUTS"]}', SCHEMA)
    assert not {"Recipe", "Schema"} & set(stage.ask("GetMLModel", MLModelId="ml-1"))


@pytest.mark.parametrize(
    ("metrics", "shown"),
    [
        ({"macro_f1": 0.22252705911460363}, {"MulticlassAvgFScore": "0.22252705911460363"}),
        ({"rmse": 29853.250469108018, "r2": 0.5}, {"RegressionRMSE": "29853.250469108018"}),
        ({"auc": None}, None),
    ],
)
def test_metric_is_text_of_full_precision(stage, metrics, shown):
    """One metric for each type of model, by the original's name; none where the rows do not determine it."""
    stage.evaluation(metrics=metrics)
    assert stage.ask("GetEvaluation", EvaluationId="ev-1").get("PerformanceMetrics", {}).get("Properties") == shown


def test_callers_are_named_as_the_original_named_users(stage):
    """The default key is the root, others are users."""
    stage.ask("CreateDataSourceFromS3", **OF_S3)
    stage.ask("CreateDataSourceFromS3", caller="nightly", **{**OF_S3, "DataSourceId": "ds-2"})
    shown = [stage.ask("GetDataSource", DataSourceId=f"ds-{n}")["CreatedByIamUser"] for n in (1, 2)]
    assert shown == ["arn:aws:iam::000000000000:root", "arn:aws:iam::000000000000:user/nightly"]


# --- Update, Delete, endpoints ---------------------------------------------------------------------------------------


def test_update_changes_name_and_threshold(stage):
    """New name and threshold are shown, and when the threshold was set; workers were waited for."""
    stage.model()
    stage.ask("UpdateMLModel", MLModelId="ml-1", MLModelName="new")
    assert stage.settled == 0
    stage.ask("UpdateMLModel", MLModelId="ml-1", ScoreThreshold=0)
    shown = stage.ask("GetMLModel", MLModelId="ml-1")
    assert (shown["Name"], shown["ScoreThreshold"]) == ("new", 0)
    assert shown["ScoreThresholdLastUpdatedAt"] == pytest.approx(NOW.timestamp())
    assert stage.settled == 1


@pytest.mark.parametrize("status", ["PENDING", "INPROGRESS", "FAILED", "COMPLETED"])
def test_deleted_object_can_be_read_on(stage, status):
    """Whatever its status was, it is DELETED, can be deleted again, and is in no list."""
    stage.evaluation(status=status)
    for _ in range(2):
        stage.ask("DeleteEvaluation", EvaluationId="ev-1")
    assert stage.ask("GetEvaluation", EvaluationId="ev-1")["Status"] == "DELETED"
    assert stage.ask("DescribeEvaluations")["Results"] == []


def test_endpoint_comes_and_goes(stage):
    """An endpoint is READY when the answer says so, once for all, and gone when it was deleted."""
    stage.model()
    before = stage.catalog.serving_revision()
    first = stage.ask("CreateRealtimeEndpoint", MLModelId="ml-1")
    assert stage.ask("CreateRealtimeEndpoint", MLModelId="ml-1") == first
    assert stage.ask("GetMLModel", MLModelId="ml-1")["EndpointInfo"] == first["RealtimeEndpointInfo"]
    assert stage.catalog.serving_revision() == before + 1
    assert [entity.id for entity in stage.catalog.mounted()] == ["ml-1"]
    stage.ask("DeleteRealtimeEndpoint", MLModelId="ml-1")
    assert stage.catalog.mounted() == []
    assert stage.settled == 3


def test_endpoint_goes_with_its_model(stage):
    """A deleted model answers no more, and shows no endpoint."""
    stage.model()
    stage.ask("CreateRealtimeEndpoint", MLModelId="ml-1")
    stage.ask("DeleteMLModel", MLModelId="ml-1")
    assert stage.ask("GetMLModel", MLModelId="ml-1")["EndpointInfo"]["EndpointStatus"] == "NONE"
    assert stage.catalog.mounted() == []
    with pytest.raises(InvalidInputException, match="is deleted"):
        stage.ask("CreateRealtimeEndpoint", MLModelId="ml-1")


def test_champion_is_not_deleted(stage):
    """A model that answers for an endpoint stays, and the message names the endpoint."""
    stage.model()
    stage.catalog.record(Promotion("policies", "promote", "ml-1", "ADMITTED", (), None, "ml-1"))
    with pytest.raises(InvalidInputException, match="serves endpoint 'policies'"):
        stage.ask("DeleteMLModel", MLModelId="ml-1")
    assert stage.ask("GetMLModel", MLModelId="ml-1")["Status"] == "COMPLETED"


def test_tags_are_replaced_and_bounded(stage):
    """An existing key takes a new value, white space and letters of any script may stand in tags."""
    many_tags(stage)
    stage.ask("AddTags", Tags=[{"Key": "k1", "Value": "größer + 日本 @:/="}], **ON_MODEL)
    tags = stage.ask("DescribeTags", **ON_MODEL)["Tags"]
    assert len(tags) == 50
    assert {"Key": "k1", "Value": "größer + 日本 @:/="} in tags


# --- endpoints of projects -------------------------------------------------------------------------------------------


def test_endpoints_name_stands_for_its_champion(tmp_path):
    """GetMLModel by the name of an endpoint shows the champion, READY; an id of that name would win."""
    project = Project(
        root=tmp_path, name="policies", extract=(Extract(command="true"),), store=Store(catalog="sqlite://")
    )
    house = House(project, create=True)
    stage = Stage(tmp_path, [house])
    with pytest.raises(ResourceNotFoundException):
        stage.ask("GetMLModel", MLModelId="policies")
    document = {
        "model_type": "MULTICLASS",
        "training_data_source_id": "ds-9",
        "lineage": {"parameters": {"parameters": {"sgd.maxPasses": 20}}},
    }
    house.catalog.create("model", "ml-9", document, status="COMPLETED", project="policies", name="ML model: policies")
    house.endpoint.promote("ml-9")
    shown = stage.ask("GetMLModel", MLModelId="policies", Verbose=True)
    assert (shown["MLModelId"], shown["EndpointInfo"]["EndpointStatus"]) == ("ml-9", "READY")
    assert shown["TrainingParameters"] == {"algorithm": "sgd", "sgd.maxPasses": "20"}
    with pytest.raises(ResourceNotFoundException):
        stage.ask("Predict", **{**PREDICT, "MLModelId": "nobody"})
    with pytest.raises(PredictorNotMountedException, match="no champion yet"):
        stage.ask("Predict", **{**PREDICT, "MLModelId": "policies"})
    stage.model("policies")
    assert stage.ask("GetMLModel", MLModelId="policies")["EndpointInfo"]["EndpointStatus"] == "NONE"


# --- anything at all -------------------------------------------------------------------------------------------------


class Anything:
    """Makes requests that are nearly right: by the original's shapes, with something wrong here and there."""

    WORDS = (
        "ds-1",
        "ml-1",
        "ev-1",
        "bp-1",
        "s3://data/a",
        "s3://x",
        SCHEMA,
        UNLABELLED,
        "{}",
        "",
        "\0",
        "é" * 70,
        "0",
        "1e9",
        "2026",
    )

    def __init__(self, seed):
        self.random = random.Random(seed)

    def value(self, shape):
        """Return a value of a shape, or now and then of another."""
        if self.random.random() < 0.01:
            return self.random.choice([None, 7, -1.5, True, "x", [], {}, [[]], {"a": {}}, 2**63, "😀"])
        if shape.type_name == "structure":
            required = set(shape.required_members)
            chosen = [n for n in shape.members if self.random.random() < (0.97 if n in required else 0.2)]
            return {name: self.value(shape.members[name]) for name in chosen}
        if shape.type_name == "list":
            return [self.value(shape.member) for _ in range(self.random.randrange(3))]
        if shape.type_name == "map":
            return {self.random.choice(["sgd.maxPasses", "x", "algorithm"]): self.value(shape.value) for _ in range(2)}
        return self.scalar(shape)

    def scalar(self, shape):
        """Return text, a number or a truth value of a shape."""
        if shape.type_name == "boolean":
            return self.random.random() < 0.7
        if shape.type_name in ("integer", "long", "float"):
            return self.random.choice([0, 1, 50, 101, 0.5])
        if shape.metadata.get("enum"):
            return self.random.choice(shape.metadata["enum"])
        likely = {
            "EntityId": ("ds-1", "ml-1", "ev-1", "bp-1", "new"),
            "S3Url": ("s3://data/a.csv", "s3://data/out/"),
            "DataSchema": (SCHEMA, UNLABELLED),
        }
        known = likely.get(shape.name, self.WORDS)
        return self.random.choice(known if self.random.random() < 0.98 else self.WORDS)


@pytest.mark.parametrize("seed", range(8))
def test_anything_is_answered_or_refused_as_declared(stage, seed):
    """Whatever is asked, in whatever order: an answer of the original's shape, or a fault that is declared for it."""
    anything = Anything(seed)
    stage.evaluation()
    stage.batch()
    for key in ("a.csv", "out/a.csv"):
        stage.shelves.put(f"s3://data/{key}", SCHEMA)
    answered = 0
    for _ in range(600):
        name = anything.random.choice(list(OPERATIONS))
        members = anything.value(original().operation_model(name).input_shape)
        try:
            stage.ask(name, **(members if isinstance(members, dict) else {}))
            answered += 1
        except OPERATIONS[name].faults:
            continue
        if anything.random.random() < 0.3:
            settle(stage, anything.random)
    assert answered > 40


def settle(stage, chance):
    """Let one unfinished job end somehow."""
    for entity in stage.catalog.unfinished(["data_source", "model", "evaluation", "batch_prediction"])[:1]:
        stage.finish(entity.kind, entity.id, chance.choice(["COMPLETED", "COMPLETED", "FAILED"]))


def test_names_of_members_are_spelled_by_one_rule():
    """The rule gives each of the original's spellings."""
    assert [wire_name(name) for name in ("rds_data", "eq", "ml_model_type", "s3_staging_location")] == [
        "RDSData",
        "EQ",
        "MLModelType",
        "S3StagingLocation",
    ]
