"""Rows out of a database, staged as CSV in S3 (reference 3.8): Redshift is a PostgreSQL here, RDS a MySQL."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from understudy.errors import InvalidInput, SchemaError
from understudy.extract import Extraction, read_database
from understudy.later import pc
from understudy.schema import Schema
from understudy.service.places import staged
from understudy.service.secrets import forget, secret_file
from understudy.service.work.counting import counted
from understudy.service.work.workshop import Workshop
from understudy.values import read_texts

_ENGINES = {"redshift": ("postgresql", "postgres"), "rds": ("mysql", "mariadb")}
"""The databases that may stand for each service."""

_CALLED = {"redshift": "Redshift cluster", "rds": "RDS instance"}


def stage(workshop: Workshop, source_id: str, document: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Run a data source's query and stage its rows; return their address, and what is odd about them.

    The password is forgotten as soon as the rows are staged; where they cannot be, the caller forgets it. Killed in
    between, the work finds either the password or the rows when it is done again.

    Raises
    ------
    InvalidInput : the place names no such database.
    SchemaError : the query gives another number of columns than the schema.
    ExtractError : the database cannot be reached, or refuses the query. No message holds the password.

    """
    url = staged(document["sql"]["staging"], source_id)
    try:
        password = secret_file(workshop.secrets, "data_source", source_id).read_text(encoding="utf-8")
    except FileNotFoundError:
        if workshop.s3.exists(url):
            return url, []
        raise InvalidInput("the database's password is no longer kept", "Create the data source again.") from None
    notes = _stage(workshop, document, password, url)
    forget(workshop.secrets, "data_source", source_id)
    return url, notes


def _stage(workshop: Workshop, document: Mapping[str, Any], password: str, url: str) -> list[str]:
    schema, file = Schema.from_json(document["schema"]), workshop.scratch / "staged.csv"
    address = database_url(workshop.store.place.serve.databases, document["source"], document["sql"], password)
    with read_database(address, document["sql"]["query"], workshop.store.place.root) as extraction:
        if len(extraction.columns) != len(schema.names):
            given = counted(len(extraction.columns), "column")
            raise SchemaError(
                f"the query gives {given}, the schema declares {len(schema.names)}",
                "Declare every column of the query, in its order.",
            )
        _write(extraction, file, header=schema.header)
        notes = [f"{warning[0].upper()}{warning[1:]}." for warning in extraction.warnings]
    workshop.s3.put(url, file, "text/csv")
    file.unlink()
    return notes


def database_url(databases: Mapping[str, str], source: str, sql: Mapping[str, str], password: str) -> str:
    """Return the address of the database that a request names, with the request's user; raises InvalidInput."""
    identifier, called = sql["identifier"], _CALLED[source]
    if identifier not in databases:
        raise InvalidInput(
            f"there is no {called} {identifier!r}", "Name its database under [serve.databases] in the project file."
        )
    with contextlib.suppress(ArgumentError, ValueError):
        url = make_url(databases[identifier])
        if url.get_backend_name() in _ENGINES[source]:
            user = url.set(username=sql["username"], password=password, database=sql["database"])
            return user.render_as_string(hide_password=False)
    raise InvalidInput(
        f"the {called} {identifier!r} is not named by a {_ENGINES[source][0]} address",
        f'Write for example {identifier} = "{_ENGINES[source][0]}://host" under [serve.databases].',
    )


def _write(extraction: Extraction, file: Path, *, header: bool) -> None:
    """Write rows as CSV (RFC 4180), every value as its canonical text."""
    schema = pa.schema([(name, pa.string()) for name in extraction.columns])
    with pyarrow.csv.CSVWriter(file, schema, write_options=pyarrow.csv.WriteOptions(include_header=header)) as writer:
        for batch in extraction:
            writer.write(pa.RecordBatch.from_arrays([_texts(column) for column in batch.columns], schema=schema))


def _texts(column: pa.Array) -> pa.Array:
    """Return cells as text; null stays null, which is an empty field."""
    return pc.if_else(column.is_valid(), read_texts(column), pa.scalar(None, pa.string()))
