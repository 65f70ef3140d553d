"""What a run may forget of earlier ones: observations and models that nobody needs any more."""

from __future__ import annotations

from understudy.house import House, Storehouse, model_object
from understudy.pipeline.judging import remembered_by_the_gate
from understudy.store.catalog import Entity
from understudy.store.retention import Inventory, KeptModel, removable


def forget(house: House) -> None:
    """Delete what `[store] keep` no longer asks for; the champion and the nearest that `rollback` returns to stay.

    Objects go by what the catalog names, not by what was just marked, so a kill between the two leaves nothing behind
    for good. Models of other projects in the same store are as safe as this project's own, and so are those that
    another catalog names, or that another machine has written and not yet put on record.
    """
    project, keep = house.project.name, house.project.store.keep
    models = [entity for entity in house.catalog.find("model", project=project) if entity.status == "COMPLETED"]
    gone = removable(_held(house, models), keep_runs=keep.runs, keep_models=keep.models)
    for model_id in gone.models:
        house.catalog.retire(model_id)
    clear_models(house)
    for run_id in gone.runs:
        for name in (f"uploads/{run_id}.parquet", *list(house.objects.iter_names(f"keys/{run_id}-"))):
            house.objects.delete(name)


def clear_models(store: Storehouse) -> None:
    """Delete the folders of deleted models, unless another model that is kept, or in the making, is the same.

    Each is deleted in a transaction that holds the write lock and has seen that nobody needs it: who announces the same
    model meanwhile does so before, and is seen, or afterwards, and finds no folder.
    """
    stored = {name.rpartition("/")[0] for name in store.objects.iter_names("models/")}
    for folder in sorted(stored & (_folders(store, "DELETED") - _needed(store))):
        with store.catalog.writing():
            if folder not in _needed(store):
                store.objects.delete(folder)


def _needed(store: Storehouse) -> set[str]:
    return _folders(store, "COMPLETED") | _folders(store, "INPROGRESS")


def _folders(store: Storehouse, status: str) -> set[str]:
    """Name the folders of all models that have a status, whatever their project."""
    models = store.catalog.find("model", status=status)
    return {model_object(entity.document["fingerprint"]) for entity in models if "fingerprint" in entity.document}


def _held(house: House, models: list[Entity]) -> Inventory:
    """Take stock of one project."""
    history = house.catalog.promotions(house.project.name)
    champions = [entry.champion for entry in history if entry.champion]
    near = house.endpoint.former_champions()[: house.project.store.keep.models]
    state = house.endpoint.champion()
    serving = [state.champion] if state and state.champion else []
    return Inventory(
        runs=[entity.id for entity in house.catalog.find("run", project=house.project.name)],
        models=[KeptModel(entity.id, entity.document.get("run_id")) for entity in models],
        champions=list(dict.fromkeys(reversed(champions))),
        protected={*serving, *near, *remembered_by_the_gate(history)},
    )
