"""Delete: objects are marked DELETED and can be read on; a job at work on one is thereby cancelled (reference 2.5)."""

from __future__ import annotations

import msgspec

from understudy.service import secrets
from understudy.service.context import Call, Service
from understudy.service.entities import Kind, get
from understudy.service.faults import InvalidInputException
from understudy.service.shapes import (
    DeleteBatchPredictionInput,
    DeleteDataSourceInput,
    DeleteEvaluationInput,
    DeleteMLModelInput,
)
from understudy.service.views import Answer
from understudy.store.catalog import Entity


def delete_data_source(service: Service, call: Call, request: DeleteDataSourceInput) -> Answer:
    """Mark a data source DELETED; its data stay where they are."""
    with secrets.one_at_a_time(service.secrets):  # or the password of a new object of that id might be forgotten
        _delete(service, "data_source", request.data_source_id)
        secrets.forget(service.secrets, "data_source", request.data_source_id)
    return {"DataSourceId": request.data_source_id}


def delete_evaluation(service: Service, call: Call, request: DeleteEvaluationInput) -> Answer:
    """Mark an evaluation DELETED."""
    _delete(service, "evaluation", request.evaluation_id)
    return {"EvaluationId": request.evaluation_id}


def delete_batch_prediction(service: Service, call: Call, request: DeleteBatchPredictionInput) -> Answer:
    """Mark a batch prediction DELETED; the files that it wrote stay."""
    _delete(service, "batch_prediction", request.batch_prediction_id)
    return {"BatchPredictionId": request.batch_prediction_id}


def delete_ml_model(service: Service, call: Call, request: DeleteMLModelInput) -> Answer:
    """Mark a model DELETED; its realtime endpoint goes with it. The champion of an endpoint is refused."""
    model = get(service, "model", request.ml_model_id)
    if model.status != "DELETED":
        _retire(service, model)
    return {"MLModelId": request.ml_model_id}


def _retire(service: Service, model: Entity) -> None:
    if not service.catalog.retire(model.id):
        names = [state.name for state in service.catalog.endpoints() if state.champion == model.id]
        raise InvalidInputException(
            f"the model {model.id!r} serves endpoint {' and '.join(map(repr, names))}",
            "Let another serve first: `understudy promote MODEL_ID` or `understudy rollback`.",
        )
    if model.document.get("endpoint"):
        service.settle()


def _delete(service: Service, kind: Kind, entity_id: str) -> None:
    """Mark an object DELETED; once more is no change. Raises ResourceNotFoundException."""
    get(service, kind, entity_id)

    def deleted(entity: Entity) -> Entity | None:
        return None if entity.status == "DELETED" else msgspec.structs.replace(entity, status="DELETED")

    service.catalog.amend(kind, entity_id, deleted)
