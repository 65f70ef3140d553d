"""Stored observations: rows after the transform function, and beside them the part that each plays."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from understudy.datasource import Part, Parts
from understudy.errors import CorruptObject
from understudy.sample import EvenSample, stride
from understudy.spool import read_kept, read_kept_schema
from understudy.store.contract import Objects
from understudy.target import Target
from understudy.values import plain_batch

PART = "__part__"
"""Column of what each row is for (`datasource.Part`), where runs of earlier versions kept it among the attributes."""


@dataclass(frozen=True)
class Observations:
    """Observations, as a run left them."""

    given: pa.Schema
    """The columns as they are kept."""
    read: Callable[[], Iterator[pa.RecordBatch]]
    """Reads the rows as they are kept."""
    parts: Parts | None
    """What each row is for [n]; None where the rows themselves tell, in the column PART."""
    target: Target | None
    """The target, whose cells stand as they were given; None where they are in stored form already."""

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the observations' columns in stored form."""
        schema = self.given.remove_metadata()
        if PART in schema.names:
            schema = schema.remove(schema.get_field_index(PART))
        if self.target is None:
            return schema
        place = schema.get_field_index(self.target.name)
        return schema.set(place, pa.field(self.target.name, self.target.stored_type(schema.field(place).type)))

    def batches(self) -> Iterator[tuple[pa.RecordBatch, Parts]]:
        """Yield all observations in order, the target in stored form, each batch with what its rows are for."""
        first = 0
        for batch in self.read():
            if self.parts is None:
                yield self._stored(batch.drop_columns([PART])), np.asarray(batch.column(PART))
                continue
            parts = self.parts[first : first + batch.num_rows]
            first += batch.num_rows
            if first > len(self.parts):
                break
            yield self._stored(batch), parts
        if self.parts is not None and first != len(self.parts):
            raise CorruptObject(
                f"there are {first:,} observations, where {len(self.parts):,} were kept",
                "Run `understudy learn` again.",
            )

    def training(self) -> Iterator[pa.RecordBatch]:
        """Yield the training rows alone."""
        for batch, parts in self.batches():
            yield batch.filter(pa.array(parts == Part.TRAINING))

    def training_sample(self) -> pa.Table:
        """Return an even sample of the training rows, text plain: what recipes are chosen and fitted on."""
        if self.parts is None:
            even = EvenSample()
            for rows in self.training():
                even.add(rows)
            return even.table()
        every, rank, taken = stride(int(np.count_nonzero(self.parts == Part.TRAINING)), len(self.schema)), 0, []
        for batch, parts in self.batches():
            training = np.flatnonzero(parts == Part.TRAINING)
            taken.append(plain_batch(batch.take(pa.array(training[-rank % every :: every]))))
            rank += len(training)
        return pa.Table.from_batches(taken)

    def _stored(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self.target is None:
            return batch
        place = batch.schema.get_field_index(self.target.name)
        return batch.set_column(place, self.target.name, self.target.stored(batch.column(place)))


def rows_object(run_id: str) -> str:
    """Name the object that keeps the observations of a run."""
    return f"uploads/{run_id}.arrows"


def parts_object(location: str) -> str:
    """Name the object that keeps what each row of the observations at `location` is for."""
    return f"keys/{PurePosixPath(location).stem}-parts.u8"


@contextlib.contextmanager
def kept_observations(objects: Objects, location: str, target: Mapping[str, Any] | None) -> Iterator[Observations]:
    """Open observations that a run has kept; `target` is the record of its target.

    Raises NotFound where they are no longer kept.
    """
    with objects.local(location) as file:
        schema, read = read_kept_schema(file), partial(read_kept, file)
        if PART in schema.names:  # as earlier versions kept them
            yield Observations(schema, read, None, None)
            return
        parts = np.frombuffer(objects.read(parts_object(location)), np.uint8)
        yield Observations(schema, read, parts, msgspec.convert(target, Target))
