"""Describe: pages of the four lists, filtered and sorted by one variable (reference 2.4)."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import operator
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import msgspec

from understudy.schema import ModelType
from understudy.service import views
from understudy.service.champions import answering
from understudy.service.context import ROOT, Call, Service
from understudy.service.entities import Kind
from understudy.service.faults import InvalidInputException
from understudy.service.shapes import (
    DescribeBatchPredictionsInput,
    DescribeDataSourcesInput,
    DescribeEvaluationsInput,
    DescribeInput,
    DescribeMLModelsInput,
)
from understudy.service.times import MILLISECOND, is_day, parsed, text_of
from understudy.service.views import Answer
from understudy.store.catalog import Entity, Field, Operator, Place

_OPERATORS: dict[str, Operator] = {
    "eq": "EQ",
    "gt": "GT",
    "lt": "LT",
    "ge": "GE",
    "le": "LE",
    "ne": "NE",
    "prefix": "Prefix",
}

_COMPARE: dict[Operator, Callable[[str, str], bool]] = {
    "EQ": operator.eq,
    "GT": operator.gt,
    "LT": operator.lt,
    "GE": operator.ge,
    "LE": operator.le,
    "NE": operator.ne,
    "Prefix": str.startswith,
}

_TIMES = ("CreatedAt", "LastUpdatedAt")

_COMMON: dict[str, Field] = {
    "CreatedAt": "created_at",
    "LastUpdatedAt": "updated_at",
    "Status": "status",
    "Name": "name",
    "IAMUser": ("created_by",),
}

_OF_MODEL: dict[str, Field] = {
    "MLModelId": ("model_id",),
    "DataSourceId": ("data_source_id",),
    "DataURI": ("input_location",),
}

FIELDS: dict[Kind, dict[str, Field]] = {
    "data_source": {**_COMMON, "DataLocationS3": "address"},
    "model": {
        **_COMMON,
        "TrainingDataSourceId": ("training_data_source_id",),
        "RealtimeEndpointStatus": ("endpoint", "status"),
        "MLModelType": ("model_type",),
        "Algorithm": "created_at",  # the same for all
        "TrainingDataURI": ("input_location",),
    },
    "evaluation": {**_COMMON, **_OF_MODEL},
    "batch_prediction": {**_COMMON, **_OF_MODEL},
}
"""Where each list's filter variables stand in the catalog."""

_WORDS: dict[str, tuple[str, ...]] = {
    "Status": ("PENDING", "INPROGRESS", "COMPLETED", "FAILED", "DELETED"),
    "MLModelType": tuple(ModelType),
    "Algorithm": (views.ALGORITHM,),
    "RealtimeEndpointStatus": ("NONE", "READY", "UPDATING", "FAILED"),
}
"""What variables hold that have a few values only."""

_MISSING = {"IAMUser": ROOT, "RealtimeEndpointStatus": "NONE"}
"""What is shown of objects for which the catalog holds nothing."""


def describe_data_sources(service: Service, call: Call, request: DescribeDataSourcesInput) -> Answer:
    """Return a page of the data sources."""
    return _page(service, "data_source", request, request.filter_variable, views.data_source)


def describe_ml_models(service: Service, call: Call, request: DescribeMLModelsInput) -> Answer:
    """Return a page of the models."""
    serving = answering(service)

    def view(entity: Entity) -> Answer:
        return views.model(entity, call, serves=entity.id in serving)

    return _page(service, "model", request, request.filter_variable, view)


def describe_evaluations(service: Service, call: Call, request: DescribeEvaluationsInput) -> Answer:
    """Return a page of the evaluations."""
    return _page(service, "evaluation", request, request.filter_variable, views.evaluation)


def describe_batch_predictions(service: Service, call: Call, request: DescribeBatchPredictionsInput) -> Answer:
    """Return a page of the batch predictions."""
    return _page(service, "batch_prediction", request, request.filter_variable, views.batch_prediction)


class _Asked(NamedTuple):
    """What a list is filtered and sorted by."""

    kind: Kind
    variable: str
    given: tuple[tuple[Operator, str], ...]
    """The operators of the request and what each compares with."""
    descending: bool

    @classmethod
    def read(cls, kind: Kind, variable: str | None, request: DescribeInput) -> _Asked:
        """Read a request; without a filter variable a list is sorted by the time of creation."""
        named = ((name, getattr(request, field)) for field, name in _OPERATORS.items())
        given = tuple((name, value) for name, value in named if value is not None)
        if given and variable is None:
            raise InvalidInputException(
                f"{given[0][0]} is given without FilterVariable", "Name the variable it is for."
            )
        for name, value in given:
            _refuse_unknown_word(variable, name, value)
        return cls(kind, variable or "CreatedAt", given, request.sort_order == "dsc")


def _refuse_unknown_word(variable: str | None, name: Operator, value: str) -> None:
    """Refuse to look for what no object can have; raises InvalidInputException."""
    words = _WORDS.get(variable or "", ())
    if words and name in {"EQ", "NE"} and value not in words:
        raise InvalidInputException(
            f"{name} is {value!r}, which {variable} never is", f"Expected is one of {', '.join(words)}."
        )


def _page(
    service: Service, kind: Kind, request: DescribeInput, variable: str | None, view: Callable[[Entity], Answer]
) -> Answer:
    asked = _Asked.read(kind, variable, request)
    found = _found(service, asked, _after(request.next_token, asked), request.limit + 1)
    shown = found[: request.limit]
    answer: Answer = {"Results": [view(entity) for entity, _ in shown if _is_wanted(entity, asked)]}
    if len(found) > request.limit:
        answer["NextToken"] = _token(shown[-1][1], asked)
    return answer


def _found(service: Service, asked: _Asked, after: Place | None, limit: int) -> list[tuple[Entity, Place]]:
    """Look a page up in the catalog."""
    by, conditions = FIELDS[asked.kind][asked.variable], asked.given
    if asked.variable == "Algorithm":
        if not all(_COMPARE[name](views.ALGORITHM, value) for name, value in asked.given):
            return []
        conditions = ()
    elif asked.variable in _TIMES:
        conditions = tuple(itertools.chain.from_iterable(_of_time(asked.variable, *each) for each in asked.given))
    return service.catalog.page(
        asked.kind,
        by,
        conditions,
        descending=asked.descending,
        missing=_MISSING.get(asked.variable, ""),
        after=after,
        limit=limit,
    )


# --- times -----------------------------------------------------------------------------------------------------------


def _of_time(variable: str, name: Operator, value: str) -> list[tuple[Operator, str]]:
    """Return what a comparison with a time asks of the catalog's text, which is finer than the millisecond shown."""
    begin = _time(variable, name, value)
    first, beyond = text_of(begin), text_of(begin + MILLISECOND)
    conditions: dict[Operator, list[tuple[Operator, str]]] = {
        "EQ": [("GE", first), ("LT", beyond)],
        "NE": [],
        "GE": [("GE", first)],
        "GT": [("GE", beyond)],
        "LE": [("LT", beyond)],
        "LT": [("LT", first)],
    }
    return conditions[name]


def _is_wanted(entity: Entity, asked: _Asked) -> bool:
    """Tell whether an entity is none of those that NE leaves out by their time; the catalog cannot tell."""
    if asked.variable not in _TIMES:
        return True
    own = parsed(entity.created_at if asked.variable == "CreatedAt" else entity.updated_at)
    return all(own != _time(asked.variable, name, value) for name, value in asked.given if name == "NE")


def _time(variable: str, name: Operator, value: str) -> datetime:
    if is_day(value):
        raise InvalidInputException(
            f"{name} is {value!r}, which may be a day or seconds since 1970",
            f"Write {value[:4]}-{value[4:6]}-{value[6:]} for the day, {value}.0 for the seconds.",
        )
    try:
        if name == "Prefix":
            raise ValueError
        return parsed(value)
    except ValueError:
        raise InvalidInputException(
            f"{name} is {value!r}, which {variable} cannot be compared with",
            "Compare by EQ, NE, GT, GE, LT or LE with seconds since 1970, or ISO 8601: 2017-02-11T17:28:30Z.",
        ) from None


# --- tokens ----------------------------------------------------------------------------------------------------------


def _token(last: Place, asked: _Asked) -> str:
    """Return what NextToken asks the rest of a list with: behind which place it goes on."""
    return base64.urlsafe_b64encode(msgspec.json.encode((*last, _seal(last, asked)))).decode()


def _after(token: str | None, asked: _Asked) -> Place | None:
    """Return what a page comes after; raises InvalidInputException for a token of another list, or of nobody."""
    if token is None:
        return None
    with contextlib.suppress(ValueError, msgspec.MsgspecError):
        text = base64.b64decode(token, altchars=b"-_", validate=True)
        value, number, seal = msgspec.json.decode(text, type=tuple[str, int, str])
        if seal == _seal((value, number), asked):
            return value, number
    raise InvalidInputException(
        "NextToken does not continue this list",
        "Send the NextToken of the page before, with the same FilterVariable, comparisons and SortOrder.",
    )


def _seal(last: Place, asked: _Asked) -> str:
    """Return what only a token of this very list has."""
    return hashlib.sha256(repr((*last, *asked)).encode()).hexdigest()[:16]
