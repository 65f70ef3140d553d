"""A model's weights, page by page: what it learned of each feature."""

from __future__ import annotations

import numpy as np

from understudy.errors import UnderstudyError
from understudy.model import Model
from understudy.schema import ModelType
from understudy.server.rest.objects import holder
from understudy.server.rest.problems import printable
from understudy.server.rest.route import Call
from understudy.server.rest.shapes import Feature, Keys, Weights
from understudy.store.catalog import Entity


def get_weights(call: Call[None, Keys]) -> Weights:
    """Show what a model learned: its intercept, and the weights of its features in the order of their keys.

    A key is the hash of what a feature says (`job` is `nurse`); the words themselves are not kept.
    """
    model_id = printable(call.parameters["id"])
    store = holder(call.door, "model", model_id)
    entity = store.model_entity(model_id)
    _require_made(entity)
    model = store.model(entity)
    keys, weights = model.weights.keys, model.weights.weights
    start = int(np.searchsorted(keys, np.uint64(int(call.query.after, 16)), "right")) if call.query.after else 0
    page = slice(start, start + call.query.limit)
    features = [Feature(f"{key:016x}", row.tolist()) for key, row in zip(keys[page], weights[page], strict=True)]
    following = features[-1].key if features and page.stop < len(keys) else None
    return Weights(model_id, _outputs(model), model.weights.intercept.tolist(), len(keys), features, following)


def _require_made(entity: Entity) -> None:
    if entity.status != "COMPLETED":
        raise UnderstudyError(f"the model {entity.id} is {entity.status}", "Only a COMPLETED model has weights.")


def _outputs(model: Model) -> list[str]:
    """Name what each weight speaks for: a class, the positive one alone, or the target's value."""
    target = model.target
    if target.type is ModelType.REGRESSION:
        return [target.name]
    return [target.classes[1]] if target.type is ModelType.BINARY else list(target.classes)
