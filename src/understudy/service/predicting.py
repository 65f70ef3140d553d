"""Predict: one record, answered by a model in memory in the original's own shapes (reference 8.1)."""

from __future__ import annotations

import msgspec
import numpy as np

from understudy.model import Scores
from understudy.schema import ModelType
from understudy.service.context import Call, Service
from understudy.service.entities import not_found, present
from understudy.service.faults import Fault, InvalidInputException, PredictorNotMountedException
from understudy.service.shapes import PredictInput
from understudy.service.thresholds import is_positive
from understudy.service.views import ALGORITHM, Answer
from understudy.serving import Served
from understudy.values.single import rounded

RECORD_LIMIT = 100 * 1024
"""Bytes of UTF-8 that a record's names and values may have together, as an observation of a file (reference 9)."""

_LARGEST = float(np.finfo(np.float32).max)

_LONGEST_CHARACTER = 4
"""Bytes of UTF-8 that a character has at most."""


class _Plain(PredictInput, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request as clients send it: nothing is null, nothing unknown. An id that is in memory is of its form."""

    ml_model_id: str


_DECODER = msgspec.json.Decoder(_Plain)


def predict(service: Service, _: Call, request: PredictInput) -> Answer:
    """Answer one record by the model of an id, or by the champion of an endpoint of that name.

    Values are read by the model's schema. What is left out or cannot be read counts as missing; the target and names
    that the model does not know are not looked at. Where a model answers, the catalog is not asked.
    """
    _refuse_large(request.record)
    served = in_memory(service, request.ml_model_id)
    if served is None:
        raise _nobody(service, request.ml_model_id)
    return {"Prediction": answer(served, served.predictor.score_texts(request.record))}


def predicted_at_once(served: Served, record: dict[str, str]) -> Answer | None:
    """Answer one record, not too large, by a model in memory, whoever asks; None where that may take its time."""
    scores = served.predictor.score_texts_at_once(record)
    return None if scores is None else {"Prediction": answer(served, scores)}


def plain_request(body: bytes) -> PredictInput | None:
    """Read a request's JSON in one go; None where it is no usual one, and `read_request` makes of it what can be made.

    >>> plain_request(b'{"MLModelId": "ml-1", "Record": {"age": "41"}, "PredictEndpoint": ""}').record
    {'age': '41'}
    >>> plain_request(b'{"MLModelId": "ml-1", "Record": {"age": null}, "PredictEndpoint": ""}')
    """
    if rb"\u0000" in body:  # perhaps the character NUL, which a request may not hold
        return None
    try:
        return _DECODER.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def in_memory(service: Service, model_id: object) -> Served | None:
    """Return the model in memory that a request's MLModelId names: then nothing that may take long is asked."""
    if not isinstance(model_id, str):
        return None
    return service.serving.mounted(model_id) or service.serving.champion(model_id)


def answer(served: Served, scores: float | Scores) -> Answer:
    """Return a prediction as the original spelled it: of a number, or of one for each class.

    A BINARY score is the probability of 1 also where the label is 0. Numbers are floats of 32 bits, widened.
    """
    target = served.predictor.model.target
    details = _DETAILS[target.type]
    if target.type is ModelType.REGRESSION:
        return {"predictedValue": _widened(float(scores)), "details": details}
    if target.type is ModelType.BINARY:
        shown = rounded(float(scores))
        label = "1" if is_positive(shown, served.threshold) else "0"
        return {"predictedLabel": label, "predictedScores": {label: shown}, "details": details}
    assert isinstance(scores, np.ndarray)  # MULTICLASS has a score for each class
    shares = scores.astype(np.float32).tolist()
    return {
        "predictedLabel": target.classes[int(scores.argmax())],
        "predictedScores": dict(zip(target.classes, shares, strict=True)),
        "details": details,
    }


_DETAILS = {kind: {"Algorithm": ALGORITHM.upper(), "PredictiveModelType": kind.value} for kind in ModelType}


def _refuse_large(record: dict[str, str]) -> None:
    characters = sum(map(len, record)) + sum(map(len, record.values()))
    if characters * _LONGEST_CHARACTER <= RECORD_LIMIT:
        return
    size = sum(len(name.encode()) + len(value.encode()) for name, value in record.items())
    if size > RECORD_LIMIT:
        raise InvalidInputException(
            f"Record has {size:,} bytes of names and values", f"At most {RECORD_LIMIT:,} are allowed."
        )


def _widened(number: float) -> float:
    """Round a number to 32 bits; JSON has no word for what is beyond them."""
    return rounded(min(max(number, -_LARGEST), _LARGEST))


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
