"""Predictions: records as extracted in, answers out, by one model and its own version of the transform function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec
import pyarrow as pa

from understudy.errors import InvalidInput
from understudy.features import Features
from understudy.model import Model, Scores
from understudy.recipe.single import Unfit
from understudy.schema import AttributeType, ModelType
from understudy.transform import Transform
from understudy.values import batch_of_records, conform_batch, read_numbers, read_texts, text_of_record
from understudy.values.single import CELL_OF_RECORD, Reader, number_text_of_record

THRESHOLD = 0.5
"""Score from which on a BINARY answer is the positive label (reference 8.1)."""

FEW = 32
"""Records up to which each is scored by itself, which takes less time than a batch."""

RecordScorer = Callable[[Mapping[str, Any]], float | Scores]


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
        self.asked = frozenset(name for name, _ in self._asked)
        """Names of the extracted columns that an answer may hang on: all but the target."""
        self._known = self.asked | {model.target.name}
        self._numeric = [a.name for a in model.schema.features if a.type is AttributeType.NUMERIC]
        self.transform = transform

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
        unknown = self._unknown(records)
        if self.transform is None and len(records) <= FEW:
            try:
                return self._answers([_plain(self._score_record(record)) for record in records], top), unknown
            except Unfit:
                pass  # a batch answers, or says what is wrong
        observations = self.observe(batch_of_records(records, self._asked)[0])
        self._refuse_wrong_types(observations)
        return self.answers(self.model.score(observations), top), unknown

    def predict_at_once(self, record: Mapping[str, Any], top: int | None = None) -> tuple[Prediction, list[str]] | None:
        """Answer one record as `predict` does; None where that takes a batch or a function, which takes longer."""
        if self.transform is not None:
            return None
        try:
            score = self._score_record(record)
        except Unfit:
            return None
        return self._answers([_plain(score)], top)[0], self._unknown((record,))

    def score_texts_at_once(self, observation: Mapping[str, str]) -> float | Scores | None:
        """Score an observation as `score_texts` does; None where that needs a batch."""
        try:
            return self._score_texts(observation)
        except Unfit:
            return None

    def score_texts(self, observation: Mapping[str, str]) -> float | Scores:
        """Score one observation, not a row as extracted, whose values are text.

        What is left out or cannot be read counts as missing; the target and names that the model does not know are not
        looked at.
        """
        quick = self.score_texts_at_once(observation)
        if quick is not None:
            return quick
        batch, _ = batch_of_records([observation], [(name, pa.string()) for name in self._inputs])
        scores: Scores = self.model.score(batch)[0]
        return scores

    def features(self, record: Mapping[str, Any]) -> Features:
        """Return what a learner sees of a record as extracted; raises InvalidInput as `predict` does."""
        if self.transform is None:
            try:
                return self._features(record)
            except Unfit:
                pass
        observation = self.observe(batch_of_records([record], self._asked)[0])
        self._refuse_wrong_types(observation)
        return self.model.recipe.features(observation)

    @cached_property
    def _features(self) -> Callable[[Mapping[str, Any]], Features]:
        return self.model.record_features(self._readers)

    @cached_property
    def _inputs(self) -> list[str]:
        """Names of the observations' columns but the target."""
        schema = self.model.schema
        return [name for name in schema.names if name != schema.target]

    @cached_property
    def _score_texts(self) -> RecordScorer:
        return self.model.record_scorer(dict.fromkeys(self._inputs, text_of_record), texts=True)

    @cached_property
    def _score_record(self) -> RecordScorer:
        return self.model.record_scorer(self._readers)

    @property
    def _readers(self) -> dict[str, Reader]:
        """What reads the values of a record as extracted."""
        readers: dict[str, Reader] = {name: CELL_OF_RECORD[kind] for name, kind in self._asked}
        numeric = {name for name, kind in self._asked if kind == pa.string() and name in self._numeric}
        return readers | dict.fromkeys(numeric, number_text_of_record)

    def _unknown(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Name the attributes that the model does not know, in order of first occurrence; the target is no surprise."""
        if all(map(self._known.issuperset, records)):
            return []
        return list(dict.fromkeys(name for record in records for name in record if name not in self._known))

    def answers(self, scores: Scores, top: int | None = None) -> list[Prediction]:
        """Turn scores into answers; `top` keeps the best N classes."""
        return self._answers(scores.tolist(), top)

    def _answers(self, scores: list[Any], top: int | None) -> list[Prediction]:
        """Turn a score for each record into its answer: a float, or a list of one for each class."""
        kind = self.model.target.type
        if kind is ModelType.REGRESSION:
            return [Prediction(self.model_id, None, value=score) for score in scores]
        if kind is ModelType.BINARY:
            return [self._answer([1 - score, score], top) for score in scores]
        return [self._answer(row, top) for row in scores]

    def _answer(self, scores: list[float], top: int | None) -> Prediction:
        classes, numbers = self.model.target.classes, range(len(scores))
        if self.model.target.type is ModelType.BINARY:
            label = classes[scores[1] >= THRESHOLD]
        else:
            label = classes[max(numbers, key=scores.__getitem__)]
        shown = numbers if top is None else sorted(numbers, key=lambda number: -scores[number])[:top]
        return Prediction(self.model_id, None, label, {classes[number]: scores[number] for number in shown})

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


def _plain(score: float | Scores) -> Any:
    """Return a record's score as Python's own numbers."""
    return score if isinstance(score, float) else score.tolist()


def _is_no_number(text: str) -> bool:
    return bool(read_numbers(pa.array([text], pa.string())).invalid)
