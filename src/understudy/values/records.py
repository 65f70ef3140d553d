"""Records to be predicted, and other extracts, as rows of the columns that a model was trained with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from understudy.errors import InvalidInput
from understudy.values.canonical import canonical_text, spell_object
from understudy.values.cells import FALSE_WORDS, MISSING_WORDS, TRUE_WORDS
from understudy.values.coded import CODED, coded_array
from understudy.values.keys import whole_number
from understudy.values.reading import read_numbers, read_texts, read_truths, spell_float

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


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
    arrays = [
        pa.array([_cell(record.get(name), kind, name, row) for row, record in enumerate(records, 1)], kind)
        for name, kind in columns
    ]
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
        return None if text is None else int(_read_as(pa.int64(), text))
    except ValueError:
        return None


def text_of_record(value: object) -> str | None:
    """Return one value of a record to be predicted as canonical text; nested values as JSON.

    >>> text_of_record(3.0), text_of_record(True), text_of_record(" x "), text_of_record([1, "a"]), text_of_record("")
    ('3', 'true', 'x', '[1,"a"]', None)
    """
    if value is None or value != value:  # noqa: PLR0124 - NaN alone differs from itself
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return spell_float(value)
    return canonical_text(value if isinstance(value, str) else spell_object(value) or "")


def _cell(value: object, kind: pa.DataType, name: str, row: int) -> str | int | float | bool | None:
    """Return one value as its column's type holds it."""
    if kind == pa.string():
        return text_of_record(value)
    if isinstance(value, float) and kind == pa.float64() and abs(value) < np.inf:
        return value + 0.0
    text = text_of_record(value)
    if text is None or text.lower() in MISSING_WORDS:
        return None
    try:
        return _read_as(kind, text)
    except ValueError:
        raise InvalidInput(
            f"attribute {name!r} of record {row:,} is {value!r}; expected {_EXPECTED[kind]}",
            "Correct the value, or leave it out.",
        ) from None


_EXPECTED = {pa.int64(): "an integer", pa.float64(): "a number", pa.bool_(): "a truth value"}


def _read_as(kind: pa.DataType, text: str) -> int | float | bool:
    """Read canonical text as int64, float64 or bool; raises ValueError."""
    word = text.lower()
    if kind == pa.bool_():
        if word not in TRUE_WORDS | FALSE_WORDS:
            raise ValueError(text)
        return word in TRUE_WORDS
    if word in ("true", "false"):
        return int(word == "true")
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    number = float(text)
    if abs(number) == np.inf:
        raise ValueError(text)
    if kind == pa.float64():
        return number + 0.0
    whole = whole_number(text)
    if (not number.is_integer()) or not -(2**63) <= whole < 2**63:
        raise ValueError(text)
    return whole
