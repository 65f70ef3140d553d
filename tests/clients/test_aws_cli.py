"""The AWS command line: the article as commands, and a large file up and down again."""

import gzip
import hashlib
import json
from functools import partial

import pytest

from acceptance.stage import SCRIPT
from clients.article import check
from clients.conftest import need

pytestmark = pytest.mark.xdist_group("clients")

MIB = 1 << 20
BUCKET = "article-cli"


@pytest.fixture
def aws(run):
    """Return a function that runs `aws` and returns the document, or else the text, that it prints."""
    program = need(SCRIPT.with_name("aws"), "pip install awscli")

    def ran(*words):
        told = run(program, *words)
        return json.loads(told) if told.startswith("{") else told.strip()

    return ran


def _source(ml, part, complement):
    splitting = {"percentBegin": 0, "percentEnd": 70, "strategy": "random", "strategyParams": {"randomSeed": "2017"}}
    spec = {
        "DataLocationS3": f"s3://{BUCKET}/policies.csv",
        "DataSchemaLocationS3": f"s3://{BUCKET}/policies.csv.schema",
        "DataRearrangement": json.dumps({"splitting": {**splitting, "complement": complement}}),
    }
    ml(
        "create-data-source-from-s3",
        *("--data-source-id", f"ds-cli-{part}", "--data-source-name", f"cli {part}"),
        *("--data-spec", json.dumps(spec), "--compute-statistics"),
    )


@pytest.fixture
def wait(server):
    """Return a function that waits by looking often: the CLI's own waiters look every 30 seconds."""
    client = server.client("machinelearning")

    def waited(waiter):
        client.get_waiter(waiter).wait(FilterVariable="Name", EQ="cli policies", WaiterConfig={"Delay": 1})

    return waited


def test_article_runs_as_commands(aws, wait, rows, tmp_path):
    """From the bucket to the batch file, by `aws s3` and `aws machinelearning`."""
    ml = partial(aws, "machinelearning")
    aws("s3", "mb", f"s3://{BUCKET}")
    aws("s3", "cp", rows, f"s3://{BUCKET}/", "--recursive", "--sse", "AES256")
    _source(ml, "training", complement=False)
    _source(ml, "evaluation", complement=True)
    ml(
        "create-ml-model",
        *("--ml-model-id", "ml-cli", "--ml-model-name", "cli policies", "--ml-model-type", "MULTICLASS"),
        *("--training-data-source-id", "ds-cli-training"),
        *("--parameters", "sgd.maxPasses=20,sgd.shuffleType=auto"),
    )
    ml(
        "create-evaluation",
        *("--evaluation-id", "ev-cli", "--evaluation-name", "cli policies"),
        *("--ml-model-id", "ml-cli", "--evaluation-data-source-id", "ds-cli-evaluation"),
    )
    wait("evaluation_available")
    ml("wait", "evaluation-available", "--filter-variable", "Name", "--eq", "cli policies")
    ml("create-realtime-endpoint", "--ml-model-id", "ml-cli")
    model = ml("get-ml-model", "--ml-model-id", "ml-cli")
    answer = ml(
        "predict",
        *("--ml-model-id", "ml-cli", "--record", "letter=Q,digits=7"),
        *("--predict-endpoint", model["EndpointInfo"]["EndpointUrl"]),
    )
    gone = ml("delete-realtime-endpoint", "--ml-model-id", "ml-cli")
    ml(
        "create-batch-prediction",
        *("--batch-prediction-id", "bp-cli", "--batch-prediction-name", "cli policies", "--ml-model-id", "ml-cli"),
        *("--batch-prediction-data-source-id", "ds-cli-evaluation", "--output-uri", f"s3://{BUCKET}/answers/"),
    )
    wait("batch_prediction_available")
    aws("s3", "sync", f"s3://{BUCKET}/answers", tmp_path / "answers")
    manifest = json.loads((tmp_path / "answers/batch-prediction/bp-cli.manifest").read_text())
    (result,) = manifest.values()
    evaluation = ml("get-evaluation", "--evaluation-id", "ev-cli")
    seen = {
        "encryption": aws("s3api", "head-object", "--bucket", BUCKET, "--key", "policies.csv")["ServerSideEncryption"],
        "metric": evaluation["PerformanceMetrics"]["Properties"]["MulticlassAvgFScore"],
        "parameters": model["TrainingParameters"],
        "endpoint_before": model["EndpointInfo"]["EndpointStatus"],
        "endpoint_after": gone["RealtimeEndpointInfo"]["EndpointStatus"],
        "prediction": answer["Prediction"],
        "manifest": manifest,
        "batch": gzip.decompress((tmp_path / result.removeprefix(f"s3://{BUCKET}/")).read_bytes()).decode(),
    }
    check(seen, BUCKET)


def test_hundred_megabytes_go_up_and_down(aws, tmp_path):
    """A file that the CLI cuts into parts, and fetches in ranges, comes back as it was."""
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(hashlib.shake_256(b"understudy").digest(100 * MIB))
    aws("s3", "mb", "s3://large-cli")
    aws("s3", "cp", "--no-progress", sent, "s3://large-cli/file")
    assert aws("s3api", "head-object", "--bucket", "large-cli", "--key", "file")["ETag"].endswith('-13"')
    aws("s3", "cp", "--no-progress", "s3://large-cli/file", got)
    assert _digest(got) == _digest(sent)


def _digest(file):
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
