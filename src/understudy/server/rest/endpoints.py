"""Endpoints: who serves, how that came to be, and changing it by hand."""

from __future__ import annotations

from typing import Any

from understudy import facts
from understudy.endpoint import HistoryEntry
from understudy.errors import CorruptObject, StoreError
from understudy.house import House
from understudy.server.rest.door import RestDoor
from understudy.server.rest.problems import Problem, printable
from understudy.server.rest.route import Call
from understudy.server.rest.shapes import Champion, EndpointAnswer, Endpoints, Learning, Nothing, Observe, Promote


def list_endpoints(call: Call[None, Nothing]) -> Endpoints:
    """Tell of every endpoint who serves."""
    return Endpoints([_endpoint(call.door, house) for house in call.door.houses])


def get_endpoint(call: Call[None, Nothing]) -> EndpointAnswer:
    """Tell who serves: the model that this server answers by at this moment."""
    return _endpoint(call.door, _house(call))


def get_history(call: Call[None, Nothing]) -> dict[str, Any]:
    """Tell every promotion of an endpoint, as `understudy history --json` does."""
    return facts.history(_house(call))


def promote(call: Call[Promote, Nothing]) -> HistoryEntry:
    """Let a model serve; answered once every worker of this server answers by it."""
    house, model_id = _house(call), printable(call.body.model_id)
    try:
        entry = facts.promote(house, model_id)
    except CorruptObject:
        raise
    except StoreError as error:
        raise Problem(409, type(error).__name__, error.message, error.hint) from None
    call.door.settle(house)
    return entry


def roll_back(call: Call[Nothing, Nothing]) -> HistoryEntry:
    """Return to the champion before and pin it; answered once every worker of this server answers by it."""
    house = _house(call)
    entry = facts.roll_back(house)
    call.door.settle(house)
    return entry


def unpin(call: Call[Nothing, Nothing]) -> dict[str, Any]:
    """Let the gate decide again; return the status."""
    house = _house(call)
    status = facts.unpin(house)
    call.door.settle(house)
    return status


def observe(call: Call[Observe, Nothing]) -> None:
    """Refuse labels to learn from: there is no per-query learning yet."""
    house = _house(call)
    raise Problem(
        409,
        "LearningDisabled",
        f"endpoint {house.project.name!r} does not learn per query; nothing was taken",
        "Labels reach the model with the next `understudy learn`.",
    )


def _house(call: Call[Any, Nothing]) -> House:
    return call.door.house(call.parameters["name"])


def _endpoint(door: RestDoor, house: House) -> EndpointAnswer:
    served = door.serving.champion(house.project.name)
    champion = Champion(served.model_id, served.predictor.model.fingerprint, served.since) if served else None
    return EndpointAnswer(house.project.name, champion, None, Learning())
