"""Get: one object, whole. DELETED ones can still be read."""

from __future__ import annotations

from understudy.service import views
from understudy.service.champions import answering, champion
from understudy.service.context import Call, Service
from understudy.service.entities import get, not_found, present
from understudy.service.shapes import GetBatchPredictionInput, GetDataSourceInput, GetEvaluationInput, GetMLModelInput
from understudy.service.views import Answer


def get_data_source(service: Service, call: Call, request: GetDataSourceInput) -> Answer:
    """Return a data source; verbose with its schema and its SQL query."""
    entity = get(service, "data_source", request.data_source_id)
    shown = {**views.data_source(entity), **views.log(entity, call)}
    return views.verbose_data_source(entity, shown) if request.verbose else shown


def get_ml_model(service: Service, call: Call, request: GetMLModelInput) -> Answer:
    """Return a model, or the champion of an endpoint of that name; verbose with its recipe and its schema."""
    entity = present(service, "model", request.ml_model_id)
    found = entity or champion(service, request.ml_model_id)
    if found is None:
        raise not_found(service, "model", request.ml_model_id)
    serves = entity is None or found.id in answering(service)
    shown = {**views.model(found, call, serves=serves), **views.log(found, call)}
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
