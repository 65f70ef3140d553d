"""Update: another name, and for BINARY models another score threshold; nothing else ever changes (reference 2.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from understudy.service.context import Call, Service
from understudy.service.entities import Kind, get, refuse_deleted
from understudy.service.faults import InvalidInputException
from understudy.service.shapes import (
    UpdateBatchPredictionInput,
    UpdateDataSourceInput,
    UpdateEvaluationInput,
    UpdateMLModelInput,
)
from understudy.service.times import text_of
from understudy.service.views import Answer
from understudy.store.catalog import Entity


def update_data_source(service: Service, call: Call, request: UpdateDataSourceInput) -> Answer:
    """Give a data source another name."""
    _rename(service, "data_source", request.data_source_id, request.data_source_name)
    return {"DataSourceId": request.data_source_id}


def update_evaluation(service: Service, call: Call, request: UpdateEvaluationInput) -> Answer:
    """Give an evaluation another name."""
    _rename(service, "evaluation", request.evaluation_id, request.evaluation_name)
    return {"EvaluationId": request.evaluation_id}


def update_batch_prediction(service: Service, call: Call, request: UpdateBatchPredictionInput) -> Answer:
    """Give a batch prediction another name."""
    _rename(service, "batch_prediction", request.batch_prediction_id, request.batch_prediction_name)
    return {"BatchPredictionId": request.batch_prediction_id}


def update_ml_model(service: Service, call: Call, request: UpdateMLModelInput) -> Answer:
    """Give a model another name, another score threshold, or both; later predictions go by the threshold."""
    name, threshold = request.ml_model_name, request.score_threshold
    if name is None and threshold is None:
        raise InvalidInputException("neither MLModelName nor ScoreThreshold is given", "Give what is to change.")

    def change(model: Entity) -> Entity:
        changed = model if name is None else msgspec.structs.replace(model, name=name)
        return changed if threshold is None else _with_threshold(changed, threshold, call)

    _amend(service, "model", request.ml_model_id, change, serving=threshold is not None)
    if threshold is not None:
        service.settle()
    return {"MLModelId": request.ml_model_id}


def _with_threshold(model: Entity, threshold: float, call: Call) -> Entity:
    kind = model.document["model_type"]
    if kind != "BINARY":
        raise InvalidInputException(
            f"ScoreThreshold is given, but the model {model.id!r} is {kind}", "Only BINARY models have one."
        )
    if not 0 <= threshold <= 1:
        raise InvalidInputException(f"ScoreThreshold is {threshold}", "Give a number from 0 to 1.")
    set_to: dict[str, Any] = {"threshold": threshold, "threshold_set_at": text_of(call.now)}
    return msgspec.structs.replace(model, document={**model.document, **set_to})


def _rename(service: Service, kind: Kind, entity_id: str, name: str) -> None:
    _amend(service, kind, entity_id, lambda entity: msgspec.structs.replace(entity, name=name))


def _amend(
    service: Service, kind: Kind, entity_id: str, change: Callable[[Entity], Entity], *, serving: bool = False
) -> None:
    """Change an object unless it is DELETED; raises ResourceNotFoundException."""
    get(service, kind, entity_id)

    def changed(entity: Entity) -> Entity:
        refuse_deleted(kind, entity)
        return change(entity)

    service.catalog.amend(kind, entity_id, changed, serving=serving)
