"""Predictions: records as extracted in, answers out, by one model and its own version of the transform function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from understudy.errors import InvalidInput
from understudy.model import Model, Scores
from understudy.schema import AttributeType, ModelType
from understudy.transform import Transform
from understudy.values import batch_of_records, conform_batch, read_numbers, read_texts

THRESHOLD = 0.5
"""Score from which on a BINARY answer is the positive label (reference 8.1)."""


class Column(msgspec.Struct, frozen=True):
    """One extracted column: its name and Arrow type (string, int64, double or bool)."""

    name: str
    type: str

    @property
    def arrow(self) -> pa.DataType:
        """The column's type as Arrow has it."""
        return pa.type_for_alias(self.type)


class Prediction(msgspec.Struct, frozen=True, omit_defaults=True):
    """One answer; `label` with `scores`, or `value` for a regression."""

    model_id: str
    prediction_id: str | None
    label: str | None = None
    scores: dict[str, float] | None = None
    value: float | None = None

    def document(self) -> dict[str, Any]:
        """Return the answer as `predict --json` prints it."""
        answer: dict[str, Any] = {"value": self.value} if self.scores is None else {}
        if self.scores is not None:
            answer = {"label": self.label, "scores": self.scores}
        return {**answer, "model_id": self.model_id, "prediction_id": self.prediction_id}


class Predictor:
    """A model, its id, the extracted columns and the transform function that it was trained behind."""

    def __init__(
        self, model_id: str, model: Model, columns: tuple[Column, ...], transform: Transform | None = None
    ) -> None:
        self.model_id = model_id
        self.model = model
        self.columns = columns
        self._columns = [(column.name, column.arrow) for column in columns]
        # What a record to be answered holds as its target is not looked at: it need not even have the right type.
        self._asked = [(name, kind) for name, kind in self._columns if name != model.target.name]
        self._numeric = [a.name for a in model.schema.features if a.type is AttributeType.NUMERIC]
        self.transform = transform

    @property
    def asked(self) -> set[str]:
        """Names of the extracted columns that an answer may hang on: all but the target."""
        return {name for name, _ in self._asked}

    def observe(self, extracted: pa.RecordBatch) -> pa.RecordBatch:
        """Turn extracted rows into observations by this model's own function."""
        return self.transform(extracted) if self.transform else extracted

    def score(self, extracted: pa.RecordBatch) -> Scores:
        """Score n extracted rows; see `Model.score`."""
        return self.model.score(self.observe(self.as_trained(extracted)))

    def odd_cells(self, observations: pa.RecordBatch) -> int:
        """Count the cells of NUMERIC attributes that hold something, but no number; they count as missing."""
        columns = (observations.column(name) for name in self._numeric if name in observations.schema.names)
        return sum(read_numbers(column).invalid for column in columns)

    def predict(self, records: Sequence[dict[str, Any]], top: int | None = None) -> tuple[list[Prediction], list[str]]:
        """Answer each record, in order; return the answers and the names of attributes that the model does not know.

        Raises
        ------
        InvalidInput : a value cannot be read as the number that its attribute is.
        """
        batch, unknown = batch_of_records(records, self._asked)
        aside = {self.model.target.name}
        observations = self.observe(batch)
        self._refuse_wrong_types(observations)
        return self.answers(self.model.score(observations), top), [name for name in unknown if name not in aside]

    def answers(self, scores: Scores, top: int | None = None) -> list[Prediction]:
        """Turn scores into answers; `top` keeps the best N classes."""
        target = self.model.target
        if target.type is ModelType.REGRESSION:
            return [Prediction(self.model_id, None, value=value) for value in scores.tolist()]
        if target.type is ModelType.BINARY:
            scores = np.column_stack([1 - scores, scores])
        return [self._answer(row, top) for row in scores]

    def _answer(self, scores: Scores, top: int | None) -> Prediction:
        classes = self.model.target.classes
        best = np.argsort(-scores, kind="stable")
        if self.model.target.type is ModelType.BINARY:
            label = classes[int(scores[1] >= THRESHOLD)]
        else:
            label = classes[int(best[0])]
        shown = best[:top] if top is not None else range(len(classes))
        return Prediction(self.model_id, None, label, {classes[int(i)]: float(scores[i]) for i in shown})

    def as_trained(self, extracted: pa.RecordBatch) -> pa.RecordBatch:
        """Give rows of another extract the columns that this model was trained with, and its function their types.

        Without a function no type is forced: a model reads numbers and text alike by its schema.
        """
        if self.transform is not None:
            return conform_batch(extracted, self._columns)[0]
        missing = [(name, kind) for name, kind in self._columns if name not in extracted.schema.names]
        for name, kind in missing:
            extracted = extracted.append_column(name, pa.nulls(extracted.num_rows, kind))
        return extracted

    def _refuse_wrong_types(self, observations: pa.RecordBatch) -> None:
        for name in self._numeric:
            if name not in observations.schema.names:
                continue
            cells = observations.column(name)
            if read_numbers(cells).invalid:
                number, text = next(
                    (i, text) for i, text in enumerate(read_texts(cells).to_pylist(), 1) if _is_no_number(text)
                )
                raise InvalidInput(
                    f"attribute {name!r} is NUMERIC, but record {number} holds {text!r}",
                    "Give a number, or leave the attribute out.",
                )


def _is_no_number(text: str) -> bool:
    return bool(read_numbers(pa.array([text], pa.string())).invalid)
