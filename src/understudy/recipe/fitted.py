"""A recipe with what it learned from training rows: batches of observations to features, frozen in the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from understudy.errors import RecipeError
from understudy.features import FeatureColumn, FeatureColumns, Features, Number, Single, Tokens
from understudy.hashing import hash_text, mix
from understudy.recipe import kernels
from understudy.recipe.columns import (
    Cell,
    Column,
    Floats,
    Kind,
    Numbers,
    Spelled,
    read_column,
    spell_cells,
    spell_words,
    words,
)
from understudy.recipe.expressions import Call, Expression, Variable
from understudy.recipe.language import Recipe, parse_expressions
from understudy.recipe.transformations import TRANSFORMATIONS
from understudy.schema import Attribute, AttributeType, Schema

DOCUMENT_VERSION = 2
"""The form of a stored recipe: since 2 a learned scale holds the least and the greatest number, too."""

_NOTHING = np.empty(0)
_NUMBER, _MISSING_NUMBER = 1, 2  # what tells the two keys of a numeric output apart


@dataclass(frozen=True, eq=False)
class FittedRecipe:
    """A recipe fitted on training rows.

    `text` is the recipe as it was given, `outputs` are its output variables in order, a number always normalised, and
    `learned` holds for each transformation that learns what it learned: the edges of bins, or a mean and a deviation.
    """

    text: str
    outputs: tuple[Expression, ...]
    learned: Mapping[Expression, Floats]

    def features(self, batch: pa.RecordBatch) -> Features:
        """Turn n observations into n sparse rows, each independent of the others.

        A category, truth value or bin gives one key of value 1; k distinct tokens give k keys of value 1/sqrt(k); a
        number gives one key with the normalised number, or 1 under a second key where it is missing. A column that the
        batch lacks counts as null throughout.
        """
        return self.columns(batch).sparse()

    def columns(self, batch: pa.RecordBatch) -> FeatureColumns:
        """Turn n observations into columns of features, one for each output: what `features` gives row by row."""
        columns = _Columns(batch, self.learned)
        made = (_column(columns.output(output), seed) for output, seed in zip(self.outputs, self._seeds, strict=True))
        return FeatureColumns(batch.num_rows, tuple(made))

    def explain(self, batch: pa.RecordBatch) -> list[list[tuple[str, int, float]]]:
        """Name every feature of every observation: (`age in (25, 32]`, key, value), in the order of `features`.

        Plain Python, made for a handful of observations; the keys and values are those of `features` to the bit.
        """
        cells = _Cells(batch, self.learned)
        seeds = self._seeds
        return [
            [
                named
                for output, seed in zip(self.outputs, seeds, strict=True)
                for named in _name(cells.cell(output, row), seed)
            ]
            for row in range(batch.num_rows)
        ]

    def to_document(self) -> dict[str, Any]:
        """Return the recipe as plain JSON values; floats survive exactly."""
        return {
            "version": DOCUMENT_VERSION,
            "text": self.text,
            "types": {v.name: v.kind.value for output in self.outputs for v in output.variables},
            "outputs": [output.text for output in self.outputs],
            "learned": {expression.text: numbers.tolist() for expression, numbers in self.learned.items()},
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> FittedRecipe:
        """Read what `to_document` returned; raises RecipeError for another version or expressions that do not parse."""
        if document["version"] != DOCUMENT_VERSION:
            message = f"the stored recipe has version {document['version']}, where {DOCUMENT_VERSION} was expected"
            raise RecipeError(message, "Learn the model again with this version of Understudy.")
        attributes = tuple(Attribute(name, AttributeType(kind)) for name, kind in document["types"].items())
        schema = Schema(attributes)
        learned = parse_expressions(list(document["learned"]), schema)
        numbers = (np.array(values, np.float64) for values in document["learned"].values())
        outputs = parse_expressions(document["outputs"], schema)
        return cls(document["text"], tuple(outputs), dict(zip(learned, numbers, strict=True)))

    @cached_property
    def _seeds(self) -> list[int]:
        """One seed for each output, so that equal values of two outputs have different keys."""
        return [hash_text(output.text, 0) for output in self.outputs]


def fit(recipe: Recipe, schema: Schema, sample: pa.Table) -> FittedRecipe:
    """Learn bins, means and deviations from evenly spread training rows, at most some 100,000.

    Raises RecipeError where the recipe was read against another schema.
    """
    kinds = {a.name: a.type.value for a in schema.features}
    for variable in (variable for output in recipe.outputs for variable in output.variables):
        if kinds.get(variable.name) != variable.kind.value:
            message = f"the recipe reads {variable.name!r} as {variable.kind}, the schema as {kinds.get(variable.name)}"
            raise RecipeError(message, "Read the recipe against the schema that it is fitted with.")
    columns = _Columns(_whole(sample), {})
    outputs = tuple(dict.fromkeys(map(_scaled, recipe.outputs)))
    for output in outputs:
        columns.learn(output)
    return FittedRecipe(recipe.text, outputs, columns.learned)


def _whole(sample: pa.Table) -> pa.RecordBatch:
    """Return a table as one batch."""
    arrays = [column.combine_chunks() for column in sample.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=sample.schema)


def _scaled(output: Expression) -> Expression:
    """Normalise an output that is a number: an affine change, after which no unit is too large for the learner."""
    normal = output.kind is not Kind.NUMERIC or (isinstance(output, Call) and output.function == "normalize")
    return output if normal else Call("normalize", (output,))


class _Columns:
    """The columns of one batch, read and transformed once each."""

    def __init__(self, batch: pa.RecordBatch, learned: Mapping[Expression, Floats]) -> None:
        self.batch = batch
        self.learned = dict(learned)
        self._done: dict[Expression, Column] = {}

    def column(self, expression: Expression) -> Column:
        if expression not in self._done:
            self._done[expression] = self._make(expression)
        return self._done[expression]

    def output(self, expression: Expression) -> Column:
        column = self.column(expression)
        return column if expression.kind is Kind.NUMERIC else words(column).distinct()

    def learn(self, expression: Expression) -> None:
        """Learn an expression, its inputs first."""
        if isinstance(expression, Variable) or expression in self.learned:
            return
        for each in expression.inputs:
            self.learn(each)
        learn = TRANSFORMATIONS[expression.function].learn
        if learn is not None:
            self.learned[expression] = learn(self.column(expression.inputs[0]).of_rows, expression.argument or 0)

    def _make(self, expression: Expression) -> Column:
        if isinstance(expression, Variable):
            return read_column(_array(self.batch, expression.name), expression.kind)
        inputs = [self.column(each) for each in expression.inputs]
        learned = self.learned.get(expression, _NOTHING)
        return TRANSFORMATIONS[expression.function].apply(inputs, expression.argument or 0, learned)


class _Cells:
    """The cells of one batch, spelled and transformed one observation at a time."""

    def __init__(self, batch: pa.RecordBatch, learned: Mapping[Expression, Floats]) -> None:
        self.batch = batch
        self.learned = learned
        self._read: dict[Variable, list[Cell]] = {}

    def cell(self, expression: Expression, row: int) -> Cell:
        if isinstance(expression, Variable):
            if expression not in self._read:
                array = _array(self.batch, expression.name)
                self._read[expression] = spell_cells(array, expression.kind, expression.name)
            return self._read[expression][row]
        inputs = [self.cell(each, row) for each in expression.inputs]
        learned = self.learned.get(expression, _NOTHING)
        return TRANSFORMATIONS[expression.function].spell(inputs, expression.argument or 0, learned)


def _array(batch: pa.RecordBatch, name: str) -> pa.Array:
    position = batch.schema.get_field_index(name)
    return batch.column(position) if position >= 0 else pa.nulls(batch.num_rows, pa.string())


def number_keys(seed: int) -> tuple[int, int]:
    """Return the keys of an output's number, and of its being missing."""
    return mix(seed ^ mix(_NUMBER)), mix(seed ^ mix(_MISSING_NUMBER))


def _column(column: Column, seed: int) -> FeatureColumn:
    """Give what an output makes of the rows the keys of that output."""
    if isinstance(column, Numbers):
        return Number(*number_keys(seed), column.of_rows)
    keys = np.empty_like(column.hashes)
    kernels.keys_of(column.hashes, np.uint64(seed), keys)
    return Tokens(column.offsets, keys) if column.codes is None else Single(keys, column.codes)


def _name(cell: Cell, seed: int) -> Sequence[tuple[str, int, float]]:
    """Return the features of one output of one observation: name, key, value."""
    if isinstance(cell, Spelled) and isinstance(cell.value, float):
        key, missing = number_keys(seed)
        if np.isnan(cell.value):
            return [(f"{cell.subject} is missing", missing, 1.0)]
        return [(cell.subject, key, float(np.float32(cell.value)))] if cell.value else []
    tokens = {token.hash: token.phrase for token in spell_words(cell)}
    value = float(np.float32(1.0 / np.sqrt(max(len(tokens), 1))))
    return [(phrase, mix(seed ^ value_hash), value) for value_hash, phrase in tokens.items()]
