"""Runs, models, data sources, evaluations, batch predictions: lists, and each one whole."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from understudy import facts
from understudy.errors import NotFound
from understudy.house import Storehouse
from understudy.server.rest.door import RestDoor
from understudy.server.rest.problems import Problem, printable
from understudy.server.rest.route import Call
from understudy.server.rest.shapes import Models, ModelSummary, Nothing, Page
from understudy.store.catalog import Entity, Place

Show = Callable[[Call[None, Nothing]], dict[str, Any]]
"""Shows one object whole."""


def list_runs(call: Call[None, Page]) -> dict[str, Any]:
    """List the runs of all projects, newest first."""
    page, following = _page(call, "run")
    return {"runs": [facts.run_summary(store, run) for store, run in page], "next": following}


def list_models(call: Call[None, Page]) -> Models:
    """List the models, newest first, those made through Amazon ML's API included."""
    page, following = _page(call, "model")
    return Models([_model(entity) for _, entity in page], following)


def get_run(call: Call[None, Nothing]) -> dict[str, Any]:
    """Show a run whole: rows, metrics, verdict, seconds, and the ids of all that it made."""
    return _shown(call, "run")


def get_model(call: Call[None, Nothing]) -> dict[str, Any]:
    """Show a model whole: fingerprint, classes, recipe, metrics, lineage."""
    return _shown(call, "model")


def get_data_source(call: Call[None, Nothing]) -> dict[str, Any]:
    """Show a data source whole: location, split, and the statistics of every attribute."""
    return _shown(call, "data_source")


def get_evaluation(call: Call[None, Nothing]) -> dict[str, Any]:
    """Show an evaluation whole: metrics with intervals, confusion matrix, curves, calibration, alerts."""
    return _shown(call, "evaluation")


def get_batch_prediction(call: Call[None, Nothing]) -> dict[str, Any]:
    """Show a batch prediction whole."""
    return _shown(call, "batch_prediction")


def _shown(call: Call[None, Nothing], kind: str) -> dict[str, Any]:
    entity_id = printable(call.parameters["id"])
    return facts.show(holder(call.door, kind, entity_id), entity_id, kind)


def holder(door: RestDoor, kind: str, entity_id: str) -> Storehouse:
    """Return the store whose catalog knows an id; raises NotFound."""
    for store in door.stores:
        try:
            store.catalog.get(entity_id, kind)
        except NotFound:
            continue
        return store
    lists = {"run": "GET /v1/runs lists them.", "model": "GET /v1/models lists them."}
    raise NotFound(f"no {kind.replace('_', ' ')} has the id {entity_id!r}", lists.get(kind, ""))


def _page(call: Call[None, Page], kind: str) -> tuple[list[tuple[Storehouse, Entity]], str | None]:
    """Return a page of all catalogs' entities of a kind, newest first, and the id to go on after."""
    limit, stores = call.query.limit, call.door.stores
    found = [
        (store, entity)
        for store, after in zip(stores, _places(call, kind, stores), strict=True)
        for entity, _ in store.catalog.page(kind, "created_at", descending=True, after=after, limit=limit + 1)
    ]
    found.sort(key=lambda pair: pair[1].created_at, reverse=True)
    return found[:limit], found[limit - 1][1].id if len(found) > limit else None


def _places(call: Call[None, Page], kind: str, stores: Sequence[Storehouse]) -> list[Place | None]:
    """Return where the page begins in each catalog; what was made at one moment stands in the order of the catalogs."""
    before = call.query.before
    if not before:
        return [None] * len(stores)
    try:
        last = holder(call.door, kind, printable(before))
        at, number = last.catalog.place(kind, before)
    except NotFound as error:
        raise Problem(400, "InvalidInput", f"before: {error.message}", "Give the `next` of the page before.") from None
    own = stores.index(last)
    return [(at, number if place == own else 0 if place < own else sys.maxsize) for place in range(len(stores))]


def _model(entity: Entity) -> ModelSummary:
    document = entity.document
    return ModelSummary(
        model_id=entity.id,
        status=entity.status,
        created_at=entity.created_at,
        fingerprint=document.get("fingerprint"),
        model_type=document.get("model_type"),
        metrics=document.get("metrics") or {},
        run_id=document.get("run_id"),
    )
