"""Get: one object, whole. DELETED ones can still be read."""

from __future__ import annotations

from understudy.service import views
from understudy.service.context import Call, Service
from understudy.service.entities import get, not_found, present
from understudy.service.shapes import GetBatchPredictionInput, GetDataSourceInput, GetEvaluationInput, GetMLModelInput
from understudy.service.views import Answer
from understudy.store.catalog import Entity


def get_data_source(service: Service, call: Call, request: GetDataSourceInput) -> Answer:
    """Return a data source; verbose with its schema and its SQL query."""
    entity = get(service, "data_source", request.data_source_id)
    shown = {**views.data_source(entity), **views.log(entity, call)}
    return views.verbose_data_source(entity, shown) if request.verbose else shown


def get_ml_model(service: Service, call: Call, request: GetMLModelInput) -> Answer:
    """Return a model, or the champion of an endpoint of that name; verbose with its recipe and its schema."""
    entity = present(service, "model", request.ml_model_id)
    champion = _champion(service, request.ml_model_id) if entity is None else None
    found = entity or champion
    if found is None:
        raise not_found("model", request.ml_model_id)
    shown = {**views.model(found, call, serves=champion is not None), **views.log(found, call)}
    del shown["Algorithm"]
    return views.verbose_model(found, shown) if request.verbose else shown


def get_evaluation(service: Service, call: Call, request: GetEvaluationInput) -> Answer:
    """Return an evaluation with its metric."""
    entity = get(service, "evaluation", request.evaluation_id)
    return {**views.evaluation(entity), **views.log(entity, call)}


def get_batch_prediction(service: Service, call: Call, request: GetBatchPredictionInput) -> Answer:
    """Return a batch prediction with its counts."""
    entity = get(service, "batch_prediction", request.batch_prediction_id)
    return {**views.batch_prediction(entity), **views.log(entity, call)}


def _champion(service: Service, name: str) -> Entity | None:
    """Return who serves under an endpoint's name."""
    for house in service.houses:
        if house.project.name == name:
            state = house.endpoint.champion()
            return house.catalog.get(state.champion, "model") if state and state.champion else None
    return None
