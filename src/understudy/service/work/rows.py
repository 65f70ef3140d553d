"""The rows of a data source, whoever made it: CSV in S3 by a declared schema, or observations of a project."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple, Protocol

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from understudy.datasource import Part
from understudy.errors import ExtractError, InvalidInput
from understudy.extract import Rejections
from understudy.extract.delimited import Choose, Offsets, Records, read_records
from understudy.pipeline.observations import Observations, kept_observations
from understudy.schema import Schema
from understudy.service.rearrangement import Rearrangement
from understudy.service.views import location
from understudy.service.work.counting import counted
from understudy.service.work.s3 import Input
from understudy.service.work.selection import Selection
from understudy.service.work.workshop import Workshop
from understudy.store.catalog import Entity
from understudy.values import BATCH_ROWS, canonical_batch, plain_batch, plain_schema, read_texts

MAX_OBSERVATION = 100 * 1024
"""Bytes of a record above which it is rejected (reference, section 9)."""

MAX_REJECTED = 10_000
"""Rejected records above which all are rejected (reference 3.1)."""

_COMPRESSED = {".gz": "gzip", ".zst": "zstd"}

Flags = npt.NDArray[np.bool_]


class Chunk(NamedTuple):
    """Neighbouring records of one file that a data source takes: n of them, at most `BATCH_ROWS`."""

    file: int
    """The file's place among the files."""
    good: Flags
    """Which of them could be read, bool[n]."""
    rows: pa.RecordBatch
    """Those that could, as observations in canonical form."""
    texts: pa.RecordBatch
    """The same, every column as text, just as it stands in the file."""


class File(NamedTuple):
    """One of the files that a data source reads."""

    url: str
    size: int
    etag: str

    @property
    def name(self) -> str:
        """The last part of its address."""
        return self.url.rsplit("/", 1)[-1]


class Rows(Protocol):
    """The rows of a data source. Each call of `chunks` or `count` reads them anew."""

    @property
    def schema(self) -> Schema:
        """What the columns mean."""

    @property
    def arrow(self) -> pa.Schema:
        """The names and types of the observations' columns."""

    @property
    def files(self) -> list[File]:
        """The files, in order."""

    @property
    def rejected(self) -> Rejections:
        """What the last reading could not read."""

    @property
    def notes(self) -> list[str]:
        """What the last reading found odd."""

    def chunks(self) -> Iterator[Chunk]:
        """Yield all records, in order; raises InvalidInput where too many, or all, cannot be read."""

    def count(self) -> int:
        """Return how many records can be read; raises as `chunks`."""


def open_rows(workshop: Workshop, source: Entity) -> Rows:
    """Open the rows of a finished data source; raises InvalidInput where they are no longer there."""
    document = source.document
    if source.project:
        return ObservedRows(workshop, document, location(source))
    rearrangement = Rearrangement.from_json(document.get("rearrangement"))
    return CsvRows(workshop.s3.find(document["location"]), Schema.from_json(document["schema"]), rearrangement)


def observations(rows: Rows) -> Iterator[pa.RecordBatch]:
    """Yield the observations of all records that can be read."""
    return (chunk.rows for chunk in rows.chunks() if chunk.rows.num_rows)


@dataclass
class CsvRows:
    """Records of CSV files by a declared schema (reference 3.1 to 3.3), those that a DataRearrangement takes (3.7)."""

    inputs: list[Input]
    schema: Schema
    rearrangement: Rearrangement
    rejected: Rejections = field(default_factory=Rejections)
    notes: list[str] = field(default_factory=list)

    @property
    def files(self) -> list[File]:
        """The files, in order."""
        return [File(each.url, each.size, each.etag) for each in self.inputs]

    @property
    def arrow(self) -> pa.Schema:
        """Every column is text."""
        return pa.schema([(name, pa.string()) for name in self.schema.names])

    def chunks(self) -> Iterator[Chunk]:
        """Yield the records, in order."""
        for file, records in self._taken():
            texts = records.texts() if records.good.any() else pa.RecordBatch.from_pylist([], self.arrow)
            yield from _cut(Chunk(file, records.good, canonical_batch(texts), texts))

    def count(self) -> int:
        """Return how many records can be read."""
        return sum(int(np.count_nonzero(records.good)) for _, records in self._taken())

    def _taken(self) -> Iterator[tuple[int, Records]]:
        """Yield the taken records with their file's place, and judge how many were rejected."""
        self.rejected, self.notes = Rejections(), []
        good = 0
        for file, records in self._read(self.rejected, self._selection()):
            good += int(np.count_nonzero(records.good))
            if self.rejected.count > MAX_REJECTED:
                raise self._refused(f"more than {MAX_REJECTED:,} records")
            yield file, records
        if good == 0 and self.rejected.count:
            alone = self.rejected.count == 1
            raise self._refused("the only record" if alone else f"all {self.rejected.count:,} records")

    def _selection(self) -> Selection | None:
        """Return what tells which records are taken; None where all are."""
        if self.rearrangement.takes_all:
            return None
        if self.rearrangement.strategy == "random":
            return Selection(self.rearrangement)
        return Selection(self.rearrangement, sum(len(records.offsets) for _, records in self._read(Rejections(), None)))

    def _read(self, rejected: Rejections, choose: Choose | None) -> Iterator[tuple[int, Records]]:
        """Scan all files; `choose` is told offsets in their concatenation."""
        before = 0
        for place, each in enumerate(self.inputs):
            with each.open() as file:
                stream = _Stream(file, each)

                def chosen(offsets: Offsets, before: int = before) -> Flags:
                    return np.ones(len(offsets), np.bool_) if choose is None else choose(offsets + before)

                names, found = read_records(
                    stream,
                    each.url,
                    rejected,
                    self.schema.names,
                    header=self.schema.header,
                    choose=chosen,
                    max_bytes=MAX_OBSERVATION,
                )
                self._compare(each, names)
                yield from ((place, records) for records in found)
                before += stream.read_so_far

    def _compare(self, file: Input, names: list[str]) -> None:
        """Note a header that differs from the schema, which is what counts."""
        odd = [pair for pair in zip(names, self.schema.names, strict=False) if pair[0] != pair[1]]
        if len(names) != len(self.schema.names) and names:
            note = (
                f"the header of {file.url} names {counted(len(names), 'column')}, the schema {len(self.schema.names)}"
            )
        elif odd:
            note = f"the header of {file.url} has {odd[0][0]!r} where the schema has {odd[0][1]!r}"
        else:
            return
        if not self.notes:
            self.notes.append(f"{note}: columns go by position, called as in the schema")

    def _refused(self, what: str) -> InvalidInput:
        return InvalidInput(f"{what} could not be read, {where(self.rejected)}", "Correct the data or the schema.")


def where(rejected: Rejections) -> str:
    """Say where the first rejected record stands, and what is wrong with it."""
    first, number = rejected.samples[0], "" if rejected.count == 1 else "the first "
    return f"{number}in line {first.line:,} of {first.file}: {first.reason}"


def _cut(chunk: Chunk) -> Iterator[Chunk]:
    """Cut a chunk into parts of at most `BATCH_ROWS` records."""
    row = 0
    for start in range(0, len(chunk.good), BATCH_ROWS):
        good = chunk.good[start : start + BATCH_ROWS]
        count = int(np.count_nonzero(good))
        yield Chunk(chunk.file, good, chunk.rows.slice(row, count), chunk.texts.slice(row, count))
        row += count


class _Stream:
    """An object's bytes, decompressed by its name's ending, and counted."""

    def __init__(self, file: BinaryIO, where: Input) -> None:
        compression = next((kind for end, kind in _COMPRESSED.items() if where.name.lower().endswith(end)), None)
        self._file = pa.input_stream(file, compression=compression) if compression else file
        self._where = where
        self.read_so_far = 0

    def read(self, size: int, /) -> bytes:
        """Return up to `size` more bytes; raises ExtractError where the object is damaged."""
        try:
            data = bytes(self._file.read(size))
        except (pa.ArrowException, OSError) as error:
            raise ExtractError(f"{self._where.url} cannot be read: {error}", "Upload the file again.") from None
        self.read_so_far += len(data)
        return data


class ObservedRows:
    """The observations that a run of a project keeps: the part of them that one of its data sources describes."""

    def __init__(self, workshop: Workshop, document: Mapping[str, Any], url: str) -> None:
        """Look at the observations; raises InvalidInput where they are no longer kept."""
        self.schema = msgspec.convert(document["attributes"], Schema)
        self.rejected = Rejections()
        self.notes: list[str] = []
        self._name = document["location"]
        self._objects = workshop.store.objects
        self._part = Part[document["part"].upper()]
        if not self._objects.exists(self._name):
            raise InvalidInput(
                f"the observations {self._name} are no longer kept", "[store.keep] says how many runs keep theirs."
            )
        self._target = document.get("target")
        with self._objects.local(self._name) as file:
            self.files = [File(url, file.stat().st_size, "")]
        with self._opened() as stored:
            self.arrow = plain_schema(stored.schema)

    def chunks(self) -> Iterator[Chunk]:
        """Yield the part's rows, in order."""
        with self._opened() as stored:
            for batch, parts in stored.batches():
                rows = plain_batch(batch.filter(pa.array(parts == self._part)))
                cells = [read_texts(column) for column in rows.columns]
                texts = pa.RecordBatch.from_arrays(cells, rows.schema.names)
                yield Chunk(0, np.ones(rows.num_rows, np.bool_), rows, texts)

    def count(self) -> int:
        """Return how many rows there are."""
        return sum(chunk.rows.num_rows for chunk in self.chunks())

    def _opened(self) -> contextlib.AbstractContextManager[Observations]:
        return kept_observations(self._objects, self._name, self._target)
