"""JSON lines: one object to a line -> canonical batches of text columns, nested values as JSON.

The columns are the keys of the first `LOOK_AHEAD` lines, in order of first occurrence.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

import msgspec
import pyarrow as pa

from understudy.errors import ExtractError
from understudy.extract.delimited import BLOCK
from understudy.extract.extraction import Rejections, check_columns
from understudy.extract.scanning import MAX_RECORD
from understudy.extract.window import Readable
from understudy.values import text_of_record

LOOK_AHEAD = 10_000
"""Lines whose keys become the columns."""

BATCH = 8_192

_Line = tuple[int, bytes, object]


def read_json_lines(stream: Readable, name: str, rejected: Rejections) -> tuple[list[str], Iterator[pa.RecordBatch]]:
    """Return a stream's column names and its rows; raises ExtractError where no line holds an object with keys.

    A line that is no JSON object, or that has a key outside the columns, is rejected.
    """
    lines = ((number, line, _decoded(line)) for number, line in enumerate(_lines(stream, name), 1) if line.strip())
    first = list(islice(lines, LOOK_AHEAD))
    columns = list(dict.fromkeys(key for _, _, record in first if isinstance(record, dict) for key in record))
    check_columns(columns, name)
    return columns, _batches(chain(first, lines), columns, name, rejected)


def _lines(stream: Readable, name: str) -> Iterator[bytes]:
    rest = b""
    while data := stream.read(BLOCK):
        *whole, rest = (rest + data).split(b"\n")
        if len(rest) > MAX_RECORD:
            raise ExtractError(
                f"a line of {name} is longer than {MAX_RECORD:,} bytes",
                "Save the file as JSON lines: an object to a line.",
            )
        yield from whole
    yield rest


def _decoded(line: bytes) -> object:
    """Decode one line; anything but a dictionary says what is wrong."""
    try:
        record = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return f"not JSON: {error}"
    return record if isinstance(record, dict) else "not a JSON object"


def _batches(lines: Iterator[_Line], columns: list[str], name: str, rejected: Rejections) -> Iterator[pa.RecordBatch]:
    known = set(columns)
    while block := list(islice(lines, BATCH)):
        records = []
        for number, line, record in block:
            if not isinstance(record, dict):
                rejected.add(name, number, str(record), line)
            elif not known.issuperset(record):
                keys = ", ".join(sorted(set(record) - known))
                rejected.add(name, number, f"keys that the first {LOOK_AHEAD:,} lines do not have: {keys}", line)
            else:
                records.append(record)
        if records:
            cells = [[text_of_record(record.get(column)) for record in records] for column in columns]
            yield pa.RecordBatch.from_arrays([pa.array(column, pa.string()) for column in cells], names=columns)
