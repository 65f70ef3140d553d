"""One cell at a time: what `reading` and `records` do to columns, to one value in plain Python, to the bit.

A record to be predicted is one row: Arrow's arrays of length one would cost more than all that is asked of them.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from typing import Any, TypeAlias

import pyarrow as pa

from understudy.values.canonical import canonical_text, spell_object
from understudy.values.cells import FALSE_WORDS, MISSING_WORDS, TRUE_WORDS
from understudy.values.keys import whole_number
from understudy.values.reading import spell_float

Cell: TypeAlias = str | int | float | bool | None
"""A canonical cell of one of the four types; None where it is null. No float is NaN or -0.0."""

Reader: TypeAlias = Callable[[Any], Cell]
"""Makes a canonical cell of a record's value, None where it has none; raises ValueError where that does not fit."""

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


# From what a record holds to a cell -----------------------------------------------------------------------------------


def text_of_record(value: object) -> str | None:
    """Return one value of a record to be predicted as canonical text; nested values as JSON.

    >>> text_of_record(3.0), text_of_record(True), text_of_record(" x "), text_of_record([1, "a"]), text_of_record("")
    ('3', 'true', 'x', '[1,"a"]', None)
    """
    if isinstance(value, str):
        return canonical_text(value)
    if value is None or value != value:  # noqa: PLR0124 - NaN alone differs from itself
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return spell_float(value)
    return canonical_text(spell_object(value) or "")


def number_of_record(value: object) -> float | None:
    """Return one value of a record as a cell of a float64 column; raises ValueError where it is no number.

    >>> number_of_record("12.50"), number_of_record(True), number_of_record("n/a")
    (12.5, 1.0, None)
    """
    if isinstance(value, float) and abs(value) < math.inf:
        return value + 0.0
    text = _known(value)
    return None if text is None else _float(text) + 0.0


def integer_of_record(value: object) -> int | None:
    """Return one value of a record as a cell of an int64 column; raises ValueError where it is no such integer.

    >>> integer_of_record("3.0"), integer_of_record(2**62), integer_of_record("?")
    (3, 4611686018427387904, None)
    """
    text = _known(value)
    return None if text is None else integer(text)


def truth_of_record(value: object) -> bool | None:
    """Return one value of a record as a cell of a bool column; raises ValueError where it is no truth value.

    >>> truth_of_record("Yes"), truth_of_record(0), truth_of_record(None)
    (True, False, None)
    """
    text = _known(value)
    if text is None:
        return None
    word = text.lower()
    if word not in TRUE_WORDS and word not in FALSE_WORDS:
        raise ValueError(text)
    return word in TRUE_WORDS


def number_text_of_record(value: object) -> str | None:
    """Return one value of a record as a cell of a column of texts that are numbers; raises ValueError where it is none.

    >>> number_text_of_record(12.5), number_text_of_record("n/a")
    ('12.5', 'n/a')
    """
    cell = text_of_record(value)
    if holds_no_number(cell):
        raise ValueError(cell)
    return cell


CELL_OF_RECORD: dict[pa.DataType, Reader] = {
    pa.string(): text_of_record,
    pa.float64(): number_of_record,
    pa.int64(): integer_of_record,
    pa.bool_(): truth_of_record,
}
"""What reads a record's value as a cell of a column, by the column's type; raises ValueError where it does not fit."""


def integer(text: str) -> int:
    """Read canonical text as int64, exactly beyond 2**53, too; raises ValueError where it is no integer."""
    number, truth = _float(text), text.lower() in ("true", "false")
    whole = int(number) if truth else whole_number(text)
    if (not number.is_integer()) or not -(2**63) <= whole < 2**63:
        raise ValueError(text)
    return whole


def _known(value: object) -> str | None:
    """Return a value's canonical text; None where it says that nothing is there."""
    text = text_of_record(value)
    return None if text is None or text.lower() in MISSING_WORDS else text


def _float(text: str) -> float:
    """Read canonical text as a finite number, `true` and `false` as 1 and 0; raises ValueError."""
    if _NUMBER.fullmatch(text):
        number = float(text)
        if abs(number) < math.inf:
            return number
    elif text.lower() in ("true", "false"):
        return float(text.lower() == "true")
    raise ValueError(text)


# From a cell to what it is read as ------------------------------------------------------------------------------------


def read_number(cell: Cell) -> float:
    """Read a cell as a number, NaN where it is missing or none; the plain twin of `read_numbers`.

    >>> read_number("1e3"), read_number(True), read_number("0x1F"), read_number(None)
    (1000.0, 1.0, nan, nan)
    """
    if isinstance(cell, str):
        number = float(cell) if _NUMBER.fullmatch(cell) else math.nan
    else:
        number = math.nan if cell is None else float(cell)
    return number if abs(number) < math.inf else math.nan


def number_reader(read: Reader) -> Callable[[Any], float]:
    """Return what reads a record's value as `read_number` reads the cell that `read` makes of it, -0.0 perhaps for 0.0.

    A number, and a text that is one in usual spelling, need not become a cell first.

    >>> number = number_reader(text_of_record)
    >>> number("12.50"), number(7), number(" +1e3"), number("1_000"), number("inf"), number(None)
    (12.5, 7.0, 1000.0, nan, nan, nan)
    """

    def number_of_cell(value: Any) -> float:
        return read_number(read(value))

    def number(value: Any) -> float:
        kind = value.__class__
        if kind is str or kind is float or kind is int:
            try:
                found = float(value)
            except (ValueError, OverflowError):
                return number_of_cell(value)
            if -math.inf < found < math.inf and (kind is not str or (value.isascii() and "_" not in value)):
                return found
        return number_of_cell(value)

    return number if read in _READ_ANY_NUMBER else number_of_cell


_READ_ANY_NUMBER = frozenset({text_of_record, number_of_record, number_text_of_record})
"""Readers that take every finite number for what it is."""


def holds_no_number(cell: Cell) -> bool:
    """Tell whether a cell holds something, but no number: what `read_numbers` counts as invalid."""
    if math.isnan(read_number(cell)):
        return read_text(cell).lower() not in MISSING_WORDS | {""}
    return False


def read_truth(cell: Cell) -> bool | None:
    """Read a cell as a truth value, None where it is missing or none; the plain twin of `read_truths`."""
    if isinstance(cell, bool):
        return cell
    word = read_text(cell).lower()
    return True if word in TRUE_WORDS else False if word in FALSE_WORDS else None


def read_text(cell: Cell) -> str:
    """Read a cell as text, null as empty; the plain twin of `read_texts`."""
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return spell_float(cell) if isinstance(cell, float) else str(cell)


_FLOAT32 = struct.Struct("f")


def rounded(number: float) -> float:
    """Round to float32, as numpy does: what is beyond becomes infinite.

    >>> rounded(0.1)
    0.10000000149011612
    """
    found: float = _FLOAT32.unpack(_FLOAT32.pack(number))[0]
    return found
