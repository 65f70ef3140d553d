"""The one canonical form of every value, and cells read as numbers, truth values and text (docs/values.md).

Whatever a source calls its types, its rows reach the rest of the house as `string`, `int64`, `float64` or `bool`, in a
form that makes the same value the same bits: a date out of a database and its text out of a CSV file are one value.

>>> canonical_array(pa.array([" Rome ", "", "12.50", "007", "2024-05-01T10:00:00Z"])).to_pylist()
['Rome', None, '12.5', '007', '2024-05-01 10:00:00']
>>> read_numbers(pa.array(["1e3", "n/a", "1,000"]))
NumberCells(values=array([1000.,   nan,   nan]), missing=1, invalid=1)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import numba as nb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from understudy.errors import InvalidInput
from understudy.hashing import UInt64s, hash_numbers, hash_strings, hash_text, hash_words, string_buffers

BATCH_ROWS = 65_536
"""Rows that a batch holds at most. Nothing may depend on where a batch ends."""

MISSING_WORDS = frozenset({"na", "n/a", "nan", "null", "none", "?", "-"})
"""Spellings, in lower case, of a number that is not there."""

TRUE_WORDS = frozenset({"1", "y", "yes", "t", "true"})
FALSE_WORDS = frozenset({"0", "n", "no", "f", "false"})
"""Amazon ML's spellings of truth values, in lower case (reference 3.3)."""

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_CURRENCY = (pa.string(), pa.int64(), pa.float64(), pa.bool_())
_KEY_SEED = 0x6B6579
_EXACT = 2.0**53
"""From here on a float64 no longer tells neighbouring integers apart."""
_POSITIONAL = 1e16
"""Numbers below this (and above its inverse) are written without an exponent."""

_DECIMAL = r"^(-?\d+)(?:\.0+|(\.\d*?)0+)?$"
_PLAIN_DECIMAL = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d+))? ?([Zz]|[+-]\d\d(?::?\d\d)?)?", re.ASCII)


@dataclass(frozen=True)
class NumberCells:
    """Cells of one column read as numbers."""

    values: Floats
    """float64[n]; NaN where a cell is missing or invalid."""
    missing: int
    """How many cells hold nothing: null, empty, or one of `MISSING_WORDS`."""
    invalid: int
    """How many cells hold something else that cannot be read."""


# Canonical form ------------------------------------------------------------------------------------------------------


def canonical_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch of any Arrow types in canonical form: same names, same rows."""
    return pa.RecordBatch.from_arrays([canonical_array(column) for column in batch.columns], names=batch.schema.names)


def canonical_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of any Arrow type's canonical form. It hangs on the type alone, never on the values."""
    if pa.types.is_dictionary(kind):
        return canonical_type(kind.value_type)
    if pa.types.is_boolean(kind):
        return pa.bool_()
    if pa.types.is_integer(kind):
        return pa.string() if kind == pa.uint64() else pa.int64()
    return pa.float64() if pa.types.is_floating(kind) else pa.string()


def canonical_array(array: pa.Array) -> pa.Array:
    """Return an array of any Arrow type as `string`, `int64`, `float64` or `bool` in canonical form.

    Text is stripped of surrounding white space, empty text is null, NaN is null, -0.0 is 0.0. Numbers that no int64 or
    float64 holds exactly (decimals, uint64) become their plain decimal text, lists and structs their JSON.
    """
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _canonical_extension(array)
    if pa.types.is_dictionary(kind):
        return canonical_array(array.dictionary_decode())
    if pa.types.is_floating(kind):
        return _canonical_floats(array)
    if canonical_type(kind) != pa.string():
        return array.cast(canonical_type(kind))
    return _canonical_texts(_spelled(array))


def _canonical_extension(array: pa.Array) -> pa.Array:
    if array.type.extension_name == "arrow.uuid":
        return pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string())
    return canonical_array(array.storage)


def _canonical_floats(array: pa.Array) -> pa.Array:
    """Widen by the shortest decimal, so that a float32's 0.1 reads 0.1; NaN becomes null, -0.0 becomes 0.0."""
    if array.type == pa.float16():
        array = array.cast(pa.float32())
    if array.type == pa.float32():
        array = array.cast(pa.string()).cast(pa.float64())
    zeroed = pc.add(array, 0.0)
    return pc.if_else(pc.is_nan(zeroed), pa.scalar(None, pa.float64()), zeroed)


def _spelled(array: pa.Array) -> pa.Array:
    """Write an array of any type that is not a plain number as `string`."""
    kind = array.type
    if kind == pa.string():
        return array
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or kind == pa.uint64() or pa.types.is_null(kind):
        return array.cast(pa.string())
    if pa.types.is_timestamp(kind):
        zone = "UTC" if kind.tz else None
        return array.cast(pa.timestamp("us", zone), safe=False).cast(pa.timestamp("us")).cast(pa.string())
    if pa.types.is_date(kind):
        return array.cast(pa.date32(), safe=False).cast(pa.string())
    if pa.types.is_time(kind):
        return pc.replace_substring_regex(array.cast(pa.time64("us"), safe=False).cast(pa.string()), r"\.0+$", "")
    return pa.array([_spell_object(value) for value in array.to_pylist()], pa.string())


def _spell_object(value: object) -> str | None:
    """Write a decimal, bytes, list or struct, or anything rarer, as text."""
    if value is None:
        return None
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.hex()
    if isinstance(value, list | dict):
        return msgspec.json.encode(value, enc_hook=str).decode()
    return format(value, "f") if hasattr(value, "as_tuple") else str(value)


def _canonical_texts(array: pa.Array) -> pa.Array:
    shapes = _text_shapes(array)
    if (shapes & _EDGE).any():
        array = pc.utf8_trim_whitespace(array)
        shapes = _text_shapes(array)
    array = _rewrite(array, (shapes & _ZEROS) > 0, _without_zeros)
    array = _rewrite(array, (shapes & _TIME) > 0, _with_plain_time)
    empty = shapes & _EMPTY
    return pc.if_else(pa.array(empty > 0), pa.scalar(None, pa.string()), array) if empty.any() else array


def _rewrite(array: pa.Array, chosen: Flags, rewritten: object) -> pa.Array:
    """Put rewritten(cells) in place of the chosen cells; costs nothing where none are."""
    if not chosen.any():
        return array
    mask = pa.array(chosen)
    return pc.replace_with_mask(array, mask, rewritten(array.filter(mask)))  # type: ignore[operator]


def _without_zeros(texts: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(pc.replace_substring_regex(texts, _DECIMAL, r"\1\2"), "^-0$", "0")


def _with_plain_time(texts: pa.Array) -> pa.Array:
    return pa.array([_plain_time(text) for text in texts.to_pylist()], pa.string())


def canonical_text(text: str) -> str | None:
    """Return one text cell's canonical form; the plain twin of `canonical_array` on `string`.

    >>> canonical_text(" 1.0 "), canonical_text("2024-05-01T10:00:00.5+02:00"), canonical_text(" ")
    ('1', '2024-05-01 08:00:00.500000', None)
    """
    text = text.strip()
    if not text:
        return None
    if _PLAIN_DECIMAL.fullmatch(text):
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if text == "-0" else text
    return _plain_time(text)


def _plain_time(text: str) -> str:
    """Rewrite an ISO timestamp as `YYYY-MM-DD HH:MM:SS[.ffffff]`, in UTC where it names a zone; leave other text."""
    found = _TIMESTAMP.fullmatch(text)
    if not found:
        return text
    day, clock, fraction, zone = found.groups()
    micros = (fraction or "")[:6].ljust(6, "0")
    if zone and zone not in "Zz":
        try:
            moment = datetime.fromisoformat(f"{day}T{clock}.{micros}{zone}").astimezone(UTC)
        except (ValueError, OverflowError):
            return text
        return moment.replace(tzinfo=None).isoformat(" ")
    return f"{day} {clock}" if micros == "000000" else f"{day} {clock}.{micros}"


# Kernels: the shape of each cell in one look at its bytes -----------------------------------------------------------

_EMPTY, _EDGE, _ZEROS, _TIME = 1, 2, 4, 8
_NO_NUMBER, _PLAIN, _CODED = 0, 1, 2
"""A number is coded where its digits may be a code's: a leading zero, or a plus sign."""


def _text_shapes(array: pa.Array) -> npt.NDArray[np.uint8]:
    """Tell for every text cell whether it is empty, may have white space at an edge, zeros to lose, or a time."""
    data, offsets = string_buffers(array)
    shapes = np.empty(len(array), np.uint8)
    _look_at_texts(data, offsets, shapes)
    return shapes


def _number_shapes(array: pa.Array) -> npt.NDArray[np.uint8]:
    """Tell for every text cell whether it is a number in decimal syntax, and whether a plain one."""
    data, offsets = string_buffers(array)
    shapes = np.empty(len(array), np.uint8)
    _look_at_numbers(data, offsets, shapes)
    return shapes


@nb.njit(inline="always")
def _digits(data, start, stop):  # type: ignore[no-untyped-def]
    """Return where the run of digits from `start` on ends."""
    while start < stop and 48 <= data[start] <= 57:
        start += 1
    return start


@nb.njit(nogil=True, cache=True)
def _look_at_texts(data, offsets, shapes):  # type: ignore[no-untyped-def]
    for i in range(len(shapes)):
        start, stop = offsets[i], offsets[i + 1]
        if start == stop:
            shapes[i] = _EMPTY
            continue
        first, last = data[start], data[stop - 1]
        shape = 0
        if first <= 32 or first >= 128 or last <= 32 or last >= 128:
            shape |= _EDGE
        whole = start + 1 if first == 45 else start
        point = _digits(data, whole, stop)
        if point > whole and (data[whole] != 48 or point == whole + 1):
            if point == stop:
                if whole > start and data[whole] == 48:
                    shape |= _ZEROS
            elif last == 48 and data[point] == 46 and _digits(data, point + 1, stop) == stop:
                shape |= _ZEROS
        timed = stop - start >= 19 and point == start + 4 and data[start + 13] == 58 and data[start + 16] == 58
        if timed and (stop - start > 19 or data[start + 10] != 32):
            shape |= _TIME
        shapes[i] = shape


@nb.njit(nogil=True, cache=True)
def _look_at_numbers(data, offsets, shapes):  # type: ignore[no-untyped-def]
    for i in range(len(shapes)):
        at, stop = offsets[i], offsets[i + 1]
        shapes[i] = _NO_NUMBER
        if at == stop:
            continue
        coded = data[at] == 43
        if data[at] == 43 or data[at] == 45:
            at += 1
        whole = _digits(data, at, stop)
        digits = whole - at
        coded = coded or (digits > 1 and data[at] == 48)
        at = whole
        if at < stop and data[at] == 46:
            whole = _digits(data, at + 1, stop)
            digits += whole - at - 1
            at = whole
        if digits == 0:
            continue
        if at < stop and (data[at] == 69 or data[at] == 101):
            at += 1
            if at < stop and (data[at] == 43 or data[at] == 45):
                at += 1
            whole = _digits(data, at, stop)
            if whole == at:
                continue
            at = whole
        if at == stop:
            shapes[i] = _CODED if coded else _PLAIN


# Cells read ----------------------------------------------------------------------------------------------------------


def read_numbers(array: pa.Array) -> NumberCells:
    """Read every cell as a number in decimal syntax, correctly rounded (reference 3.3, 3.5).

    A truth value reads 1 or 0. Infinities, hexadecimal and thousands separators are invalid.
    """
    array = _currency(array)
    if array.type != pa.string():
        values = _floats(array)
        infinite = np.isinf(values)
        return NumberCells(np.where(infinite, np.nan, values), array.null_count, int(infinite.sum()))
    values = _parsed(array, _number_shapes(array) != _NO_NUMBER)
    missing, invalid = _counted(array, np.isnan(values))
    return NumberCells(values, missing, invalid)


def read_truths(array: pa.Array) -> NumberCells:
    """Read every cell as a truth value by Amazon ML's lists (reference 3.3): 1.0, 0.0 or NaN."""
    array = _currency(array)
    if array.type == pa.bool_():
        return read_numbers(array)
    words = pc.utf8_lower(read_texts(array))
    values = np.where(_among(words, TRUE_WORDS), 1.0, np.where(_among(words, FALSE_WORDS), 0.0, np.nan))
    missing, invalid = _counted(array, np.isnan(values))
    return NumberCells(values, missing, invalid)


def read_texts(array: pa.Array) -> pa.StringArray:
    """Read every cell as text, as it would stand in a CSV file; null reads as empty.

    A float64 is its shortest decimal, without ".0" where it is integral and without an exponent below 1e16.
    """
    array = _currency(array)
    if array.type == pa.string():
        return array.fill_null("") if array.null_count else array
    texts = array.cast(pa.string()).fill_null("")
    if array.type != pa.float64():
        return texts
    sizes = np.abs(_floats(array))
    scientific = np.asarray(pc.match_substring(texts, "e").to_numpy(zero_copy_only=False))
    plain = scientific & (sizes < _POSITIONAL) & (sizes > 1 / _POSITIONAL)
    return _rewrite(texts, plain, _positional)


def _positional(texts: pa.Array) -> pa.Array:
    return pa.array([_spell_float(float(text)) for text in texts.to_pylist()], pa.string())


def _spell_float(value: float) -> str:
    """Write a finite number as its shortest decimal; the plain twin of `read_texts` on `float64`."""
    if 1 / _POSITIONAL < abs(value) < _POSITIONAL:
        return np.format_float_positional(value, trim="-")
    return repr(value + 0.0).removesuffix(".0")


def _currency(array: pa.Array) -> pa.Array:
    """Return cells of one of the four types; what is already of them is taken to be canonical."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array if array.type in _CURRENCY else canonical_array(array)


def _floats(array: pa.Array) -> Floats:
    """Return int64, float64 or bool cells as float64[n], NaN where null."""
    if array.type == pa.bool_():
        array = array.cast(pa.int8())
    return np.asarray(array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)


def _parsed(texts: pa.Array, numeric: Flags) -> Floats:
    """Parse the text cells that are numeric; NaN elsewhere and where a number is beyond float64."""
    values = np.full(len(texts), np.nan)
    chosen = texts if numeric.all() else texts.filter(pa.array(numeric))
    values[numeric] = chosen.cast(pa.float64()).to_numpy(zero_copy_only=False)
    values[np.isinf(values)] = np.nan
    return values


def _counted(array: pa.Array, unread: Flags) -> tuple[int, int]:
    """Count the missing and the invalid among the cells that could not be read."""
    if not unread.any():
        return 0, 0
    words = pc.utf8_lower(read_texts(array).filter(pa.array(unread)))
    missing = int(_among(words, MISSING_WORDS | {""}).sum())
    return missing, len(words) - missing


def _among(texts: pa.Array, words: frozenset[str]) -> Flags:
    return np.asarray(pc.is_in(texts, value_set=pa.array(sorted(words))).to_numpy(zero_copy_only=False))


# Row keys ------------------------------------------------------------------------------------------------------------


def row_keys(batch: pa.RecordBatch, columns: Sequence[str]) -> UInt64s:
    """Hash every row over some of its columns, the same whatever the source's types and the columns' order.

    A number hashes alike as int64, float64 or text, a truth value like 1 or 0, null like empty; a text with a leading
    zero or a plus sign is a code, not a number. Returns uint64[n]; a column that is all null leaves it as it is.
    """
    keys = np.zeros(batch.num_rows, np.uint64)
    for name in columns:
        keys += _cell_hashes(_currency(batch.column(name)), hash_text(name, _KEY_SEED))
    return hash_words(keys, _KEY_SEED)


def _cell_hashes(array: pa.Array, seed: int) -> UInt64s:
    """Hash every cell; 0 where it is empty."""
    texts = read_texts(array)
    if array.type == pa.string():
        numbers = _parsed(texts, _number_shapes(texts) == _PLAIN)
        words = pc.utf8_lower(texts) if np.isnan(numbers).any() else texts
        numbers[_among(words, frozenset({"t", "true"}))] = 1.0
        numbers[_among(words, frozenset({"f", "false"}))] = 0.0
    else:
        numbers = _floats(array)
    texts = _rewrite(texts, np.isfinite(numbers) & (np.abs(numbers) >= _EXACT), _integers)
    hashes = np.where(np.abs(numbers) < _EXACT, hash_numbers(numbers, seed), hash_strings(texts, seed))
    hashes[np.asarray(pc.equal(texts, "").to_numpy(zero_copy_only=False))] = 0
    return hashes


def _integers(texts: pa.Array) -> pa.Array:
    """Write numbers of 2**53 and more as whole digits, so that long ids stay apart and 1e17 is its digits."""
    return pa.array([str(_whole(text)) for text in texts.to_pylist()], pa.string())


def _whole(text: str) -> int:
    """Return the integer that a number's text stands for, exactly where it is written in digits alone."""
    return int(text) if text.lstrip("+-").isdigit() else int(float(text))


# Rows to be predicted ------------------------------------------------------------------------------------------------

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
    """Do for a canonical batch what `batch_of_records` does for records: exactly `columns`, and the unused names."""
    arrays = [
        _conformed(batch.column(name), kind, name) if name in batch.schema.names else pa.nulls(batch.num_rows, kind)
        for name, kind in columns
    ]
    known = {name for name, _ in columns}
    unknown = [name for name in batch.schema.names if name not in known]
    return pa.RecordBatch.from_arrays(arrays, names=[name for name, _ in columns]), unknown


def _conformed(array: pa.Array, kind: pa.DataType, name: str) -> pa.Array:
    if array.type == kind:
        return array
    texts = read_texts(array)
    if kind == pa.string():
        return pc.if_else(pc.is_null(array), pa.scalar(None, pa.string()), texts)
    if kind == pa.float64():
        cells = read_numbers(array)
        if cells.invalid == 0:
            return pa.array(cells.values, from_pandas=True)
    return pa.array([_cell(text, kind, name, row) for row, text in enumerate(texts.to_pylist(), 1)], kind)


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
        return _spell_float(value)
    return canonical_text(value if isinstance(value, str) else _spell_object(value) or "")


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
    whole = _whole(text)
    if (not number.is_integer()) or not -(2**63) <= whole < 2**63:
        raise ValueError(text)
    return whole
