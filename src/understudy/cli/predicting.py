"""Predictions on request: a record, or a file of rows."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from understudy.config import Project
from understudy.errors import InvalidInput, NotFound, UsageError
from understudy.house import House
from understudy.prediction import Predictor

if TYPE_CHECKING:  # one record must not wait for what files need
    import pyarrow as pa

    from understudy.extract import Extraction
    from understudy.model import Scores


Note = Callable[[str], None]
"""Takes what a person should know beside the answers."""


def predict_record(
    project: Project, values: Sequence[str], *, output: str | None, top: int | None, model_id: str | None, note: Note
) -> dict[str, Any] | None:
    """Predict one record given as KEY=VALUE words or as one JSON object; return the answer unless `output` took it."""
    predictor, record = _predictor(project, model_id), _record(values)
    answers, unknown = predictor.predict([record], top)
    for name in unknown:
        close = difflib.get_close_matches(name, sorted(predictor.asked), n=1, cutoff=0.6)
        note(f"the model does not know {name}; ignored" + (f" (did you mean {close[0]}?)" if close else ""))
    if not predictor.asked.intersection(record):
        note("the record names nothing that the model knows, so the answer is that of an empty record")
    if output is None:
        return {"predictions": [answer.document() for answer in answers]}
    from understudy.cli.writing import answer_file  # noqa: PLC0415

    with answer_file(output, predictor.model.target, top=top) as writer:
        writer.write(answers)
    return None


def predict_file(
    project: Project,
    file: str,
    output: str | None,
    *,
    values: Sequence[str],
    top: int | None,
    model_id: str | None,
    note: Note,
) -> dict[str, Any]:
    """Predict the rows of a file; return the answers, or how many there are where `output` took them."""
    if values:
        raise UsageError(f"both --file and the record {' '.join(values)!r} were given", "Give one of them.")
    if output not in (None, "-") and Path(output or "").resolve() == Path(file).resolve():
        raise UsageError(f"--output is the file that is read, {file}", "Name another; nothing was changed.")
    from understudy.cli.rows import open_rows  # noqa: PLC0415
    from understudy.cli.writing import answer_file  # noqa: PLC0415

    predictor = _predictor(project, model_id)
    with open_rows(file, project) as extraction:
        _compare_columns(predictor, extraction, note)
        batches = _scored(predictor, extraction, note)
        if output is None:
            answers = [answer.document() for _, scores in batches for answer in predictor.answers(scores, top)]
            _note_rejected(extraction, note)
            return {"predictions": answers}
        row_id = predictor.model.schema.row_id if predictor.model.schema.row_id in extraction.columns else None
        rows = 0
        with answer_file(output, predictor.model.target, top=top, row_id=row_id) as writer:
            for batch, scores in batches:
                writer.write(predictor.answers(scores, top), batch.column(row_id) if row_id else None)
                rows += batch.num_rows
        _note_rejected(extraction, note)
    if output != "-":
        note(f"{rows:,} predictions by {predictor.model_id} in {output}")
    return {"rows": rows, "output": output, "model_id": predictor.model_id}


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
        if key in record:
            raise UsageError(f"{key} is given twice, as {record[key]!r} and as {value!r}", "Give one of them.")
        record[key] = value
    return record


def _scored(predictor: Predictor, extraction: Extraction, note: Note) -> Iterator[tuple[pa.RecordBatch, Scores]]:
    odd = 0
    for batch in extraction:
        observations = predictor.observe(predictor.as_trained(batch))
        odd += predictor.odd_cells(observations)
        yield batch, predictor.model.score(observations)
    if odd:
        note(f"{odd:,} cells of NUMERIC attributes hold no number; they count as missing")


def _compare_columns(predictor: Predictor, extraction: Extraction, note: Note) -> None:
    """Say which columns are too many or missing; raises InvalidInput where the model knows none."""
    known = predictor.asked
    if not known.intersection(extraction.columns):
        raise InvalidInput(
            f"none of the columns {', '.join(map(repr, extraction.columns[:8]))} is one that the model knows",
            f"It asks for {', '.join(sorted(known)[:12])}; does the file lack its header line?",
        )
    unknown = [name for name in extraction.columns if name not in known and name != predictor.model.target.name]
    features = {attribute.name for attribute in predictor.model.schema.features}
    asked = known if predictor.transform else known & features  # a row id that is not there is not missed
    missing = sorted(asked - set(extraction.columns))
    if unknown:
        note(f"the model does not know {', '.join(unknown)}; ignored")
    if missing:
        note(f"the rows lack {', '.join(missing)}; they count as empty")


def _note_rejected(extraction: Extraction, note: Note) -> None:
    for line in extraction.rejected.samples[:3]:
        note(f"{line.file}, line {line.line}: {line.reason}; no answer for it")
    if extraction.rejected.count:
        note(f"{extraction.rejected.count:,} lines could not be read: the answers are fewer than the lines")
