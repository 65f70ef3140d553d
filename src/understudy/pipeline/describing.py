"""What the observations of a run are like: statistics of both parts, the target's distribution, what looks odd."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from understudy.ahead import ahead
from understudy.datasource import Part
from understudy.evaluation import TrainingSummary
from understudy.pipeline.run import Described, Run
from understudy.pipeline.workspace import Observed
from understudy.promotion import Cells, RunFacts
from understudy.promotion import Target as TargetFacts
from understudy.schema import ModelType
from understudy.statistics import BinaryInsight, Insights, NumericInsight
from understudy.statistics.collect import SplitStatistics
from understudy.target import Target
from understudy.values import read_numbers, read_texts

_DESCRIBED = (Part.TRAINING, Part.EVALUATION)
"""The parts that have statistics, 0 and 1."""

MANY_LABELS, FEW_ROWS = 1_000, 5
"""More labels than this, with fewer rows for each on average, are probably no classes."""

MOSTLY = 0.5
"""Share of invalid cells from which an attribute's type is probably wrong."""


def describe(run: Run, learn: Callable[[pa.RecordBatch], None]) -> Described:
    """One pass over the observations: statistics of both parts and class counts; `learn` takes the training rows.

    Statistics are taken in a thread of their own, ahead of what learns.
    """
    schema, target = run.observed.attributes, run.observed.target.of_stored
    statistics = SplitStatistics(schema, len(_DESCRIBED))
    counts = np.zeros((len(_DESCRIBED), len(target.classes) + 1), np.int64)

    def described() -> Iterator[pa.RecordBatch]:
        for batch, parts in run.workspace.observations(run.observed.target).batches():
            statistics.add(batch, parts)
            for part in _DESCRIBED:
                counts[part] += _class_counts(target, batch.column(target.name).filter(pa.array(parts == part)))
            yield batch.filter(pa.array(parts == Part.TRAINING))

    with contextlib.closing(ahead(described(), most=1)) as batches:
        for rows in batches:
            learn(rows)
            run.progress.advance(rows.num_rows)
    training, evaluation = (statistics.parts[part].insights() for part in _DESCRIBED)
    labelled, held_out = (dict(zip(target.classes, counts[part][:-1].tolist(), strict=True)) for part in _DESCRIBED)
    return Described(training, evaluation, (labelled, held_out))


def _class_counts(target: Target, cells: pa.Array) -> npt.NDArray[np.int64]:
    """Count the rows of each class, those of unknown classes last."""
    if target.type is ModelType.REGRESSION:
        return np.zeros(1, np.int64)
    codes = np.nan_to_num(target.codes(cells), nan=len(target.classes)).astype(np.int64)
    return np.bincount(codes, minlength=len(target.classes) + 1)


def training_summary(run: Run, described: Described) -> TrainingSummary:
    """Summarise the target as it is among the training rows."""
    if run.observed.target.type is not ModelType.REGRESSION:
        return TrainingSummary.of_classes(described.counts[0])
    insight = described.training.of(run.observed.target.name)
    assert isinstance(insight, NumericInsight)
    return TrainingSummary.of_numbers(insight)


def run_facts(run: Run, described: Described, sample: pa.Table) -> RunFacts:
    """State what the guardrails of this and the next run compare."""
    labels = dict.fromkeys(run.observed.target.classes, 0)
    for stored in described.counts:
        for label, count in zip(labels, stored.values(), strict=True):
            labels[label] += count
    moments = TargetFacts(counts=labels)
    if run.observed.target.type is ModelType.REGRESSION:
        insight = described.training.of(run.observed.target.name)
        assert isinstance(insight, NumericInsight)
        moments = TargetFacts(mean=insight.mean, deviation=insight.sd)
    attributes = {a.name: _cells(sample.column(a.name)) for a in run.observed.attributes.features}
    return RunFacts(run.observed.training + run.observed.evaluation, moments, attributes)


def _cells(column: pa.ChunkedArray) -> Cells:
    """Tell what the cells of one attribute hold, by the sample."""
    cells = column.combine_chunks()
    filled = pc.sum(pc.not_equal(read_texts(cells), "")).as_py() or 0
    numbers = np.count_nonzero(~np.isnan(read_numbers(cells).values))
    return Cells(filled / max(1, len(cells)), numbers / max(1, len(cells)))


def odd_target(observed: Observed) -> Iterator[str]:
    """Say when a target of classes looks as if it were a text of its own in nearly every row."""
    labels, rows = len(observed.target.classes), observed.training
    if labels > MANY_LABELS and rows < FEW_ROWS * labels:
        yield f"{observed.target.name} has {labels:,} labels in {rows:,} training rows: is it a text?"


def odd_attributes(insights: Insights) -> Iterator[str]:
    """Say which attributes hold mostly what their type cannot read."""
    for insight in insights.attributes:
        if not isinstance(insight, (BinaryInsight, NumericInsight)) or insight.invalid <= MOSTLY * insights.rows:
            continue
        kind = "BINARY" if isinstance(insight, BinaryInsight) else "NUMERIC"
        yield (
            f"{insight.name} is declared {kind}, but {insight.invalid:,} of {insights.rows:,} training cells cannot be "
            "read so and count as missing; CATEGORICAL would use them"
        )
