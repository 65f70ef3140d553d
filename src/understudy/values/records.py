"""Records to be predicted, and other extracts, as rows of the columns that a model was trained with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from understudy.errors import InvalidInput
from understudy.later import pc
from understudy.values.coded import CODED, coded_array
from understudy.values.reading import read_numbers, read_texts, read_truths
from understudy.values.single import CELL_OF_RECORD, Cell, integer

Columns = Sequence[tuple[str, pa.DataType]]
"""Names and types of the extracted columns that a model was trained with."""


def batch_of_records(records: Sequence[Mapping[str, object]], columns: Columns) -> tuple[pa.RecordBatch, list[str]]:
    """Return records to be predicted as a canonical batch with exactly `columns`, and the names that it has no use for.

    Values are JSON values or strings. A column that a record does not name is null.

    Raises
    ------
    InvalidInput : a value does not fit its column; names attribute, value and record (from 1).

    >>> batch, unknown = batch_of_records([{"age": "41.0", "hat": 1}], [("age", pa.int64()), ("job", pa.string())])
    >>> batch.to_pylist(), unknown
    ([{'age': 41, 'job': None}], ['hat'])

    """
    arrays = [_column([record.get(name) for record in records], name, kind) for name, kind in columns]
    known = {name for name, _ in columns}
    unknown = dict.fromkeys(name for record in records for name in record if name not in known)
    return pa.RecordBatch.from_arrays(arrays, names=[name for name, _ in columns]), list(unknown)


def conform_batch(batch: pa.RecordBatch, columns: Columns) -> tuple[pa.RecordBatch, list[str]]:
    """Do for a canonical batch what `batch_of_records` does for records: exactly `columns`, and the unused names.

    Rows of another source may hold what a column's type cannot; such a cell is null, and the row goes on without it.
    """
    arrays = [
        _conformed(batch.column(name), kind) if name in batch.schema.names else pa.nulls(batch.num_rows, kind)
        for name, kind in columns
    ]
    known = {name for name, _ in columns}
    unknown = [name for name in batch.schema.names if name not in known]
    return pa.RecordBatch.from_arrays(arrays, names=[name for name, _ in columns]), unknown


def _conformed(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if array.type == kind:
        return array
    if kind == CODED:
        return coded_array(_conformed(array, pa.string()))
    if array.type == CODED:
        return _conformed(array.dictionary, kind).take(array.indices)
    return _plainly_conformed(array, kind)


def _plainly_conformed(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if kind == pa.string():
        return pc.if_else(pc.is_null(array), pa.scalar(None, pa.string()), read_texts(array))
    if kind == pa.bool_():
        return pa.array(read_truths(array).values, from_pandas=True).cast(pa.int8()).cast(kind)
    if array.type == pa.string() and kind == pa.int64():
        return _integers(array)
    values = read_numbers(array).values
    if kind == pa.int64():
        values = np.where((values == np.trunc(values)) & (np.abs(values) < 2.0**63), values, np.nan)
    return pa.array(values, from_pandas=True).cast(kind, safe=False)


def _integers(texts: pa.Array) -> pa.Array:
    """Read text cells as int64, exactly beyond 2**53, too; null where a cell is no integer."""
    return pa.array([_integer(text) for text in texts.to_pylist()], pa.int64())


def _integer(text: str | None) -> int | None:
    try:
        return None if text is None else integer(text)
    except ValueError:
        return None


def _column(values: Sequence[object], name: str, kind: pa.DataType) -> pa.Array:
    cells = _cells(values, name, kind)
    try:
        return pa.array(cells, kind)
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"attribute {name!r} holds {error.object[error.start : error.end]!r}, which is no text in UTF-8",
            "Correct the value, or leave it out.",
        ) from None


def _cells(values: Sequence[object], name: str, kind: pa.DataType) -> list[Cell]:
    """Return a value of each record as the column `name` holds it."""
    read, cells = CELL_OF_RECORD[kind], []
    for value in values:
        try:
            cells.append(read(value))
        except ValueError:
            raise InvalidInput(
                f"attribute {name!r} of record {len(cells) + 1:,} is {value!r}; expected {_EXPECTED[kind]}",
                "Correct the value, or leave it out.",
            ) from None
    return cells


_EXPECTED = {
    pa.string(): "a text",
    pa.int64(): "an integer",
    pa.float64(): "a number",
    pa.bool_(): "a truth value",
}
