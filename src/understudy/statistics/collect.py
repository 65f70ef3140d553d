"""Statistics of observations: one pass, every attribute, mergeable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from understudy.errors import SchemaError
from understudy.schema import Attribute, AttributeType, Schema
from understudy.statistics.association import TARGETS
from understudy.statistics.attributes import COLLECTORS, Categories, Collector
from understudy.statistics.cells import Column, as_texts, column_of
from understudy.statistics.folding import Folded, Targets, UInt64s, held_of
from understudy.statistics.insights import Insights
from understudy.statistics.rows import Chosen, Parts, Share, rows_of, taken
from understudy.values import BATCH_ROWS


class Statistics:
    """What one pass over observation batches finds about each attribute of a schema.

    Rows count once each: a row weight is an attribute like the others here. Memory is bounded: about 0.6 MB for a
    NUMERIC, 3 MB for a CATEGORICAL and 5 MB for a TEXT attribute. Only counts of more than 16,384 distinct values or
    words depend on the order of rows and merges (see `frequent`); nothing depends on where a batch ends.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.rows = 0
        """How many rows were added."""
        self._targets = Folded(TARGETS)
        self._collectors: dict[str, Collector] = {a.name: COLLECTORS[a.type]() for a in schema.attributes}

    def add(self, batch: pa.RecordBatch) -> None:
        """Add a batch of observations. Raises SchemaError where an attribute has no column; nothing is added then."""
        _add([self], batch, np.zeros(batch.num_rows, np.uint8))

    def merge(self, other: Statistics) -> None:
        """Add all that the other, which saw the rows after these, has seen; both go by one schema."""
        if other.schema != self.schema:
            raise SchemaError("statistics of different schemas cannot be merged", "Collect both with one schema.")
        targets, moves = self._targets.absorb(other._targets)
        for name, collector in self._collectors.items():
            collector.move_targets(moves)
            collector.merge(other._collectors[name], targets)
        self.rows += other.rows

    def insights(self) -> Insights:
        """Tell what was found so far."""
        target = self.schema.target
        found = (
            collector.insight(name, target is not None and name != target)
            for name, collector in self._collectors.items()
        )
        return Insights(self.rows, target, tuple(found))

    def value_counts(self, name: str) -> dict[str, int]:
        """Return the rows of each value of a CATEGORICAL attribute, most frequent first; at most 16,384 values."""
        collector = self._collectors[name]
        if not isinstance(collector, Categories):
            raise SchemaError(
                f"attribute {name!r} is {self.schema.type_of(name)}", "Only CATEGORICAL values are counted."
            )
        return collector.values.counts()


class SplitStatistics:
    """Statistics of several parts of the same rows, each the very same as if it had been given its rows alone.

    Most of the work is to read a batch's different cells; it is done once for all parts.
    """

    def __init__(self, schema: Schema, parts: int = 2) -> None:
        self.parts = tuple(Statistics(schema) for _ in range(parts))
        """The statistics of part 0, of part 1, and so on."""

    def add(self, batch: pa.RecordBatch, parts: Parts) -> None:
        """Add n rows to their parts, uint8[n]; rows of a part beyond the last are left out. Raises as `Statistics`."""
        _add(self.parts, batch, parts)


class _Read(NamedTuple):
    """A batch's column, its cells read by the type of its attribute."""

    column: Column
    cells: Any

    @classmethod
    def of(cls, batch: pa.RecordBatch, attribute: Attribute) -> _Read:
        column = column_of(batch.column(attribute.name), attribute.type)
        return cls(column, COLLECTORS[attribute.type].read(column.cells))


def _add(statistics: Sequence[Statistics], batch: pa.RecordBatch, parts: Parts) -> None:
    """Add each row to the statistics of its part, `BATCH_ROWS` rows at a time: so many can be counted in an int32."""
    names = batch.schema.names
    absent = [name for name in statistics[0].schema.names if name not in names]
    if absent:
        raise SchemaError(
            f"the rows have no column for {', '.join(map(repr, absent))}, only {names}",
            "Correct the schema, or let the extract and the transform function deliver these columns.",
        )
    for start in range(0, batch.num_rows, BATCH_ROWS):
        _add_some(statistics, batch.slice(start, BATCH_ROWS), parts[start : start + BATCH_ROWS])


def _add_some(statistics: Sequence[Statistics], batch: pa.RecordBatch, parts: Parts) -> None:
    schema = statistics[0].schema
    target = {a.name: _Read.of(batch, a) for a in schema.attributes if a.name == schema.target}
    shares = list(_shares(statistics, parts, target))
    for attribute in schema.attributes:
        read = target.get(attribute.name) or _Read.of(batch, attribute)
        for seen, share in shares:
            seen._collectors[attribute.name].add(read.cells, share.of(read.column))
    for seen, share in shares:
        seen.rows += len(share.targets)


def _shares(
    statistics: Sequence[Statistics], parts: Parts, target: dict[str, _Read]
) -> Iterator[tuple[Statistics, Share]]:
    """Yield the statistics of each part that has rows, and these."""
    for part, seen in enumerate(statistics):
        chosen = rows_of(parts, part)
        count = len(parts) if chosen is None else len(chosen)
        if count:
            targets = _number_targets(seen, target, chosen) if target else np.full(count, -1, np.int8)
            yield seen, Share(chosen, targets, bool((targets < 0).any()))


def _number_targets(seen: Statistics, target: dict[str, _Read], chosen: Chosen) -> Targets:
    """Return the bin of the target of each chosen row, int8[n], -1 for a row without one; follow bins that move."""
    ((name, read),) = target.items()
    keys, is_target = _target_keys(read, seen.schema.type_of(name))
    codes, counts = taken(read.column, chosen)
    numbers, moves = seen._targets.numbers(keys, held_of(np.where(is_target, counts, np.int32(0))))
    for collector in seen._collectors.values():
        collector.move_targets(moves)
    return np.where(is_target, numbers, -1).astype(np.int8)[codes]


def _target_keys(read: _Read, kind: AttributeType) -> tuple[UInt64s, npt.NDArray[np.bool_]]:
    """Return the key of each cell's bin of the target, uint64[k + 1], and whether it is a target at all."""
    if kind is AttributeType.NUMERIC:
        return read.cells.keys, np.append(np.isfinite(read.cells.values), False)
    keys = as_texts(read.column.cells).hashes
    return keys, np.arange(len(keys)) < len(keys) - 1
