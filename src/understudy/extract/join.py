"""Several sources with one column in common -> one extraction: the first streams, the others are looked up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from understudy.errors import ExtractError
from understudy.extract.extraction import Extraction, Rejections
from understudy.values import plain_batch, plain_schema, read_texts


@dataclass
class _Lookup:
    """A source held in memory, found by its ids."""

    name: str
    ids: pa.StringArray
    cells: pa.RecordBatch
    """What it adds: all columns but the join column."""
    unmatched: int = 0


def join(extractions: Sequence[Extraction], names: Sequence[str], column: str) -> Extraction:
    """Join sources on `column`: every row of the first, with the other sources' cells or nulls beside it.

    Ids are compared as text in canonical form, so that 5 and "5.0" are one. The lookups' rejected lines and warnings
    are the result's too.

    Raises
    ------
    ExtractError : a source lacks the column, two share another column, or a lookup has an id twice.

    """
    first, *others = extractions
    for extraction, name in zip(extractions, names, strict=True):
        if column not in extraction.columns:
            raise ExtractError(
                f"the source {name!r} has no column {column!r} to join on; it has {', '.join(extraction.columns)}",
                "Correct extract.join, or select that column.",
            )
    fields = _fields(extractions, names, column)
    rejected = Rejections()
    warnings = [warning for extraction in extractions for warning in extraction.warnings]
    lookups = [_lookup(other, name, column, warnings) for other, name in zip(others, names[1:], strict=True)]
    for other in others:
        rejected.include(other.rejected)
    return Extraction(
        schema=pa.schema(fields),
        batches=_joined(first, lookups, column, rejected, warnings),
        sources=[source for extraction in extractions for source in extraction.sources],
        rejected=rejected,
        warnings=warnings,
        max_rejected=1.0,  # each source judges its own
        release=first.close,
    )


def _fields(extractions: Sequence[Extraction], names: Sequence[str], column: str) -> list[pa.Field]:
    owners: dict[str, str] = {}
    fields = []
    for place, (extraction, name) in enumerate(zip(extractions, names, strict=True)):
        for field in extraction.schema:
            if field.name == column and place > 0:
                continue
            if field.name in owners:
                raise ExtractError(
                    f"the sources {owners[field.name]!r} and {name!r} both have a column {field.name!r}",
                    "Give one of them another name in its query.",
                )
            owners[field.name] = name
            fields.append(field)
    return fields


def _lookup(source: Extraction, name: str, column: str, warnings: list[str]) -> _Lookup:
    with source:
        table = pa.Table.from_batches(list(map(plain_batch, source)), plain_schema(source.schema))
    batch = pa.RecordBatch.from_arrays([part.combine_chunks() for part in table.columns], names=table.schema.names)
    named = pc.is_valid(batch.column(column))
    if lost := batch.num_rows - pc.sum(named).as_py():
        warnings.append(f"{lost:,} rows of the source {name!r} have no {column!r} and were left out")
        batch = batch.filter(named)
    ids = read_texts(batch.column(column))
    counts = pc.value_counts(ids)
    doubles = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    if len(doubles):
        raise ExtractError(
            f"the source {name!r} has more than one row with {column} {doubles[0].as_py()!r}",
            "Let each source but the first have at most one row per id.",
        )
    return _Lookup(name, ids, batch.drop_columns([column]))


def _joined(
    first: Extraction, lookups: list[_Lookup], column: str, rejected: Rejections, warnings: list[str]
) -> Iterator[pa.RecordBatch]:
    for batch in first:
        ids = pc.if_else(pc.is_valid(batch.column(column)), read_texts(batch.column(column)), None)
        arrays = list(batch.columns)
        for lookup in lookups:
            places = pc.index_in(ids, value_set=lookup.ids)
            lookup.unmatched += places.null_count
            arrays += lookup.cells.take(places).columns
        names = [*batch.schema.names, *(name for lookup in lookups for name in lookup.cells.schema.names)]
        yield pa.RecordBatch.from_arrays(arrays, names=names)
    rejected.include(first.rejected)
    warnings += [
        f"{lookup.unmatched:,} of {first.rows:,} rows have no partner in the source {lookup.name!r}"
        for lookup in lookups
        if lookup.unmatched
    ]
