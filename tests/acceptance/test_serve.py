"""The server as a whole, real processes all of them: changes reach every worker, and nobody's trouble is another's."""

import functools
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
import zlib
from pathlib import Path

import pytest
import sqlalchemy as sa

from acceptance.served import Served as Started
from acceptance.stage import Project, calls, calls_project, done, ended, failed, process, spawn, write_csv
from store.conftest import catalog_url, fill, small_disk  # noqa: F401 - the same as the store's own tests
from understudy.errors import Busy
from understudy.store.catalog import Catalog
from understudy.store.lease import leased

RECORD = {"age": "61", "job": "nurse"}


class Served(Started):
    """A server whose keys are asked for once: each time costs a process."""

    @functools.cached_property
    def environment(self):
        """What `understudy env` says, for this port."""
        return super().environment


def until(condition, seconds=20):
    """Wait until something is so; return how many seconds that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds
        time.sleep(0.02)
    return time.monotonic() - began


def children(server):
    """Return the ids of a server's workers and, last, of the process that does jobs."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(server.process.pid)], check=False, capture_output=True, text=True
    )
    return sorted(map(int, listed.stdout.split()))


def lives(pid):
    """Tell whether a process lives."""
    file = Path(f"/proc/{pid}/status")
    return file.exists() and "State:\tZ" not in file.read_text()


class Rest:
    """One keep-alive connection to the REST door."""

    def __init__(self, server, token=None):
        self._token = token or server.environment["AWS_SECRET_ACCESS_KEY"]
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)

    def ask(self, method, path, document=None):
        """Send one request; return status, headers and document."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        self.connection.request(method, path, json.dumps(document) if document is not None else None, headers)
        answer = self.connection.getresponse()
        body = answer.read()
        return answer.status, answer.headers, json.loads(body) if body else None

    def predict(self, name="calls"):
        """Answer one record; return the one prediction."""
        status, _, document = self.ask("POST", f"/v1/endpoints/{name}/predict", {"records": [RECORD]})
        assert status == 200, document
        return document["predictions"][0]

    def champion(self, name="calls"):
        """Say who serves, as the worker at this connection's other end sees it."""
        return self.ask("GET", f"/v1/endpoints/{name}")[2]["champion"]["model_id"]

    def close(self):
        """Hang up."""
        self.connection.close()

    __del__ = close


def champions(server, token, connections=24):
    """Say who serves by many fresh connections, which spread over the workers."""
    seen = set()
    for _ in range(connections):
        rest = Rest(server, token)
        seen.add(rest.champion())
        rest.close()
    return seen


class Load:
    """Clients that predict all the time over connections that they keep, and remember all that they were told."""

    def __init__(self, server, clients=4):
        self.errors, self.answers, self._stop = [], [], threading.Event()
        self._rests = [Rest(server) for _ in range(clients)]
        self._threads = [threading.Thread(target=self._run, args=(rest,)) for rest in self._rests]

    def _run(self, rest):
        while not self._stop.wait(0.005):
            try:
                self.answers.append(rest.predict())
            except (OSError, AssertionError, http.client.HTTPException) as error:
                self.errors.append(error)
                rest.close()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for rest in self._rests:
            rest.close()

    def models(self):
        """Return who answered; every answer of one model must have been the same."""
        whole = {json.dumps(answer, sort_keys=True) for answer in self.answers}
        assert len(whole) == len({answer["model_id"] for answer in self.answers})
        return {answer["model_id"] for answer in self.answers}


@pytest.fixture(scope="module")
def two_models(learned_once, tmp_path_factory):
    """Give a project with a champion and a second model that could serve, not to be changed; and both ids."""
    project = Project(shutil.copytree(learned_once[0].folder, tmp_path_factory.mktemp("two") / "calls"))
    write_csv(project.folder / "calls.csv", calls(500))
    return project, project.champion, project.do("learn", "--dry-run")["model_id"]


@pytest.fixture(scope="module")
def server(two_models, tmp_path_factory):
    """Give a server with three workers of a copy of that project, for tests that leave it as it was."""
    project = Project(shutil.copytree(two_models[0].folder, tmp_path_factory.mktemp("served") / "calls"))
    with Served(project.folder, "--workers", "3") as running:
        running.project = project
        yield running


@pytest.fixture(scope="module")
def token(server):
    """Give the secret that REST takes."""
    return server.environment["AWS_SECRET_ACCESS_KEY"]


@pytest.fixture(autouse=True)
def _same_champion(request):
    """Bring the champion back that the shared server began with."""
    yield
    if {"server", "two_models"} <= set(request.fixturenames):
        running, (_, first, _) = request.getfixturevalue("server"), request.getfixturevalue("two_models")
        if running.process.poll() is None and running.project.champion != first:
            running.project.do("promote", first)


# Who answers


def test_endpoint_that_was_made_answers_at_once_on_every_worker(server, two_models):
    """CreateRealtimeEndpoint is answered when every worker answers by that model; deleting it, when none does."""
    _, _, second = two_models
    client = server.client("machinelearning")
    client.create_realtime_endpoint(MLModelId=second)
    for _ in range(15):
        fresh = server.client("machinelearning")
        fresh.predict(MLModelId=second, Record=RECORD, PredictEndpoint=server.url)
        fresh.close()
    client.delete_realtime_endpoint(MLModelId=second)
    for _ in range(15):
        fresh = server.client("machinelearning")
        with pytest.raises(fresh.exceptions.PredictorNotMountedException):
            fresh.predict(MLModelId=second, Record=RECORD, PredictEndpoint=server.url)
        fresh.close()


def test_champion_answers_by_the_name_of_its_endpoint(server, token):
    """After `learn`, Amazon ML's Predict takes the endpoint's name, and both doors give one answer."""
    told = server.client("machinelearning").predict(MLModelId="calls", Record=RECORD, PredictEndpoint=server.url)
    answer = Rest(server, token).predict()
    assert list(told["Prediction"]["predictedScores"].values()) == pytest.approx([answer["scores"]["yes"]], abs=1e-7)


@pytest.mark.parametrize("by", ["command", "rest"])
def test_promotion_reaches_every_worker_and_disturbs_nobody(server, two_models, token, by):
    """Promoted and rolled back, by either way: every worker follows, no request fails, every answer is whole."""
    _, first, second = two_models
    rest = Rest(server, token)

    def change(command, *words):
        if by == "command":
            return server.project.do(command, *words)["champion"]
        body = {"model_id": words[0]} if words else {}
        status, _, entry = rest.ask("POST", f"/v1/endpoints/calls/{command}", body)
        assert status == 200, entry
        return entry["champion"]

    with Load(server) as load:
        time.sleep(0.3)
        for command, words, expected in [("promote", (second,), second), ("rollback", (), first)]:
            assert change(command, *words) == expected
            if by == "command":
                time.sleep(1)
            assert champions(server, token) == {expected}
    assert load.errors == []
    assert load.models() == {first, second}
    server.project.do("unpin")


def test_killed_worker_is_replaced_and_no_other_request_fails(server, token):
    """`kill -9` of a worker loses its own connections; all others go on, and soon there are as many workers again."""
    before = children(server)
    with Load(server, clients=8) as load:
        time.sleep(0.3)
        os.kill(before[0], signal.SIGKILL)
        until(lambda: len(children(server)) == len(before) and before[0] not in children(server), 5)
        time.sleep(0.3)
    assert len(load.errors) < 8
    assert len(load.answers) > 50
    assert Rest(server, token).ask("GET", "/readyz")[0] == 200


def test_worker_that_does_not_follow_is_replaced(server, two_models, token):
    """A stopped worker holds a promotion up for five seconds; then it is replaced, and the promotion acknowledged."""
    _, _, second = two_models
    stopped = children(server)[0]
    rest = Rest(server, token)
    rest.champion()
    os.kill(stopped, signal.SIGSTOP)
    asked = _unstopped(server, token, stopped)
    began = time.monotonic()
    status, _, entry = asked.ask("POST", "/v1/endpoints/calls/promote", {"model_id": second})
    assert (status, entry["champion"]) == (200, second)
    assert 4 < time.monotonic() - began < 8
    until(lambda: not lives(stopped))
    until(lambda: len(children(server)) == 4)
    assert champions(server, token) == {second}


def _unstopped(server, token, stopped):
    """Return a connection to a worker that answers; one to the stopped worker would wait."""
    for _ in range(50):
        rest = Rest(server, token)
        rest.connection.timeout = 1
        try:
            rest.champion()
        except TimeoutError:
            rest.close()
            continue
        rest.connection.sock.settimeout(30)
        return rest
    raise AssertionError(f"nobody answers beside {stopped}")


# Clients with bad manners


def _sent(server, *pieces, wait=0.0):
    """Send bytes over a connection of one's own; return all that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        for piece in pieces:
            try:
                connection.sendall(piece)
            except OSError:
                break
            time.sleep(wait)
        answer = b""
        try:
            while received := connection.recv(65536):
                answer += received
        except (TimeoutError, ConnectionResetError):
            pass
    return answer


def test_slow_and_idle_clients_block_nobody(server, token):
    """Heads that never end, bodies that stall and 200 idle connections: predictions are answered as ever."""
    address, held = ("127.0.0.1", server.port), []
    for number in range(260):
        connection = socket.create_connection(address)
        held.append(connection)
        if number % 10 == 0:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        elif number % 10 == 1:
            connection.sendall(b"POST /v1/endpoints/calls/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n")
            connection.sendall(f"Authorization: Bearer {token}\r\n\r\n{{".encode())
    rest, seconds = Rest(server, token), []
    for _ in range(50):
        began = time.monotonic()
        rest.predict()
        seconds.append(time.monotonic() - began)
    assert sorted(seconds)[len(seconds) // 2] < 0.25
    for connection in held:
        connection.close()


def test_head_without_end_is_refused(server, token):
    """A head of a megabyte, in one header or in many, is answered 431 or 400, and the server goes on."""
    for head in (b"X-Large: " + b"x" * 2**20, b"X-Many: x\r\n" * 2**16):
        answer = _sent(
            server, b"GET /healthz HTTP/1.1\r\nHost: x\r\n", *[head[i : i + 2**16] for i in range(0, len(head), 2**16)]
        )
        assert answer == b"" or re.match(rb"HTTP/1.1 (431|400) ", answer), answer[:100]
    assert Rest(server, token).ask("GET", "/healthz")[0] == 200


def test_head_that_is_refused_is_told_why(server):
    """Just beyond the limit, the refusal can be read."""
    answer = _sent(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: ", b"x" * 40_000, b"x" * 40_000, wait=0.1)
    assert answer.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"\0" * 100, b"PRI * HTTP/2.0\r\n\r\n"]
)
def test_what_is_not_http_is_refused(server, token, garbage):
    """TLS on a plain port and other bytes: 400 or nothing, and the server goes on."""
    answer = _sent(server, garbage, b"\r\n\r\n")
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 "), answer
    assert Rest(server, token).ask("GET", "/healthz")[0] == 200


def test_body_that_is_too_large_is_refused(server, token):
    """A body beyond a door's limit is refused by its announced length, before a byte of it is sent."""
    head = f"POST /v1/endpoints/calls/predict HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    answer = _sent(server, f"{head}Content-Length: {10**10}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 413 ")
    target = "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonML_20141212.Predict\r\n"
    answer = _sent(server, f"{target}Content-Length: {10**10}\r\n\r\n".encode())
    assert b"MissingAuthenticationTokenException" in answer
    assert b"connection: close" in answer.lower()


def test_deep_json_is_refused(server, token):
    """A document nested a hundred thousand deep is a client's mistake on both doors that read JSON."""
    rest, deep = Rest(server, token), "[" * 100_000
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    rest.connection.request("POST", "/v1/endpoints/calls/predict", deep, headers)
    assert rest.connection.getresponse().status == 400
    client = server.client("machinelearning")
    client.meta.events.register("before-sign.machinelearning.Predict", lambda request, **_: _set_body(request, deep))
    with pytest.raises(client.exceptions.ClientError) as caught:
        client.predict(MLModelId="calls", Record=RECORD, PredictEndpoint=server.url)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def _set_body(request, text):
    request.data = text.encode()


def test_requests_sent_at_once_are_answered_in_order(server, token):
    """Pipelining: three requests in one packet give three answers in their order."""
    one = "GET {} HTTP/1.1\r\nHost: x\r\n{}\r\n"
    last = one.format("/healthz", "Connection: close\r\n")
    sent = one.format("/healthz", "") + one.format("/nowhere-at-all", "") + last
    answer = _sent(server, sent.encode())
    statuses = re.findall(rb"HTTP/1.1 (\d+) ", answer)
    assert (len(statuses), statuses[0], statuses[2]) == (3, b"200", b"200")
    assert statuses[1] != b"200"


# Beginning


def test_port_that_is_taken_is_one_message(server, tmp_path):
    """A second server on the same port ends with 1 and says which port."""
    message = failed(process("serve", "--project", tmp_path, "--port", server.port), 1)
    assert f"127.0.0.1:{server.port}" in message


def test_env_tells_the_port_of_the_server_that_runs(server):
    """`understudy env` points to where `serve --port` listens now, not to where the project file says."""
    assert done(server.project.run("env", "--json"))["AWS_ENDPOINT_URL"] == server.url


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--prot", "1"), "--prot"),
        (("--port", "x"), "--port"),
        (("--port", "70000"), "--port"),
        (("--workers", "0"), "--workers"),
        (("--tls-cert", "nowhere.pem"), "--tls-key"),
        (("--tls-cert", "nowhere.pem", "--tls-key", "nowhere.pem"), "nowhere.pem"),
    ],
)
def test_wrong_flags_are_wrong_usage(tmp_path, words, said):
    """A flag that is none, or that cannot be meant, ends with 2 and is named."""
    told = Project(tmp_path).run("serve", *words)
    assert told.code == 2
    assert said in told.err
    assert "Traceback" not in told.err


def test_broken_project_file_is_wrong_usage(tmp_path):
    """A project file that cannot be read, or two projects of one name, end with 2 before anything listens."""
    project = Project(tmp_path / "one").write('name = "one"\n[extrakt]\n')
    assert "extrakt" in failed(project.run("serve", "--port", "0"), 2)
    pair = [calls_project(tmp_path / name, rows=5).folder for name in ("a", "b")]
    assert "'calls'" in failed(process("serve", "--port", "0", "--project", pair[0], "--project", pair[1]), 2)


# Ending


@pytest.fixture
def own(two_models, tmp_path):
    """Give what starts servers of a test's own, on a copy of the project that has learned."""
    folder, started = shutil.copytree(two_models[0].folder, tmp_path / "calls"), []

    def start(*options, **more):
        started.append(Served(more.pop("folder", folder), *options, **more).start())
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.kill_all()


def test_sigterm_ends_what_is_under_way_and_announces_the_end(own):
    """Requests under way are answered, with `Connection: close`; the server ends with 0 and leaves no process."""
    server = own("--workers", "2")
    pids, rest = children(server), Rest(server)
    body = json.dumps({"records": [RECORD]}).encode()
    half = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    head = f"POST /v1/endpoints/calls/predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    token = server.environment["AWS_SECRET_ACCESS_KEY"]
    half.sendall(f"{head}Content-Type: application/json\r\nAuthorization: Bearer {token}\r\n\r\n".encode() + body[:5])
    rest.predict()
    server.process.terminate()
    closing = until(lambda: rest.ask("GET", "/healthz")[1].get("Connection") == "close", 5)
    assert closing < 1.5
    time.sleep(1.5)
    half.sendall(body[5:])
    answer = half.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in answer.lower()
    half.close()
    assert server.process.wait(20) == 0
    until(lambda: not any(map(lives, pids)), 2)
    assert not (server.folder / ".understudy" / "serving.json").exists()


def test_killed_parent_takes_everybody_with_it(own, two_models):
    """`kill -9` of the first process: workers, jobs and their processes end within seconds; the port is free again."""
    server = own("--workers", "2")
    pids = children(server)
    server.kill()
    until(lambda: not any(map(lives, pids)), 5)
    again = own("--workers", "2", port=server.port)
    again.kill()
    began = time.monotonic()
    assert own("--workers", "2", port=server.port)  # at once: it waits for the orphans' end
    assert time.monotonic() - began < 30


def _bucket_with_rows(server, rows=300, key="calls.csv"):
    """Upload rows as an Amazon ML client would; return clients of S3 and Amazon ML."""
    s3, client = server.client("s3"), server.client("machinelearning")
    s3.create_bucket(Bucket="data")
    file = server.folder / "rows.csv"
    write_csv(file, calls(rows))
    s3.upload_file(str(file), "data", key)
    return s3, client


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
        {"attributeName": "answer", "attributeType": "CATEGORICAL"},
    ],
}


def _source(client, source_id):
    spec = {"DataLocationS3": "s3://data/calls.csv", "DataSchema": json.dumps(SCHEMA)}
    client.create_data_source_from_s3(DataSourceId=source_id, DataSpec=spec, ComputeStatistics=True)


def test_two_servers_on_one_store_do_each_job_once(own, tmp_path):
    """Two servers of one folder both answer; only one does jobs, and when it is killed the other goes on with them."""
    folder = tmp_path / "alone"
    folder.mkdir()
    first, second = own("--workers", "1", folder=folder), own("--workers", "1", folder=folder)
    _, client = _bucket_with_rows(first)
    _source(client, "ds-1")
    other = second.client("machinelearning")
    until(lambda: other.get_data_source(DataSourceId="ds-1")["Status"] == "COMPLETED")
    assert done(process("env", "--json", "--project", folder))["AWS_ENDPOINT_URL"] == first.url
    first.kill_all()
    _source(other, "ds-2")
    until(lambda: other.get_data_source(DataSourceId="ds-2")["Status"] == "COMPLETED")


# The schedule


def _runs(project):
    """Return the runs on record, oldest first: id and status."""
    file = project.folder / ".understudy" / "catalog.db"
    if not file.exists():
        return []
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        query = "select id, status, created_at from entities where kind = 'run' order by sequence"
        return connection.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()


def _age(project, interval):
    """Let all runs on record be older than they are."""
    connection = sqlite3.connect(project.folder / ".understudy" / "catalog.db")
    with connection:
        connection.execute(
            "update entities set created_at = strftime('%Y-%m-%dT%H:%M:%f000Z', created_at, ?) where kind = 'run'",
            (interval,),
        )
    connection.close()


def test_schedule_learns_by_itself_and_serves_the_result(own, tmp_path):
    """`[schedule] every`: the first run begins at once, the next after its time, and what is admitted answers."""
    project = calls_project(tmp_path / "scheduled", more='[schedule]\nevery = "3s"\n')
    server = own("--workers", "1", folder=project.folder)
    until(lambda: sum(status == "COMPLETED" for _, status, _ in _runs(project)) >= 2, 60)
    begun = [at for _, _, at in _runs(project)]
    assert len(begun) == len(set(begun))
    until(lambda: Rest(server).predict()["model_id"] == project.champion, 5)  # workers look ten times a second
    assert project.do("status")["next_run"] is not None


def test_missed_runs_are_caught_up_once(own, two_models, tmp_path):
    """However long no server ran, one run is due when one comes; the next waits for its time."""
    project = Project(shutil.copytree(two_models[0].folder, tmp_path / "missed"))
    file = project.folder / "understudy.toml"
    file.write_text(file.read_text() + '[schedule]\nevery = "1d"\n')
    _age(project, "-100 days")
    before = len(_runs(project))
    own("--workers", "1", folder=project.folder)
    until(lambda: len(_runs(project)) == before + 1 and _runs(project)[-1][1] == "COMPLETED", 40)
    time.sleep(2.5)
    assert len(_runs(project)) == before + 1


def test_killed_scheduled_run_is_run_again(own, tmp_path):
    """A scheduled run that was killed with its server is closed, and run again at once by the next server."""
    project = calls_project(tmp_path / "killed", rows=8_000, more='[schedule]\nevery = "1d"\n')
    server = own("--workers", "1", folder=project.folder)
    until(lambda: [status for _, status, _ in _runs(project)] == ["INPROGRESS"], 40)
    server.kill_all()
    own("--workers", "1", folder=project.folder)
    until(lambda: [status for _, status, _ in _runs(project)] == ["FAILED", "COMPLETED"], 60)


def test_run_that_cannot_be_put_on_record_is_not_tried_without_end(own, tmp_path):
    """A project whose runs fail waits for its time, and the server answers all the while."""
    project = calls_project(tmp_path / "failing", more='[schedule]\nevery = "1d"\n')
    (project.folder / "calls.csv").unlink()
    server = own("--workers", "1", folder=project.folder)
    until(lambda: [status for _, status, _ in _runs(project)] == ["FAILED"], 40)
    time.sleep(2.5)
    assert len(_runs(project)) == 1
    assert Rest(server).ask("GET", "/healthz")[0] == 200


# Several projects, TLS, a full disk


def test_several_projects_make_several_endpoints(own, two_models, tmp_path):
    """Each `--project` has its name on the port; Amazon ML's store is the first one's."""
    other = Project(shutil.copytree(two_models[0].folder, tmp_path / "other"))
    file = other.folder / "understudy.toml"
    file.write_text(file.read_text().replace('name = "calls"', 'name = "other"'))
    other.do("learn")
    second = other.do("learn", "--dry-run")["model_id"]
    server = own("--workers", "2", "--project", other.folder)
    rest = Rest(server)
    names = {each["name"] for each in rest.ask("GET", "/v1/endpoints")[2]["endpoints"]}
    assert names == {"calls", "other"}
    assert rest.predict("other")["model_id"] == other.champion
    status, _, entry = rest.ask("POST", "/v1/endpoints/other/promote", {"model_id": second})
    assert (status, entry["champion"]) == (200, second)
    assert rest.predict("other")["model_id"] == second
    assert rest.predict("calls")["model_id"] == two_models[1]


def test_certificate_and_key_make_it_https(own, tmp_path):
    """With --tls-cert and --tls-key the port speaks TLS and nothing else, and says https of itself."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here to make a certificate with")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-keyout",
        key,
        "-out",
        certificate,
    ]
    subprocess.run([*made, *subject], check=True, capture_output=True)
    server = own("--workers", "1", "--tls-cert", certificate, "--tls-key", key)
    assert f"https://127.0.0.1:{server.port}" in server.log.read_text()
    trusted = ssl.create_default_context(cafile=certificate)
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=trusted, timeout=10)
    connection.request("GET", "/readyz")
    assert connection.getresponse().status == 200
    assert _sent(server, b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n") == b""
    connection.close()


def test_full_disk_ends_no_prediction(own, two_models, small_disk, fill):  # noqa: F811 - fixtures by their names
    """Without a free byte predictions go on, a killed worker comes back, and an upload is refused, not lost."""
    folder = shutil.copytree(two_models[0].folder, small_disk / "calls")
    server = own("--workers", "2", folder=folder)
    s3 = server.client("s3")
    s3.create_bucket(Bucket="data")
    fill(small_disk)
    rest = Rest(server)
    before = rest.predict()
    with pytest.raises(s3.exceptions.ClientError):
        s3.put_object(Bucket="data", Key="big", Body=b"x" * 2**20)
    os.kill(children(server)[0], signal.SIGKILL)
    time.sleep(1)
    for _ in range(10):
        fresh = Rest(server)
        assert fresh.predict() == before
        fresh.close()


def test_ctrl_c_is_an_orderly_end(own):
    """SIGINT to the whole group, as a terminal sends it, ends the server with 0."""
    server = own("--workers", "1")
    os.killpg(server.process.pid, signal.SIGINT)
    assert server.process.wait(20) == 0


def test_free_port_is_found_and_told(tmp_path):
    """`--port 0` takes a free port and says which."""
    serving = spawn("serve", "--port", "0", "--workers", "1", "--project", tmp_path)
    line = serving.stderr.readline()
    serving.terminate()
    assert re.fullmatch(r"Understudy answers at http://127\.0\.0\.1:\d+\n", line), line
    assert ended(serving).code == 0


@pytest.mark.parametrize("catalog_url", ["postgresql"], indirect=True)
def test_lease_is_lost_with_the_session_that_holds_it(catalog_url, tmp_path):  # noqa: F811 - a fixture by its name
    """On a shared PostgreSQL one server of several machines holds the lease; it notices when the database ends that."""
    first, second = (Catalog.open(catalog_url) for _ in range(2))
    name = f"jobs of {tmp_path}"
    with leased(first, tmp_path / "here.lock", name) as held:
        assert held()
        with pytest.raises(Busy), leased(second, tmp_path / "there.lock", name):
            pass
        with second.session() as connection:
            query = "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid = :number"
            connection.execute(sa.text(query), {"number": zlib.crc32(name.encode())})
        assert not held()
        assert not held()
        with leased(second, tmp_path / "there.lock", name) as taken:
            assert taken()
    first.close()
    second.close()
