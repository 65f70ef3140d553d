"""No input makes a 5xx or drops a connection: requests that are nearly right, by the thousand, on a real port."""

import contextlib

import pytest

from acceptance.fuzzing import Fuzz
from acceptance.served import served
from service.stage import SCHEMA


@pytest.fixture(scope="module")
def server():
    """Give a server with a bucket and something in it."""
    with served("--workers", "1") as made:
        storage = made.client("s3")
        for bucket in ("fuzz", "data"):
            storage.create_bucket(Bucket=bucket)
        storage.put_object(Bucket="data", Key="a.csv", Body=b"x,colour,y\n" + b"1,red,1\n2,blue,0\n" * 40)
        _ask_for_one_of_each(made.client("machinelearning"))
        yield made


def _ask_for_one_of_each(client):
    spec = {"DataLocationS3": "s3://data/a.csv", "DataSchema": SCHEMA}
    client.create_data_source_from_s3(DataSourceId="ds-1", DataSpec=spec, ComputeStatistics=True)
    client.create_ml_model(MLModelId="ml-1", MLModelType="BINARY", TrainingDataSourceId="ds-1")
    client.create_evaluation(EvaluationId="ev-1", MLModelId="ml-1", EvaluationDataSourceId="ds-1")
    client.create_batch_prediction(
        BatchPredictionId="bp-1", MLModelId="ml-1", BatchPredictionDataSourceId="ds-1", OutputUri="s3://data/out/"
    )


def test_no_operation_and_no_request_of_s3_makes_a_5xx(server):
    """Every request that is nearly right is answered, and none by an error of the server's."""
    with Fuzz(server, seed=3) as fuzz:
        for _ in range(400):
            fuzz.operation()
            fuzz.storage()
    assert fuzz.worst == []
    assert fuzz.counts["amazon", 200] > 20  # how many hangs on which jobs have ended meanwhile
    assert fuzz.counts["amazon", 400] > 20
    with contextlib.closing(server.client("machinelearning")) as client:
        assert client.describe_ml_models()["Results"] is not None
