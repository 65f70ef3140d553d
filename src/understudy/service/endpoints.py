"""Realtime endpoints: a switch on a model. Answered when every worker has obeyed (reference 2.2, 2.5)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from understudy.service import views
from understudy.service.champions import answering
from understudy.service.context import Call, Service
from understudy.service.entities import get, refuse_deleted
from understudy.service.faults import InvalidInputException
from understudy.service.shapes import CreateRealtimeEndpointInput, DeleteRealtimeEndpointInput
from understudy.service.times import text_of
from understudy.service.views import Answer
from understudy.store.catalog import Entity


def create_realtime_endpoint(service: Service, call: Call, request: CreateRealtimeEndpointInput) -> Answer:
    """Let a COMPLETED model answer Predict; where it does already, nothing changes."""

    def mounted(model: Entity) -> Entity | None:
        refuse_deleted("model", model)
        if model.status != "COMPLETED":
            raise InvalidInputException(
                f"the model {model.id!r} is {model.status}", "Only a COMPLETED model can have a realtime endpoint."
            )
        ready = {"status": "READY", "created_at": text_of(call.now)}
        return None if model.document.get("endpoint") else _with_endpoint(model, ready)

    return _switch(service, call, request.ml_model_id, mounted)


def delete_realtime_endpoint(service: Service, call: Call, request: DeleteRealtimeEndpointInput) -> Answer:
    """Take a model's endpoint away; where it has none, nothing changes. A champion answers on without one."""

    def dismounted(model: Entity) -> Entity | None:
        refuse_deleted("model", model)
        return _with_endpoint(model, None) if model.document.get("endpoint") else None

    return _switch(service, call, request.ml_model_id, dismounted)


def _switch(service: Service, call: Call, model_id: str, change: Callable[[Entity], Entity | None]) -> Answer:
    get(service, "model", model_id)
    model = service.catalog.amend("model", model_id, change, serving=True)
    service.settle()
    info = views.endpoint_info(model, call, serves=model_id in answering(service))
    return {"MLModelId": model_id, "RealtimeEndpointInfo": info}


def _with_endpoint(model: Entity, endpoint: dict[str, str] | None) -> Entity:
    return msgspec.structs.replace(model, document={**model.document, "endpoint": endpoint})
