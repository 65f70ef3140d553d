"""What a run may forget of earlier ones: observations and models that nobody needs any more."""

from __future__ import annotations

from understudy.house import House, clear_models
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
        for prefix in (f"uploads/{run_id}.", f"keys/{run_id}-"):
            for name in list(house.objects.iter_names(prefix)):
                house.objects.delete(name)


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
