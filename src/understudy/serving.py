"""Models in memory, ready to answer: champions by their endpoint's name, mounted models by their id.

A prediction reads what is in memory and nothing else. Beside it, a refresh compares one number of each catalog with the
one that it last saw; where it has grown, the models that are new are loaded, verified and warmed up first, and then the
whole picture is swapped at once: whoever asks meanwhile is answered by the old one.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pyarrow as pa

from understudy.errors import UnderstudyError
from understudy.house import House, Storehouse
from understudy.model import Model, Weights
from understudy.prediction import THRESHOLD, Predictor
from understudy.recipe import fit, parse
from understudy.schema import Attribute, AttributeType, ModelType, Schema
from understudy.store.catalog import Entity
from understudy.target import Target
from understudy.values import batch_of_records

_LOG = logging.getLogger(__name__)

T = TypeVar("T")

_Missed = tuple[str, str]
"""What could not be read, in words; and for a champion, which model that is."""

AGAIN_SECONDS = 1.0
"""How long after a model could not be read that is tried again."""


@dataclass(frozen=True)
class Served:
    """A model that answers."""

    model_id: str
    predictor: Predictor
    threshold: float = THRESHOLD
    """Score from which on a BINARY answer through Amazon ML's API is 1."""
    since: str | None = None
    """When it became champion; None for a mounted model."""


@dataclass(frozen=True)
class _Picture:
    """Who answers out of one store, at one moment; never changed, only replaced."""

    revision: int | None = None
    """The revision of the catalog that is answered by; None before the first look."""
    seen: int | None = None
    """The revision that was looked at last: beyond `revision` while something that changed with it is missed."""
    champion: Served | None = None
    mounted: dict[str, Served] = field(default_factory=dict)
    missed: frozenset[_Missed] = frozenset()
    """What could not be read."""
    again: float | None = None
    """When to look again though nothing has changed, because something could not be read."""

    def answering(self, model_id: str) -> Served | None:
        """Return who answers by a model's id: one with a realtime endpoint of its own, or the champion."""
        if model_id in self.mounted:
            return self.mounted[model_id]
        return self.champion if self.champion is not None and self.champion.model_id == model_id else None

    @property
    def loaded(self) -> dict[str, Served]:
        """All models in memory, by id."""
        return {served.model_id: served for served in (self.champion, *self.mounted.values()) if served}


class Serving:
    """Who answers, by name and by id; refreshed from the catalogs of a store and of some projects."""

    def __init__(
        self, store: Storehouse, houses: Sequence[House] = (), on_load: Callable[[bool], None] = lambda _: None
    ) -> None:
        """`on_load` is told when loading begins, and when it has ended."""
        self._on_load = on_load
        self.stores: tuple[Storehouse, ...] = tuple({id(house): house for house in (store, *houses)}.values())
        self.houses = tuple(houses)
        self._places = {house.project.name: self.stores.index(house) for house in houses}
        self._pictures = tuple(_Picture() for _ in self.stores)
        self._unread: set[int] = set()

    def mounted(self, model_id: str) -> Served | None:
        """Return the model of an id where it has a realtime endpoint of its own, or is champion; else None."""
        for picture in self._pictures:
            served = picture.answering(model_id)
            if served is not None:
                return served
        return None

    def champion(self, name: str) -> Served | None:
        """Return who serves under an endpoint's name; None where nobody does."""
        place = self._places.get(name)
        return None if place is None else self._pictures[place].champion

    @property
    def revisions(self) -> tuple[int, ...]:
        """The revision of each store's catalog that is served, in the order of `stores`; empty until all are."""
        known = tuple(picture.revision for picture in self._pictures if picture.revision is not None)
        return known if len(known) == len(self.stores) else ()

    def refresh(self) -> bool:
        """Look at the catalogs; load what is new and swap. Tell whether anything changed. Raises nothing.

        What cannot be read leaves in place whoever answers now, and is tried again.
        """
        before = self._pictures
        self._pictures = tuple(self._refreshed(place, picture) for place, picture in enumerate(before))
        return any(new is not old for new, old in zip(self._pictures, before, strict=True))

    def _refreshed(self, place: int, before: _Picture) -> _Picture:
        store = self.stores[place]
        try:
            revision = store.catalog.serving_revision()
        except UnderstudyError as error:
            if place not in self._unread:
                _LOG.warning("the catalog cannot be read, so those who serve go on serving: %s", error.message)
            self._unread.add(place)
            return before
        self._unread.discard(place)
        if revision == before.seen and (before.again is None or time.monotonic() < before.again):
            return before
        look = _Look(store, before)
        self._on_load(True)
        try:
            champion, mounted = look.champion(), look.mounted()
        finally:
            self._on_load(False)
        missed, again = frozenset(look.missed), time.monotonic() + AGAIN_SECONDS if look.missed else None
        return _Picture(_answered(before, revision, missed), revision, champion, mounted, missed, again)


def _answered(before: _Picture, revision: int, missed: frozenset[_Missed]) -> int:
    """Return the revision that a new picture answers by: the one before, where what changed since then is missed.

    What is missed for longer holds up nothing that changes later. The first picture answers nobody by an older model.
    """
    if before.revision is None or not missed:
        return revision
    if revision != before.seen:
        return revision if missed <= before.missed else before.revision
    return before.revision


class _Look:
    """One look at a store: what is new is loaded, and what cannot be read stays as it was."""

    def __init__(self, store: Storehouse, before: _Picture) -> None:
        self._store = store
        self._before = before
        self._loaded = before.loaded
        self.missed: set[_Missed] = set()
        """What could not be read."""

    def champion(self) -> Served | None:
        if not isinstance(self._store, House):
            return None
        model_id = ""
        try:
            state = self._store.endpoint.champion()
            if state is None or state.champion is None:
                return None
            model_id = state.champion
            return self._served(self._store.model_entity(model_id), state.since)
        except Exception as error:  # noqa: BLE001 - whatever a new model does, the old one serves on
            what = f"the champion of {self._store.project.name!r}"
            return self._miss(what, error, self._before.champion, model_id)

    def mounted(self) -> dict[str, Served]:
        try:
            entities = self._store.catalog.mounted()
        except UnderstudyError as error:
            return self._miss("what has a realtime endpoint", error, self._before.mounted)
        found = {entity.id: self._mounted(entity) for entity in entities}
        return {model_id: served for model_id, served in found.items() if served}

    def _mounted(self, entity: Entity) -> Served | None:
        try:
            return self._served(entity, None)
        except Exception as error:  # noqa: BLE001 - one model that cannot be loaded must not touch the others
            return self._miss(f"the model {entity.id!r}", error, self._before.mounted.get(entity.id))

    def _served(self, entity: Entity, since: str | None) -> Served:
        """Return a model that answers, loaded unless the same model is in memory already."""
        known = self._loaded.get(entity.id)
        same = known is not None and known.predictor.model.fingerprint == entity.document["fingerprint"]
        predictor = known.predictor if known is not None and same else _warmed(self._store.predictor(entity.id))
        threshold = entity.document.get("threshold")
        served = Served(entity.id, predictor, THRESHOLD if threshold is None else threshold, since)
        self._loaded[entity.id] = served
        return served

    def _miss(self, what: str, error: Exception, instead: T, model_id: str = "") -> T:
        _LOG.error("%s cannot be loaded: %s", what, error)
        self.missed.add((what, model_id))
        return instead


def _warmed(predictor: Predictor) -> Predictor:
    """Let a model answer some records, so that nobody waits for what it makes only when it is first asked."""
    predictor.score_texts({})
    predictor.score_texts_at_once(dict.fromkeys(predictor.model.schema.names, "Ä"))  # beyond ASCII, Arrow is loaded
    with contextlib.suppress(Exception):  # a project's own function may want more than an empty record
        predictor.predict([{}])
    return predictor


def warm_up() -> None:
    """Load the compiled kernels, which are read from their cache when they are first called.

    A small model with every transformation scores a batch; a process forked after this has the kernels, too.
    """
    kinds = {"n": AttributeType.NUMERIC, "c": AttributeType.CATEGORICAL, "b": AttributeType.BINARY}
    kinds |= {"t": AttributeType.TEXT, "y": AttributeType.CATEGORICAL}
    schema = Schema(tuple(Attribute(name, kind) for name, kind in kinds.items()), target="y")
    recipe = parse(json.dumps({"outputs": _EVERYTHING}), schema)
    sample = pa.table({"n": ["1", "2.5"], "c": ["a", "b"], "b": ["1", "0"], "t": ["One word.", "two"], "y": ["u", "v"]})
    keys, values = np.zeros(1, np.uint64), np.zeros((1, 2), np.float32)
    for array in (keys, values):
        array.flags.writeable = False  # as a model's are that is mapped: to Numba that is another kernel
    weights = Weights(keys, values, np.zeros(2))
    target = Target("y", ModelType.MULTICLASS, ("u", "v"))
    model = Model(target, schema.names, schema, fit(recipe, schema, sample), weights)
    for number in ("string", "double", "int64"):
        columns = [(name, pa.type_for_alias(number if name == "n" else "string")) for name in schema.names]
        model.score(batch_of_records([{"n": 1, "c": "a", "b": "1", "t": "One word."}, {}], columns)[0])


_EVERYTHING = [
    "n",
    "ALL_CATEGORICAL",
    "ALL_BINARY",
    "ALL_TEXT",
    "quantile_bin(n, 2)",
    "ngram(no_punct(lowercase(t)), 2)",
    "osb(t, 2)",
    "character_ngram(t, 3)",
    "cartesian(c, quantile_bin(n, 2))",
    "cartesian(t, c)",
]


def wait_until(settled: Callable[[], bool], seconds: float, *, poll: float = 0.01) -> bool:
    """Wait until something is so, at most so long; tell whether it is."""
    deadline = time.monotonic() + seconds
    while not settled():
        if time.monotonic() >= deadline:
            return False
        time.sleep(poll)
    return True
