"""Predictions and judgements on request: a record, a file, scores of two models side by side."""

from __future__ import annotations

import glob
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from understudy.cli.writing import answer_file
from understudy.config import Project
from understudy.documents import plain
from understudy.errors import InvalidInput, NotFound, UsageError
from understudy.evaluation import TrainingSummary, summarise
from understudy.extract import Extraction, Rejections, read_files
from understudy.extract.delimited import read_csv
from understudy.extract.jsonlines import read_json_lines
from understudy.house import House
from understudy.metrics import DEFAULT_METRIC
from understudy.model import Scores
from understudy.pipeline.scoring import HeldOut
from understudy.prediction import Predictor
from understudy.promotion import Rule, RuleName, judge_file
from understudy.promotion.stream import read_pairs
from understudy.schema import ModelType
from understudy.values import read_texts


def predict_record(
    project: Project, values: Sequence[str], *, output: str | None, top: int | None, model_id: str | None
) -> dict[str, Any]:
    """Predict one record given as KEY=VALUE words or as one JSON object."""
    predictor = _predictor(project, model_id)
    answers, unknown = predictor.predict([_record(values)], top)
    _warn_unknown(unknown)
    if output is not None:
        with answer_file(output, predictor.model.target, top=top) as writer:
            writer.write(answers)
    return {"predictions": [answer.document() for answer in answers]}


def predict_file(
    project: Project,
    file: str,
    output: str | None,
    *,
    values: Sequence[str],
    top: int | None,
    model_id: str | None,
    as_json: bool,
) -> dict[str, Any] | None:
    """Predict the rows of a file; return the answers unless they went to `output`."""
    if values:
        raise UsageError(f"both --file and the record {' '.join(values)!r} were given", "Give one of them.")
    predictor = _predictor(project, model_id)
    with _opened(file) as extraction:
        _note_columns(predictor, extraction)
        batches = _scored(predictor, extraction)
        if output is None:
            answers = [answer.document() for batch, scores in batches for answer in predictor.answers(scores, top)]
            _note_rejected(extraction)
            return {"predictions": answers}
        row_id = predictor.model.schema.row_id if predictor.model.schema.row_id in extraction.columns else None
        rows = 0
        with answer_file(output, predictor.model.target, top=top, row_id=row_id) as writer:
            for batch, scores in batches:
                writer.write(predictor.answers(scores, top), batch.column(row_id) if row_id else None)
                rows += batch.num_rows
        _note_rejected(extraction)
    if output == "-":
        return None
    if as_json:
        print(msgspec.json.encode({"rows": rows, "output": output, "model_id": predictor.model_id}).decode())
    else:
        print(f"{rows:,} predictions by {predictor.model_id} in {output}", file=sys.stderr)
    return None


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
    with _opened(file) as extraction:
        for batch in extraction:
            usable = _labelled(predictor, batch)
            unused += batch.num_rows - usable.num_rows
            if usable.num_rows:
                rows.add(usable, np.zeros(0, np.uint64))
    if not rows.rows:
        raise InvalidInput(f"no row of {file} has a usable {predictor.model.target.name!r}", "Give labelled rows.")
    evaluation = summarise(rows.scores, _training_summary(entity.document), unused=unused)
    return {"model_id": predictor.model_id, "file": file, **plain(evaluation)}


def judge_scores(file: str, *, rule: str, margin: float, confidence: float, metric: str | None) -> dict[str, Any]:
    """Run the gate by itself on a file of labels and two models' scores."""
    if rule not in set(RuleName):
        raise UsageError(f"the rule is {rule!r}", f"Use one of {', '.join(RuleName)}.")
    with _opened(file) as extraction:
        table = pa.Table.from_batches(list(extraction), extraction.schema)
    kind = read_pairs(table).model_type
    document: dict[str, Any] = plain(
        judge_file(table, Rule(metric or DEFAULT_METRIC[kind], RuleName(rule), margin, confidence))
    )
    return document


def _predictor(project: Project, model_id: str | None) -> Predictor:
    house = House(project)
    if model_id is None:
        return house.serving()
    if not house.catalog_exists:
        raise NotFound(f"there is no model {model_id!r}: there is no catalog yet", "`understudy learn` makes it.")
    return house.predictor(model_id)


def _record(values: Sequence[str]) -> dict[str, Any]:
    """Read one record from the command's words; raises UsageError."""
    if len(values) == 1 and values[0].lstrip().startswith("{"):
        try:
            record = msgspec.json.decode(values[0])
        except msgspec.DecodeError as error:
            raise UsageError(
                f"the record is not JSON: {error}", 'Give {"KEY": VALUE, ...} or KEY=VALUE words.'
            ) from None
        return dict(record)
    if not values:
        raise UsageError("there is no record to predict", "Give KEY=VALUE words, a JSON object, or --file ROWS.")
    record = {}
    for word in values:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise UsageError(f"{word!r} is not of the form KEY=VALUE", "Write for example age=41.")
        record[key] = value
    return record


def _opened(file: str) -> Extraction:
    """Open a file of rows, or standard input: JSON lines where it begins with a brace, else CSV."""
    if file != "-":
        return read_files(glob.escape(file), Path.cwd())
    stream, rejected = cast("io.BufferedReader", sys.stdin.buffer), Rejections()
    read = read_json_lines if stream.peek(1).lstrip()[:1] == b"{" else read_csv
    columns, batches = read(stream, "standard input", rejected)
    schema = pa.schema([(column, pa.string()) for column in columns])
    return Extraction(schema=schema, batches=batches, sources=["standard input"], rejected=rejected)


def _scored(predictor: Predictor, extraction: Extraction) -> Iterator[tuple[pa.RecordBatch, Scores]]:
    for batch in extraction:
        yield batch, predictor.score(batch)


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


def _note_columns(predictor: Predictor, extraction: Extraction) -> None:
    known = {column.name for column in predictor.columns}
    _warn_unknown([name for name in extraction.columns if name not in known])
    missing = sorted(known - set(extraction.columns) - {predictor.model.target.name})
    if missing:
        print(f"note: the rows lack {', '.join(missing)}; they count as empty", file=sys.stderr)


def _warn_unknown(names: Sequence[str]) -> None:
    if names:
        print(f"note: the model does not know {', '.join(names)}; ignored", file=sys.stderr)


def _note_rejected(extraction: Extraction) -> None:
    for line in extraction.rejected.samples[:3]:
        print(f"note: {line.file}, line {line.line}: {line.reason}; no answer for it", file=sys.stderr)
    if extraction.rejected.count:
        print(f"note: {extraction.rejected.count:,} lines could not be read", file=sys.stderr)
