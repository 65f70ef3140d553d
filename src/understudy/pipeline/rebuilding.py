"""A model made again from its lineage: the same observations, schema, recipe and parameters, the same fingerprint."""

from __future__ import annotations

from typing import Any

import msgspec

from understudy.config import Train
from understudy.errors import NotFound
from understudy.house import House
from understudy.model import Model
from understudy.pipeline.observations import Observations, kept_observations
from understudy.pipeline.progress import Progress
from understudy.pipeline.versions import versions
from understudy.pipeline.workspace import Workspace
from understudy.schema import Schema
from understudy.store.catalog import Entity
from understudy.target import Target
from understudy.training import Task, train


def rebuild_model(house: House, model_id: str, workspace: Workspace, progress: Progress) -> dict[str, Any]:
    """Train again what a model was trained on; return both fingerprints, and the versions where they differ.

    Raises
    ------
    NotFound : there is no such model, or its observations are no longer kept.
    """
    entity = house.model_entity(model_id)
    lineage = entity.document["lineage"]
    if "observations" not in lineage:
        raise NotFound(
            f"no observations are kept of {model_id}: it was made through Amazon ML's API",
            "CreateMLModel makes it again of the same data source.",
        )
    if not house.objects.exists(lineage["observations"]):
        raise NotFound(
            f"the observations of {model_id} are no longer kept", "[store.keep] says how many runs keep theirs."
        )
    with kept_observations(house.objects, lineage["observations"], lineage["target"]) as observations:
        model = _train_again(entity, observations, workspace, progress)
    then, now = lineage["versions"], versions()
    return {
        "kind": "rebuild",
        "id": model_id,
        "same": model.fingerprint == entity.document["fingerprint"],
        "fingerprint": entity.document["fingerprint"],
        "rebuilt": model.fingerprint,
        "versions_changed": {name: [was, now.get(name)] for name, was in then.items() if now.get(name) != was},
    }


def _train_again(entity: Entity, observations: Observations, workspace: Workspace, progress: Progress) -> Model:
    """Train on stored observations by a model's lineage."""
    lineage = entity.document["lineage"]
    progress.stage("sample")
    sample = observations.training_sample()
    task = Task(
        columns=tuple(column["name"] for column in entity.document["columns"]),
        schema=Schema.from_json(lineage["schema"]),
        labels=msgspec.convert(lineage["target"], Target),
        recipe=lineage["recipe"],
        settings=msgspec.convert(lineage["parameters"], Train).settings(),
    )
    progress.stage("train")
    workspace.folder.mkdir(parents=True, exist_ok=True)
    with workspace.scratch() as scratch:
        model, _ = train(task, sample, observations.training, scratch, progress.advance)
    return model
