"""The catalog: what exists, who serves, and every promotion ever, in one SQL database.

The same code runs on SQLite, PostgreSQL and, for tests, SQLite in memory (`sqlite://`).

>>> catalog = Catalog.open("sqlite://")
>>> catalog.create("model", "ml-one", {"classes": ["a", "b"]}, status="COMPLETED").status
'COMPLETED'
>>> entry = Promotion("policies", "learn", "ml-one", "ADMITTED", ("beats the baseline",), None, "ml-one")
>>> catalog.record(entry).sequence
1
>>> catalog.endpoint("policies").champion
'ml-one'
>>> catalog.close()
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import sqlalchemy as sa

from understudy.errors import StoreError
from understudy.store import bucket_tables as _bucket_tables  # noqa: F401 - its tables are made with the others
from understudy.store.failures import explanation
from understudy.store.records import (
    Document,
    EndpointState,
    Entity,
    Field,
    Operator,
    Place,
    Promotion,
    Tags,
    new_id,
    now,
)
from understudy.store.rows import (
    ENDPOINTS,
    ENTITY,
    OPERATORS,
    SERVING,
    advance,
    compare,
    endpoint_of,
    entity_of,
    entity_or_none,
    field_of,
    follows,
    has_a_history,
    is_entity,
    made_endpoint,
    made_entity,
    refuse_deleted,
    serves,
    tags_of,
)
from understudy.store.tables import (
    VERSION,
    bring_to_version,
    endpoints,
    engine_for,
    entities,
    promotions,
    tags,
    version_of,
)

__all__ = [
    "Catalog",
    "Document",
    "EndpointState",
    "Entity",
    "Field",
    "Operator",
    "Place",
    "Promotion",
    "Tags",
    "new_id",
    "now",
]


class Catalog:
    """An open catalog. Each call is one transaction, so a kill leaves the state before a call or after it.

    Every method raises StoreError when the database cannot be read or written, and Busy when another process holds it.
    """

    def __init__(self, engine: sa.Engine, place: str) -> None:
        self._engine = engine
        self._place = place

    @classmethod
    def open(cls, url: str, *, create: bool = True, keep_open: bool = False) -> Catalog:
        """Open the catalog at `url`, sqlite or postgresql, making it where missing unless `create` is false.

        An existing catalog can be opened and read while its disk is full or read-only. `keep_open` is for a process
        that uses it all the time, from any of its threads, and never forks.

        Raises
        ------
        ConfigError : the url is none of a catalog.
        StoreError : the catalog is missing, damaged, out of reach, or of a newer version.

        """
        catalog = cls(
            engine_for(url, create=create, keep_open=keep_open), sa.make_url(url).render_as_string(hide_password=True)
        )
        try:
            catalog._prepare(create=create)
        except StoreError:
            catalog.close()
            raise
        return catalog

    def _prepare(self, *, create: bool) -> None:
        """Make the tables where there are none, or bring them up to date; a present catalog is only read."""
        with self.reading() as connection:
            version = version_of(connection)
        if version is None and not create:
            raise StoreError(f"there is no catalog in {self}", "The first `understudy learn` makes it.")
        if version != VERSION:
            with self.writing() as connection:
                bring_to_version(connection)

    def __str__(self) -> str:
        return self._place

    @property
    def file(self) -> Path | None:
        """The SQLite file, by its one true path; None where there is no file."""
        url = sa.make_url(self._place)
        on_disk = url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}
        return Path(str(url.database)).resolve() if on_disk else None

    @property
    def is_shared(self) -> bool:
        """Whether other machines may use it, too."""
        return self._engine.dialect.name == "postgresql"

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def forget_connections(self) -> None:
        """Open connections anew, for a process that was forked: those it has inherited are its parent's."""
        self._engine.dispose(close=False)

    def create(
        self,
        kind: str,
        entity_id: str,
        document: Document,
        *,
        status: str = "PENDING",
        project: str = "",
        name: str = "",
    ) -> Entity:
        """Add an entity; raises StoreError where the kind has one of that id."""
        entity = made_entity(kind, entity_id, document, status, project, name)
        with self.writing() as connection:
            connection.execute(entities.insert().values(msgspec.structs.asdict(entity)))
        return entity

    def create_once(self, kind: str, entity_id: str, document: Document, *, name: str = "") -> tuple[Entity, bool]:
        """Add a PENDING entity unless there is one of that id; return who has the id, and whether it is new.

        A DELETED one makes way, unless it ever stood in the history of promotions: that must go on meaning one model.
        """
        made = made_entity(kind, entity_id, document, "PENDING", "", name)
        with self.writing() as connection:
            present = entity_or_none(connection, entity_id, kind)
            if present is not None and (present.status != "DELETED" or has_a_history(connection, present)):
                return present, False
            if present is not None:
                connection.execute(entities.delete().where(is_entity(kind, entity_id)))
                connection.execute(tags.delete().where(tags.c.kind == kind, tags.c.id == entity_id))
            connection.execute(entities.insert().values(msgspec.structs.asdict(made)))
        return made, True

    def update(self, entity_id: str, *, status: str | None = None, document: Document | None = None) -> Entity:
        """Replace a run's status, document, or both; raises NotFound."""

        def changed(run: Entity) -> Entity:
            kept = run.document if document is None else document
            return msgspec.structs.replace(run, status=status or run.status, document=kept)

        return self.amend("run", entity_id, changed)

    def amend(
        self, kind: str, entity_id: str, amend: Callable[[Entity], Entity | None], *, serving: bool = False
    ) -> Entity:
        """Change an entity by what it is at that moment, in one transaction; None leaves it. Raises NotFound.

        `amend` may raise: then nothing is changed. `serving` says that the change concerns whoever answers predictions.
        """
        with self.writing() as connection:
            present = entity_of(connection, entity_id, kind)
            amended = amend(present)
            if amended is None:
                return present
            amended = msgspec.structs.replace(amended, updated_at=now())
            values = msgspec.structs.asdict(amended)
            connection.execute(entities.update().where(is_entity(kind, entity_id)).values(values))
            if serving:
                advance(connection)
        return amended

    def retire(self, model_id: str) -> bool:
        """Mark a model DELETED unless it serves somewhere at this very moment; tell whether it was marked."""
        with self.writing() as connection:
            if serves(connection, model_id):
                return False
            marked = {"status": "DELETED", "updated_at": now()}
            connection.execute(entities.update().where(is_entity("model", model_id)).values(marked))
            advance(connection)
        return True

    def get(self, entity_id: str, kind: str | None = None) -> Entity:
        """Return the entity `entity_id`, of that kind or of the first kind that has it; raises NotFound."""
        with self.reading() as connection:
            return entity_of(connection, entity_id, kind)

    def find(
        self, kind: str, *, project: str | None = None, status: str | None = None, limit: int | None = None
    ) -> list[Entity]:
        """Return the entities of a kind, newest first."""
        query = sa.select(*ENTITY).where(entities.c.kind == kind).order_by(entities.c.sequence.desc()).limit(limit)
        if project is not None:
            query = query.where(entities.c.project == project)
        if status is not None:
            query = query.where(entities.c.status == status)
        with self.reading() as connection:
            return [Entity(**row) for row in connection.execute(query).mappings()]

    def unfinished(self, kinds: Sequence[str]) -> list[Entity]:
        """Return what is PENDING or INPROGRESS of some kinds, oldest first."""
        chosen = entities.c.kind.in_(kinds) & entities.c.status.in_(("PENDING", "INPROGRESS"))
        with self.reading() as connection:
            rows = connection.execute(sa.select(*ENTITY).where(chosen).order_by(entities.c.sequence)).mappings()
            return [Entity(**row) for row in rows]

    def page(
        self,
        kind: str,
        by: Field,
        conditions: Sequence[tuple[Operator, str]] = (),
        *,
        descending: bool = False,
        missing: str = "",
        after: Place | None = None,
        limit: int = 100,
    ) -> list[tuple[Entity, Place]]:
        """Return some entities of a kind in the order of one field, those that meet all conditions on that field.

        Each stands with its place; `after` is that of the last entity of the page before, whatever came and went since.
        Fields compare as text, byte by byte; an entity without the field counts as `missing`. DELETED entities are left
        out unless the conditions ask for the status.
        """
        number = entities.c.sequence
        with self.reading() as connection:
            field = field_of(connection, by, missing)
            query = sa.select(*ENTITY, field.label("_value"), number.label("_number")).where(entities.c.kind == kind)
            if by != "status" or not conditions:
                query = query.where(entities.c.status != "DELETED")
            for operator, value in conditions:
                query = query.where(OPERATORS[operator](field, value))
            if after is not None:
                query = query.where(follows(field, number, after, descending=descending))
            order = (field.desc(), number.desc()) if descending else (field, number)
            rows = connection.execute(query.order_by(*order).limit(limit)).all()
        return [(Entity(*values), (value, place)) for *values, value, place in rows]

    def place(self, kind: str, entity_id: str) -> Place:
        """Return where an entity stands in the order of `created_at`; raises NotFound."""
        with self.reading() as connection:
            entity = entity_of(connection, entity_id, kind)
            query = sa.select(entities.c.sequence).where(is_entity(kind, entity_id))
            return entity.created_at, connection.execute(query).scalar_one()

    def tags(self, kind: str, entity_id: str) -> dict[str, str | None]:
        """Return an entity's tags in the order of their keys; raises NotFound."""
        with self.reading() as connection:
            entity_of(connection, entity_id, kind)
            return tags_of(connection, kind, entity_id)

    def retag(self, kind: str, entity_id: str, change: Callable[[Tags], Tags]) -> None:
        """Replace an entity's tags by what `change` makes of them, in one transaction; raises NotFound."""
        with self.writing() as connection:
            entity_of(connection, entity_id, kind)
            changed = change(tags_of(connection, kind, entity_id))
            connection.execute(tags.delete().where(tags.c.kind == kind, tags.c.id == entity_id))
            rows = [{"kind": kind, "id": entity_id, "key": key, "value": value} for key, value in changed.items()]
            if rows:
                connection.execute(tags.insert(), rows)

    def serving_revision(self) -> int:
        """Return a number that has grown whenever something changed for whoever answers predictions."""
        with self.reading() as connection:
            return connection.execute(SERVING).scalar() or 0

    def endpoints(self) -> list[EndpointState]:
        """Return every name that was ever promoted to, in order."""
        with self.reading() as connection:
            return [EndpointState(**row) for row in connection.execute(ENDPOINTS.order_by(endpoints.c.name)).mappings()]

    def mounted(self) -> list[Entity]:
        """Return the models that have a realtime endpoint of their own."""
        chosen = (entities.c.kind == "model") & (entities.c.status == "COMPLETED")
        has_one = entities.c.document["endpoint"]["status"].as_string() == "READY"
        with self.reading() as connection:
            rows = connection.execute(sa.select(*ENTITY).where(chosen & has_one)).mappings()
            return [Entity(**row) for row in rows]

    def record(self, promotion: Promotion, *, pin: bool | None = None) -> Promotion:
        """Append a line to an endpoint's history and, where it changes the champion, flip: all in one transaction.

        `pin` sets or lifts the endpoint's pin in the same transaction; None leaves it.

        Raises
        ------
        Busy : another flip came between; `promotion.champion_before` no longer serves. Nothing was changed, and a
            refusal is not recorded either: it would name a champion that does not serve.
        StoreError : the new champion is no entity of this catalog. Nothing was changed.

        """
        promotion = msgspec.structs.replace(promotion, at=now())
        with self.writing() as connection:
            compare(made_endpoint(connection, promotion.endpoint), promotion)
            changes: dict[str, object] = {} if pin is None else {"pinned": pin}
            if promotion.champion != promotion.champion_before:
                refuse_deleted(connection, promotion.champion)
                changes |= {"champion": promotion.champion, "since": promotion.at, "run_id": promotion.run_id}
            if changes:
                connection.execute(endpoints.update().where(endpoints.c.name == promotion.endpoint).values(changes))
                advance(connection)
            columns = msgspec.structs.asdict(promotion) | {"reasons": list(promotion.reasons)}
            del columns["sequence"]
            sequence = connection.execute(
                promotions.insert().values(columns).returning(promotions.c.sequence)
            ).scalar_one()
        return msgspec.structs.replace(promotion, sequence=sequence)

    def pin(self, name: str, *, pinned: bool) -> EndpointState:
        """Set or lift an endpoint's pin."""
        with self.writing() as connection:
            state = made_endpoint(connection, name)
            connection.execute(endpoints.update().where(endpoints.c.name == name).values(pinned=pinned))
        return msgspec.structs.replace(state, pinned=pinned)

    def endpoint(self, name: str) -> EndpointState:
        """Return who serves under `name`; a name never used has no champion."""
        with self.reading() as connection:
            return endpoint_of(connection, name) or EndpointState(name)

    def promotions(self, endpoint: str) -> list[Promotion]:
        """Return an endpoint's history, oldest first, refusals included."""
        query = sa.select(promotions).where(promotions.c.endpoint == endpoint).order_by(promotions.c.sequence)
        with self.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [Promotion(**{**row, "reasons": tuple(row["reasons"])}) for row in rows]

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection in a transaction that reads; raises StoreError in our words."""
        with self._explained(), self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a connection in a transaction that holds the one write lock, and is flushed to the disk at its end."""
        with (
            self._explained(),
            self._engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextlib.contextmanager
    def session(self) -> Iterator[sa.Connection]:
        """Give a connection of one's own, outside of any transaction: what its session holds ends with the block."""
        with self._explained(), self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection
            connection.invalidate()  # a pooled connection would keep the session

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Say in our words what the database's driver reports."""
        try:
            yield
        except sa.exc.SQLAlchemyError as error:
            raise explanation(str(self), error) from error
