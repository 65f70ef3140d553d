"""Answers written to a file: CSV, Parquet or JSON lines by its ending, one row per record, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from understudy.errors import StoreError, UsageError
from understudy.prediction import Prediction
from understudy.schema import ModelType
from understudy.target import Target

_JSON_LINES, _PARQUET = {".jsonl", ".ndjson", ".json"}, {".parquet", ".pq"}


class Writer(Protocol):
    """Somewhere that takes answers, batch by batch."""

    def write(self, answers: Sequence[Prediction], row_ids: pa.Array | None = None) -> None:
        """Append the answers to as many records; with row ids where the model knows them."""


@contextlib.contextmanager
def answer_file(output: str, target: Target, *, top: int | None, row_id: str | None = None) -> Iterator[Writer]:
    """Open a file for answers; `-` is standard output, as JSON lines.

    CSV and Parquet have the columns [row id], `label` and `score:CLASS` for each class, or `value`; with `top` the best
    N as `label`, `score`, `label_2`, `score_2`, and so on. JSON lines hold the objects of `predict --json`.

    Raises
    ------
    UsageError : the file's ending names no known format.
    StoreError : the file cannot be written; an earlier file of that name is untouched.
    """
    if output == "-":
        yield _JsonLines(sys.stdout.buffer)
        return
    path = Path(output).resolve()  # a link is written through, not replaced
    ending = path.suffix.lower()
    if ending not in {*_JSON_LINES, *_PARQUET, ".csv"} and (path.is_file() or not path.exists()):
        raise UsageError(
            f"--output {output} has an unknown ending", "Use .csv, .parquet or .jsonl; - is standard output."
        )
    special = path.exists() and not path.is_file()
    partial = path if special else path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with _open(ending, partial, _Columns(target, top, row_id)) as writer:
            yield writer
        if not special:
            partial.replace(path)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"{path} cannot be written: {error}", "Check folder, permissions and free space.") from None
    finally:
        if not special:
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def _open(ending: str, path: Path, columns: _Columns) -> Iterator[Writer]:
    if ending in _JSON_LINES:
        with path.open("wb") as file:
            yield _JsonLines(file)
        return
    opener = pq.ParquetWriter if ending in _PARQUET else pc.CSVWriter
    with opener(str(path), columns.schema) as file:
        yield _Table(file, columns)


class _Columns:
    """How answers become columns."""

    def __init__(self, target: Target, top: int | None, row_id: str | None) -> None:
        self.target, self.row_id = target, row_id
        self.best = min(top, len(target.classes)) if top is not None and target.classes else None
        self.schema = pa.schema([*([(row_id, pa.string())] if row_id else []), *self._answer_fields()])

    def _answer_fields(self) -> list[tuple[str, pa.DataType]]:
        if self.target.type is ModelType.REGRESSION:
            return [("value", pa.float64())]
        if self.best is None:
            return [("label", pa.string()), *((f"score:{label}", pa.float64()) for label in self.target.classes)]
        places = ["" if place == 1 else f"_{place}" for place in range(1, self.best + 1)]
        kinds = (("label", pa.string()), ("score", pa.float64()))
        return [(f"{name}{place}", kind) for place in places for name, kind in kinds]

    def table(self, answers: Sequence[Prediction], row_ids: pa.Array | None) -> pa.Table:
        """Return the answers as columns."""
        rows = [self._cells(answer) for answer in answers]
        ids = [row_ids.cast(pa.string())] if self.row_id and row_ids is not None else []
        cells = [
            pa.array(column, kind)
            for column, (_, kind) in zip(zip(*rows, strict=True), self._answer_fields(), strict=True)
        ]
        return pa.Table.from_arrays([*ids, *cells], schema=self.schema)

    def _cells(self, answer: Prediction) -> list[str | float | None]:
        if answer.scores is None:
            return [answer.value]
        if self.best is None:
            return [answer.label, *(answer.scores[label] for label in self.target.classes)]
        return [cell for label, score in answer.scores.items() for cell in (label, score)]


class _Table:
    def __init__(self, file: pq.ParquetWriter | pc.CSVWriter, columns: _Columns) -> None:
        self._file, self._columns = file, columns

    def write(self, answers: Sequence[Prediction], row_ids: pa.Array | None = None) -> None:
        if answers:
            self._file.write_table(self._columns.table(answers, row_ids))


class _JsonLines:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, answers: Sequence[Prediction], row_ids: pa.Array | None = None) -> None:
        for answer in answers:
            self._file.write(msgspec.json.encode(answer.document()) + b"\n")
