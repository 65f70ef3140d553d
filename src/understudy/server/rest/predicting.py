"""Predictions: as `understudy predict` answers, and in the shape of MLflow's and SageMaker's containers."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from understudy.errors import InvalidInput, NoChampion, NotFound
from understudy.prediction import Prediction, Predictor
from understudy.server import metrics
from understudy.server.http import Ready, Response, json_response, ready_json
from understudy.server.rest.door import RestDoor
from understudy.server.rest.problems import Problem
from understudy.server.rest.route import Call
from understudy.server.rest.shapes import (
    RECORDS,
    Chosen,
    Frame,
    Invocation,
    Invoked,
    Nothing,
    Predict,
    Predictions,
    Record,
)
from understudy.server.threads import PREDICTING
from understudy.serving import Served

IGNORED = "X-Understudy-Ignored"
"""Header of an answer that names attributes which the model does not know, percent-encoded, the first few."""

CHOOSES = "X-Understudy-Endpoint"
"""Header of a request that names the endpoint which is to answer."""

_NAMED = 8


async def predict(call: Call[Predict, Nothing]) -> Response:
    """Answer records by the champion of an endpoint, as `understudy predict --json` does.

    The header X-Understudy-Ignored of the answer names attributes that the model does not know, percent-encoded.
    """
    answers, unknown = await _answers(call.door, call.parameters["name"], call.body.records, call.body.top)
    return json_response(Predictions(answers), headers=_ignored(unknown))


def predict_at_once(call: Call[Predict, Nothing]) -> Ready | None:
    """Answer as `predict` does, where no thread is needed."""
    answered = _answers_at_once(call.door, call.parameters["name"], call.body.records, call.body.top)
    return None if answered is None else _ready(Predictions(answered[0]), answered[1])


async def invoke(call: Call[Invocation, Chosen]) -> Response:
    """Answer records by the champion of the only endpoint, or of the one that is named: a label or value for each.

    As JSON, exactly one of the fields below; as CSV (`Content-Type: text/csv`), with a header line.
    """
    answers, unknown = await _answers(call.door, *_asked(call))
    return json_response(_invoked(answers), headers=_ignored(unknown))


def invoke_at_once(call: Call[Invocation, Chosen]) -> Ready | None:
    """Answer as `invoke` does, where no thread is needed."""
    answered = _answers_at_once(call.door, *_asked(call))
    return None if answered is None else _ready(_invoked(answered[0]), answered[1])


def _ready(document: object, unknown: Sequence[str]) -> Ready:
    if not unknown:
        return ready_json(document, _PLAIN)
    headers = "".join([f"{name.lower()}: {value}\r\n" for name, value in _ignored(unknown).items()])
    return ready_json(document, _PLAIN + headers.encode())


_PLAIN = b"content-type: application/json\r\n"


def _asked(call: Call[Invocation, Chosen]) -> tuple[str, list[Record]]:
    """Return the endpoint that is asked, and the records; raises where they cannot be answered."""
    name, records = _chosen(call), _records(call.body)
    _require_known(call.body.dataframe_split, served_by(call.door, name).predictor)
    return name, records


def _invoked(answers: list[Prediction]) -> Invoked:
    return Invoked([answer.value if answer.scores is None else answer.label for answer in answers])


def read_csv(data: bytes) -> Invocation:
    """Read CSV with a header line; raises InvalidInput."""
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"the body is not CSV in UTF-8: {error}", "The first line names the attributes.") from None
    if not rows:
        raise InvalidInput("the body is empty", "The first line names the attributes.")
    return Invocation(dataframe_split=Frame(rows[0], [row for row in rows[1:] if row]))


def served_by(door: RestDoor, name: str) -> Served:
    """Return who serves under a name; raises NotFound and NoChampion."""
    door.house(name)
    served = door.serving.champion(name)
    if served is None:
        raise NoChampion(f"endpoint {name!r} has no champion yet", "`understudy learn` makes and admits the first.")
    return served


async def _answers(
    door: RestDoor, name: str, records: Sequence[Record], top: int | None = None
) -> tuple[list[Prediction], list[str]]:
    """Answer records; return the answers and the attributes that the model does not know."""
    answered = _answers_at_once(door, name, records, top)
    if answered is None:
        answered = await PREDICTING.run(_predicted, served_by(door, name).predictor, records, top)
        metrics.count_predictions(name, len(records))
    return answered


def _answers_at_once(
    door: RestDoor, name: str, records: Sequence[Record], top: int | None = None
) -> tuple[list[Prediction], list[str]] | None:
    """Answer no or one record, which takes less time than handing it to a thread; None for others.

    A project's own function may take any time, and holds a lock meanwhile, so it never runs on the loop.
    """
    predictor = served_by(door, name).predictor
    if not records:
        return [], []
    if len(records) > 1 or predictor.transform is not None:
        return None
    _refuse_nested(records, predictor.asked)
    answered = predictor.predict_at_once(records[0], top)
    if answered is None:
        return None
    metrics.count_predictions(name, 1)
    prediction, unknown = answered
    return [prediction], unknown


def _predicted(predictor: Predictor, records: Sequence[Record], top: int | None) -> tuple[list[Prediction], list[str]]:
    """Answer records; raises InvalidInput for a list or an object where only a project's own function could read it."""
    if predictor.transform is None:
        _refuse_nested(records, predictor.asked)
    return predictor.predict(records, top)


def _refuse_nested(records: Sequence[Record], asked: frozenset[str]) -> None:
    for number, record in enumerate(records, 1):
        if _NESTED.isdisjoint(map(type, record.values())):
            continue
        for name, value in record.items():
            if isinstance(value, list | dict) and name in asked:
                found = "a list" if isinstance(value, list) else "an object"
                raise InvalidInput(f"attribute {name!r} of record {number:,} is {found}", "Give a text or a number.")


_NESTED = frozenset({list, dict})


def _require_known(frame: Frame | None, predictor: Predictor) -> None:
    """Refuse columns none of which the model knows: CSV without a header line looks so. Raises InvalidInput."""
    if frame is None or not frame.columns or not predictor.asked.isdisjoint(frame.columns):
        return
    known = ", ".join(column.name for column in predictor.columns if column.name in predictor.asked)
    raise InvalidInput(
        f"the columns are {', '.join(map(repr, frame.columns))[:200]}, none of which the model knows",
        f"The first line must name the attributes: {known}.",
    )


def _ignored(unknown: Sequence[str]) -> dict[str, str]:
    return {IGNORED: ", ".join(quote(name[:100]) for name in unknown[:_NAMED])} if unknown else {}


def _chosen(call: Call[Invocation, Chosen]) -> str:
    """Return the name of the endpoint that is asked; raises where several could be meant."""
    name = call.request.headers.get(CHOOSES.lower()) or call.query.endpoint
    if name:
        return name
    names = list(call.door.by_name)
    if len(names) == 1:
        return names[0]
    if not names:
        raise NotFound("there is no endpoint to answer", "`understudy learn` makes the first.")
    hint = f"Name one in {CHOOSES} or ?endpoint=: {', '.join(sorted(names)[:12])}."
    raise Problem(400, "InvalidInput", f"{len(names)} endpoints could answer", hint)


def _records(asked: Invocation) -> list[Record]:
    """Return the records, whatever form they came in; raises InvalidInput."""
    given = {name: value for name in asked.__struct_fields__ if (value := getattr(asked, name)) is not None}
    if len(given) != 1:
        raise InvalidInput(
            f"the body has {' and '.join(given) or 'no records'}; expected exactly one form of records",
            f"Give one of {', '.join(asked.__struct_fields__)}.",
        )
    (value,) = given.values()
    records = _rows(value) if isinstance(value, Frame) else _columns(value) if isinstance(value, dict) else value
    if len(records) > RECORDS:
        raise InvalidInput(f"the body has {len(records):,} records", f"Send at most {RECORDS:,} at a time.")
    return records


def _rows(frame: Frame) -> list[Record]:
    _refuse_doubles(frame.columns)
    for number, row in enumerate(frame.data, 1):
        if len(row) != len(frame.columns):
            raise InvalidInput(
                f"record {number:,} has {len(row)} values for {len(frame.columns)} columns",
                "Give every record a value, or an empty one, for each column.",
            )
    return [dict(zip(frame.columns, row, strict=True)) for row in frame.data]


def _columns(columns: dict[str, list[Any]]) -> list[Record]:
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise InvalidInput(
            f"the columns of inputs have {' and '.join(map(str, sorted(lengths)[:5]))} values", "Give each as many."
        )
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _refuse_doubles(names: Sequence[str]) -> None:
    double = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if double is not None:
        raise InvalidInput(f"the column {double!r} is there twice", "Name each column once.")
