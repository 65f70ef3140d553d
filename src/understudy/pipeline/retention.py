"""What a run may forget of earlier ones: observations and models that nobody needs any more."""

from __future__ import annotations

from understudy.house import House, model_object
from understudy.store.retention import Inventory, KeptModel, removable


def forget(house: House) -> None:
    """Delete what `[store] keep` no longer asks for; champions and what `rollback` returns to always stay."""
    project, keep = house.project.name, house.project.store.keep
    models = [entity for entity in house.catalog.find("model", project=project) if entity.status == "COMPLETED"]
    champions = [entry.champion for entry in house.catalog.promotions(project) if entry.champion]
    state = house.endpoint.champion()
    held = Inventory(
        runs=[entity.id for entity in house.catalog.find("run", project=project)],
        models=[KeptModel(entity.id, entity.document.get("run_id")) for entity in models],
        champions=list(dict.fromkeys(reversed(champions))),
        protected={*house.endpoint.former_champions(), *([state.champion] if state and state.champion else [])},
    )
    gone = removable(held, keep_runs=keep.runs, keep_models=keep.models)
    for entity in models:
        if entity.id in gone.models:
            house.catalog.update(entity.id, status="DELETED")
    living = {e.document["fingerprint"] for e in models if e.id not in gone.models}
    for fingerprint in sorted({e.document["fingerprint"] for e in models} - living):
        house.objects.delete(model_object(fingerprint))
    for run_id in gone.runs:
        for name in (f"uploads/{run_id}.parquet", *list(house.objects.iter_names(f"keys/{run_id}-"))):
            house.objects.delete(name)
