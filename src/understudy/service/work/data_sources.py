"""What a data source's job computes: the size and the number of its rows, and their statistics."""

from __future__ import annotations

from typing import Any

import msgspec

from understudy.datasource import RowDigest
from understudy.documents import plain
from understudy.errors import InvalidInput, SchemaError
from understudy.schema import MAX_TEXT, Schema
from understudy.service.work.counting import counted
from understudy.service.work.log import Log
from understudy.service.work.rows import Rows, observations, open_rows, where
from understudy.service.work.sql import stage
from understudy.service.work.workshop import Workshop
from understudy.statistics import Statistics
from understudy.store.catalog import Entity
from understudy.values import row_keys

MAX_MESSAGE = 10_240
"""Characters of a message (reference 2.1)."""


def compute(workshop: Workshop, entity: Entity, log: Log) -> dict[str, Any]:
    """Describe a data source; return the new members of its document.

    Raises
    ------
    SchemaError : its schema cannot be used.
    InvalidInput : there is no file, or none of its records can be used.
    ExtractError : its query cannot be answered, or a file cannot be read.

    """
    log.say("Begin creating the data source.")
    document = dict(entity.document)
    document["schema"] = schema_text(workshop, document)
    notes: list[str] = []
    if document.get("source", "s3") != "s3":
        document["location"], notes = stage(workshop, entity.id, document)
        log.say(f"query: staged at {document['location']}")
    rows = open_rows(workshop, msgspec.structs.replace(entity, document=document))
    found = _described(rows) if document.get("compute_statistics") else {"rows": rows.count()}
    if not found["rows"]:
        raise InvalidInput(f"{document['location']} holds no record that the data source takes", "Check the files.")
    files, rejected = rows.files, rows.rejected
    found |= {
        "schema": document["schema"],
        "location": document["location"],
        "size_in_bytes": sum(file.size for file in files),
        "files": len(files),
        "rejected": rejected.count,
    }
    notes += remarks(rows)
    log.say(
        *(f"file: {file.url} size={file.size}" for file in files),
        f"finished: valid-records={found['rows']} invalid-records={rejected.count}",
        *notes,
        "Data source complete.",
    )
    return found | message(notes)


def schema_text(workshop: Workshop, document: dict[str, Any]) -> str:
    """Return the declared schema, read and checked; raises SchemaError."""
    known: str | None = document["schema"]  # checked by the request already
    text = known or workshop.s3.text(document["schema_location"], 4 * MAX_TEXT)
    try:
        Schema.from_json(text) if known else Schema.from_request(text)
    except RecursionError:
        raise SchemaError("the schema is nested too deeply", "It is one object with a list of attributes.") from None
    return text


def _described(rows: Rows) -> dict[str, Any]:
    statistics, digest = Statistics(rows.schema), RowDigest()
    for batch in observations(rows):
        statistics.add(batch)
        digest.add(row_keys(batch, batch.schema.names))
    return {"rows": digest.rows, "digest": digest.value(), "statistics": plain(statistics.insights())}


def message(notes: list[str]) -> dict[str, str]:
    """Return what a document says about the work; nothing where there is nothing to say."""
    return {"message": " ".join(notes)[:MAX_MESSAGE]} if notes else {}


def remarks(rows: Rows) -> list[str]:
    """Say what was odd about rows that were read."""
    notes = [f"{note[0].upper()}{note[1:]}." for note in rows.notes]
    if rows.rejected.count:
        were = "was" if rows.rejected.count == 1 else "were"
        notes.append(f"{counted(rows.rejected.count, 'record')} {were} rejected, {where(rows.rejected)}.")
    return notes
