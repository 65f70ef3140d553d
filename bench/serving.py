"""Predictions over HTTP by one worker on one core: Understudy, a bare server, FastAPI by hand, MLflow.

    .venv/bin/python bench/serving.py [--rounds 5] [--seconds 5] [--pace-seconds 15] [--starts 3] [--quick]

A question has 20 attributes, all text; each server is asked in its own form, by 300 different questions in turn.

- *Throughput*: 16 and 64 keep-alive connections, each asking again when it is answered. The server has the first core
  for itself, the client the last; `client` says how busy that was: near 100 % it is the client that was measured.
- *Latency*: 200 questions a second, each when it is due, nobody pinned; Understudy also while its own jobs process
  trains one model after the other.
- *As boto3 sends it* is with all headers of the real client, of which each request has its own, and in two pieces, head
  and body.
- *Bare* is uvicorn with uvloop and httptools around a function that reads the body and returns a fixed answer: what
  remains to be gained is the distance to it.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.credentials import Credentials
from load import Load, Pieces, hammer, http_request, pace
from measuring import (
    BENCH,
    OUR_PYTHON,
    OURS,
    PEERS,
    UNDERSTUDY,
    Bar,
    Failed,
    Figures,
    Run,
    Size,
    Table,
    absences,
    environment,
    percentile,
    perform,
    project,
    spend,
    told,
)
from servers import PATIENCE, Server

NAME = "serving"
TITLE = "Serving"
TARGET = "answer"
ATTRIBUTES = tuple(f"attribute_{number}" for number in range(1, 21))
VALUES = 50
ROWS, TRAINING_ROWS = 20_000, 100_000
QUESTIONS = 300
CONNECTIONS = (16, 64)
RATE = 200
JOBS = 100
"""Models in the queue while latency is measured: more than there is time for, so that one is always being trained."""
BARE, SIGNED, BEARER, INVOCATIONS = "bare", "understudy signed", "understudy bearer", "understudy invocations"
BOTO3 = "understudy boto3"
WAYS = {
    BARE: "bare uvicorn, fixed answer",
    BEARER: "Understudy, REST with a token",
    SIGNED: "Understudy, Amazon ML's `Predict`, signed",
    BOTO3: "Understudy, `Predict` as boto3 sends it",
    INVOCATIONS: "Understudy, `/invocations` as MLflow is asked",
    "fastapi": "FastAPI + scikit-learn by hand",
    "mlflow": "MLflow, scikit-learn",
}
KEPT_ALIVE = {"Host": "127.0.0.1", "Content-Type": "application/json"}


@dataclass
class Door:
    """A server, and how one asks it."""

    server: Server
    requests: Callable[[], Sequence[Pieces]]
    """Make all requests anew: signatures are good for a quarter of an hour."""


# What is asked -------------------------------------------------------------------------------------------------------


def write_rows(file: Path, rows: int, seed: int) -> list[dict[str, str]]:
    """Write rows of 20 texts and an answer that hangs on them; return the first ones, without their answers."""
    chance, tastes = random.Random(seed), random.Random("tastes")
    kept: list[dict[str, str]] = []
    taste = {name: [tastes.gauss(0, 0.4) for _ in range(VALUES)] for name in ATTRIBUTES}
    with file.open("w") as out:
        out.write(",".join((*ATTRIBUTES, TARGET)) + "\n")
        for _ in range(rows):
            drawn = [int(VALUES * chance.random() ** 2) for _ in ATTRIBUTES]
            leaning = sum(taste[name][value] for name, value in zip(ATTRIBUTES, drawn, strict=True))
            texts = [f"value-{value}" for value in drawn]
            out.write(",".join((*texts, str(int(chance.gauss(leaning, 1) > 0)))) + "\n")
            if len(kept) < QUESTIONS:
                kept.append(dict(zip(ATTRIBUTES, texts, strict=True)))
    return kept


def plain(path: str, documents: Sequence[object], **headers: str) -> list[Pieces]:
    """Write one request for each document."""
    return [http_request("POST", path, {**KEPT_ALIVE, **headers}, json.dumps(each).encode()) for each in documents]


def signed(records: Sequence[Mapping[str, str]], url: str, credentials: Credentials) -> list[Pieces]:
    """Write `Predict` for each record, signed by botocore as boto3 does."""
    requests = []
    for record in records:
        body = json.dumps({"MLModelId": "answers", "Record": record, "PredictEndpoint": url}).encode()
        headers = {"X-Amz-Target": "AmazonML_20141212.Predict", "Content-Type": "application/x-amz-json-1.1"}
        request = AWSRequest("POST", f"{url}/", headers={**headers, "Host": url.removeprefix("http://")}, data=body)
        SigV4Auth(credentials, "machinelearning", "us-east-1").add_auth(request)
        requests.append(http_request("POST", "/", dict(request.headers.items()), body))
    return requests


def as_boto3_sends(records: Sequence[Mapping[str, str]], ml: Any) -> list[Pieces]:
    """Write `Predict` for each record as boto3 does: with all its headers, new ones for each; head, then body.

    Heads do not repeat where a client lives. So there should be more of them than a server may remember.
    """
    requests: list[Pieces] = []

    def keep(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """Keep what would be sent, and answer it: then it is not sent."""
        headers = {name: value if isinstance(value, str) else value.decode() for name, value in request.headers.items()}
        host = {"Host": request.url.removeprefix("http://").rstrip("/"), "Accept-Encoding": "identity"}
        lines = [f"{name}: {value}" for name, value in {**host, **headers}.items()]
        requests.append(("\r\n".join(["POST / HTTP/1.1", *lines, "", ""]).encode(), request.body))
        return AWSResponse(request.url, 200, {}, _Answer(b"{}"))

    ml.meta.events.register("before-send.machinelearning.Predict", keep)
    for record in records:
        ml.predict(MLModelId="answers", Record=record, PredictEndpoint=ml.meta.endpoint_url)
    ml.meta.events.unregister("before-send.machinelearning.Predict", keep)
    return requests


class _Answer(io.BytesIO):
    """A body as botocore reads it."""

    def stream(self) -> Iterator[bytes]:
        """Give all of it."""
        yield self.read()


# Who is asked --------------------------------------------------------------------------------------------------------


def open_doors(folder: Path) -> dict[str, Door]:
    """Make a model for every server; return all ways to ask, the servers not started yet."""
    file = folder / "answers.csv"
    records = write_rows(file, ROWS, seed=1)
    spend(UNDERSTUDY, "learn", "--quiet", "--project", project(file, TARGET, "[serve]\njobs = 1\n"))
    by_hand, for_mlflow = folder / "by_hand.joblib", folder / "mlflow"
    spend(PEERS / "python", "-W", "ignore", BENCH / "peers" / "models.py", file, TARGET, by_hand, for_mlflow)
    return {**_ours(folder, records), **_theirs(folder, records, by_hand, for_mlflow)}


def _ours(folder: Path, records: list[dict[str, str]]) -> dict[str, Door]:
    """Four ways to ask one server."""
    credentials = _credentials(folder)
    server = Server(
        lambda port: [UNDERSTUDY, "serve", "--project", folder, "--port", port, "--workers", 1],
        folder / "understudy.log",
        environment(),
    )
    token = {"Authorization": f"Bearer {credentials.secret_key}"}
    rest = plain("/v1/endpoints/answers/predict", [{"records": [record]} for record in records], **token)
    invocations = plain("/invocations", [{"dataframe_records": [record]} for record in records], **token)
    return {
        BEARER: Door(server, lambda: rest),
        SIGNED: Door(server, lambda: signed(records, f"http://127.0.0.1:{server.port}", credentials)),
        BOTO3: Door(server, lambda: as_boto3_sends(records * 4, clients(folder, server)[1])),
        INVOCATIONS: Door(server, lambda: invocations),
    }


def _credentials(folder: Path) -> Credentials:
    variables = spend(UNDERSTUDY, "env", "--json", "--project", folder).document
    return Credentials(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])


def _theirs(folder: Path, records: list[dict[str, str]], by_hand: Path, for_mlflow: Path) -> dict[str, Door]:
    """Serve the bare function from the product's own environment, the others from the peers'."""
    uvicorn = ["--app-dir", BENCH / "peers", "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    quiet = ["--log-level", "error", "--workers", 1, "--port"]
    peers = environment() | {"PATH": f"{PEERS}:{os.environ['PATH']}", "BY_HAND_MODEL": str(by_hand)}
    served = ["models", "serve", "--model-uri", for_mlflow, "--env-manager", "local", "--workers", 1, "--port"]
    records_of = {
        BARE: plain("/", [{"records": [record]} for record in records]),
        "fastapi": plain("/predict", [{"record": record} for record in records]),
        "mlflow": plain("/invocations", [{"dataframe_records": [record]} for record in records]),
    }
    commands: dict[str, Callable[[int], Sequence[object]]] = {
        BARE: lambda port: [OUR_PYTHON, "-m", "uvicorn", "bare:app", *uvicorn, *quiet, port],
        "fastapi": lambda port: [PEERS / "python", "-m", "uvicorn", "by_hand:app", *uvicorn, *quiet, port],
        "mlflow": lambda port: [PEERS / "mlflow", *served, port],
    }
    return {
        name: Door(Server(command, folder / f"{name}.log", peers), partial(records_of.__getitem__, name))
        for name, command in commands.items()
    }


# Turns ---------------------------------------------------------------------------------------------------------------


def first_answer(door: Door) -> Figures:
    """Start a server, ask until it answers, end it."""
    try:
        return {"seconds": door.server.start(door.requests)}
    finally:
        door.server.stop()


def throughput(door: Door, seconds: int) -> Figures:
    """Ask as fast as it answers; client and server on cores of their own, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    figures: Figures = {}
    with pinned(door.server, cores):
        _asked(lambda: hammer(door.server.port, door.requests(), CONNECTIONS[0], 0.5))
        for connections in CONNECTIONS:
            before = door.server.cpu()
            load = _asked(partial(hammer, door.server.port, door.requests(), connections, seconds))
            figures[f"rate {connections}"] = load.rate
            figures[f"cpu {connections}"] = (door.server.cpu() - before) / len(load.latencies) * 1e6
            figures[f"p99 {connections}"] = percentile(sorted(load.latencies), 0.99) * 1e3
            figures[f"client {connections}"] = load.busy * 100
    return {**figures, "mib": door.server.memory()}


@contextlib.contextmanager
def pinned(server: Server, cores: list[int]) -> Iterator[None]:
    """Give the server the first core and this process the last."""
    server.pin(cores[:1])
    os.sched_setaffinity(0, cores[-1:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        server.pin(cores)


def latency(door: Door, seconds: int) -> Figures:
    """Ask at a steady rate; return milliseconds."""
    load = _asked(lambda: pace(door.server.port, door.requests(), RATE, seconds))
    ascending = sorted(load.latencies)
    shares = {"p50": 0.5, "p99": 0.99, "worst": 1.0}
    return {name: percentile(ascending, share) * 1e3 for name, share in shares.items()}


def _asked(load: Callable[[], Load]) -> Load:
    """Do a load; raises Failed where anything was not answered well."""
    try:
        done = load()
    except OSError as error:
        raise Failed(f"{type(error).__name__}: {error}") from None
    if done.failed:
        raise Failed(f"{done.failed:,} of {len(done.latencies):,} answers were not 200")
    return done


# Training beside it ---------------------------------------------------------------------------------------------------


def clients(folder: Path, server: Server) -> tuple[Any, Any]:
    """Return boto3's clients of S3 and Amazon ML for a server of ours."""
    credentials = _credentials(folder)
    session = boto3.Session(credentials.access_key, credentials.secret_key, region_name="us-east-1")
    url = f"http://127.0.0.1:{server.port}"
    return session.client("s3", endpoint_url=url), session.client("machinelearning", endpoint_url=url)


def give_rows(folder: Path, s3: Any, ml: Any) -> None:
    """Make the data source that models are trained on."""
    write_rows(folder / "many.csv", TRAINING_ROWS, seed=2)
    s3.create_bucket(Bucket="data")
    s3.upload_file(str(folder / "many.csv"), "data", "many.csv")
    attributes = [{"attributeName": name, "attributeType": "CATEGORICAL"} for name in ATTRIBUTES]
    schema = {
        "version": "1.0",
        "dataFormat": "CSV",
        "dataFileContainsHeader": True,
        "targetAttributeName": TARGET,
        "attributes": [*attributes, {"attributeName": TARGET, "attributeType": "BINARY"}],
    }
    spec = {"DataLocationS3": "s3://data/many.csv", "DataSchema": json.dumps(schema)}
    ml.create_data_source_from_s3(DataSourceId="ds-many", DataSpec=spec, ComputeStatistics=True)


@contextlib.contextmanager
def training(ml: Any, numbers: Iterator[int]) -> Iterator[None]:
    """Let the server train one model after the other while the block runs; raises Failed where they were too few."""
    models = [f"ml-{next(numbers)}" for _ in range(JOBS)]
    for model in models:
        ml.create_ml_model(
            MLModelId=model,
            MLModelType="BINARY",
            TrainingDataSourceId="ds-many",
            Parameters={"sgd.maxPasses": "100", "sgd.shuffleType": "auto"},
        )
    until(lambda: _status(ml, models[0]) != "PENDING")
    try:
        yield
    finally:
        under_way = [model for model in models if _status(ml, model) in ("PENDING", "INPROGRESS")]
        for model in reversed(under_way):
            ml.delete_ml_model(MLModelId=model)
    if not under_way:
        raise Failed(f"all {JOBS} models were trained before the time was over")


def _status(ml: Any, model: str) -> str:
    return str(ml.get_ml_model(MLModelId=model)["Status"])


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so; raises Failed where it never is."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"nothing happened within {PATIENCE:.0f} s")
        time.sleep(0.05)


def beside_training(door: Door, seconds: int, ml: Any, numbers: Iterator[int]) -> Figures:
    """Ask at a steady rate while the server trains."""
    with training(ml, numbers):
        return latency(door, seconds)


# All of it ------------------------------------------------------------------------------------------------------------


def measure(run: Run, folder: Path) -> None:
    """First answers from cold starts; then all servers at once, idle but for the one that is asked."""
    doors = open_doors(folder)
    starting = {f"start {way}": partial(first_answer, doors[way]) for way in (BARE, BEARER, "fastapi", "mlflow")}
    run.take_turns(run.sizes["starts"], starting)
    running = {way: door for way, door in doors.items() if f"start {way}" not in run.absent}
    run.absent.update({way: run.absent[f"start {way}"] for way in doors if way not in running})
    try:
        for door in {id(door.server): door for door in running.values()}.values():
            door.server.start(door.requests)
        asked = {way: partial(throughput, door, run.sizes["seconds"]) for way, door in running.items()}
        run.take_turns(run.sizes["rounds"], asked)
        _measure_latency(run, folder, running)
    finally:
        for door in running.values():
            door.server.stop()


def _measure_latency(run: Run, folder: Path, doors: Mapping[str, Door]) -> None:
    """Ask everybody at a steady rate, then Understudy while it trains."""
    seconds, ours = run.sizes["pace_seconds"], (BEARER, SIGNED)
    s3, ml = clients(folder, doors[SIGNED].server)
    give_rows(folder, s3, ml)
    until(lambda: ml.get_data_source(DataSourceId="ds-many")["Status"] == "COMPLETED")
    numbers = itertools.count()
    alone = {f"paced {way}": partial(latency, door, seconds) for way, door in doors.items() if way != INVOCATIONS}
    busy = {f"training {way}": partial(beside_training, doors[way], seconds, ml, numbers) for way in ours}
    run.take_turns(run.sizes["rounds"], {**alone, **busy})


def tables(run: Run) -> list[Table]:
    """Throughput, then latency."""
    return [_throughput(run), _latency(run)]


def _throughput(run: Run) -> Table:
    few, many = (f"rate {connections}" for connections in CONNECTIONS)
    rows = [
        [
            name,
            told(run.all_of(way, few)),
            told(run.all_of(way, many)),
            told(run.ratios(few, way, BARE)),
            told(run.ratios(many, way, BARE)),
            told(run.all_of(way, f"cpu {CONNECTIONS[1]}"), 0),
            told(run.all_of(way, f"p99 {CONNECTIONS[1]}")),
            told(run.all_of(way, f"client {CONNECTIONS[1]}"), 0),
            told(run.all_of(way, "mib")),
            told(run.all_of(f"start {_server(way)}", "seconds")),
        ]
        for way, name in WAYS.items()
        if way in run.figures
    ]
    header = (
        "one core", *(f"answers/s, {connections} connections" for connections in CONNECTIONS),
        *(f"of bare, {connections}" for connections in CONNECTIONS), "CPU us per answer", "p99 ms", "client busy %",
        "MiB", "s to first answer",
    )  # fmt: skip
    notes = [
        "CPU, p99 and the client are of 64 connections. Memory is of all processes, what they share counted once: "
        "Understudy's includes the process that does jobs.",
        *_goals(run),
        *absences(run, WAYS),
    ]
    return Table(f"Throughput; {run.sizes['rounds']} rounds of {run.sizes['seconds']} s", header, rows, notes)


def _goals(run: Run) -> Iterator[str]:
    """Compare with each product that serves models: answers, memory, the first answer."""
    few = f"rate {CONNECTIONS[0]}"
    for way in ("mlflow", "fastapi"):
        if run.figures.get(way):
            answers = (told(run.ratios(few, ours, way)) for ours in (BEARER, SIGNED))
            memory = told(run.ratios("mib", BEARER, way))
            first = told(run.ratios("seconds", f"start {way}", f"start {BEARER}"))
            yield (
                f"{WAYS[way]}: at {CONNECTIONS[0]} connections Understudy gives {next(answers)} times its answers with "
                f"a token, {next(answers)} times signed, in {memory} times its memory; its first answer takes {first} "
                "times as long as ours."
            )


def _server(way: str) -> str:
    return BEARER if way.startswith(OURS) else way


def _latency(run: Run) -> Table:
    names = {f"paced {way}": name for way, name in WAYS.items()}
    names |= {f"training {way}": f"{name}, while training" for way, name in WAYS.items()}
    rows = [
        [name, *(told(run.all_of(way, share)) for share in ("p50", "p99", "worst"))]
        for way, name in names.items()
        if way in run.figures
    ]
    sizes = run.sizes
    title = f"Latency at {RATE} questions a second, ms; {sizes['rounds']} rounds of {sizes['pace_seconds']} s"
    return Table(title, ("", "p50", "p99", "worst"), rows, absences(run, names) if run.absent else [])


def bars(run: Run) -> list[Bar]:
    """Draw how many times as many answers Understudy gives."""
    many = f"rate {CONNECTIONS[1]}"
    return [
        Bar(f"Prediction over HTTP, {CONNECTIONS[1]} connections", WAYS[way], run.ratios(many, BEARER, way))
        for way in (BARE, "fastapi", "mlflow")
        if run.figures.get(way)
    ]


def main() -> None:
    """Measure, print, keep."""
    perform(
        NAME,
        __doc__,
        measure,
        tables,
        rounds=Size(5, 1, "rounds"),
        seconds=Size(5, 1, "seconds at each number of connections"),
        pace_seconds=Size(15, 3, "seconds at a steady rate"),
        starts=Size(3, 1, "cold starts"),
    )


if __name__ == "__main__":
    main()
