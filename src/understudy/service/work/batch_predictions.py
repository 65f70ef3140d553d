"""What a batch prediction's job computes: a file of answers beside each file of records (reference 8.2)."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from understudy.model import Model, Scores
from understudy.schema import ModelType, Schema
from understudy.service.thresholds import is_positive
from understudy.service.work.data_sources import message, remarks
from understudy.service.work.figures import scientific
from understudy.service.work.log import Log
from understudy.service.work.rows import Chunk, Rows, open_rows
from understudy.service.work.scoring import threshold_of
from understudy.service.work.workshop import Workshop
from understudy.store.catalog import Entity
from understudy.target import Target
from understudy.values import read_texts, read_truths


def compute(workshop: Workshop, entity: Entity, log: Log) -> dict[str, Any]:
    """Write the answers to a data source's records, then the manifest; return the new members of the document."""
    log.say("Begin batch prediction.")
    catalog, document = workshop.store.catalog, entity.document
    trained = catalog.get(document["model_id"], "model")
    rows = open_rows(workshop, catalog.get(document["data_source_id"], "data_source"))
    model = workshop.store.model(trained)
    answers = Answers(model, rows.schema, threshold_of(trained))
    writer = _Writer(workshop, rows, answers, f"{document['output_uri'].rstrip('/')}/batch-prediction", entity.id)
    total = writer.write()
    writer.write_manifest()
    invalid = rows.rejected.count
    log.say(
        *(f"file: {source} -> {result}" for source, result in writer.results.items()),
        f"finished: total-records={total} invalid-records={invalid}",
        "Batch prediction complete.",
    )
    notes = [*remarks(rows), *_lacking(model, rows)]
    return {"total": total, "invalid": invalid, **message(notes)}


def _lacking(model: Model, rows: Rows) -> list[str]:
    """Say which attributes the records lack; their values count as missing."""
    names = [a.name for a in model.schema.features if a.name not in rows.schema.names]
    listed = ", ".join(map(repr, names))
    return [f"The records lack {listed}, which the model was trained with: they count as missing."] if names else []


@dataclass(frozen=True)
class Answers:
    """Turns records into lines of a result file."""

    model: Model
    schema: Schema
    """The data source's."""
    threshold: float
    """The score from which on a BINARY answer is 1."""

    @property
    def target(self) -> Target:
        """The target as observations hold it."""
        return self.model.target.of_stored

    def header(self) -> str:
        """Return the names of the columns."""
        tag = ["tag"] if self.schema.row_id else []
        truth = ["trueLabel"] if self.target.name in self.schema.names else []
        answer = {
            ModelType.BINARY: ["bestAnswer", "score"],
            ModelType.MULTICLASS: list(self.target.classes),
            ModelType.REGRESSION: ["score"],
        }[self.target.type]
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow([*tag, *truth, *answer])
        return line.getvalue()

    def lines(self, chunk: Chunk) -> str:
        """Return a line for each record, a blank one for each that cannot be read."""
        answered = iter(self._joined(chunk) if chunk.rows.num_rows else ())
        return "".join(f"{next(answered)}\n" if good else "\n" for good in chunk.good.tolist())

    def _joined(self, chunk: Chunk) -> list[str]:
        columns = [*self._copied(chunk), *self._answers(self.model.score(chunk.rows))]
        lines: list[str] = pc.binary_join_element_wise(*columns, ",").to_pylist()
        return lines

    def _copied(self, chunk: Chunk) -> Iterator[pa.Array]:
        """Yield the record's own columns: its id and its target."""
        if self.schema.row_id:
            yield _quoted(chunk.texts.column(self.schema.row_id).fill_null(""))
        if self.target.name in self.schema.names:
            cells = pc.utf8_trim_whitespace(chunk.texts.column(self.target.name).fill_null(""))
            yield _quoted(_truths(cells) if self.target.type is ModelType.BINARY else cells)

    def _answers(self, scores: Scores) -> list[pa.Array]:
        if self.target.type is ModelType.MULTICLASS:
            return [scientific(column) for column in scores.T]
        best = [pa.array(is_positive(scores, self.threshold).astype(np.int8)).cast(pa.string())]
        return [*(best if self.target.type is ModelType.BINARY else []), scientific(scores)]


def _truths(texts: pa.Array) -> pa.Array:
    """Write truth values as 1 and 0, however they are spelled; what is none stays as it is."""
    values = read_truths(texts).values
    unread = pa.array(np.isnan(values))
    return pc.if_else(unread, read_texts(texts), pa.array(np.nan_to_num(values).astype(np.int8)).cast(pa.string()))


def _quoted(texts: pa.Array) -> pa.Array:
    """Put texts into quotes where CSV asks for them."""
    odd = pc.match_substring_regex(texts, r'[",\r\n]')
    doubled = pc.replace_substring(texts, '"', '""')
    return pc.if_else(odd, pc.binary_join_element_wise('"', doubled, '"', ""), texts)


@dataclass
class _Writer:
    """Writes one result file for each of the files that a data source reads."""

    workshop: Workshop
    rows: Rows
    answers: Answers
    folder: str
    batch_id: str

    def __post_init__(self) -> None:
        self.results = dict(self._addresses())
        """The address of each input file's result."""

    def _addresses(self) -> Iterator[tuple[str, str]]:
        taken: set[str] = set()
        for file in self.rows.files:
            name = next(name for name in _numbered(file.name) if name not in taken)
            taken.add(name)
            yield file.url, f"{self.folder}/result/{self.batch_id}-{name}.gz"

    def write(self) -> int:
        """Write the results, file after file; return how many records there were."""
        total = done = 0
        for place, chunks in groupby(self.rows.chunks(), lambda chunk: chunk.file):
            self._write_empty(done, place)
            total += self._write(place, chunks)
            done = place + 1
        self._write_empty(done, len(self.results))
        return total

    def _write_empty(self, start: int, stop: int) -> None:
        """Write the results of files without any record that the data source takes."""
        for place in range(start, stop):
            self._write(place, iter(()))

    def _write(self, place: int, chunks: Iterator[Chunk]) -> int:
        file, total = self.workshop.scratch / "result.gz", 0
        with file.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as out:
            out.write(self.answers.header().encode())
            for chunk in chunks:
                out.write(self.answers.lines(chunk).encode())
                total += len(chunk.good)
        self._put(list(self.results.values())[place], file, "application/gzip")
        return total

    def write_manifest(self) -> None:
        """Tell which result belongs to which input file; written last, it says that all are there."""
        file = self.workshop.scratch / "manifest"
        file.write_text(json.dumps(self.results, ensure_ascii=False), encoding="utf-8")
        self._put(f"{self.folder}/{self.batch_id}.manifest", file, "application/json")

    def _put(self, url: str, file: Path, content_type: str) -> None:
        self.workshop.s3.put(url, file, content_type)
        file.unlink()


def _numbered(name: str) -> Iterator[str]:
    """Yield a name, then with numbers: files of several folders may be called alike."""
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1
