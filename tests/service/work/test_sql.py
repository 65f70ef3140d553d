"""Redshift and RDS: a PostgreSQL and a MySQL server stand for them, and no password is left anywhere."""

import json

import pytest

from extract.test_databases import mariadb, postgresql  # noqa: F401 - fixtures
from service.work.stage import Stage, schema
from understudy.errors import ExtractError, InvalidInput, SchemaError

NAMES = schema("n:NUMERIC", "city:CATEGORICAL", "yes:BINARY", target="yes")
ROWS = [(1, "Rome", "y"), (2, 'a, "b"', "n"), (3, None, "y")]
PASSWORD = "pa55+w@rd/9"

CLUSTERS = {"cluster": "postgresql://127.0.0.1", "instance": "mysql://127.0.0.1:3306/", "file": "sqlite:///x.db"}
SERVERS = [("redshift", "cluster", "postgresql", "postgres"), ("rds", "instance", "mariadb", "root")]


@pytest.fixture
def stage(tmp_path):
    """Give a store that knows the servers."""
    opened = Stage(tmp_path, databases=CLUSTERS)
    yield opened
    opened.close()


def secret(stage, entity_id="ds", password=""):
    """Leave a password as the operation does."""
    folder = stage.folder / ".understudy" / "secrets"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"data_source-{entity_id}").write_text(password)
    return folder / f"data_source-{entity_id}"


def asked(stage, source, identifier, query, text=NAMES, user="postgres", **more):
    """Make a data source of a query."""
    sql = {
        "identifier": identifier,
        "database": "test",
        "username": user,
        "query": query,
        "staging": "s3://data/staged/",
    }
    return stage.data_source("ds", None, text, source=source, sql=sql, **more)


def fill(request, name):
    """Make a table; return its server."""
    server = request.getfixturevalue(name)
    server.fill("n int, city varchar(20), yes varchar(3)", ROWS)
    return server


@pytest.mark.parametrize(("source", "identifier", "name", "user"), SERVERS)
def test_rows_are_staged_and_described(request, stage, source, identifier, name, user):
    """The query's rows lie as CSV at the staging location, and the data source is described like any other."""
    server, file = fill(request, name), secret(stage)
    query = f"select n, city, yes from {server.table} order by n;"
    found = asked(stage, source, identifier, query, user=user, statistics=True)
    assert found["location"] == "s3://data/staged/ds.csv"
    assert stage.get("staged/ds.csv").decode() == ('"n","city","yes"\n"1","Rome","y"\n"2","a, ""b""","n"\n"3",,"y"\n')
    assert (found["rows"], found["rejected"], found["files"]) == (3, 0, 1)
    assert found["statistics"]["attributes"][2]["true"] == 2
    assert "message" not in found
    assert not file.exists()


@pytest.mark.parametrize(("source", "identifier", "name", "user"), SERVERS)
def test_header_and_names_go_by_the_schema(request, stage, source, identifier, name, user):
    """The staged file has a header line just where the schema says so; other names than the schema's are said."""
    server = fill(request, name)
    query = f"select n as number, city, yes from {server.table}"
    secret(stage)
    found = asked(stage, source, identifier, query, user=user)
    assert "has 'number' where the schema has 'n'" in found["message"]
    assert "no `order by`" in found["message"]
    text = schema("n:NUMERIC", "city:CATEGORICAL", "yes:BINARY", header=False)
    secret(stage, "ds-2")
    sql = {"identifier": identifier, "database": "test", "username": user, "query": query, "staging": "s3://data/bare"}
    assert stage.data_source("ds-2", None, text, source=source, sql=sql)["rows"] == 3
    assert stage.get("bare/ds-2.csv").startswith(b'"1","Rome"')


def test_interrupted_work_is_done_again(request, stage):
    """Killed after the staging, the rows are there in place of the password."""
    server, file = fill(request, "postgresql"), secret(stage)
    asked(stage, "redshift", "cluster", f"select * from {server.table}")
    assert not file.exists()
    assert stage.work("data_source", "ds")["rows"] == 3


@pytest.mark.parametrize(
    ("source", "identifier", "query", "text", "error", "message"),
    [
        ("redshift", "cluster", "selec 1", NAMES, ExtractError, "could not answer the query"),
        ("redshift", "cluster", "select 1 as n", NAMES, SchemaError, "gives 1 column, the schema declares 3"),
        ("redshift", "nowhere", "select 1", NAMES, InvalidInput, "no Redshift cluster 'nowhere'"),
        ("rds", "nowhere", "select 1", NAMES, InvalidInput, "no RDS instance 'nowhere'"),
        ("rds", "cluster", "select 1", NAMES, InvalidInput, "'cluster' is not named by a mysql address"),
        ("redshift", "file", "select 1", NAMES, InvalidInput, "'file' is not named by a postgresql address"),
    ],
)
def test_failure_tells_no_password_and_keeps_none(request, stage, source, identifier, query, text, error, message):
    """Whatever fails is one clear message without the password, which is forgotten."""
    request.getfixturevalue("postgresql")
    file = secret(stage, password=PASSWORD)
    with pytest.raises(error, match=message) as caught:
        asked(stage, source, identifier, query, text)
    said = str(caught.value) + json.dumps(stage.store.catalog.get("ds", "data_source").document)
    assert PASSWORD not in said
    assert not file.exists()


@pytest.mark.parametrize("password", [PASSWORD, "pa55 w@rd/9", "pa55+w@rd 9", "%41%41%41%41 x"])
def test_unreachable_server_tells_no_password(tmp_path, password):
    """A server that does not answer is named without the password, however that would be spelled in an address."""
    stage = Stage(tmp_path, databases={"cluster": "postgresql://127.0.0.1:1"})
    file = secret(stage, password=password)
    with pytest.raises(ExtractError, match=r"cannot connect to postgresql://me@127\.0\.0\.1:1/test") as caught:
        asked(stage, "redshift", "cluster", "select 1", user="me")
    assert not any(part in str(caught.value) for part in (password, "pa55", "w@rd", "%41"))
    assert not file.exists()
    stage.close()


def test_lost_password_is_said(stage):
    """Without password and staged rows there is nothing to be done."""
    with pytest.raises(InvalidInput, match="password is no longer kept"):
        asked(stage, "redshift", "cluster", "select 1")
