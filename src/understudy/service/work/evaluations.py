"""What an evaluation's job computes: a model judged on the rows of a data source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from understudy.documents import plain
from understudy.errors import InvalidInput, SchemaError
from understudy.evaluation import Evaluation, TrainingSummary, schema_differences, summarise
from understudy.model import Model
from understudy.service.rearrangement import Rearrangement
from understudy.service.work.counting import counted
from understudy.service.work.data_sources import message, remarks
from understudy.service.work.log import Log
from understudy.service.work.rows import File, Rows, observations, open_rows
from understudy.service.work.scoring import judge, threshold_of
from understudy.service.work.selection import overlap
from understudy.service.work.workshop import Workshop
from understudy.store.catalog import Entity


def compute(workshop: Workshop, entity: Entity, log: Log) -> dict[str, Any]:
    """Judge a model on a data source; return the new members of the evaluation's document.

    Attributes are read as in training, whatever the data source calls their types (reference 3.3).

    Raises
    ------
    SchemaError : the data source lacks the target.
    InvalidInput : no record has a usable target.

    """
    log.say("Begin evaluation.")
    catalog, document = workshop.store.catalog, entity.document
    trained = catalog.get(document["model_id"], "model")
    source = catalog.get(document["data_source_id"], "data_source")
    model, rows = workshop.store.model(trained), open_rows(workshop, source)
    _refuse_without_target(model, rows)
    scores, unused = judge(model, observations(rows))
    unused += rows.rejected.count
    if not scores.rows:
        raise InvalidInput(
            f"none of {counted(unused, 'record')} has a {model.target.name!r} that can be compared with predictions",
            "Check the data source's target.",
        )
    evaluation = summarise(
        scores,
        training_summary(trained.document),
        threshold=threshold_of(trained),
        on_training_data=on_training_data(trained, source, rows.files),
        unused=unused,
        schema_differences=schema_differences(model.schema, rows.schema),
    )
    _report(log, evaluation, unused)
    return {
        **plain(evaluation),
        **message(remarks(rows)),
    }


def _refuse_without_target(model: Model, rows: Rows) -> None:
    if model.target.name not in rows.schema.names:
        raise SchemaError(
            f"the data source has no attribute {model.target.name!r}, which the model predicts",
            "Evaluate on data that holds the target.",
        )


def training_summary(model: Mapping[str, Any]) -> TrainingSummary:
    """Return the target as it was in training, whether the API or a project made the model."""
    summary = model["training_summary"]
    return msgspec.convert(summary, TrainingSummary)


def on_training_data(model: Entity, source: Entity, files: Sequence[File]) -> bool:
    """Tell whether a model has learned from some of the rows of a data source, which reads these files.

    Files are the same by what they hold, wherever they lie.
    """
    lineage = model.document["lineage"]
    if lineage.get("training_data_source_id") == source.id:
        return True
    if source.project or model.project:
        return False
    before, now = [file["etag"] for file in lineage["files"]], [file.etag for file in files]
    if before != now:
        return not set(before).isdisjoint(now)
    learned, asked = (Rearrangement.from_json(document.get("rearrangement")) for document in (lineage, source.document))
    return overlap(learned, asked)


def _report(log: Log, evaluation: Evaluation, unused: int) -> None:
    figures = " ".join(f"{name}={value}" for name, value in evaluation.metrics.items())
    log.say(
        f"finished: valid-records={evaluation.rows} invalid-records={unused}",
        f"model-performance: {figures}",
        *(f"alert: {alert.message}" for alert in evaluation.alerts),
        "Evaluation complete.",
    )
