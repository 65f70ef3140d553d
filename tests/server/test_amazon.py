"""The AWS JSON door: a real boto3 client through it, and what no SDK would ever send."""

import asyncio
import dataclasses
import io
import json
import logging
import re
import threading
from datetime import UTC, datetime

import boto3
import botocore.awsrequest
import botocore.exceptions
import pytest
from botocore import xform_name
from botocore.auth import SigV4Auth
from botocore.config import Config
from botocore.credentials import Credentials

from server.signing import arrived, ready, signed_by, written
from service.stage import Stage, check, original
from service.test_operations import FAULTS, SUCCESS
from understudy.errors import Busy, StoreError
from understudy.server import amazon
from understudy.server.keys import Key, open_keys
from understudy.server.signature import SignatureError, verify
from understudy.server.whole import read_whole
from understudy.service.faults import Fault, PredictorNotMountedException
from understudy.service.operations import OPERATIONS

URL = "http://127.0.0.1:8080"


class Raw(io.BytesIO):
    """A body as botocore reads it off the wire."""

    def stream(self, *_, **__):
        """Yield everything at once."""
        yield self.read()


class Desk:
    """A door over a stage, asked by boto3 without a network or by hand."""

    def __init__(self, folder):
        self.stage = Stage(folder)
        self.keys = open_keys(folder / ".understudy")
        self.door = amazon.Door(self.stage.service, self.keys)
        self.key = self.keys.default()
        self.last = None

    def client(self, key=None):
        """Return a boto3 client whose requests come to the door."""
        key = key or self.key
        client = boto3.client(
            "machinelearning",
            "us-east-1",
            endpoint_url=URL,
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
            config=Config(retries={"max_attempts": 0}, parameter_validation=False),
        )
        client.meta.events.register("before-send.machinelearning.*", self._sent)
        return client

    def _sent(self, request, **_):
        headers = {name: value if isinstance(value, str) else value.decode() for name, value in request.headers.items()}
        body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
        response = self.take(arrived(request.method, request.url, headers, body))
        self.hold_short_way(arrived(request.method, request.url, headers), body)
        return botocore.awsrequest.AWSResponse(request.url, response.status, response.headers, Raw(response.body))

    def hold_short_way(self, request, body):
        """See that a request which is answered at once is answered as it was; tell whether it is."""
        whole = read_whole(written(request, body))
        try:
            answered = None if whole is None else amazon.at_once(self.door, whole)
        except (SignatureError, Fault):  # the usual way tells what is wrong
            return False
        if answered is None:
            return False
        headers, content = ready(answered)
        names = {name.lower() for name in self.last.headers} | {"content-length"}
        assert (200, content, names) == (self.last.status, self.last.body, set(headers))
        return True

    def take(self, request):
        """Return the door's response to a request."""
        self.last = asyncio.run(amazon.answer(self.door, request))
        return self.last

    def send(self, body=b"{}", target="AmazonML_20141212.DescribeMLModels", key=None, **changes):
        """Sign a request by hand and return its status and its document."""
        key = key or self.key
        signer = SigV4Auth(Credentials(key.id, key.secret), "machinelearning", "us-east-1")
        headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
        given = {"method": "POST", "url": URL, "headers": headers, "body": body, **changes}
        response = self.take(signed_by(signer, **given))
        return response.status, json.loads(response.body)


@pytest.fixture
def desk(tmp_path):
    """Give a door over an empty catalog."""
    made = Desk(tmp_path)
    yield made
    made.stage.catalog.close()


def methods(client, name):
    """Return a client's method for an operation."""
    return getattr(client, xform_name(name))


@pytest.mark.parametrize("name", OPERATIONS)
def test_boto3_succeeds(desk, name):
    """Each operation answers a real client, which finds in the answer what it expects."""
    prepare, members, expected = SUCCESS[name]
    prepare(desk.stage)
    answer = methods(desk.client(), name)(**members)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert re.fullmatch("[0-9a-f-]{36}", answer["ResponseMetadata"]["RequestId"])
    assert desk.last.headers["Content-Type"] == "application/x-amz-json-1.1"
    sent = json.loads(desk.last.body)
    check(sent, original().operation_model(name).output_shape)
    assert set(expected) <= set(answer)


@pytest.mark.parametrize(
    ("name", "prepare", "members", "fault"),
    [
        pytest.param(name, prepare, members, fault, id=f"{name}-{fault.__name__}")
        for (name, fault), (prepare, members) in {
            (name, fault): (prepare, members) for name, prepare, members, fault, _ in reversed(FAULTS)
        }.items()
    ],
)
def test_boto3_meets_the_declared_exception(desk, name, prepare, members, fault):
    """Each declared fault is the exception of that name in a real client, with its text and its code."""
    prepare(desk.stage)
    client = desk.client()
    with pytest.raises(getattr(client.exceptions, fault.__name__)) as raised:
        methods(client, name)(**members)
    body = json.loads(desk.last.body)
    assert body["__type"] == fault.__name__
    assert raised.value.response["Error"]["Message"] == body["message"]
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == fault.status
    assert body.get("code") == fault.code


def test_predict_goes_where_its_endpoint_says(desk):
    """The url that CreateRealtimeEndpoint gives works as PredictEndpoint, though it is none of Amazon's."""
    desk.stage.model()
    client = desk.client()
    url = client.create_realtime_endpoint(MLModelId="ml-1")["RealtimeEndpointInfo"]["EndpointUrl"]
    assert url == URL
    desk.stage.memory.by_id["ml-1"] = desk.stage.fake_served("ml-1")
    answer = client.predict(MLModelId="ml-1", Record={"x": "1"}, PredictEndpoint=url)
    assert answer["Prediction"]["predictedValue"] == 2.5


def test_public_url_is_the_endpoints(desk):
    """Behind another server clients are told how they reach this one."""
    desk.door = amazon.Door(desk.stage.service, desk.keys, "https://ml.example.org", "http")
    desk.stage.model()
    answer = desk.client().create_realtime_endpoint(MLModelId="ml-1")
    assert answer["RealtimeEndpointInfo"]["EndpointUrl"] == "https://ml.example.org"


def test_paginator_and_waiter_see_a_list(desk):
    """What boto3 has for lists works: all pages, and waiting for a status by name."""
    for number in range(5):
        desk.stage.source(f"ds-{number}")
    client = desk.client()
    pages = client.get_paginator("describe_data_sources").paginate(PaginationConfig={"PageSize": 2})
    assert [item["DataSourceId"] for page in pages for item in page["Results"]] == [f"ds-{n}" for n in range(5)]
    client.update_data_source(DataSourceId="ds-3", DataSourceName="mine")
    client.get_waiter("data_source_available").wait(FilterVariable="Name", EQ="mine", WaiterConfig={"MaxAttempts": 1})


def test_times_are_times_in_boto3(desk):
    """Epoch seconds with milliseconds become aware times."""
    desk.stage.source()
    created = desk.client().get_data_source(DataSourceId="ds-1")["CreatedAt"]
    assert created.tzinfo is not None
    assert abs((datetime.now(UTC) - created).total_seconds()) < 60


def test_log_can_be_opened_by_its_url(desk):
    """LogUri is presigned with the caller's key: S3's door takes it."""
    desk.stage.source(log="ds-1/a log.txt")
    url = desk.client().get_data_source(DataSourceId="ds-1")["LogUri"]
    assert url.startswith(f"{URL}/understudy-logs/ds-1/a%20log.txt?")
    signed = verify(arrived("GET", url), desk.keys, "s3", datetime.now(UTC))
    assert signed.key == desk.key


def test_key_that_may_only_predict(desk):
    """A key of the role predict is refused everything else by AWS's own name."""
    key = desk.keys.make("phone", "predict")
    desk.stage.memory.by_id["ml-1"] = desk.stage.fake_served("ml-1")
    client = desk.client(key)
    assert client.predict(MLModelId="ml-1", Record={}, PredictEndpoint=URL)["Prediction"]["predictedValue"] == 2.5
    with pytest.raises(botocore.exceptions.ClientError, match=r"AccessDeniedException.*may call Predict only"):
        client.describe_ml_models()


def test_objects_belong_to_the_key_that_made_them(desk):
    """CreatedByIamUser names the key."""
    _, members, _ = SUCCESS["CreateDataSourceFromS3"]
    client = desk.client(desk.keys.make("nightly", "admin"))
    client.create_data_source_from_s3(**members)
    shown = client.get_data_source(DataSourceId="ds-1")
    assert shown["CreatedByIamUser"] == "arn:aws:iam::000000000000:user/nightly"


# --- what no SDK sends -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff", b"nul", b'{"a": 1e999}', b'"\\ud800"', b"[" * 1_000_000, b'{"a":' * 1_000_000, b"{}{}"],
    ids=["open", "bytes", "word", "number", "surrogate", "deep list", "deep object", "two"],
)
def test_malformed_json_is_said(desk, body):
    """What is no JSON, or nested without end, is AWS's SerializationException."""
    status, document = desk.send(body)
    assert (status, document["__type"]) == (400, "SerializationException")


@pytest.mark.parametrize("depth", [100, 400, 800, 1500])
def test_nesting_is_harmless_at_any_depth(desk, depth):
    """Members nested as deep as a parser just takes are an answer or a refusal, never a mistake."""
    for opening, closing in (("[", "]"), ('{"DataSpec":', "}")):
        for member in ("Unknown", "DataSpec", "DataSourceId"):
            nested = opening * depth + "1" + closing * depth
            status, document = desk.send(
                f'{{"{member}": {nested}}}'.encode(), "AmazonML_20141212.CreateDataSourceFromS3"
            )
            assert (status, document["__type"] in ("SerializationException", "InvalidInputException")) == (400, True)


def test_empty_body_is_an_empty_request(desk):
    """A list may be asked for without a word."""
    assert desk.send(b"") == (200, {"Results": []})


@pytest.mark.parametrize(
    "target", ["AmazonML_20141212.Nothing", "AmazonML_20141212.", "Other.GetMLModel", "GetMLModel", ""]
)
def test_unknown_operation_is_said(desk, target):
    """A target that is none of the 28 is AWS's UnknownOperationException."""
    status, document = desk.send(target=target)
    assert (status, document["__type"]) == (400, "UnknownOperationException")


@pytest.mark.parametrize("changes", [{"method": "GET", "body": b""}, {"method": "PUT"}, {"url": f"{URL}/elsewhere"}])
def test_operations_are_at_one_place(desk, changes):
    """Another method or path is no operation."""
    status, document = desk.send(**changes)
    assert (status, document["__type"]) == (400, "UnknownOperationException")


def test_unsigned_request_is_refused(desk):
    """Nobody is answered without a signature."""
    response = desk.take(arrived("POST", URL, {"x-amz-target": "AmazonML_20141212.DescribeMLModels"}, b"{}"))
    assert (response.status, json.loads(response.body)["__type"]) == (400, "MissingAuthenticationTokenException")


def test_changed_body_is_refused(desk):
    """What was signed is what is answered."""
    signer = SigV4Auth(Credentials(desk.key.id, desk.key.secret), "machinelearning", "us-east-1")
    request = signed_by(signer, "POST", URL, {"X-Amz-Target": "AmazonML_20141212.DescribeMLModels"}, b"{}")
    response = desk.take(arrived("POST", URL, dict(request.headers), b'{"Limit": 1}'))
    assert json.loads(response.body)["__type"] == "InvalidSignatureException"


def test_unknown_key_is_refused(desk):
    """A key that is not this server's is told so."""
    client = boto3.client(
        "machinelearning", "us-east-1", endpoint_url=URL, aws_access_key_id="A", aws_secret_access_key="b"
    )
    client.meta.events.register("before-send.machinelearning.*", desk._sent)
    with pytest.raises(botocore.exceptions.ClientError, match="UnrecognizedClientException"):
        client.describe_ml_models()


def test_too_large_body_is_refused(desk, monkeypatch):
    """A body beyond the limit is not read to its end, and the connection is closed."""
    monkeypatch.setattr(amazon, "BODY_LIMIT", 100)
    status, document = desk.send(b" " * 101)
    assert (status, document["__type"]) == (413, "RequestEntityTooLargeException")
    assert desk.last.headers["Connection"] == "close"


SCOPE = "Credential=A/20260101/r/machinelearning/aws4_request"
FORGED = {
    "Authorization": f"AWS4-HMAC-SHA256 {SCOPE}, SignedHeaders=host, Signature=0",
    "X-Amz-Date": "20260101T000000Z",
}


@pytest.mark.parametrize(
    ("headers", "name"),
    [({}, "MissingAuthenticationTokenException"), (FORGED, "UnrecognizedClientException")],
)
def test_large_body_of_a_stranger_is_not_read(desk, headers, name):
    """Who is not known by the head of a request has no large body of theirs in memory."""

    async def never():
        raise AssertionError("the body was read")
        yield b""

    request = arrived(
        "POST", URL, {"X-Amz-Target": "AmazonML_20141212.GetMLModel", "Content-Length": "9000000", **headers}
    )
    response = desk.take(dataclasses.replace(request, body=never()))
    assert (response.status, json.loads(response.body)["__type"]) == (400, name)
    assert response.headers["Connection"] == "close"


def test_longest_query_fits(desk):
    """The longest SQL query that the original takes is taken."""
    _, members, _ = SUCCESS["CreateDataSourceFromRedshift"]
    spec = {**members["DataSpec"], "SelectSqlQuery": "select 1 " + "-" * (16_777_216 - 9)}
    answer = desk.client().create_data_source_from_redshift(**{**members, "DataSpec": spec})
    assert answer["DataSourceId"] == "ds-1"


# --- our own mistakes ------------------------------------------------------------------------------------------------


@pytest.fixture
def instead(monkeypatch):
    """Give a function that puts another function in an operation's place."""

    def put(name, function):
        request, faults = OPERATIONS[name].request, OPERATIONS[name].faults
        monkeypatch.setitem(OPERATIONS, name, type(OPERATIONS[name])(request, function, faults))

    return put


def raising(*errors):
    """Return a function that raises one error after the other, and then answers."""
    remaining = list(errors)

    def function(*_):
        if remaining:
            raise remaining.pop(0)
        return {"Results": []}

    return function


@pytest.mark.parametrize("name", ["DescribeMLModels", "Predict"])
def test_mistake_of_ours_is_not_told_to_the_world(desk, instead, caplog, name):
    """An unexpected error is InternalServerException without details; the log has them."""
    instead(name, raising(ZeroDivisionError("secret detail")))
    _, members, _ = SUCCESS[name]
    client = desk.client()
    with caplog.at_level(logging.ERROR), pytest.raises(client.exceptions.InternalServerException) as raised:
        methods(client, name)(**members)
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert "secret" not in desk.last.body.decode()
    assert "secret detail" in caplog.text
    assert json.loads(desk.last.body)["code"] == 500


def test_store_that_fails_is_a_server_error(desk, instead, caplog):
    """A full disk is no fault of the client's."""
    instead("DescribeMLModels", raising(StoreError("no space left in /srv/catalog.db")))
    with caplog.at_level(logging.ERROR):
        status, document = desk.send()
    assert (status, document["__type"]) == (500, "InternalServerException")
    assert "/srv" not in document["message"]
    assert "no space left" in caplog.text


@pytest.mark.parametrize(
    ("changes", "short"),
    [
        ({}, True),
        ({"body": b'{"MLModelId": "ml-1", "Record": {"x": "1"}, "PredictEndpoint": "x", "More": 1}'}, False),
        ({"body": b'{"MLModelId": "ml-1", "Record": {"x": null}, "PredictEndpoint": "x"}'}, False),
        ({"body": b'{"MLModelId": "ml-1", "Record": {"x": "\\u0000"}, "PredictEndpoint": "x"}'}, False),
        ({"body": b'{"MLModelId": "ml-1", "Record": {"x": 1}, "PredictEndpoint": "x"}'}, False),
        ({"body": b'{"MLModelId": "ml-2", "Record": {"x": "1"}, "PredictEndpoint": "x"}'}, False),
        ({"body": b"nonsense"}, False),
        ({"target": "AmazonML_20141212.DescribeMLModels"}, False),
        ({"key": Key("AKIAIOSFODNN7EXAMPLE", "secret", "nobody", "admin")}, False),
    ],
)
def test_usual_prediction_is_answered_at_once(desk, changes, short):
    """A usual Predict of a model in memory goes the short way; any other is left to the usual way, signed or not."""
    desk.stage.memory.by_id["ml-1"] = desk.stage.fake_served("ml-1")
    given = {"body": b'{"MLModelId": "ml-1", "Record": {"x": "1"}, "PredictEndpoint": "x"}', **changes}
    target, key = given.pop("target", "AmazonML_20141212.Predict"), given.pop("key", desk.key)
    signer = SigV4Auth(Credentials(key.id, key.secret), "machinelearning", "us-east-1")
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    request = signed_by(signer, "POST", URL, headers, given["body"])
    desk.take(request)
    assert desk.hold_short_way(request, given["body"]) == short
    if short:
        assert not desk.hold_short_way(request, given["body"] + b" ")  # which is not what was signed
        assert not desk.hold_short_way(
            dataclasses.replace(request, headers={**request.headers, "host": "other"}), given["body"]
        )


def test_prediction_whose_own_headers_are_signed_is_answered_at_once(desk):
    """A client may sign what is each request's own, as boto3 does not: that is held against the signature, too."""
    desk.stage.memory.by_id["ml-1"] = desk.stage.fake_served("ml-1")
    body = b'{"MLModelId": "ml-1", "Record": {"x": "1"}, "PredictEndpoint": "x"}'
    signer = SigV4Auth(Credentials(desk.key.id, desk.key.secret), "machinelearning", "us-east-1")
    headers = {"X-Amz-Target": "AmazonML_20141212.Predict", "Content-Length": str(len(body))}
    for number in ("one", "two"):
        own = {"amz-sdk-invocation-id": number, "x-request-id": f"00-{number}"}
        request = signed_by(signer, "POST", URL, headers | own, body)
        assert "amz-sdk-invocation-id;content-length;" in request.headers["authorization"]
        desk.take(arrived("POST", URL, request.headers, body))
        assert desk.hold_short_way(request, body)
        for name in own:
            altered = {**request.headers, name: "other"}
            assert not desk.hold_short_way(dataclasses.replace(request, headers=altered), body)
            left_out = {header: value for header, value in request.headers.items() if header != name}
            assert not desk.hold_short_way(dataclasses.replace(request, headers=left_out), body)


def test_busy_catalog_is_waited_for(desk, instead, monkeypatch):
    """While another process holds the catalog, an operation is tried again before it fails."""
    monkeypatch.setattr(amazon, "_PAUSES", (0, 0, 0))
    instead("DescribeMLModels", raising(*[Busy("locked")] * 3))
    assert desk.send()[0] == 200
    instead("DescribeMLModels", raising(*[Busy("locked")] * 4))
    assert desk.send()[0] == 500


def test_operations_leave_the_event_loop_free_but_for_predict(desk, instead):
    """What may wait for a disk, or take a batch, runs in a thread; a usual prediction by a model in memory does not."""
    threads = []

    def function(*_):
        threads.append(threading.current_thread())
        raise PredictorNotMountedException("nobody")

    desk.stage.memory.by_id["ml-1"] = desk.stage.memory.by_name["policies"] = desk.stage.fake_served("ml-1")
    desk.stage.memory.by_id["ml-1"].predictor.score_texts_at_once = lambda record: function() if record else None
    for name, model_id, record in (
        ("GetMLModel", "ml-1", {}),
        ("Predict", "ml-1", {"x": "1"}),
        ("Predict", "policies", {"x": "1"}),
        ("Predict", "other", {"x": "1"}),
        ("Predict", "ml-1", {}),
    ):
        instead(name, function)
        members = {"MLModelId": model_id, "Record": record, "PredictEndpoint": "x"}
        desk.send(json.dumps(members).encode(), f"AmazonML_20141212.{name}")
    kinds = [thread.name.partition("_")[0] for thread in threads]
    assert kinds == ["reading", "MainThread", "MainThread", "reading", "predicting"]


def test_busy_catalog_is_waited_for_before_predict_says_no(desk, monkeypatch):
    """Who asks for a model that is not mounted is told so, though another process held the catalog at first."""
    monkeypatch.setattr(amazon, "_PAUSES", (0, 0, 0))
    desk.stage.model()
    get, busy = desk.stage.catalog.get, [Busy("locked")] * 3
    monkeypatch.setattr(desk.stage.catalog, "get", lambda *given: raising(busy.pop())() if busy else get(*given))
    body = json.dumps({"MLModelId": "ml-1", "Record": {}, "PredictEndpoint": "x"}).encode()
    status, document = desk.send(body, "AmazonML_20141212.Predict")
    assert (status, document["__type"], busy) == (400, "PredictorNotMountedException", [])


@pytest.mark.parametrize("body", [b"[]", b'{"MLModelId": ["ml-1"]}', b'{"MLModelId": null}', b"7"])
def test_prediction_of_nothing_is_said(desk, body):
    """A Predict that names no model is invalid input."""
    status, document = desk.send(body, "AmazonML_20141212.Predict")
    assert (status, document["__type"]) == (400, "InvalidInputException")


def test_prediction_with_a_large_body_is_not_read(desk):
    """What is too large for any record is refused before its JSON is looked at, signed though it is."""
    status, document = desk.send(b"{" + b" " * amazon.PREDICT_LIMIT, "AmazonML_20141212.Predict")
    assert (status, document["__type"]) == (400, "InvalidInputException")
    assert "1,048,577 bytes" in document["message"]
