"""Models in memory, ready to answer: champions by their endpoint's name, mounted models by their id.

A prediction reads what is in memory and nothing else. Beside it, a refresh compares one number of each catalog with the
one that it last saw; where it has grown, the models that are new are loaded and verified first, and then the whole
picture is swapped at once: whoever asks meanwhile is answered by the old one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from understudy.errors import UnderstudyError
from understudy.house import House, Storehouse
from understudy.prediction import THRESHOLD, Predictor
from understudy.store.catalog import Entity

_LOG = logging.getLogger(__name__)


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
    """Who answers, at one moment; never changed, only replaced."""

    revisions: tuple[int, ...] = ()
    champions: dict[str, Served] = field(default_factory=dict)
    mounted: dict[str, Served] = field(default_factory=dict)


class Serving:
    """Who answers, by name and by id; refreshed from the catalogs of a store and of some projects."""

    def __init__(self, store: Storehouse, houses: Sequence[House] = ()) -> None:
        self.stores: tuple[Storehouse, ...] = tuple({id(house): house for house in (store, *houses)}.values())
        self.houses = tuple(houses)
        self._picture = _Picture()

    def mounted(self, model_id: str) -> Served | None:
        """Return the model that has a realtime endpoint of its own; None where it has none."""
        return self._picture.mounted.get(model_id)

    def champion(self, name: str) -> Served | None:
        """Return who serves under an endpoint's name; None where nobody does."""
        return self._picture.champions.get(name)

    @property
    def revisions(self) -> tuple[int, ...]:
        """The revision of each store's catalog that is served, in the order of `stores`; empty before the first."""
        return self._picture.revisions

    def refresh(self) -> bool:
        """Look at the catalogs; load what is new and swap. Tell whether anything changed. Raises nothing.

        What cannot be read leaves in place whoever answers now.
        """
        try:
            revisions = tuple(store.catalog.serving_revision() for store in self.stores)
        except UnderstudyError as error:
            _LOG.warning("the catalog cannot be read, so those who serve go on serving: %s", error.message)
            return False
        if revisions == self._picture.revisions:
            return False
        before = self._picture
        loaded = {served.model_id: served for served in (*before.champions.values(), *before.mounted.values())}
        champions = dict(self._champions(loaded, before.champions))
        self._picture = _Picture(revisions, champions, dict(self._mounted(loaded)))
        return True

    def _champions(self, loaded: dict[str, Served], before: dict[str, Served]) -> Iterator[tuple[str, Served]]:
        for house in self.houses:
            name = house.project.name
            try:
                state = house.endpoint.champion()
                if state is not None and state.champion is not None:
                    yield name, _served(house, house.model_entity(state.champion), loaded, state.since)
            except UnderstudyError as error:
                _LOG.error("the champion of %r cannot be loaded: %s", name, error.message)
                if name in before:
                    yield name, before[name]

    def _mounted(self, loaded: dict[str, Served]) -> Iterator[tuple[str, Served]]:
        for store in self.stores:
            try:
                for entity in store.catalog.mounted():
                    yield entity.id, _served(store, entity, loaded, None)
            except UnderstudyError as error:
                _LOG.error("a model with an endpoint cannot be loaded: %s", error.message)


def _served(store: Storehouse, entity: Entity, loaded: dict[str, Served], since: str | None) -> Served:
    """Return a model that answers, loaded unless the same model is in memory already."""
    known = loaded.get(entity.id)
    same = known is not None and known.predictor.model.fingerprint == entity.document["fingerprint"]
    predictor = known.predictor if known is not None and same else store.predictor(entity.id)
    return Served(entity.id, predictor, entity.document.get("threshold") or THRESHOLD, since)


def wait_until(settled: Callable[[], bool], seconds: float, *, poll: float = 0.01) -> bool:
    """Wait until something is so, at most so long; tell whether it is."""
    deadline = time.monotonic() + seconds
    while not settled():
        if time.monotonic() >= deadline:
            return False
        time.sleep(poll)
    return True
