"""A careful guess of a schema from a sample, with a reason for every guess (docs/schema.md).

>>> inference = infer(pa.table({"age": ["31", "?", "45"], "y": ["no", "yes", "no"]}), target="y")
>>> [(guess.name, guess.type.value) for guess in inference.guesses]
[('age', 'NUMERIC'), ('y', 'BINARY')]
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
import pyarrow as pa

from understudy.errors import SchemaError
from understudy.inference.codes import Floats, answers_of
from understudy.inference.column import Column
from understudy.inference.rules import counts_up, judge
from understudy.inference.targets import guess_target, model_type, model_type_of, positive_label
from understudy.schema import Attribute, AttributeType, ModelType, Schema

__all__ = ["Guess", "Inference", "guess_target", "infer", "model_type_of", "positive_label"]

_TARGET_TYPES = {
    ModelType.BINARY: AttributeType.BINARY,
    ModelType.MULTICLASS: AttributeType.CATEGORICAL,
    ModelType.REGRESSION: AttributeType.NUMERIC,
}


class Guess(msgspec.Struct, frozen=True):
    """What one column is taken for, and why."""

    name: str
    type: AttributeType
    reason: str
    """A phrase for people."""
    doubtful: bool = False
    """Whether a careful user should look at it."""
    excluded: bool = False
    """Whether a model should not learn from it."""


class Inference(msgspec.Struct, frozen=True):
    """A schema, and how it was come by."""

    schema: Schema
    guesses: tuple[Guess, ...]
    """One for each column, in column order."""
    rows: int
    """Rows that were looked at."""
    model_type: ModelType | None = None
    """What the target asks for; None without a target."""
    row_id: str | None = None
    """A column that identifies the rows, proposed where none was given; the schema does not use it."""
    deviation: float | None = None
    """The standard deviation of the target's numbers, for REGRESSION."""

    @property
    def left_out(self) -> str:
        """The columns that are not learned from, each with its reason, a line each; empty where there is none."""
        return "\n".join(
            f"{guess.name}: {guess.reason}"
            for guess in self.guesses
            if guess.excluded or guess.name == self.schema.row_id
        )


def infer(
    sample: pa.Table,
    *,
    target: str | None = None,
    row_id: str | None = None,
    declared: Mapping[str, AttributeType] = MappingProxyType({}),
) -> Inference:
    """Guess a schema from evenly spread rows of the whole data.

    Parameters
    ----------
    sample : extracted or observation rows, at most 100,000 for speed; columns string, int64, float64 or bool.
    target : the column to predict; never excluded; its values decide its type.
    row_id : the column that identifies rows; never a feature.
    declared : types that somebody has set; they hold whatever the values say.

    Raises
    ------
    SchemaError : `target`, `row_id` or a declared name is none of the columns.
    InvalidInput : the target holds fewer than two distinct values.
    """
    _check_names(sample.column_names, target, row_id, declared)
    answer = None if target is None else Column.of(target, sample.column(target))
    answers = None if answer is None else answers_of(answer)
    guesses, proposed, spare = [], None, dict[str, Column]()
    for name in sample.column_names:
        if name in declared:
            guesses.append(Guess(name, declared[name], "declared"))
        elif answer is not None and name == target:
            guesses.append(_guess_of_target(answer))
        else:
            column = Column.of(name, sample.column(name))
            guess, names_rows = _guess(column, answers, row_id)
            guesses.append(guess)
            proposed = name if names_rows and proposed is None and row_id is None else proposed
            if guess.excluded and column.is_unique and not counts_up(column):
                spare[name] = column
    if target is not None and all(guess.excluded or guess.name in {target, row_id} for guess in guesses):
        spare = {name: column for name, column in spare.items() if name != proposed} or spare
        guesses = [_only(spare[guess.name], answers) if guess.name in spare else guess for guess in guesses]
        proposed = None if proposed in spare else proposed
    schema = Schema(
        attributes=tuple(Attribute(guess.name, guess.type) for guess in guesses),
        target=target,
        row_id=row_id,
        excluded=tuple(guess.name for guess in guesses if guess.excluded),
    )
    kind = None if answer is None else model_type(answer)[0]
    deviation = answer.deviation if answer is not None and kind is ModelType.REGRESSION else None
    return Inference(schema, tuple(guesses), sample.num_rows, kind, proposed, deviation)


def _guess_of_target(column: Column) -> Guess:
    kind, reason = model_type(column)
    doubtful = kind is ModelType.MULTICLASS and (column.is_number or column.distinct > column.filled / 10)
    return Guess(column.name, _TARGET_TYPES[kind], f"{kind}: {reason}", doubtful=doubtful)


def _guess(column: Column, answers: Floats | None, row_id: str | None) -> tuple[Guess, bool]:
    if column.name == row_id:
        return Guess(column.name, AttributeType.CATEGORICAL, "the row id; never a feature"), False
    verdict = judge(column, answers)
    return Guess(column.name, verdict.type, verdict.reason, verdict.doubtful, verdict.excluded), verdict.names_rows


def _only(column: Column, answers: Floats | None) -> Guess:
    """Judge a column that looks like an identifier, but beside which nothing is left to learn from."""
    verdict = judge(column, answers, identifiers=False)
    reason = f"nothing else is left to learn from; {verdict.reason}"
    return Guess(column.name, verdict.type, reason, doubtful=True, excluded=verdict.excluded)


def _check_names(
    names: list[str], target: str | None, row_id: str | None, declared: Mapping[str, AttributeType]
) -> None:
    for part, name in [("target", target), ("row_id", row_id), *(("types", name) for name in declared)]:
        if name is not None and name not in names:
            raise SchemaError(
                f"{part} names {name!r}, which is none of the columns {', '.join(map(repr, names))}",
                "Correct the name in the project file, or the query.",
            )
