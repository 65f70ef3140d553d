"""Predictions on request: a record, or a file of rows."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from understudy.config import Project
from understudy.errors import NotFound, UsageError
from understudy.house import House
from understudy.prediction import Predictor

if TYPE_CHECKING:  # one record must not wait for what files need
    import pyarrow as pa

    from understudy.extract import Extraction
    from understudy.model import Scores


def predict_record(
    project: Project, values: Sequence[str], *, output: str | None, top: int | None, model_id: str | None
) -> dict[str, Any]:
    """Predict one record given as KEY=VALUE words or as one JSON object."""
    predictor = _predictor(project, model_id)
    answers, unknown = predictor.predict([_record(values)], top)
    _warn_unknown(unknown)
    if output is not None:
        from understudy.cli.writing import answer_file  # noqa: PLC0415

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
    from understudy.cli.rows import open_rows  # noqa: PLC0415
    from understudy.cli.writing import answer_file  # noqa: PLC0415

    predictor = _predictor(project, model_id)
    with open_rows(file) as extraction:
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


def _scored(predictor: Predictor, extraction: Extraction) -> Iterator[tuple[pa.RecordBatch, Scores]]:
    for batch in extraction:
        yield batch, predictor.score(batch)


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
