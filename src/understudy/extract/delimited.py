"""CSV (reference 3.1, RFC 4180): a stream of bytes -> canonical batches of text columns.

One scan over the bytes finds where each record ends, how many fields it has and on which line it begins. Bad records
are put aside with their place; the good ones are parsed by Arrow, block by block, so that memory stays constant.
"""

# ruff: noqa: ANN001, ANN202 - numba infers the types of kernels

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from understudy import compiling as nb
from understudy.errors import ExtractError
from understudy.extract.extraction import ENCODING_HINT, NOT_UTF8, Rejections, check_columns
from understudy.values import canonical_batch, coded_batch

BLOCK = 4_000_000
"""Bytes read at a time."""

MAX_RECORD = 16_000_000
"""Bytes after which a quote is given up as never closed."""

BINARY_BYTES = 1_024
"""First bytes of a file that tell whether it is text: text holds no NUL."""

_GOOD, _FIELDS, _OPEN, _BARE, _ENCODING, _LONG = range(6)

Offsets = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

Choose = Callable[[Offsets], Flags]
"""Told where the next records begin; tells which of them are wanted. Called for every record once, in order."""


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` more bytes; none at the end."""


def read_csv(
    stream: Readable, name: str, rejected: Rejections, *, names: Sequence[str] | None = None, encoding: str = "utf-8"
) -> tuple[list[str], Iterator[pa.RecordBatch]]:
    """Return a CSV stream's column names and its rows, every column as text.

    Parameters
    ----------
    stream : the file's bytes, decompressed.
    name : what messages call the stream.
    rejected : takes the lines that cannot be read, while the rows are iterated.
    names : the columns' names where the first line is no header.
    encoding : how the bytes are encoded.

    Raises
    ------
    ExtractError : there is no header line, or it is not usable.

    """
    blocks = _Blocks(stream if codecs.lookup(encoding).name == "utf-8" else _Recoded(stream, encoding), name)
    columns = list(names) if names is not None else _header(blocks)
    check_columns(columns, name)
    records = _records(blocks, columns, rejected)
    return columns, (canonical_batch(coded_batch(each.texts())) for each in records if each.good.any())


@dataclass(frozen=True)
class Records:
    """Neighbouring records of a CSV stream that were wanted: n of them, bad ones included."""

    columns: Sequence[str]
    offsets: Offsets
    """Where each begins: bytes of the decompressed stream before it, int64[n]."""
    good: Flags
    """Which of them could be read, bool[n]."""
    _data: bytes
    """The good ones, line by line."""
    _blanks: bool
    """Whether blank lines are records."""

    def texts(self) -> pa.RecordBatch:
        """Parse the good ones: every column as text, just as it stands."""
        return _parsed(self._data, self.columns, blanks=self._blanks)


def read_records(
    stream: Readable,
    name: str,
    rejected: Rejections,
    columns: Sequence[str],
    *,
    header: bool,
    choose: Choose | None = None,
    max_bytes: int = MAX_RECORD,
) -> tuple[list[str], Iterator[Records]]:
    """Return the names in a CSV stream's header line, if it has one, and its records, which go by position.

    Of one column a blank line is a record, too: one with an empty value.

    Parameters
    ----------
    stream, name : as for `read_csv`.
    rejected : takes the wanted records that cannot be read, while the records are iterated.
    columns : what the columns are called, whatever the header says.
    header : whether the first record names the columns; it is no record then.
    choose : tells which records are wanted; None wants all.
    max_bytes : length above which a record is rejected.

    Raises
    ------
    ExtractError : there is no header line, or it is not usable.

    """
    blocks = _Blocks(stream, name, blanks=len(columns) == 1)
    names = _header(blocks, alone=len(columns) == 1) if header else []
    return names, _records(blocks, columns, rejected, choose, max_bytes)


class _Recoded:
    """A stream in another encoding, read as UTF-8; what cannot be decoded stays invalid: its line is rejected."""

    def __init__(self, stream: Readable, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="surrogateescape")

    def read(self, size: int, /) -> bytes:
        text = ""
        while not text:
            data = self._stream.read(size)
            text = self._decoder.decode(data, final=not data)
            if not data:
                break
        return text.encode(errors="surrogateescape")


@dataclass
class _Places:
    """Where the records of a block stand: n of them."""

    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    """One past the last byte of each, before its line end."""
    lines: npt.NDArray[np.int64]
    fields: npt.NDArray[np.int64]
    faults: npt.NDArray[np.int64]
    """What is wrong with each: _GOOD or another."""
    base: int = 0
    """Bytes of the stream before the block."""


class _Blocks:
    """A stream cut into blocks that end where a record ends."""

    def __init__(self, stream: Readable, name: str, *, blanks: bool = False) -> None:
        """`blanks` says that blank lines are records; the header line is never one."""
        self._stream = stream
        self.name = name
        self.blanks = blanks
        first = bytes(stream.read(BLOCK))
        self._rest = first.removeprefix(codecs.BOM_UTF8)
        self._offset = len(first) - len(self._rest)
        self._line = 1
        self._ended = False

    def next(self, fields: int, most: int = 2**62) -> tuple[bytes, _Places] | None:
        """Return the next block and its records (at most so many); None at the end. `fields` -1 takes any number."""
        while self._rest or not self._ended:
            found, used, line = _scanned(
                self._rest, fields, most, self._line, ended=self._ended, blanks=self.blanks and fields > 0
            )
            block = self._rest[:used]
            found.base = self._offset
            self._rest, self._line, self._offset = self._rest[used:], line, self._offset + used
            if len(found.starts):
                return block, found
            self._read_on()
        return None

    def _read_on(self) -> None:
        if len(self._rest) > MAX_RECORD + 2 * BLOCK:
            raise ExtractError(
                f"line {self._line:,} of {self.name} is longer than {MAX_RECORD:,} bytes{_bare_hint(self._rest)}",
                "Save the file as CSV with one row to a line.",
            )
        more = self._stream.read(BLOCK)
        self._ended = not more
        self._rest += more


def _bare_hint(data: bytes) -> str:
    return "; its lines end in bare carriage returns" if b"\r" in data and b"\n" not in data else ""


def _header(blocks: _Blocks, *, alone: bool = False) -> list[str]:
    """Read the header line; `alone` says that one column is expected, whose name may hold any separator."""
    found = blocks.next(-1, most=1)
    if found is None:
        raise ExtractError(f"{blocks.name} is empty", "Its first line should name the columns.")
    block, records = found
    data = block[records.starts[0] : records.ends[0]]
    if b"\0" in block[:BINARY_BYTES] and not block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ExtractError(
            f"{blocks.name} is not text: it holds NUL bytes", "Give CSV, JSON lines, or Parquet with that ending."
        )
    if records.faults[0] == _BARE:
        raise ExtractError(
            f"the lines of {blocks.name} end in bare carriage returns",
            'Save the file with LF or CRLF line ends (in Excel on a Mac: "Windows Comma Separated").',
        )
    try:
        cells = next(csv.reader(io.StringIO(data.decode(), newline="")))
    except (UnicodeDecodeError, csv.Error, StopIteration):
        raise ExtractError(
            f"the header line of {blocks.name} is not UTF-8 text: {data[:40].decode(errors='replace')!r}", ENCODING_HINT
        ) from None
    if not alone and len(cells) == 1 and any(mark in cells[0] for mark in ";\t|"):
        raise ExtractError(f"the header line of {blocks.name} has no comma: {cells[0][:80]!r}", "Separate by commas.")
    return [cell.strip() or f"Var{place:02}" for place, cell in enumerate(cells, 1)]


def _records(
    blocks: _Blocks,
    columns: Sequence[str],
    rejected: Rejections,
    choose: Choose | None = None,
    max_bytes: int = MAX_RECORD,
) -> Iterator[Records]:
    while (found := blocks.next(len(columns))) is not None:
        block, places = found
        _mark_undecodable(block, places)
        too_long = (places.faults == _GOOD) & (places.ends - places.starts > max_bytes)
        places.faults[too_long] = _LONG
        offsets, good = places.starts + places.base, places.faults == _GOOD
        wanted = choose(offsets) if choose else np.ones(len(offsets), np.bool_)
        for place in np.flatnonzero(wanted & ~good):
            start, end = places.starts[place], places.ends[place]
            reason = _reason(int(places.faults[place]), int(places.fields[place]), len(columns), max_bytes)
            rejected.add(blocks.name, int(places.lines[place]), reason, block[start:end])
        yield Records(columns, offsets[wanted], good[wanted], _only(block, places, wanted & good), blocks.blanks)


def _mark_undecodable(block: bytes, places: _Places) -> None:
    """Mark the records that are not UTF-8."""
    start = 0
    while True:
        try:
            codecs.utf_8_decode(memoryview(block)[start:], "strict", True)
        except UnicodeDecodeError as error:
            place = int(np.searchsorted(places.starts, start + error.start, side="right")) - 1
            if place >= 0 and places.faults[place] == _GOOD:
                places.faults[place] = _ENCODING
            start = max(start + error.end, int(places.ends[place]) if place >= 0 else 0)
        else:
            return


def _reason(fault: int, fields: int, expected: int, max_bytes: int) -> str:
    if fault == _FIELDS:
        return f"{fields:,} fields where {expected:,} are expected"
    if fault == _LONG:
        return f"longer than {max_bytes:,} bytes"
    return {_OPEN: "a quote is never closed", _BARE: "a bare carriage return", _ENCODING: NOT_UTF8}[fault]


def _only(block: bytes, places: _Places, kept: Flags) -> bytes:
    """Return the block with nothing but some of its records."""
    if kept.all():
        return block
    edges = np.flatnonzero(np.diff(kept, prepend=False, append=False))  # where runs of kept records begin and end
    runs = zip(edges[::2].tolist(), (edges[1::2] - 1).tolist(), strict=True)
    return b"".join(block[places.starts[first] : places.ends[last] + 1] for first, last in runs)


def _parsed(block: bytes, columns: Sequence[str], *, blanks: bool) -> pa.RecordBatch:
    if block.startswith(codecs.BOM_UTF8):
        block = codecs.BOM_UTF8 + block  # Arrow takes one away; within a stream it belongs to the value
    table = pyarrow.csv.read_csv(
        pa.BufferReader(block),
        pyarrow.csv.ReadOptions(column_names=columns, block_size=len(block) + 1),
        pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=not blanks),
        pyarrow.csv.ConvertOptions(
            check_utf8=False, column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
        ),
    )
    return table.combine_chunks().to_batches()[0]


def _scanned(data: bytes, fields: int, most: int, line: int, *, ended: bool, blanks: bool) -> tuple[_Places, int, int]:
    """Find the records of `data`; return them, how many bytes they take, and the line that follows."""
    view = np.frombuffer(data, np.uint8)
    room = min(int(np.count_nonzero(view == 10)) + 1, most)
    table = np.zeros((5, room), np.int64)
    found, used, line = _scan(view, fields, ended, blanks, line, table)
    return _Places(*table[:, :found]), int(used), int(line)


@nb.njit(nogil=True, cache=True)
def _scan(data, wanted, ended, blanks, line, table):  # type: ignore[no-untyped-def]  # noqa: PLR0912 - one state machine
    """Fill the table (start, end, line, fields, fault) of records; the twin of Arrow's parser in what a quote means.

    A quote opens a quoted field only at the field's beginning. Where a record that spans lines is bad, only its first
    line is rejected and the scan goes on behind it: one stray quote costs one line, not all lines up to the next quote.
    """
    size, at, found = len(data), 0, 0
    while at < size and found < table.shape[1]:
        start, fields, breaks, first_break = at, 1, 0, -1
        fresh, quoted, bare, whole = True, False, False, False
        while at < size:
            byte = data[at]
            if quoted:
                if byte == 34:
                    if at + 1 < size and data[at + 1] == 34:
                        at += 1
                    else:
                        quoted = False
                elif byte == 10:
                    breaks += 1
                    if first_break < 0:
                        first_break = at
            elif byte == 10:
                whole = True
                break
            elif byte == 34 and fresh:
                quoted = True
            elif byte == 13 and at + 1 < size and data[at + 1] != 10:
                bare = True
            fresh = byte == 44 and not quoted
            fields += fresh
            at += 1
        lost = quoted and first_break >= 0 and at - start > MAX_RECORD
        if not (whole or ended or lost):
            return found, start, line
        fault = _GOOD
        if quoted:
            fault = _OPEN
        elif bare:
            fault = _BARE
        elif fields != wanted and wanted >= 0:
            fault = _FIELDS
        end = at
        if fault != _GOOD and first_break >= 0:
            end, breaks = first_break, 0
        at = end + 1
        if blanks or end > start + 1 or (end == start + 1 and data[start] != 13):
            table[0, found], table[1, found], table[2, found] = start, end, line
            table[3, found], table[4, found] = fields, fault
            found += 1
        line += breaks + 1
    return found, min(at, size), line
