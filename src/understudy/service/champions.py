"""Champions of projects' endpoints: who stands behind a name that never changes."""

from __future__ import annotations

from understudy.service.context import Service
from understudy.store.catalog import Entity


def champion(service: Service, name: str) -> Entity | None:
    """Return who serves under an endpoint's name; None where nobody does, or no endpoint has that name."""
    for house in service.houses:
        if house.project.name == name:
            state = house.endpoint.champion()
            return house.catalog.get(state.champion, "model") if state and state.champion else None
    return None


def answering(service: Service) -> frozenset[str]:
    """Return the ids of all champions in memory: they answer without a realtime endpoint of their own."""
    served = (service.serving.champion(house.project.name) for house in service.houses)
    return frozenset(each.model_id for each in served if each is not None)
