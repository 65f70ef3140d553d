"""boto3: the article, and what else people do with it: streams, pages, presigned addresses, resources."""

import gzip
import hashlib
import json
import urllib.request

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from clients.article import SCHEMA, check

pytestmark = pytest.mark.xdist_group("clients")

MIB = 1 << 20


@pytest.fixture(autouse=True)
def environment(variables, monkeypatch):
    """Set the variables, and hide whatever configuration this machine has."""
    nothing = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    for name, value in {**variables, **nothing}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


def _splitting(complement):
    rows = {"percentBegin": 0, "percentEnd": 70, "strategy": "random", "strategyParams": {"randomSeed": "2017"}}
    return json.dumps({"splitting": {**rows, "complement": complement}})


def test_article_runs_unchanged(rows):
    """From the upload to the batch file: the article's calls, and the SDK's own waiters."""
    s3, ml = boto3.client("s3"), boto3.client("machinelearning")
    bucket = "article-boto3"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(
        Bucket=bucket,
        Key="policies.csv",
        Body=(rows / "policies.csv").read_bytes(),
        ServerSideEncryption="AES256",
    )
    for part, complement in (("training", False), ("evaluation", True)):
        ml.create_data_source_from_s3(
            DataSourceId=f"ds-boto3-{part}",
            DataSourceName=f"boto3 {part}",
            DataSpec={
                "DataLocationS3": f"s3://{bucket}/policies.csv",
                "DataSchema": json.dumps(SCHEMA),
                "DataRearrangement": _splitting(complement),
            },
            ComputeStatistics=True,
        )
    ml.create_ml_model(
        MLModelId="ml-boto3",
        MLModelName="boto3 policies",
        MLModelType="MULTICLASS",
        TrainingDataSourceId="ds-boto3-training",
        Parameters={"sgd.maxPasses": "20", "sgd.shuffleType": "auto"},
    )
    ml.create_evaluation(
        EvaluationId="ev-boto3",
        EvaluationName="boto3 policies",
        MLModelId="ml-boto3",
        EvaluationDataSourceId="ds-boto3-evaluation",
    )
    often = {"Delay": 1, "MaxAttempts": 60}
    for waiter in ("ml_model_available", "evaluation_available"):
        ml.get_waiter(waiter).wait(FilterVariable="Name", EQ="boto3 policies", WaiterConfig=often)
    ml.create_realtime_endpoint(MLModelId="ml-boto3")
    model = ml.get_ml_model(MLModelId="ml-boto3")
    answer = ml.predict(
        MLModelId="ml-boto3",
        Record={"letter": "Q", "digits": "7"},
        PredictEndpoint=model["EndpointInfo"]["EndpointUrl"],
    )
    gone = ml.delete_realtime_endpoint(MLModelId="ml-boto3")
    ml.create_batch_prediction(
        BatchPredictionId="bp-boto3",
        BatchPredictionName="boto3 policies",
        MLModelId="ml-boto3",
        BatchPredictionDataSourceId="ds-boto3-evaluation",
        OutputUri=f"s3://{bucket}/answers/",
    )
    ml.get_waiter("batch_prediction_available").wait(FilterVariable="Name", EQ="boto3 policies", WaiterConfig=often)
    manifest = json.load(s3.get_object(Bucket=bucket, Key="answers/batch-prediction/bp-boto3.manifest")["Body"])
    (result,) = manifest.values()
    seen = {
        "encryption": s3.head_object(Bucket=bucket, Key="policies.csv")["ServerSideEncryption"],
        "metric": ml.get_evaluation(EvaluationId="ev-boto3")["PerformanceMetrics"]["Properties"]["MulticlassAvgFScore"],
        "parameters": model["TrainingParameters"],
        "endpoint_before": model["EndpointInfo"]["EndpointStatus"],
        "endpoint_after": gone["RealtimeEndpointInfo"]["EndpointStatus"],
        "prediction": answer["Prediction"],
        "manifest": manifest,
        "batch": gzip.decompress(
            s3.get_object(Bucket=bucket, Key=result.removeprefix(f"s3://{bucket}/"))["Body"].read()
        ).decode(),
    }
    check(seen, bucket)
    _check_log(model["LogUri"])


def _check_log(url):
    """Read a log without any key, by the address that Get gives."""
    with urllib.request.urlopen(url) as answer:
        assert b"Training complete." in answer.read()


def test_files_go_up_and_down_in_parts(tmp_path):
    """upload_file and download_file give a file back as it was, sent in parts or whole."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="files-boto3")
    for size in (3 * MIB, 20 * MIB):
        sent, got = tmp_path / "sent", tmp_path / "got"
        sent.write_bytes(hashlib.shake_256(b"understudy").digest(size))
        s3.upload_file(str(sent), "files-boto3", "file", Config=TransferConfig(multipart_chunksize=5 * MIB))
        s3.download_file("files-boto3", "file", str(got), Config=TransferConfig(multipart_threshold=5 * MIB))
        assert got.read_bytes() == sent.read_bytes()


def test_pages_hold_every_object_once():
    """The paginator walks through all keys in order, folders folded where asked."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="pages-boto3")
    keys = [f"{folder}/{number}" for folder in ("a", "b") for number in range(4)]
    for key in keys:
        s3.put_object(Bucket="pages-boto3", Key=key, Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="pages-boto3", PaginationConfig={"PageSize": 3})
    assert [found["Key"] for page in pages for found in page["Contents"]] == keys
    (page,) = s3.get_paginator("list_objects_v2").paginate(Bucket="pages-boto3", Delimiter="/")
    assert [folder["Prefix"] for folder in page["CommonPrefixes"]] == ["a/", "b/"]


@pytest.mark.parametrize("signature_version", [None, "s3v4"])
def test_presigned_addresses_need_no_key(signature_version):
    """Whoever holds a presigned address can put and get that one object, signed by version 2, the default, or 4."""
    s3 = boto3.client("s3", config=Config(signature_version=signature_version))
    s3.create_bucket(Bucket="presigned-boto3")
    where = {"Bucket": "presigned-boto3", "Key": "a letter.txt"}
    put = urllib.request.Request(s3.generate_presigned_url("put_object", Params=where), b"Dear Sir", method="PUT")
    put.add_header("Content-Type", "")  # urllib would name one that nobody signed
    with urllib.request.urlopen(put) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(s3.generate_presigned_url("get_object", Params=where)) as answer:
        assert answer.read() == b"Dear Sir"


def test_resources_work_as_clients_do():
    """boto3.resource("s3"), the way of 2017's scripts, makes, lists and empties a bucket."""
    bucket = boto3.resource("s3").create_bucket(Bucket="resource-boto3")
    for key in ("one", "two"):
        bucket.Object(key).put(Body=key.encode())
    assert {found.key: found.get()["Body"].read() for found in bucket.objects.all()} == {"one": b"one", "two": b"two"}
    bucket.objects.all().delete()
    bucket.delete()
    assert "resource-boto3" not in [found["Name"] for found in boto3.client("s3").list_buckets()["Buckets"]]
