"""Training: observations in, model out. The recipe is the project's, or the best of the suggested ones."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from understudy.config import Settings
from understudy.errors import TrainingError
from understudy.freed import give_back
from understudy.learner import learner
from understudy.learner.learner import Fit
from understudy.learner.rows import Rows
from understudy.model import Model, Weights
from understudy.recipe import FittedRecipe, Suggestion, fit, parse, suggest
from understudy.schema import ModelType, Schema
from understudy.target import Target
from understudy.values import BATCH_ROWS, read_numbers


class _Round(NamedTuple):
    """A round in which suggested recipes compete on a part of the sample."""

    recipes: int
    """How many take part: the best so far."""
    rows: int
    """How many rows of the sample, at most."""
    share: float
    """The share of the passes that learning would take."""


_FIRST_ROUND, _LAST_ROUND = _Round(6, 10_000, 0.15), _Round(3, 30_000, 0.4)
"""The last round is held where the sample has twice as many rows as the first one takes."""

_NOISE = 0.005
"""The share by which a loss may exceed the least and still count as equal: of equals the first suggestion is taken."""

_LOSS = {ModelType.BINARY: "logistic", ModelType.MULTICLASS: "softmax", ModelType.REGRESSION: "squared"}


class RecipeTrial(msgspec.Struct, frozen=True):
    """How one suggested recipe fared."""

    reason: str
    validation_loss: float


class Training(msgspec.Struct, frozen=True):
    """What training did: how the recipe was chosen, and the learner's own account."""

    recipe: str
    trials: tuple[RecipeTrial, ...]
    fit: dict[str, Any]
    ignored: tuple[str, ...] = ()
    """Names in the recipe that are never features: target, row id, row weight, excluded attributes."""


class Task(msgspec.Struct, frozen=True):
    """What is to be learned, from what kind of rows."""

    columns: tuple[str, ...]
    """Names of the extracted columns."""
    schema: Schema
    labels: Target
    """The target as it stands in the data, not as in the stored observations; it becomes the model's."""
    recipe: str | None
    """The project's recipe; None lets the evidence choose."""
    settings: Settings
    """The project's training parameters."""


def train(
    task: Task,
    sample: pa.Table,
    observations: Callable[[], Iterable[pa.RecordBatch]],
    scratch: Path,
    advance: Callable[[int], None],
) -> tuple[Model, Training]:
    """Learn a model from training rows.

    Parameters
    ----------
    sample : evenly spread training rows; whatever a recipe fits, it fits on them.
    observations : yields all training rows, in order, each time that it is called.
    scratch : an empty folder for rows that do not fit into memory; the caller removes it.
    advance : told how many rows have been learned from for the first time.

    Raises
    ------
    RecipeError : the project's recipe does not parse or fit the schema.
    TrainingError : there is nothing to learn from.
    """
    trainer = Trainer(task, sample, scratch)
    for batch in observations():
        trainer.add(batch)
    return trainer.finish(advance)


class Trainer:
    """Training in three steps, for who reads the rows for other ends, too: choose a recipe, take rows, learn."""

    def __init__(self, task: Task, sample: pa.Table, scratch: Path) -> None:
        """Choose and fit the recipe; arguments and errors as for `train`."""
        self._task = task
        self._text, self._trials = _choose_recipe(task, sample)
        give_back()  # what trials took, before rows come
        recipe = parse(self._text, task.schema)
        self._ignored = recipe.ignored
        self._fitted = fit(recipe, task.schema, sample)
        self._rows, self._origin = Rows(scratch, shuffle=task.settings.shuffle), _origin(task, sample)

    def add(self, batch: pa.RecordBatch) -> None:
        """Take the next training rows."""
        _append(self._rows, self._fitted, self._task, batch, self._origin)

    def finish(self, advance: Callable[[int], None]) -> tuple[Model, Training]:
        """Learn from all rows taken; raises TrainingError where there are none."""
        result, task = _learn(self._rows, self._task, advance), self._task
        model = Model(task.labels, task.columns, task.schema, self._fitted, _weights(result, self._origin))
        return model, Training(self._text, self._trials, _account(result), self._ignored)


def _choose_recipe(task: Task, sample: pa.Table) -> tuple[str, tuple[RecipeTrial, ...]]:
    """Return the project's recipe, or the first suggestion of about the least validation loss."""
    if task.recipe is not None:
        return task.recipe, ()
    suggestions = suggest(task.schema, sample, task.labels.type)
    if len(suggestions) == 1:
        return suggestions[0].text, ()
    rounds = [_FIRST_ROUND] if sample.num_rows < 2 * _FIRST_ROUND.rows else [_FIRST_ROUND, _LAST_ROUND]
    losses: dict[Suggestion, float] = {}
    standing = suggestions
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for each in rounds:
            part = _thinned(sample, each.rows)
            standing = standing[: each.recipes]
            losses |= zip(standing, pool.map(partial(_try, task, part, each.share), standing), strict=True)
            standing = sorted(standing, key=losses.__getitem__)
    enough = losses[standing[0]] * (1 + _NOISE)
    chosen = next(s for s in suggestions if s in standing and losses[s] <= enough)
    return chosen.text, tuple(RecipeTrial(s.reason, losses[s]) for s in suggestions)


def _thinned(sample: pa.Table, rows: int) -> pa.Table:
    """Take at most that many evenly spread rows."""
    stride = max(1, -(-sample.num_rows // rows))
    return sample.take(pa.array(np.arange(0, sample.num_rows, stride)))


def _try(task: Task, sample: pa.Table, share: float, suggestion: Suggestion) -> float:
    fitted = fit(parse(suggestion.text, task.schema), task.schema, sample)
    rows, origin = Rows(shuffle=task.settings.shuffle), _origin(task, sample)
    for batch in sample.to_batches(BATCH_ROWS):
        _append(rows, fitted, task, batch, origin)
    return learner.audition(rows, _LOSS[task.labels.type], task.labels.outputs, _learner_settings(task), share)


def _origin(task: Task, sample: pa.Table) -> float:
    """Choose where the labels are counted from: a target far from 0, such as a time, keeps its digits in float32."""
    if task.labels.type is not ModelType.REGRESSION:
        return 0.0
    return float(np.nanmean(task.labels.codes(sample.column(task.labels.name).combine_chunks())))


def _append(rows: Rows, fitted: FittedRecipe, task: Task, batch: pa.RecordBatch, origin: float) -> None:
    target = task.labels.of_stored
    codes = target.codes(batch.column(target.name)) - origin
    rows.append(fitted.columns(batch), codes, _importance(task.schema, batch))


def _importance(schema: Schema, batch: pa.RecordBatch) -> npt.NDArray[np.float32] | None:
    """Read the row weights; a row whose weight is missing or not above 0 teaches nothing."""
    if schema.row_weight is None:
        return None
    values = read_numbers(batch.column(schema.row_weight)).values
    return np.where(values > 0, values, 0.0).astype(np.float32)


def _learn(rows: Rows, task: Task, advance: Callable[[int], None]) -> Fit:
    if rows.count == 0:
        raise TrainingError("there are no training rows", "Check the split and the target.")
    return learner.learn(rows, _LOSS[task.labels.type], task.labels.outputs, _learner_settings(task), advance)


def _learner_settings(task: Task) -> learner.Settings:
    asked = task.settings
    return learner.Settings(max_passes=asked.max_passes, l1=asked.l1, l2=asked.l2, max_size_bytes=asked.max_size_bytes)


def _account(result: Fit) -> dict[str, Any]:
    """Tell what the learner chose, and how every candidate fared after every pass."""
    return {
        "candidate": asdict(result.candidate),
        "passes": result.passes,
        "progressive_loss": _finite(result.progressive_loss),
        "validation_loss": _finite(result.validation_loss),
        "log": [{**asdict(report), "validation_loss": _finite(report.validation_loss)} for report in result.log],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _weights(result: Fit, origin: float) -> Weights:
    return Weights(result.keys, result.weights, np.asarray(result.intercept, np.float64) + origin)
