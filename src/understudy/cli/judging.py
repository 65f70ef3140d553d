"""Judgements on request: a model on labelled rows, or two models' scores side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from understudy.cli.rows import open_rows
from understudy.config import Project
from understudy.documents import plain
from understudy.errors import InvalidInput, UsageError
from understudy.evaluation import TrainingSummary, summarise
from understudy.house import House
from understudy.metrics import DEFAULT_METRIC
from understudy.pipeline.scoring import HeldOut
from understudy.prediction import Predictor
from understudy.promotion import Rule, RuleName, judge_file
from understudy.promotion.stream import read_pairs
from understudy.schema import ModelType
from understudy.values import read_texts


def evaluate_file(project: Project, file: str | None, model_id: str | None) -> dict[str, Any]:
    """Judge a model on labelled rows: those of a file, or the held-out rows of its own run."""
    house = House(project)
    predictor = house.predictor(model_id) if model_id else house.serving()
    entity = house.model_entity(predictor.model_id)
    if file is None:
        evaluations = house.catalog.find("evaluation", project=project.name)
        for known in evaluations:
            if known.document.get("model_id") == predictor.model_id:
                return {"evaluation_id": known.id, **known.document}
        raise UsageError(f"{predictor.model_id} has no evaluation of its own", "Name labelled rows with --file.")
    rows, unused = HeldOut(predictor), 0
    with open_rows(file, project) as extraction:
        for batch in extraction:
            usable = _labelled(predictor, batch)
            unused += batch.num_rows - usable.num_rows
            if usable.num_rows:
                rows.add(rows.scored(usable, np.zeros(0, np.uint64)))
    if not rows.rows:
        raise InvalidInput(f"no row of {file} has a usable {predictor.model.target.name!r}", "Give labelled rows.")
    evaluation = summarise(rows.scores, _training_summary(entity.document), unused=unused)
    return {"model_id": predictor.model_id, "file": file, **plain(evaluation)}


def judge_scores(file: str, *, rule: str, margin: float, confidence: float, metric: str | None) -> dict[str, Any]:
    """Run the gate by itself on a file of labels and two models' scores."""
    if rule not in set(RuleName):
        raise UsageError(f"the rule is {rule!r}", f"Use one of {', '.join(RuleName)}.")
    with open_rows(file) as extraction:
        table = pa.Table.from_batches(list(extraction), extraction.schema)
    kind = read_pairs(table).model_type
    document: dict[str, Any] = plain(
        judge_file(table, Rule(metric or DEFAULT_METRIC[kind], RuleName(rule), margin, confidence))
    )
    return document


def _labelled(predictor: Predictor, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows that have a usable label."""
    target = predictor.model.target
    observations = predictor.observe(predictor.as_trained(batch))
    if target.name not in observations.schema.names:
        raise InvalidInput(f"the rows have no column {target.name!r} to judge by", "Give labelled rows.")
    cells = observations.column(target.name)
    if target.type is ModelType.MULTICLASS:
        return batch.filter(pc.not_equal(read_texts(cells), ""))
    return batch.filter(pa.array(~np.isnan(target.codes(cells))))


def _training_summary(document: Mapping[str, Any]) -> TrainingSummary:
    """Return the target as it was in training, from what the catalog keeps of a model."""
    return msgspec.convert(document["training_summary"], TrainingSummary)
