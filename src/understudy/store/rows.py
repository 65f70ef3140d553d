"""Rows of the catalog as records, and the questions that its transactions ask; each within the caller's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from understudy.errors import Busy, NotFound, StoreError
from understudy.store.records import Document, EndpointState, Entity, Field, Operator, Place, Promotion, now
from understudy.store.tables import endpoints, entities, promotions, revisions, tags

ENTITY: Sequence[sa.Column[Any]] = [entities.c[field] for field in Entity.__struct_fields__]
_LOCATION = entities.c.document[("location",)].as_string()
_ADDRESS = sa.case((entities.c.project == "", _LOCATION), else_="s3://" + entities.c.project + "/" + _LOCATION)
ENDPOINTS = sa.select(*(endpoints.c[field] for field in EndpointState.__struct_fields__))
SERVING = sa.select(revisions.c.value).where(revisions.c.name == "serving")

OPERATORS: dict[Operator, Callable[[sa.ColumnElement[str], str], sa.ColumnElement[bool]]] = {
    "EQ": lambda field, value: field == value,
    "NE": lambda field, value: field != value,
    "GT": lambda field, value: field > value,
    "GE": lambda field, value: field >= value,
    "LT": lambda field, value: field < value,
    "LE": lambda field, value: field <= value,
    "Prefix": lambda field, value: sa.func.substr(field, 1, len(value)) == value,
}


def field_of(connection: sa.Connection, by: Field, missing: str) -> sa.ColumnElement[str]:
    """Return a column, or a value within the document, as text that compares byte by byte on every database."""
    if by == "address":
        chosen: sa.ColumnElement[str] = _ADDRESS
    else:
        chosen = entities.c[by] if isinstance(by, str) else entities.c.document[by].as_string()
    return sa.collate(sa.func.coalesce(chosen, missing), "C" if connection.dialect.name == "postgresql" else "BINARY")


def follows(
    field: sa.ColumnElement[str], number: sa.ColumnElement[int], after: Place, *, descending: bool
) -> sa.ColumnElement[bool]:
    """Tell what comes after a place."""
    value, last = after
    if descending:
        return (field < value) | ((field == value) & (number < last))
    return (field > value) | ((field == value) & (number > last))


def made_entity(kind: str, entity_id: str, document: Document, status: str, project: str, name: str) -> Entity:
    """Return a new entity, made now."""
    at = now()
    return Entity(entity_id, kind, project, status, at, at, document, name)


def is_entity(kind: str, entity_id: str) -> sa.ColumnElement[bool]:
    """Return the condition for one entity."""
    return (entities.c.kind == kind) & (entities.c.id == entity_id)


def entity_or_none(connection: sa.Connection, entity_id: str, kind: str | None = None) -> Entity | None:
    """Return an entity, of that kind or of the first kind that has the id; None where there is none."""
    chosen = entities.c.id == entity_id if kind is None else is_entity(kind, entity_id)
    row = connection.execute(sa.select(*ENTITY).where(chosen).order_by(entities.c.sequence).limit(1)).mappings().first()
    return Entity(**row) if row else None


def entity_of(connection: sa.Connection, entity_id: str, kind: str | None = None) -> Entity:
    """Return an entity as `entity_or_none` does; raises NotFound."""
    entity = entity_or_none(connection, entity_id, kind)
    if entity is None:
        what = "nothing" if kind is None else f"no {kind.replace('_', ' ')}"
        raise NotFound(
            f"{what} has the id {entity_id!r}", "`understudy history` and `understudy status` name those that exist."
        )
    return entity


def tags_of(connection: sa.Connection, kind: str, entity_id: str) -> dict[str, str | None]:
    """Return an entity's tags in the order of their keys."""
    query = sa.select(tags.c.key, tags.c.value).where(tags.c.kind == kind, tags.c.id == entity_id).order_by(tags.c.key)
    return {row.key: row.value for row in connection.execute(query)}


def serves(connection: sa.Connection, model_id: str) -> bool:
    """Tell whether a model is champion anywhere."""
    return connection.execute(sa.select(endpoints.c.name).where(endpoints.c.champion == model_id)).first() is not None


def has_a_history(connection: sa.Connection, entity: Entity) -> bool:
    """Tell whether an entity is a model that a line of the history names."""
    named = sa.select(promotions.c.sequence).where(promotions.c.model_id == entity.id).limit(1)
    return entity.kind == "model" and connection.execute(named).first() is not None


def advance(connection: sa.Connection) -> None:
    """Count one more change for whoever answers predictions; inside a writing transaction."""
    moved = connection.execute(
        revisions.update().where(revisions.c.name == "serving").values(value=revisions.c.value + 1)
    )
    if moved.rowcount == 0:
        connection.execute(revisions.insert().values(name="serving", value=1))


def endpoint_of(connection: sa.Connection, name: str) -> EndpointState | None:
    """Return who serves under a name; None for a name never used."""
    row = connection.execute(ENDPOINTS.where(endpoints.c.name == name)).mappings().one_or_none()
    return EndpointState(**row) if row else None


def made_endpoint(connection: sa.Connection, name: str) -> EndpointState:
    """Return an endpoint's state, made where it is new; inside a writing transaction."""
    state = endpoint_of(connection, name)
    if state is None:
        connection.execute(endpoints.insert().values(name=name, pinned=False, document={}))
    return state or EndpointState(name)


def compare(state: EndpointState, promotion: Promotion) -> None:
    """Raise Busy unless the champion is still the one that a promotion was reached against."""
    if state.champion != promotion.champion_before:
        raise Busy(
            f"endpoint {state.name!r} is served by {state.champion} now, not by {promotion.champion_before}: "
            "another promotion came between; nothing was changed",
            "Run again to judge against the present champion.",
        )


def refuse_deleted(connection: sa.Connection, champion: str | None) -> None:
    """Keep a model that was cleared away a moment ago from serving."""
    query = sa.select(entities.c.status).where(is_entity("model", champion or ""))
    if champion is not None and connection.execute(query).scalar() == "DELETED":
        raise StoreError(
            f"the model {champion} was deleted; nothing was changed", "Choose another with `understudy history`."
        )
