"""What the catalog holds: entities, lines of an endpoint's history, who serves; their ids and times."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

Document = Mapping[str, Any]
"""What belongs to an entry beyond the columns all have; plain JSON."""

Tags = dict[str, str | None]

Field = str | tuple[str, ...]
"""A column of the entities, `address`, or the path of a value within their documents.

The address is where an entity's rows lie: those that a project made lie below its name.
"""

Place = tuple[str, int]
"""Where an entity stands in the order of a field: the field's value, and the number that older ones have lower."""

Operator = Literal["EQ", "NE", "GT", "GE", "LT", "LE", "Prefix"]

_ID_CHARACTERS = string.ascii_letters + string.digits


class Entity(msgspec.Struct, frozen=True):
    """Something that was made: a run, data source, model, evaluation or batch prediction.

    An id is unique within its kind.
    """

    id: str
    kind: str
    project: str
    """The project that made it; empty for what was asked for through Amazon ML's API."""
    status: str
    """PENDING, INPROGRESS, COMPLETED, FAILED or DELETED (reference 2.7)."""
    created_at: str
    updated_at: str
    document: Document
    name: str = ""
    started_at: str | None = None
    """When work on it began."""
    finished_at: str | None = None
    """When it became COMPLETED or FAILED."""


class Promotion(msgspec.Struct, frozen=True):
    """One line of an endpoint's history: a verdict, or a flip by hand."""

    endpoint: str
    by: str
    """learn, promote, rollback or learning."""
    model_id: str
    """The model that was judged, or named."""
    status: str
    """ADMITTED, REFUSED or HELD."""
    reasons: tuple[str, ...]
    champion_before: str | None
    champion: str | None
    """Who serves after it."""
    run_id: str | None = None
    document: Document = {}
    at: str = ""
    """When it was recorded, ISO 8601 in UTC; given by the catalog."""
    sequence: int = 0
    """Its place in the history; given by the catalog."""


class EndpointState(msgspec.Struct, frozen=True):
    """Who serves under a stable name."""

    name: str
    champion: str | None = None
    since: str | None = None
    """When the champion's flip was recorded."""
    run_id: str | None = None
    """The run that made the champion."""
    pinned: bool = False
    """Whether verdicts are held until `unpin`."""
    document: Document = {}


def new_id(prefix: str) -> str:
    """Return a new id: `run-20261123T070000-a1b2c3` for "run", else Amazon ML's form, `ml-` and 11 characters."""
    if prefix == "run":
        return f"run-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    return f"{prefix}-{''.join(secrets.choice(_ID_CHARACTERS) for _ in range(11))}"


def now() -> str:
    """Return the time as the catalog writes it: ISO 8601 in UTC, to the microsecond."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
