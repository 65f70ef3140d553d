"""The table of routes as a document for machines and as a page for people."""

import json
import re
from html.parser import HTMLParser

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from acceptance.stage import calls_project
from server.rest_app import Client, door_of
from understudy.evaluation import Evaluation
from understudy.server.rest.problems import REFUSALS, STATUS
from understudy.server.rest.route import JSON
from understudy.server.rest.routes import ROUTES
from understudy.server.rest.shapes import ShownEvaluation

NAMES = [f"{route.method} {route.path}" for route in ROUTES]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Ask the door of a project that has learned nothing yet."""
    return Client(door_of(calls_project(tmp_path_factory.mktemp("new"))), token="")


@pytest.fixture(scope="module")
def document(client):
    """Have the document as a stranger has it."""
    return client.get("/openapi.json").json


@pytest.fixture(scope="module")
def page(client):
    """Have the page as a stranger has it."""
    return client.get("/docs", host="models.example:8080").body.decode()


def test_document_is_valid(document):
    """The document is OpenAPI 3.1, and every reference in it leads somewhere."""
    OpenAPIV31SpecValidator(document).validate()
    for reference in re.findall(r'"#/components/(\w+)/(\w+)"', json.dumps(document)):
        kind, name = reference
        assert name in document["components"][kind]


def test_document_has_every_route(document):
    """Whatever the table has, and nothing else, stands in the document."""
    found = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    assert found == set(NAMES)
    operations = [item["operationId"] for path in document["paths"].values() for item in path.values()]
    assert len(set(operations)) == len(ROUTES)


def test_names_of_records_are_one_each():
    """No two records of different shape share a name, which the page and the document tell them apart by."""
    kinds = {kind for route in ROUTES for kind in (route.body, route.answer, route.query) if kind}
    assert len({kind.__name__ for kind in kinds}) == len(kinds)


@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
def test_operation_is_complete(document, route):
    """An operation tells its parameters, its body with an example, every status with its shape, and who may ask."""
    operation = document["paths"][route.path][route.method.lower()]
    assert [p["name"] for p in operation["parameters"] if p["in"] == "path"] == route.parameters
    assert all(p["description"] for p in operation["parameters"])
    assert operation["summary"]
    assert operation["description"]
    assert operation["security"] == ([{"token": []}] if route.role else [])
    assert list(operation["responses"]) == [str(status) for status in route.statuses]
    assert ("requestBody" in operation) == (route.body is not None)
    if route.body:
        assert "example" in operation["requestBody"]["content"][JSON]
    if route.answers_as == JSON and route.answer is not dict:
        assert "example" in operation["responses"]["200"]["content"][JSON]


@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
def test_examples_are_right(route):
    """An example can be read as the shape that it is an example of."""
    if route.body:
        msgspec.convert(route.example, route.body)
    if route.answers_as == JSON and route.answer is not dict:
        msgspec.convert(route.answer_example, route.answer)


def test_document_names_where_it_is(tmp_path):
    """The document's server is the public address where there is one, and where it was had from otherwise."""
    project = calls_project(tmp_path)
    public = Client(door_of(project, base_url="https://models.example"))
    assert public.get("/openapi.json").json["servers"] == [{"url": "https://models.example"}]
    assert Client(door_of(project)).get("/openapi.json").json["servers"] == [{"url": "/"}]


@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
def test_page_has_every_route(page, route):
    """The page has a place for every route, with its path and a line for a terminal."""
    assert f'<section id="{route.operation}">' in page
    assert f"</span> {route.path}</span>" in page
    assert page.count(f'href="#{route.operation}"') == 1


def test_page_has_every_field(document, page):
    """Every field of every body, and of every record within, is on the page."""
    for name, schema in document["components"]["schemas"].items():
        for field in schema.get("properties", {}):
            assert name == "ErrorAnswer" or f"<code>{field}</code>" in page, (name, field)


def test_page_stands_alone(page):
    """The page has no script and fetches nothing; its links within lead somewhere, and its elements are closed."""
    assert "<script" not in page
    assert not re.search(r"\b(src|onclick|onload|@import|url\()", page)
    anchors = set(re.findall(r'\bid="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= anchors
    assert set(re.findall(r'href="([^#"][^"]*)"', page)) == {"/openapi.json"}
    _Balance().check(page)


def test_page_forbids_what_it_does_not_need(client):
    """A browser is told to run and fetch nothing for the page."""
    headers = client.get("/docs").headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("models.example:8080", "http://models.example:8080/ping"),
        ("[::1]:8080", "http://[::1]:8080/ping"),
        ("<script>alert(1)</script>", "http://127.0.0.1:8080/ping"),
        ("$(rm -rf)", "http://127.0.0.1:8080/ping"),
    ],
)
def test_lines_go_to_the_host_that_was_asked(client, host, shown):
    """The lines to paste ask the host that the page came from, unless that is no name of a host."""
    page = client.get("/docs", host=host).body.decode()
    assert shown in page
    assert "alert(" not in page
    assert "rm -rf" not in page


def test_examples_ask_this_server_s_own_endpoint(tmp_path):
    """The page's lines and answers name the endpoint of the server, where it has one."""
    project = calls_project(tmp_path)
    project.write((project.folder / "understudy.toml").read_text().replace('"calls"', '"own-name"', 1))
    page = Client(door_of(project)).get("/docs").body.decode()
    assert "/v1/endpoints/own-name/predict" in page
    assert "&#34;name&#34;: &#34;own-name&#34;" in page
    assert "endpoints/calls" not in page


def test_page_says_where_to_begin(page):
    """The page begins with a line that sets the token, and says that clients of AWS come here by the same."""
    assert '<pre>eval "$(understudy env)" &amp;&amp; export TOKEN="$AWS_SECRET_ACCESS_KEY"</pre>' in page
    assert page.index("Amazon ML's API and S3") < page.index("<nav")


def test_evaluation_tells_every_part():
    """What an evaluation is made of stands in the document, field by field."""
    assert set(Evaluation.__struct_fields__) <= set(ShownEvaluation.__struct_fields__)


def test_every_refusal_is_explained(page):
    """Each status that any route or error may have is explained on the page."""
    statuses = {status for route in ROUTES for status in route.statuses} | {*STATUS.values(), 405}
    assert statuses - {200} == set(REFUSALS)
    assert all(f'id="status-{status}"' in page for status in REFUSALS)


class _Balance(HTMLParser):
    """Holds that every element that is opened is closed in its turn."""

    def check(self, page):
        self.open = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
