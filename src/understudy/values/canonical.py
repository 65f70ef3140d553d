"""The canonical form of every value, whatever the source calls its type."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec
import pyarrow as pa

from understudy.later import pc
from understudy.values.cells import Flags
from understudy.values.coded import CODED
from understudy.values.shapes import EDGE, EMPTY, TIME, ZEROS, text_shapes

_DECIMAL = r"^(-?\d+)(?:\.0+|(\.\d*?)0+)?$"

_PLAIN_DECIMAL = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?", re.ASCII)

_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d+))? ?([Zz]|[+-]\d\d(?::?\d\d)?)?", re.ASCII)


def canonical_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch of any Arrow types in canonical form: same names, same rows."""
    return pa.RecordBatch.from_arrays([canonical_array(column) for column in batch.columns], names=batch.schema.names)


def canonical_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of any Arrow type's canonical form. It hangs on the type alone, never on the values."""
    if pa.types.is_dictionary(kind):
        inner = canonical_type(kind.value_type)
        return CODED if inner == pa.string() else inner
    if pa.types.is_boolean(kind):
        return pa.bool_()
    if pa.types.is_integer(kind):
        return pa.string() if kind == pa.uint64() else pa.int64()
    return pa.float64() if pa.types.is_floating(kind) else pa.string()


def canonical_array(array: pa.Array) -> pa.Array:
    """Return an array of any Arrow type as `string`, `int64`, `float64` or `bool` in canonical form.

    Text is stripped of surrounding white space, empty text is null, NaN is null, -0.0 is 0.0. Numbers that no int64 or
    float64 holds exactly (decimals, uint64) become their plain decimal text, lists and structs their JSON. A dictionary
    whose values become text stays one, of the type `CODED`.
    """
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _canonical_extension(array)
    if pa.types.is_dictionary(kind):
        return _canonical_dictionary(array)
    if pa.types.is_floating(kind):
        return _canonical_floats(array)
    if canonical_type(kind) != pa.string():
        return array.cast(canonical_type(kind))
    return _canonical_texts(_spelled(array))


def _canonical_extension(array: pa.Array) -> pa.Array:
    if array.type.extension_name == "arrow.uuid":
        return pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string())
    return canonical_array(array.storage)


def _canonical_dictionary(array: pa.DictionaryArray) -> pa.Array:
    """Look at each different cell once; cells that became one, or nothing, get one code, or none."""
    if canonical_type(array.type) != CODED:
        return canonical_array(array.dictionary_decode())
    cells = canonical_array(array.dictionary).dictionary_encode()
    places, indices = cells.indices, array.indices.cast(pa.int32())
    if len(cells.dictionary) < len(cells):
        indices = places.take(indices)
    return pa.DictionaryArray.from_arrays(indices, cells.dictionary)


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
    return pa.array([spell_object(value) for value in array.to_pylist()], pa.string())


def spell_object(value: object) -> str | None:
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
    shapes = text_shapes(array)
    if not shapes.any():
        return array
    if (shapes & EDGE).any():
        array = pc.utf8_trim_whitespace(array)
        shapes = text_shapes(array)
    array = rewrite(array, (shapes & ZEROS) > 0, _without_zeros)
    array = rewrite(array, (shapes & TIME) > 0, _with_plain_time)
    empty = shapes & EMPTY
    return pc.if_else(pa.array(empty > 0), pa.scalar(None, pa.string()), array) if empty.any() else array


def rewrite(array: pa.Array, chosen: Flags, rewritten: object) -> pa.Array:
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
    if text[0] not in "-0123456789":  # neither a number nor a time
        return text
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
