"""Statistics of observations: one pass, every attribute, mergeable."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from understudy.errors import SchemaError
from understudy.hashing import hash_strings
from understudy.schema import AttributeType, Schema
from understudy.statistics.association import TARGETS
from understudy.statistics.attributes import COLLECTORS, TEXT_SEED, Categories, Collector
from understudy.statistics.folding import Codes, Folded, ordered_keys
from understudy.statistics.insights import Insights
from understudy.values import read_numbers, read_texts


class Statistics:
    """What one pass over observation batches finds about each attribute of a schema.

    Rows count once each: a row weight is an attribute like the others here. Memory is bounded: about 0.6 MB for a
    NUMERIC, 1.5 MB for a CATEGORICAL and 4 MB for a TEXT attribute. Only counts of more than 16,384 distinct values or
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
        absent = [name for name in self.schema.names if name not in batch.schema.names]
        if absent:
            raise SchemaError(
                f"the rows have no column for {', '.join(map(repr, absent))}, only {batch.schema.names}",
                "Correct the schema, or let the extract and the transform function deliver these columns.",
            )
        targets = self._target_codes(batch)
        for name, collector in self._collectors.items():
            collector.add(batch.column(name), targets)
        self.rows += batch.num_rows

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

    def _target_codes(self, batch: pa.RecordBatch) -> Codes:
        """Return the number of each row's bin of the target, -1 for rows without one."""
        none = np.full(batch.num_rows, -1, np.int64)
        if self.schema.target is None:
            return none
        column = batch.column(self.schema.target)
        if self.schema.type_of(self.schema.target) is AttributeType.NUMERIC:
            values = read_numbers(column).values
            present, keys = np.isfinite(values), ordered_keys(values)
        else:
            present, keys = np.asarray(column.is_valid()), hash_strings(read_texts(column), TEXT_SEED)
        codes, moves = self._targets.codes(keys[present])
        for collector in self._collectors.values():
            collector.move_targets(moves)
        none[present] = codes
        return none
