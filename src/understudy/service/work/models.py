"""What a model's job computes: the training rows with a usable target, a model of them, and its log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from understudy.config import Settings, parse_parameters
from understudy.datasource import RowDigest
from understudy.documents import plain
from understudy.errors import InvalidInput, TrainingError
from understudy.evaluation import TrainingSummary
from understudy.model import Model
from understudy.pipeline.versions import versions
from understudy.prediction import Column
from understudy.recipe.source import MAX_TEXT
from understudy.sample import EvenSample
from understudy.schema import Attribute, AttributeType, ModelType, Schema
from understudy.service.work.counting import counted
from understudy.service.work.data_sources import message, remarks
from understudy.service.work.log import Log
from understudy.service.work.rows import Rows, observations, open_rows
from understudy.service.work.targets import target_of, usable_cells
from understudy.service.work.training_log import Taught, report_training
from understudy.service.work.workshop import Workshop
from understudy.spool import read_rows, write_rows
from understudy.statistics import NumericInsight, Statistics
from understudy.store.catalog import Entity
from understudy.target import Target, sorted_labels
from understudy.training import Task, Training, train
from understudy.values import read_texts, row_keys


def compute(workshop: Workshop, entity: Entity, log: Log) -> dict[str, Any]:
    """Train a model; return the new members of its document.

    The fingerprint is announced in the document before the model's folder is written, so that the store's clean-up
    spares it.

    Raises
    ------
    SchemaError : the data source's target does not fit the model's type.
    RecipeError : the recipe does not parse or fit the schema.
    TrainingError, InvalidInput : there is nothing to learn from.

    """
    log.say("Begin training.")
    document = entity.document
    source = workshop.store.catalog.get(document["training_data_source_id"], "data_source")
    rows = open_rows(workshop, source)
    recipe = _recipe(workshop, document)
    settings = settings_of(document["parameters"])
    spool = Spool(workshop.scratch / "training.arrow", rows, target_of(rows.schema, document["model_type"]))
    spool.fill()
    model, training = _train(workshop, spool, recipe, settings)
    report_training(log, Taught(model, training, settings, spool.sample, spool.batches, spool.rejected))
    announce(workshop, entity.id, model)
    workshop.store.keep_model(model)
    return {
        **message([*remarks(rows), *spool.remarks, *_ignored(training)]),
        "recipe": training.recipe,
        "schema": _schema_text(source, rows),
        "fingerprint": model.fingerprint,
        "classes": list(spool.stored.classes),
        "size_in_bytes": model.size_in_bytes,
        "columns": plain(spool.columns),
        "transform": None,
        "training": plain(training),
        "features": len(model.weights.keys),
        "training_rows": spool.rows_kept,
        "training_summary": plain(spool.summary()),
        "lineage": _lineage(document, source, spool, recipe),
    }


def announce(workshop: Workshop, model_id: str, model: Model) -> None:
    """Put the model's fingerprint on record."""

    def announced(entity: Entity) -> Entity | None:
        if entity.status == "DELETED":
            return None
        return msgspec.structs.replace(entity, document={**entity.document, "fingerprint": model.fingerprint})

    workshop.store.catalog.amend("model", model_id, announced)


def settings_of(parameters: Mapping[str, str]) -> Settings:
    """Read the six parameters of a model; raises ConfigError."""
    return parse_parameters({key: value for key, value in parameters.items() if key != "algorithm"})


@dataclass
class Spool:
    """The training rows with a usable target, kept in a file, and what one reading of them tells."""

    file: Path
    source: Rows
    target: Target
    sample: pa.Table = field(init=False)
    """Evenly spread rows."""
    rows_kept: int = 0
    rejected: int = 0
    """Rows without a usable target."""
    labels: Counter[str] = field(default_factory=Counter)
    """Rows of each class."""

    def __post_init__(self) -> None:
        assert self.source.schema.target is not None
        self._digest = RowDigest()
        self._numbers = Statistics(Schema((Attribute(self.target.name, AttributeType.NUMERIC),)))

    def fill(self) -> None:
        """Read the rows once; raises InvalidInput where none can be learned from, TrainingError where all are alike."""
        sample = EvenSample()

        def kept() -> Iterator[pa.RecordBatch]:
            for batch in observations(self.source):
                usable = self._usable(batch)
                if usable.num_rows:
                    sample.add(usable)
                    yield usable

        write_rows(self.file, self._arrow(), kept())
        if self.rows_kept == 0:
            raise InvalidInput(
                f"none of {counted(self.rejected, 'record')} has a {self.target.name!r} "
                f"that a {self.target.type} model can learn from",
                "Check the schema's target and its type, and the data.",
            )
        if self.target.type is ModelType.MULTICLASS:
            self.target = msgspec.structs.replace(self.target, classes=sorted_labels(list(self.labels)))
        if self.target.type is not ModelType.REGRESSION and len(self.labels) < 2:
            raise TrainingError(
                f"{_all(self.rows_kept)} of the class {next(iter(self.labels))!r}",
                "Two classes are needed to learn a difference: shuffle sorted data, or split it at random.",
            )
        self.sample = sample.table()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the kept rows, in order."""
        return read_rows(self.file)

    @property
    def stored(self) -> Target:
        """The target as it stands in the kept rows."""
        return self.target.of_stored

    @property
    def columns(self) -> tuple[Column, ...]:
        """The observations' columns."""
        return tuple(Column(each.name, str(each.type)) for each in self.source.arrow)

    @property
    def digest(self) -> str:
        """SHA-256 over the kept rows."""
        return self._digest.value()

    @property
    def remarks(self) -> list[str]:
        """What a person should know."""
        if not self.rejected:
            return []
        rest = "has no usable target and was" if self.rejected == 1 else "have no usable target and were"
        return [f"{counted(self.rejected, 'record')} {rest} not learned."]

    def summary(self) -> TrainingSummary:
        """Summarise the target as it is among the kept rows."""
        if self.target.type is not ModelType.REGRESSION:
            return TrainingSummary.of_classes({label: self.labels[label] for label in self.stored.classes})
        insight = self._numbers.insights().of(self.target.name)
        assert isinstance(insight, NumericInsight)
        return TrainingSummary.of_numbers(insight)

    def _arrow(self) -> pa.Schema:
        """Return the kept rows' columns: a BINARY target as 1 and 0, however it was spelled."""
        place = self.source.arrow.get_field_index(self.target.name)
        kind = pa.int64() if self.target.type is ModelType.BINARY else self.source.arrow.field(place).type
        return self.source.arrow.set(place, pa.field(self.target.name, kind))

    def _usable(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows that can be learned from, with their target as it is kept, and count them."""
        cells = self.target.stored(batch.column(self.target.name))
        usable = usable_cells(self.target, cells)
        batch = batch.set_column(batch.schema.get_field_index(self.target.name), self.target.name, cells)
        kept = batch if usable.all() else batch.filter(pa.array(usable))
        self.rows_kept += kept.num_rows
        self.rejected += batch.num_rows - kept.num_rows
        self._digest.add(row_keys(kept, kept.schema.names))
        if self.target.type is ModelType.REGRESSION:
            self._numbers.add(kept)
        else:
            counts = pc.value_counts(read_texts(kept.column(self.target.name)))
            self.labels.update(
                dict(zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True))
            )
        return kept


def _all(rows: int) -> str:
    return "the only training record is" if rows == 1 else f"all {rows:,} training records are"


def _recipe(workshop: Workshop, document: Mapping[str, Any]) -> str | None:
    if document.get("recipe") is None and document.get("recipe_location"):
        return workshop.s3.text(document["recipe_location"], 4 * MAX_TEXT)
    recipe: str | None = document.get("recipe")
    return recipe


def _train(workshop: Workshop, spool: Spool, recipe: str | None, settings: Settings) -> tuple[Model, Training]:
    columns = tuple(column.name for column in spool.columns)
    task = Task(columns, spool.source.schema, spool.stored, recipe, settings)
    scratch = workshop.scratch / "rows"
    scratch.mkdir()
    return train(task, spool.sample, spool.batches, scratch, lambda _: None)


def _ignored(training: Training) -> list[str]:
    return [f"The recipe names {name}, which is never a feature." for name in training.ignored]


def _schema_text(source: Entity, rows: Rows) -> str:
    text: str = rows.schema.to_json() if source.project else source.document["schema"]
    return text


def _lineage(document: Mapping[str, Any], source: Entity, spool: Spool, recipe: str | None) -> dict[str, Any]:
    """State where a model came from: enough to make it again, and to see why another should differ."""
    return {
        "training_data_source_id": source.id,
        "location": source.document["location"],
        "files": [{"url": file.url, "etag": file.etag, "size": file.size} for file in spool.source.files],
        "digest": spool.digest,
        "rearrangement": source.document.get("rearrangement"),
        "schema": spool.source.schema.to_json(),
        "target": plain(spool.stored),
        "recipe": recipe,
        "parameters": document["parameters"],
        "versions": versions(),
    }
