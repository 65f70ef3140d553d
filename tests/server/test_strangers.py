"""Other services of AWS: each client is told in its own protocol that they are not here."""

import io

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from botocore.session import Session

from server.signing import ID, SECRET, arrived, as_text
from understudy.server.app import door_of
from understudy.server.strangers import is_stranger, refuse

ASKED = {
    "sts": "get_caller_identity",
    "ec2": "describe_instances",
    "iam": "list_users",
    "sqs": "list_queues",
    "dynamodb": "list_tables",
    "lambda": "list_functions",
    "route53": "list_hosted_zones",
    "cloudfront": "list_distributions",
    "cloudwatch": "list_metrics",
}


@pytest.fixture
def ask():
    """Return a function that asks a service as botocore does; what it sends goes to the refusal."""

    def asked(service, operation):
        session = Session()
        session.set_credentials(ID, SECRET)
        client = session.create_client(service, "us-east-1", endpoint_url="http://here:8080")
        client.meta.events.register("before-send", _answer)
        return getattr(client, operation)()

    return asked


def _answer(request, **_):
    headers = {name: as_text(value) for name, value in request.headers.items()}
    here = arrived(request.method, request.url, headers)
    assert door_of(here, lambda path: False) == "amazon"
    assert is_stranger(here)
    response = refuse(here)
    raw = io.BytesIO(response.body)
    raw.stream = lambda: iter([raw.getvalue()])
    return AWSResponse(request.url, response.status, response.headers, raw)


@pytest.mark.parametrize("service", ASKED)
def test_client_of_another_service_shows_what_to_set(ask, service):
    """Whatever its protocol, a client shows the code, and the two variables in the message."""
    with pytest.raises(ClientError) as raised:
        ask(service, ASKED[service])
    error = raised.value.response["Error"]
    assert error["Code"] == "UnsupportedService"
    assert error["Message"].endswith("set AWS_ENDPOINT_URL_MACHINE_LEARNING and AWS_ENDPOINT_URL_S3 instead.")


def test_body_that_is_not_read_ends_the_connection():
    """A refused request's body would be taken for the next request, so the connection is closed; else it stays."""
    signed = "AWS4-HMAC-SHA256 Credential=A/20261123/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0"
    headers = {"Authorization": signed}
    assert refuse(arrived("POST", "http://here/", {**headers, "Content-Length": "9"})).headers["Connection"] == "close"
    assert "Connection" not in refuse(arrived("GET", "http://here/", headers)).headers


@pytest.mark.parametrize("service", ["s3", "machinelearning", None])
def test_own_services_are_no_strangers(service):
    """What is signed for Amazon ML or S3, or not signed, is not refused here."""
    signed = f"AWS4-HMAC-SHA256 Credential=A/20261123/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    assert not is_stranger(arrived("POST", "http://here/", {"Authorization": signed} if service else {}))
