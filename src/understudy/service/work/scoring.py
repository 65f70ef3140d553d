"""Rows scored by a model and held against their targets."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from understudy.metrics.classes import ClassScores
from understudy.metrics.numbers import LARGEST
from understudy.model import Model, Scores
from understudy.pipeline.scoring import AnyScores, empty_scores
from understudy.prediction import THRESHOLD
from understudy.schema import ModelType
from understudy.service.work.targets import Flags, usable_cells
from understudy.store.catalog import Entity
from understudy.values import read_texts


def threshold_of(model: Entity) -> float:
    """Return the score from which on a BINARY model's answer is 1."""
    threshold: float | None = model.document.get("threshold")
    return THRESHOLD if threshold is None else threshold


def judge(model: Model, observations: Iterable[pa.RecordBatch]) -> tuple[AnyScores, int]:
    """Score observations; return their scores beside their targets, and how many had no usable one.

    Scores of a BINARY model are rounded to the 32 bits that clients are shown: a threshold cuts here as it does there.
    """
    target = model.target.of_stored
    seen, unused = empty_scores(target), 0
    for batch in observations:
        cells = batch.column(target.name)
        scores = model.score(batch)
        if target.type is ModelType.BINARY:
            scores = scores.astype(np.float32).astype(np.float64)
        usable = usable_cells(target, cells) & _comparable(target.type, scores)
        unused += batch.num_rows - int(np.count_nonzero(usable))
        kept = cells if usable.all() else cells.filter(pa.array(usable))
        if isinstance(seen, ClassScores):
            seen.add(seen.codes(read_texts(kept)), scores[usable])
        else:
            seen.add(target.codes(kept), scores[usable])
    return seen, unused


def _comparable(kind: ModelType, scores: Scores) -> Flags:
    """Tell which scores can be compared with a target: of numbers, those that are not beyond all measure."""
    return np.abs(scores) < LARGEST if kind is ModelType.REGRESSION else np.ones(len(scores), np.bool_)
