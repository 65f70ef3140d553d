"""What the server promises, shown: one small table per promise.

    .venv/bin/python bench/serve_shows.py [kills] [gigabyte] [latency] [promotion]      all of them where none is named

kills      twenty kills of the server during jobs and uploads: what was acknowledged is there, jobs end by themselves
gigabyte   one gigabyte up and down: memory of all processes, digest, seconds
latency    Predict at some 200 requests a second, alone and beside a training job; start, memory of a worker
promotion  promotions under load: failed requests, seconds until every worker answers by the new champion
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import itertools
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from shows import table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from acceptance import test_serve_survival as survival
from acceptance.stage import Project, calls, calls_project, write_csv
from acceptance.test_serve import Load, Rest, Served, champions, children

GIB = 1 << 30
PIECE = 1 << 20
KILLS = 20
RATE, SECONDS = 200, 15
RECORD = {"age": "61", "job": "nurse"}


def show_kills(folder: Path) -> None:
    """Kill the server, all of it and its first process by turns, while a client asks for everything."""
    began = time.monotonic()
    witness = survival.survive(folder, KILLS, seed=1, longest=4)
    rows = [
        ("kills", KILLS),
        ("acknowledged puts and uploads, all there", len(witness.objects)),
        ("acknowledged data sources, models, evaluations, batches, all COMPLETED", len(witness.entities)),
        ("acknowledged tags and updates, all there", len(witness.tags) + len(witness.names)),
        ("orphans, half objects, staged files after the sweep", 0),
        ("seconds", f"{time.monotonic() - began:.0f}"),
    ]
    table("Kills during jobs and uploads", ("what", "count"), rows)


# A gigabyte -----------------------------------------------------------------------------------------------------------


def resident(server: Served) -> float:
    """Return the memory of all processes of a server in MiB, what they share counted once."""
    total = 0
    for pid in (server.process.pid, *children(server)):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total / 1024


class Peak:
    """The most memory that a server has while a block runs."""

    def __init__(self, server: Served) -> None:
        self.mib = 0.0
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            self.mib = max(self.mib, resident(self._server))

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def pieces() -> Iterator[bytes]:
    """Yield a gigabyte, each piece another."""
    block = os.urandom(PIECE)
    for number in range(GIB // PIECE):
        yield number.to_bytes(8, "big") + block[8:]


def upload_in_parts(server: Served, file: Path) -> None:
    """Upload as boto3 does by itself: in parts, several at a time."""
    config = TransferConfig(multipart_chunksize=16 * PIECE, max_concurrency=4)
    server.client("s3").upload_file(str(file), "data", "big", Config=config)


def upload_at_once(server: Served, file: Path) -> None:
    """Upload in one signed PUT, sent piece by piece; botocore's own default for a stream is aws-chunked."""
    with file.open("rb") as body:
        server.client("s3").put_object(Bucket="data", Key="big", Body=body, ChecksumAlgorithm="CRC32")


def upload_unsigned(server: Served, file: Path) -> None:
    """Upload in one PUT to a presigned address, from a generator."""
    client = server.client("s3", signature_version="s3v4")
    url = client.generate_presigned_url("put_object", Params={"Bucket": "data", "Key": "big"})
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    with file.open("rb") as body:
        sent = iter(lambda: body.read(PIECE), b"")
        connection.request("PUT", url.removeprefix(server.url), sent, {"Content-Length": str(GIB)})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
    connection.close()


def credentials(server: Served) -> Credentials:
    variables = server.environment
    return Credentials(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])


def download(server: Served) -> str:
    """Download piece by piece; return the digest."""
    digest = hashlib.sha256()
    for piece in server.client("s3").get_object(Bucket="data", Key="big")["Body"].iter_chunks(PIECE):
        digest.update(piece)
    return digest.hexdigest()


def show_gigabyte(folder: Path) -> None:
    """Send a gigabyte up and down in three ways."""
    file, digest = folder / "big", hashlib.sha256()
    with file.open("wb") as out:
        for piece in pieces():
            digest.update(piece)
            out.write(piece)
    ways: dict[str, Callable[[Served, Path], None]] = {
        "boto3, multipart": upload_in_parts,
        "boto3, one PUT, aws-chunked": upload_at_once,
        "one PUT from a generator": upload_unsigned,
    }

    def rows() -> Iterable[tuple[object, ...]]:
        for name, upload in ways.items():
            place = folder / name.partition(",")[0].replace(" ", "-") / str(len(name))
            place.mkdir(parents=True)
            with Served(place, "--workers", "2") as server:
                server.client("s3").create_bucket(Bucket="data")
                before = resident(server)
                with Peak(server) as peak:
                    up, _ = timed(lambda upload=upload, server=server: upload(server, file))
                    down, found = timed(lambda server=server: download(server))
                time.sleep(1)
                mib = (before, peak.mib, resident(server))
                yield name, *(f"{each:.0f}" for each in mib), f"{up:.1f}", f"{down:.1f}", found == digest.hexdigest()

    header = ("1 GiB by", "MiB before", "MiB peak", "MiB after", "s up", "s down", "digest equal")
    table("A gigabyte up and down, memory of all processes", header, rows())


def timed(act: Callable[[], Any]) -> tuple[float, Any]:
    began = time.monotonic()
    done = act()
    return time.monotonic() - began, done


# Latency --------------------------------------------------------------------------------------------------------------


class Signer:
    """One keep-alive connection that signs Predict by itself: what a lean client does."""

    def __init__(self, server: Served) -> None:
        self._auth = SigV4Auth(credentials(server), "machinelearning", "us-east-1")
        self._url = f"{server.url}/"
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        document = {"MLModelId": "calls", "Record": RECORD, "PredictEndpoint": server.url}
        self._body = json.dumps(document).encode()

    def predict(self) -> float:
        """Answer one record; return the seconds from the first byte sent to the last received."""
        headers = {"X-Amz-Target": "AmazonML_20141212.Predict", "Content-Type": "application/x-amz-json-1.1"}
        request = AWSRequest("POST", self._url, headers=headers, data=self._body)
        self._auth.add_auth(request)
        began = time.perf_counter()
        self._connection.request("POST", "/", self._body, dict(request.headers.items()))
        answer = self._connection.getresponse()
        body = answer.read()
        seconds = time.perf_counter() - began
        assert answer.status == 200, body
        return seconds


def latencies(server: Served) -> list[float]:
    """Ask about RATE times a second from four connections; return all seconds, ascending."""
    found: list[float] = []
    until = time.monotonic() + SECONDS

    def ask() -> None:
        signer = Signer(server)
        following = time.monotonic()
        while following < until:
            time.sleep(max(0.0, following - time.monotonic()))
            found.append(signer.predict())
            following = max(following + 4 / RATE, time.monotonic())

    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return sorted(found)


def show_latency(folder: Path) -> None:
    """Predict alone, and beside a training job of the same server."""
    project = calls_project(folder / "calls", rows=2_000)
    project.do("learn")
    rows: list[tuple[object, ...]] = []
    with Served(project.folder, "--workers", "2") as server:
        server.stop()
        starting, _ = timed(server.start)
        rows += [("start to ready", "", "", "", f"{starting:.1f} s")]
        alone = latencies(server)
        rows.append(("Predict, nothing else", *_told(alone)))
        stop = _train(server)
        busy = latencies(server)
        jobs = stop()
        rows.append((f"Predict, {jobs} training jobs meanwhile", *_told(busy)))
        worker = children(server)[0]
        mib = {name: _memory(worker, name) for name in ("Rss:", "Pss:")}
        rows.append(
            ("memory of a worker", "", "", "", f"{mib['Rss:']:.0f} MiB resident, {mib['Pss:']:.0f} its own part")
        )
    table("Predict over one keep-alive connection each", ("what", "requests/s", "p50 ms", "p99 ms", "worst"), rows)


def _told(seconds: list[float]) -> tuple[str, ...]:
    def at(share: float) -> float:
        return seconds[int(share * (len(seconds) - 1))] * 1000

    return f"{len(seconds) / SECONDS:.0f}", f"{at(0.5):.1f}", f"{at(0.99):.1f}", f"{at(1):.0f} ms"


def _memory(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def _train(server: Served) -> Callable[[], int]:
    """Keep training jobs going; return what waits for the last and says how many there were."""
    s3, client = server.client("s3"), server.client("machinelearning")
    s3.create_bucket(Bucket="data")
    write_csv(server.folder / "many.csv", calls(60_000))
    s3.upload_file(str(server.folder / "many.csv"), "data", "many.csv")
    spec = {"DataLocationS3": "s3://data/many.csv", "DataSchema": json.dumps(survival.SCHEMA)}
    client.create_data_source_from_s3(DataSourceId="ds-many", DataSpec=spec, ComputeStatistics=True)
    stopped, made = threading.Event(), itertools.count()

    def train() -> None:
        while not stopped.is_set():
            model = f"ml-{next(made)}"
            client.create_ml_model(
                MLModelId=model,
                MLModelType="BINARY",
                TrainingDataSourceId="ds-many",
                Parameters={"sgd.maxPasses": "50"},
            )
            while client.get_ml_model(MLModelId=model)["Status"] in ("PENDING", "INPROGRESS"):
                time.sleep(0.2)

    thread = threading.Thread(target=train)
    thread.start()

    def stop() -> int:
        stopped.set()
        thread.join()
        return next(made)

    return stop


# Promotion ------------------------------------------------------------------------------------------------------------


def show_promotion(folder: Path) -> None:
    """Promote to and fro while clients ask; find out by fresh connections who answers."""
    project: Project = calls_project(folder / "calls")
    first = project.do("learn")["model_id"]
    write_csv(project.folder / "calls.csv", calls(500))
    second = project.do("learn", "--dry-run")["model_id"]
    acknowledged, seen, by_command = [], [], []
    with Served(project.folder, "--workers", "3") as server:
        token = server.environment["AWS_SECRET_ACCESS_KEY"]
        rest = Rest(server, token)
        with Load(server) as load:
            for number in range(10):
                body = {"model_id": (second, first)[number % 2]}
                acknowledged.append(timed(lambda body=body: rest.ask("POST", "/v1/endpoints/calls/promote", body))[0])
                seen.append(champions(server, token) == {body["model_id"]})
            for number in range(4):
                model = (second, first)[number % 2]
                project.do("promote", model)
                began = time.monotonic()
                while champions(server, token, connections=12) != {model}:
                    pass
                by_command.append(time.monotonic() - began)
        models = load.models()
    rows = [
        ("requests answered meanwhile", len(load.answers)),
        ("failed", len(load.errors)),
        ("models that answered, each always the same", len(models)),
        ("promotions over REST after whose answer any worker answered by the old model", seen.count(False)),
        ("seconds until a promotion over REST is acknowledged, at most", f"{max(acknowledged):.2f}"),
        ("seconds after `understudy promote` until all workers follow, at most", f"{max(by_command):.2f}"),
    ]
    table("Promotions under load, 3 workers", ("what", ""), rows)


SHOWS = {"kills": show_kills, "gigabyte": show_gigabyte, "latency": show_latency, "promotion": show_promotion}


def main() -> None:
    """Show what was asked for, or everything."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("shows", nargs="*", help=", ".join(SHOWS))
    asked = options.parse_args()
    unknown = set(asked.shows) - set(SHOWS)
    if unknown:
        options.error(f"there is no show called {', '.join(sorted(unknown))}; there are {', '.join(SHOWS)}")
    for name, show in SHOWS.items():
        if name in asked.shows or not asked.shows:
            with tempfile.TemporaryDirectory(prefix="understudy-show-", ignore_cleanup_errors=True) as folder:
                show(Path(folder))


if __name__ == "__main__":
    main()
