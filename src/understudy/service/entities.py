"""Objects by their ids, and what the original says where there is none."""

from __future__ import annotations

from typing import Literal

from understudy.errors import NotFound
from understudy.service.champions import champion
from understudy.service.context import Service
from understudy.service.faults import InvalidInputException, ResourceNotFoundException
from understudy.store.catalog import Entity

Kind = Literal["data_source", "model", "evaluation", "batch_prediction"]

NAMES: dict[Kind, str] = {
    "data_source": "data source",
    "model": "ML model",
    "evaluation": "evaluation",
    "batch_prediction": "batch prediction",
}
"""What messages call the kinds."""

LISTS: dict[Kind, str] = {
    "data_source": "DescribeDataSources",
    "model": "DescribeMLModels",
    "evaluation": "DescribeEvaluations",
    "batch_prediction": "DescribeBatchPredictions",
}
"""The operation that lists those of a kind."""


def a(kind: Kind) -> str:
    """Return what messages call one of a kind.

    >>> a("model"), a("data_source")
    ('an ML model', 'a data source')
    """
    return f"{'an' if kind in {'model', 'evaluation'} else 'a'} {NAMES[kind]}"


def present(service: Service, kind: Kind, entity_id: str) -> Entity | None:
    """Return the object of an id, DELETED or not; None where there never was one."""
    try:
        return service.catalog.get(entity_id, kind)
    except NotFound:
        return None


def get(service: Service, kind: Kind, entity_id: str) -> Entity:
    """Return the object of an id, DELETED or not; raises ResourceNotFoundException."""
    entity = present(service, kind, entity_id)
    if entity is None:
        raise not_found(service, kind, entity_id)
    return entity


def not_found(service: Service, kind: Kind, entity_id: str) -> ResourceNotFoundException:
    """Say that there is no object of an id; where it is an endpoint's name, whose id was meant."""
    serving = champion(service, entity_id) if kind == "model" else None
    if serving is not None:
        return ResourceNotFoundException(
            f"{entity_id!r} is an endpoint; its champion is the ML model {serving.id!r}", "Name the model by its id."
        )
    return ResourceNotFoundException(
        f"no {NAMES[kind]} has the id {entity_id!r}", f"{LISTS[kind]} names those that exist."
    )


def refuse_deleted(kind: Kind, entity: Entity) -> None:
    """Keep what is DELETED as it is."""
    if entity.status == "DELETED":
        raise InvalidInputException(
            f"the {NAMES[kind]} {entity.id!r} is deleted, which cannot be undone",
            "Create another, with an id of its own.",
        )
