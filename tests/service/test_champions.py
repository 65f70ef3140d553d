"""An endpoint's name in Amazon ML's API: it stands for whoever serves, where a model is asked, and is no model."""

import pytest

from service.stage import Stage
from understudy.config import Project
from understudy.config.tables import Extract, Store
from understudy.house import House
from understudy.service.faults import IdempotentParameterMismatchException, ResourceNotFoundException

NAME = "policies"
ON_NAME = {"ResourceId": NAME, "ResourceType": "MLModel"}


@pytest.fixture
def stage(tmp_path):
    """Give the service of a project whose champion is ml-9, in memory too; ml-8 is another model of its own."""
    extract, store = (Extract(command="true"),), Store(catalog=f"sqlite:///{tmp_path}/catalog.db")
    house = House(Project(root=tmp_path, name=NAME, extract=extract, store=store), create=True)
    made = Stage(tmp_path, [house], store.catalog)
    for model_id in ("ml-8", "ml-9"):
        made.model(model_id)
    made.source("ds-1")
    promote(made, "ml-9")
    yield made
    made.catalog.close()
    house.catalog.close()


def promote(stage, model_id):
    """Let a model serve."""
    (house,) = stage.service.houses
    house.endpoint.promote(model_id)
    stage.memory.by_name[NAME] = stage.fake_served(model_id)


CREATES = {
    "Evaluation": {"EvaluationId": "made", "EvaluationDataSourceId": "ds-1"},
    "BatchPrediction": {
        "BatchPredictionId": "made",
        "BatchPredictionDataSourceId": "ds-1",
        "OutputUri": "s3://data/out/",
    },
}


@pytest.mark.parametrize("kind", CREATES)
def test_name_stands_for_the_champion_of_that_moment(stage, kind):
    """What is made of a name is made of its champion; the same request again is known after a promotion, too."""
    members, by_id = CREATES[kind], {f"{kind}Id": "made"}
    stage.ask(f"Create{kind}", MLModelId=NAME, **members)
    assert stage.ask(f"Get{kind}", **by_id)["MLModelId"] == "ml-9"
    promote(stage, "ml-8")
    stage.ask(f"Create{kind}", MLModelId=NAME, **members)
    assert stage.ask(f"Get{kind}", **by_id)["MLModelId"] == "ml-9"
    with pytest.raises(IdempotentParameterMismatchException, match="another MLModelId"):
        stage.ask(f"Create{kind}", MLModelId="ml-9", **members)


def test_champion_is_ready_by_its_own_id(stage):
    """A champion shows an endpoint wherever it is shown, with or without one of its own; no other model does."""

    def shown():
        listed = stage.ask("DescribeMLModels")["Results"]
        alone = [stage.ask("GetMLModel", MLModelId=item["MLModelId"]) for item in listed]
        assert [item["EndpointInfo"] for item in listed] == [item["EndpointInfo"] for item in alone]
        return {item["MLModelId"]: item["EndpointInfo"]["EndpointStatus"] for item in listed}

    assert shown() == {"ml-8": "NONE", "ml-9": "READY"}
    stage.ask("CreateRealtimeEndpoint", MLModelId="ml-9")
    answer = stage.ask("DeleteRealtimeEndpoint", MLModelId="ml-9")
    assert answer["RealtimeEndpointInfo"]["EndpointStatus"] == "READY"
    promote(stage, "ml-8")
    assert shown() == {"ml-8": "READY", "ml-9": "NONE"}


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("UpdateMLModel", {"MLModelId": NAME, "ScoreThreshold": 0.7}),
        ("DeleteMLModel", {"MLModelId": NAME}),
        ("CreateRealtimeEndpoint", {"MLModelId": NAME}),
        ("DeleteRealtimeEndpoint", {"MLModelId": NAME}),
        ("AddTags", {"Tags": [{"Key": "a"}], **ON_NAME}),
        ("DeleteTags", {"TagKeys": ["a"], **ON_NAME}),
        ("DescribeTags", ON_NAME),
    ],
)
def test_what_changes_a_model_takes_its_id(stage, operation, members):
    """What would change a model says that the name is an endpoint's, and which model serves."""
    with pytest.raises(ResourceNotFoundException, match=r"'policies' is an endpoint; its champion .* 'ml-9'"):
        stage.ask(operation, **members)


def test_name_without_a_champion_is_no_model(stage):
    """Before anybody serves there is nothing that the name stands for."""
    stage.service.houses = ()
    with pytest.raises(ResourceNotFoundException, match="no ML model has the id 'policies'"):
        stage.ask("UpdateMLModel", MLModelId=NAME, MLModelName="a")
