"""Predict: one record, answered by a model in memory in the original's own shapes (reference 8.1)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from understudy.model import Scores
from understudy.schema import ModelType
from understudy.service.context import Call, Service
from understudy.service.entities import not_found, present
from understudy.service.faults import Fault, InvalidInputException, PredictorNotMountedException
from understudy.service.shapes import PredictInput
from understudy.service.thresholds import is_positive
from understudy.service.views import ALGORITHM, Answer
from understudy.serving import Served
from understudy.values import batch_of_records

RECORD_LIMIT = 100 * 1024
"""Bytes of UTF-8 that a record's names and values may have together, as an observation of a file (reference 9)."""

_LARGEST = float(np.finfo(np.float32).max)


def predict(service: Service, call: Call, request: PredictInput) -> Answer:
    """Answer one record by the model of an id, or by the champion of an endpoint of that name.

    Values are read by the model's schema. What is left out or cannot be read counts as missing; the target and names
    that the model does not know are not looked at. Where a model answers, the catalog is not asked.
    """
    _refuse_large(request.record)
    served = _served(service, request.ml_model_id)
    if served is None:
        raise _nobody(service, request.ml_model_id)
    return {"Prediction": answer(served, score(served, request.record))}


def answers_from_memory(service: Service, document: object) -> bool:
    """Tell whether a request's JSON names a model in memory: then nothing that may take long is asked."""
    model_id = document.get("MLModelId") if isinstance(document, dict) else None
    return isinstance(model_id, str) and _served(service, model_id) is not None


def score(served: Served, record: dict[str, str]) -> Scores:
    """Score one record: a number, or one for each class."""
    schema = served.predictor.model.schema
    columns = [(name, pa.string()) for name in schema.names if name != schema.target]
    batch, _ = batch_of_records([record], columns)
    scores: Scores = served.predictor.model.score(batch)[0]
    return scores


def answer(served: Served, scores: Scores) -> Answer:
    """Return a prediction as the original spelled it.

    A BINARY score is the probability of 1 also where the label is 0. Numbers are floats of 32 bits, widened.
    """
    target = served.predictor.model.target
    details = {"Algorithm": ALGORITHM.upper(), "PredictiveModelType": target.type.value}
    if target.type is ModelType.REGRESSION:
        return {"predictedValue": _widened(float(scores)), "details": details}
    if target.type is ModelType.BINARY:
        shown = _widened(float(scores))
        label = "1" if is_positive(shown, served.threshold) else "0"
        return {"predictedLabel": label, "predictedScores": {label: shown}, "details": details}
    return {
        "predictedLabel": target.classes[int(np.argmax(scores))],
        "predictedScores": {name: _widened(float(of)) for name, of in zip(target.classes, scores, strict=True)},
        "details": details,
    }


def _served(service: Service, model_id: str) -> Served | None:
    return service.serving.mounted(model_id) or service.serving.champion(model_id)


def _refuse_large(record: dict[str, str]) -> None:
    size = sum(len(name.encode()) + len(value.encode()) for name, value in record.items())
    if size > RECORD_LIMIT:
        raise InvalidInputException(
            f"Record has {size:,} bytes of names and values", f"At most {RECORD_LIMIT:,} are allowed."
        )


def _widened(number: float) -> float:
    """Round a number to 32 bits; JSON has no word for what is beyond them."""
    return float(np.float32(np.clip(number, -_LARGEST, _LARGEST)))


def _nobody(service: Service, model_id: str) -> Fault:
    """Say why no model answers."""
    model = present(service, "model", model_id)
    named = [house.project.name for house in service.houses]
    if model is None and model_id in named:
        return PredictorNotMountedException(
            f"endpoint {model_id!r} has no champion yet", "`understudy learn` makes and admits the first."
        )
    if model is None:
        return not_found(service, "model", model_id)
    if model.status == "DELETED":
        return PredictorNotMountedException(
            f"the ML model {model_id!r} is deleted, and its endpoint with it", "Name a model that has an endpoint."
        )
    return PredictorNotMountedException(
        f"the ML model {model_id!r} has no realtime endpoint",
        "CreateRealtimeEndpoint makes one" + (f"; or predict by the name {named[0]!r}." if named else "."),
    )
