"""`kill -9` of the server at random moments: what was acknowledged is there, jobs end, and nothing is half-made."""

import contextlib
import hashlib
import http.client
import json
import random
import sqlite3
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from acceptance.stage import calls, calls_project, write_csv
from acceptance.test_serve import Rest, Served

BUCKET = "data"
SCHEMA = {
    "version": "1.0",
    "rowId": "id",
    "targetAttributeName": "answer",
    "dataFormat": "CSV",
    "dataFileContainsHeader": True,
    "attributes": [
        {"attributeName": "id", "attributeType": "CATEGORICAL"},
        {"attributeName": "age", "attributeType": "NUMERIC"},
        {"attributeName": "job", "attributeType": "CATEGORICAL"},
        {"attributeName": "balance", "attributeType": "NUMERIC"},
        {"attributeName": "note", "attributeType": "TEXT"},
        {"attributeName": "answer", "attributeType": "BINARY"},
    ],
}
PART = 5 << 20


class Witness:
    """A client that never stops asking, and remembers what was acknowledged to it."""

    def __init__(self, server, seed):
        self.server = server
        self.s3, self.ml = server.client("s3"), server.client("machinelearning")
        self._chance = random.Random(seed)
        self._round = 0
        self.objects, self.entities, self.names, self.tags = {}, {}, {}, {}
        self.acknowledged = 0

    def work(self, stop):
        """Ask for one thing after the other until told to stop; what fails was not acknowledged."""
        while not stop.is_set():
            self._round += 1
            for act in (self._put, self._multipart, self._jobs, self._tag):
                with contextlib.suppress(BotoCoreError, ClientError):
                    act(f"{self._round:04}")
                    self.acknowledged += 1
                if stop.is_set():
                    return

    def _put(self, name):
        for number in range(3):
            data, key = self._chance.randbytes(self._chance.randint(1, 2**20)), f"object-{name}-{number}"
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=data)
            self.objects[key] = hashlib.sha256(data).hexdigest()

    def _multipart(self, name):
        key, pieces = f"parts-{name}", [self._chance.randbytes(PART), self._chance.randbytes(1000)]
        upload = self.s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
        parts = []
        for number, piece in enumerate(pieces, 1):
            part = self.s3.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=piece)
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
        self.s3.complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
        self.objects[key] = hashlib.sha256(b"".join(pieces)).hexdigest()

    def _jobs(self, name):
        """Ask for everything that Amazon ML computes, all at once: each waits for what it needs."""
        spec = {"DataLocationS3": f"s3://{BUCKET}/calls.csv", "DataSchema": json.dumps(SCHEMA)}
        self._made(
            "data_source", f"ds-{name}", self.ml.create_data_source_from_s3, DataSpec=spec, ComputeStatistics=True
        )
        self._made(
            "ml_model", f"ml-{name}", self.ml.create_ml_model, MLModelType="BINARY", TrainingDataSourceId=f"ds-{name}"
        )
        both = {"MLModelId": f"ml-{name}"}
        self._made("evaluation", f"ev-{name}", self.ml.create_evaluation, EvaluationDataSourceId=f"ds-{name}", **both)
        self._made(
            "batch_prediction",
            f"bp-{name}",
            self.ml.create_batch_prediction,
            BatchPredictionDataSourceId=f"ds-{name}",
            OutputUri=f"s3://{BUCKET}/out/",
            **both,
        )

    def _made(self, kind, entity_id, create, **request):
        create(**{IDS[kind]: entity_id}, **request)
        self.entities[entity_id] = kind

    def _tag(self, name):
        source = f"ds-{name}"
        if source in self.entities:
            self.ml.add_tags(Tags=[{"Key": "week", "Value": name}], ResourceId=source, ResourceType="DataSource")
            self.tags[source] = name
            self.ml.update_data_source(DataSourceId=source, DataSourceName=f"week {name}")
            self.names[source] = f"week {name}"

    def until_all_jobs_have_ended(self, seconds=120):
        """Wait until every acknowledged entity is COMPLETED; none may be FAILED."""
        waiting, deadline = dict(self.entities), time.monotonic() + seconds
        while waiting:
            statuses = {entity_id: self.get(entity_id)["Status"] for entity_id in waiting}
            assert "FAILED" not in statuses.values(), [self.get(i) for i, s in statuses.items() if s == "FAILED"]
            waiting = {entity_id: kind for entity_id, kind in waiting.items() if statuses[entity_id] != "COMPLETED"}
            assert time.monotonic() < deadline, statuses
            time.sleep(0.1)

    def get(self, entity_id):
        """Return an entity as the API tells it."""
        kind = self.entities[entity_id]
        return getattr(self.ml, f"get_{kind}")(**{IDS[kind]: entity_id})

    def check_what_is_there(self):
        """Hold objects and entities against all that was acknowledged, ended or not."""
        for key, digest in self.objects.items():
            body = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            assert hashlib.sha256(body).hexdigest() == digest, key
        for entity_id, name in self.names.items():
            assert self.get(entity_id)["Name"] == name
        for entity_id, value in self.tags.items():
            tags = self.ml.describe_tags(ResourceId=entity_id, ResourceType="DataSource")["Tags"]
            assert {"Key": "week", "Value": value} in tags
        for entity_id in self.entities:
            assert self.get(entity_id)["Status"] in ("PENDING", "INPROGRESS", "COMPLETED")

    def check(self):
        """Hold the server against all that was acknowledged, once all jobs have ended."""
        self.check_what_is_there()
        for entity_id, kind in self.entities.items():
            if kind == "batch_prediction":
                key = f"out/batch-prediction/result/{entity_id}-calls.csv.gz"
                assert self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()[:2] == b"\x1f\x8b"


IDS = {
    "data_source": "DataSourceId",
    "ml_model": "MLModelId",
    "evaluation": "EvaluationId",
    "batch_prediction": "BatchPredictionId",
}


def leftovers(folder):
    """Return what of a stopped server's store no row names: blobs, staged files, scratch of jobs."""
    root = folder / ".understudy"
    connection = sqlite3.connect(root / "catalog.db")
    named = {blob for table in ("bucket_objects", "bucket_parts") for (blob,) in _blobs(connection, table)}
    connection.close()
    stored = {str(f.relative_to(root / "objects")) for f in (root / "objects" / "blobs").rglob("*") if f.is_file()}
    staged = [file for place in (root / "objects" / ".staging", root / "jobs") for file in _files(place)]
    return {"missing": named - stored, "orphans": stored - named, "staged": staged}


def _blobs(connection, table):
    return connection.execute(f"select blob from {table}").fetchall()


def _files(place):
    return [file for file in place.rglob("*") if file.is_file()] if place.exists() else []


def sweep(server):
    """Remove orphans as the server does, without waiting for them to be a day old."""
    from understudy.config import Place  # noqa: PLC0415
    from understudy.house import Storehouse  # noqa: PLC0415
    from understudy.store.buckets import Buckets  # noqa: PLC0415

    store = Storehouse(Place(root=server.folder))
    Buckets(store.catalog, store.objects).sweep(older_than=0)
    store.catalog.close()


def survive(folder, kills, seed, longest=2.5):
    """Kill a server so often while a client works; return the client, after the last restart, all checked."""
    chance = random.Random(seed)
    server = Served(folder, "--workers", "2").start()
    witness = Witness(server, seed)
    write_csv(folder / "calls.csv", calls(300))
    witness.s3.create_bucket(Bucket=BUCKET)
    witness.s3.upload_file(str(folder / "calls.csv"), BUCKET, "calls.csv")
    try:
        for number in range(kills):
            stop = threading.Event()
            client = threading.Thread(target=witness.work, args=(stop,))
            client.start()
            time.sleep(chance.uniform(0.2, longest))
            if number % 2:
                server.kill()
            else:
                server.kill_all()
            stop.set()
            client.join()
            server.start()
            witness.check_what_is_there()
        witness.until_all_jobs_have_ended()
        witness.check()
        assert server.stop() == 0
        sweep(server)
        assert leftovers(folder) == {"missing": set(), "orphans": set(), "staged": []}
    finally:
        server.kill_all()
    return witness


def test_nothing_acknowledged_is_lost_in_three_kills(tmp_path):
    """Creates, uploads, tags, updates while the server is killed: what was acknowledged is there, and jobs end."""
    witness = survive(tmp_path, kills=3, seed=7)
    assert witness.acknowledged >= 3


@pytest.fixture
def asked_for(request):
    """Skip what takes minutes where nobody asks for it."""
    if "kills" not in request.config.option.markexpr:
        pytest.skip("takes minutes: -m kills")


@pytest.mark.kills
@pytest.mark.usefixtures("asked_for")
@pytest.mark.parametrize("seed", range(4))
def test_nothing_acknowledged_is_lost_in_many_kills(tmp_path, seed):
    """The same, ten times in a row, of the whole server and of its first process alone."""
    assert survive(tmp_path, kills=10, seed=seed, longest=4).acknowledged >= 10


def test_acknowledged_promotion_survives_a_kill(tmp_path):
    """Promotions while the server is killed: who was acknowledged last serves, or a promotion asked for after it."""
    project = calls_project(tmp_path / "calls")
    first = project.do("learn")["model_id"]
    write_csv(project.folder / "calls.csv", calls(500))
    second = project.do("learn", "--dry-run")["model_id"]
    with Served(project.folder, "--workers", "2") as server:
        token, chance = server.environment["AWS_SECRET_ACCESS_KEY"], random.Random(3)
        for _ in range(2):
            asked, acknowledged, stop = [first], [0], threading.Event()
            client = threading.Thread(target=_promote, args=(server, token, (second, first), asked, acknowledged, stop))
            client.start()
            time.sleep(chance.uniform(0.5, 1.5))
            server.kill_all()
            stop.set()
            client.join()
            server.start()
            assert acknowledged[0] > 0
            assert project.champion in asked[acknowledged[0] :]
            assert Rest(server, token).champion() == project.champion
    entries = project.do("history")["promotions"]
    line = [entry["champion"] for entry in entries]
    assert [entry["champion_before"] for entry in entries[1:]] == line[:-1]


def _promote(server, token, models, asked, acknowledged, stop):
    """Promote the models by turns; note what was asked for, and up to where it was acknowledged."""
    rest = Rest(server, token)
    while not stop.is_set():
        asked.append(models[len(asked) % 2])
        try:
            status, _, _ = rest.ask("POST", "/v1/endpoints/calls/promote", {"model_id": asked[-1]})
        except (OSError, http.client.HTTPException):
            return
        if status == 200:
            acknowledged[0] = len(asked) - 1
