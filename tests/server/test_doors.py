"""A worker's doors, opened over an empty folder: where browsers and strangers end up."""

import asyncio
import json

import pytest

from server.signing import arrived
from understudy.config import Place
from understudy.server.app import door_of
from understudy.server.doors import open_doors
from understudy.server.settings import Opened, settings_for
from understudy.serving import Serving

FOR_STS = "AWS4-HMAC-SHA256 Credential=A/20261123/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0"


@pytest.fixture
def ask(tmp_path):
    """Return a function that sends a request to the door that it goes to."""
    settings = settings_for([Place(root=tmp_path)])
    opened = Opened(settings)
    (store,) = opened.stores
    doors = open_doors(settings, opened, Serving(store), lambda store: None, lambda: True)

    def asked(method, path, **headers):
        request = arrived(method, f"http://here{path}", headers)
        return asyncio.run(getattr(doors, door_of(request, doors.is_rest))(request))

    yield asked
    store.catalog.close()


@pytest.mark.parametrize("path", ["/", "/docs/"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_browsers_find_the_page(ask, method, path):
    """The bare address, and the page's with a slash too many, lead to the page."""
    told = ask(method, path)
    assert (told.status, told.headers["Location"]) == (302, "/docs")


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/favicon.ico", {}),
        ("GET", "/v2/models", {"Authorization": "Bearer x"}),
        ("POST", "/", {"Authorization": "Bearer x"}),
        ("POST", "/docs/", {}),
    ],
)
def test_who_speaks_rest_is_told_in_its_words(ask, caplog, method, path, headers):
    """A token means REST: where nothing is, that is said as REST says it, and nothing is logged."""
    told = ask(method, path, **headers)
    assert told.status == 404
    assert json.loads(told.body)["error"]["hint"].startswith("GET /docs")
    assert not caplog.records


def test_other_services_are_refused_unless_they_ask_for_amazon_ml(ask):
    """What is signed for another service is told which variables to set; an operation of Amazon ML keeps its words."""
    told = ask("POST", "/", Authorization=FOR_STS)
    assert json.loads(told.body)["__type"] == "UnsupportedService"
    told = ask("POST", "/", **{"Authorization": FOR_STS, "X-Amz-Target": "AmazonML_20141212.GetMLModel"})
    assert json.loads(told.body)["__type"] != "UnsupportedService"
