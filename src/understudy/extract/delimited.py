"""CSV (reference 3.1, RFC 4180): a stream of bytes -> canonical batches of text columns, coded.

A window moves along the stream. One scan finds where each record and each field in it stands; bad records are put
aside with their place, and each column of the good ones is coded straight from the bytes. Memory stays constant.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from understudy.errors import ExtractError
from understudy.extract.extraction import BATCH_BYTES, ENCODING_HINT, NOT_UTF8, Rejections, check_columns
from understudy.extract.scanning import BARE, ENCODING, FIELDS, LONG, MAX_RECORD, OPEN, look_over, scan
from understudy.extract.window import Readable, Window
from understudy.memory import SPARE
from understudy.values import BATCH_ROWS
from understudy.values.coding import Coder, Cuts

BLOCK = 1_000_000
"""Bytes read at a time, at least."""

MOST_BLOCKS = 4
"""So many blocks are read at a time where a record is longer than one: it is looked at anew each time."""

MOST_CELLS = 4_000_000
"""Cells of a batch, so that wide rows do not fill the memory."""

LONGEST = MAX_RECORD + 8_000_000
"""Bytes without a line end after which a file is given up: it holds something else."""

BINARY_BYTES = 1_024
"""First bytes of a file that tell whether it is text: text holds no NUL."""

Offsets = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

Choose = Callable[[Offsets], Flags]
"""Told where the next records begin; tells which of them are wanted. Called for every record once, in order."""


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
    source = _Source(stream if codecs.lookup(encoding).name == "utf-8" else _Recoded(stream, encoding), name)
    columns = list(names) if names is not None else _header(source)
    check_columns(columns, name)
    records = _records(source, columns, rejected)
    return columns, (each.rows() for each in records if each.good.any())


@dataclass(frozen=True)
class Records:
    """Neighbouring records of a CSV stream that were wanted: n of them, bad ones included.

    Their cells can be asked for until the next records are.
    """

    columns: Sequence[str]
    offsets: Offsets
    """Where each begins: bytes of the decompressed stream before it, int64[n]."""
    good: Flags
    """Which of them could be read, bool[n]."""
    _data: npt.NDArray[np.uint8]
    _cuts: Cuts
    """Where the good ones' fields stand in the data; see `scanning.scan`."""
    _coder: Coder

    def rows(self) -> pa.RecordBatch:
        """Return the good ones in canonical form: every column as text, coded."""
        return self._batch(self._coded(canonical=True))

    def texts(self) -> pa.RecordBatch:
        """Return the good ones just as they stand: every column as plain text."""
        return self._batch([array.dictionary_decode().fill_null("") for array in self._coded(canonical=False)])

    def _coded(self, *, canonical: bool) -> list[pa.DictionaryArray]:
        pairs = zip(self._cuts[:-1], self._cuts[1:], strict=True)
        return [self._coder.column(self._data, left, right, canonical=canonical) for left, right in pairs]

    def _batch(self, arrays: list[pa.Array]) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays(arrays, names=list(self.columns))


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
    source = _Source(stream, name, blanks=len(columns) == 1)
    names = _header(source, alone=len(columns) == 1) if header else []
    return names, _records(source, columns, rejected, choose, max_bytes)


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
class _Found:
    """Records in order as they stand in a window, n good and m bad ones."""

    cuts: Cuts
    """int32[fields + 1, n]; see `scanning.scan`."""
    bad: npt.NDArray[np.int64]
    """int64[m, 4]: start, end, fields and fault."""
    size: int
    """Bytes of the window that are done with."""
    ascii: bool
    """Whether these are all ASCII."""

    @property
    def starts(self) -> Offsets:
        """Where the good ones begin."""
        return np.asarray(self.cuts[0] + 1, np.int64)

    def ends(self, data: npt.NDArray[np.uint8]) -> Offsets:
        """Return where their line ends stand: a carriage return before one counts as the record's."""
        ends = self.cuts[-1]
        return np.asarray(ends + (data[ends] == ord("\r")), np.int64)

    def in_order(self) -> tuple[Offsets, Flags]:
        """Return where all of them begin, and which are good."""
        starts, good = self.starts, np.ones(self.cuts.shape[1], np.bool_)
        if not len(self.bad):
            return starts, good
        starts = np.concatenate([starts, self.bad[:, 0]])
        order = np.argsort(starts)
        return starts[order], order < len(good)

    def put_aside(self, wrong: Flags, fault: int, data: npt.NDArray[np.uint8]) -> None:
        """Make good records bad."""
        if not wrong.any():
            return
        added = np.zeros((np.count_nonzero(wrong), 4), np.int64)
        added[:, 0], added[:, 1], added[:, 3] = self.starts[wrong], self.ends(data)[wrong], fault
        self.bad = np.concatenate([self.bad, added])
        self.bad = self.bad[np.argsort(self.bad[:, 0])]
        self.cuts = _only(self.cuts, ~wrong)


class _Source:
    """A stream of records, seen through a window."""

    def __init__(self, stream: Readable, name: str, *, blanks: bool = False) -> None:
        """`blanks` says that blank lines are records; the header line is never one."""
        self.window = Window(stream, SPARE)
        self.name = name
        self.line = 1
        """Number of the line with which the window begins."""
        self._blanks = blanks
        self._done = self._done_lines = 0
        self._cuts: Cuts = np.empty((0, 0), np.int32)
        self._faulty: npt.NDArray[np.int64] = np.empty((0, 4), np.int64)
        while not self.window.ended and self.window.size < len(codecs.BOM_UTF8):
            self.window.read_on(BLOCK)
        if self.window.bytes(0, len(codecs.BOM_UTF8)) == codecs.BOM_UTF8:
            self.window.drop(len(codecs.BOM_UTF8))

    def next(self, fields: int, most: int = BATCH_ROWS) -> _Found | None:
        """Return the next records (at most so many); None at the end. `fields` -1 takes any number.

        What was found before is gone then.
        """
        self._move_on()
        window, blanks = self.window, self._blanks and fields > 0
        cuts, faulty = self._tables(max(fields, 1), most)
        at = good = bad = 0
        while True:
            at, good, bad = scan(window.data, at, window.size, window.ended, fields, blanks, cuts, good, bad, faulty)
            if good + bad == cuts.shape[1] or window.ended or (at >= BATCH_BYTES and good + bad):
                break
            if at >= BATCH_BYTES:  # of blank lines
                self._look_over(at)
                self._move_on()
                at = 0
            self._read_on(at)
        ascii_only = self._look_over(at)
        return _Found(cuts[:, :good], faulty[:bad], at, ascii_only) if good + bad else None

    def lines(self, starts: Offsets) -> Offsets:
        """Return the numbers of the lines that begin at these places of the window, as an editor counts."""
        return self.line + np.searchsorted(np.flatnonzero(self.window.data[: self._done] == ord("\n")), starts)

    def _look_over(self, size: int) -> bool:
        """Take so many bytes to be done with, and tell whether all of them are ASCII."""
        self._done = size
        self._done_lines, ascii_only = look_over(self.window.data, 0, size)
        return bool(ascii_only)

    def _move_on(self) -> None:
        self.window.drop(self._done)
        self.line += self._done_lines
        self._done = self._done_lines = 0

    def _tables(self, fields: int, most: int) -> tuple[Cuts, npt.NDArray[np.int64]]:
        """Return room for the cuts of good records, and for bad ones."""
        room = min(most, max(1, MOST_CELLS // fields))
        if self._cuts.shape != (fields + 1, room):
            # Rows whose distance is a power of two would drive each other out of the processor's cache.
            self._cuts = np.empty((fields + 1, room + 16), np.int32)[:, :room]
            self._faulty = np.empty((room, 4), np.int64)
        return self._cuts, self._faulty

    def _read_on(self, at: int) -> None:
        """Read more behind an incomplete record that begins at `at`."""
        open_bytes = self.window.size - at
        if open_bytes > LONGEST:
            lines, _ = look_over(self.window.data, 0, at)
            hint = _bare_hint(self.window.bytes(at, self.window.size))
            raise ExtractError(
                f"line {self.line + lines:,} of {self.name} is longer than {MAX_RECORD:,} bytes{hint}",
                "Save the file as CSV with one row to a line.",
            )
        self.window.read_on(max(BLOCK, min(open_bytes, MOST_BLOCKS * BLOCK)))


def _bare_hint(data: bytes) -> str:
    return "; its lines end in bare carriage returns" if b"\r" in data and b"\n" not in data else ""


def _header(source: _Source, *, alone: bool = False) -> list[str]:
    """Read the header line; `alone` says that one column is expected, whose name may hold any separator."""
    found = source.next(-1, most=1)
    if found is None:
        raise ExtractError(f"{source.name} is empty", "Its first line should name the columns.")
    whole = source.window.bytes(0, found.size)
    if b"\0" in whole[:BINARY_BYTES] and not whole.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ExtractError(
            f"{source.name} is not text: it holds NUL bytes", "Give CSV, JSON lines, or Parquet with that ending."
        )
    if len(found.bad) and found.bad[0, 3] == BARE:
        raise ExtractError(
            f"the lines of {source.name} end in bare carriage returns",
            'Save the file with LF or CRLF line ends (in Excel on a Mac: "Windows Comma Separated").',
        )
    start, end = found.bad[0, :2] if len(found.bad) else (found.cuts[0, 0] + 1, found.cuts[1, 0])
    data = whole[start:end]
    try:
        cells = next(csv.reader(io.StringIO(data.decode(), newline="")))
    except (UnicodeDecodeError, csv.Error, StopIteration):
        raise ExtractError(
            f"the header line of {source.name} is not UTF-8 text: {data[:40].decode(errors='replace')!r}", ENCODING_HINT
        ) from None
    if not alone and len(cells) == 1 and any(mark in cells[0] for mark in ";\t|"):
        raise ExtractError(f"the header line of {source.name} has no comma: {cells[0][:80]!r}", "Separate by commas.")
    return [cell.strip() or f"Var{place:02}" for place, cell in enumerate(cells, 1)]


def _records(
    source: _Source,
    columns: Sequence[str],
    rejected: Rejections,
    choose: Choose | None = None,
    max_bytes: int = MAX_RECORD,
) -> Iterator[Records]:
    coder = Coder()
    while (found := source.next(len(columns))) is not None:
        data = source.window.data
        if not found.ascii:
            found.put_aside(~_decodable(data[: found.size].data, found), ENCODING, data)
        if (found.cuts[-1] - found.cuts[0] > max_bytes).any():
            found.put_aside(found.ends(data) - found.starts > max_bytes, LONG, data)
        starts, good = found.in_order()
        offsets = starts + source.window.offset
        wanted = choose(offsets) if choose else np.ones(len(offsets), np.bool_)
        bad = found.bad[wanted[~good]]
        for line, (start, end, fields, fault) in zip(source.lines(bad[:, 0]) if len(bad) else (), bad, strict=True):
            reason = _reason(int(fault), int(fields), len(columns), max_bytes)
            rejected.add(source.name, int(line), reason, source.window.bytes(start, end))
        cuts = found.cuts if wanted.all() else _only(found.cuts, wanted[good])
        yield Records(columns, offsets[wanted], good[wanted], data, cuts, coder)


def _only(cuts: Cuts, chosen: Flags) -> Cuts:
    """Return the cuts of some records; each row in one piece, as kernels take it."""
    return np.ascontiguousarray(cuts[:, chosen])


def _decodable(block: memoryview, found: _Found) -> Flags:
    """Tell which of the good records are UTF-8."""
    fine, starts, start = np.ones(found.cuts.shape[1], np.bool_), found.starts, 0
    while True:
        try:
            codecs.utf_8_decode(block[start:], "strict", True)
        except UnicodeDecodeError as error:
            at = start + error.start
            place = int(np.searchsorted(starts, at, side="right")) - 1
            if place >= 0 and at < found.cuts[-1, place]:
                fine[place] = False
            if place + 1 == len(starts):
                return fine
            start = int(starts[place + 1])
        else:
            return fine


def _reason(fault: int, fields: int, expected: int, max_bytes: int) -> str:
    if fault == FIELDS:
        return f"{fields:,} fields where {expected:,} are expected"
    if fault == LONG:
        return f"longer than {max_bytes:,} bytes"
    return {OPEN: "a quote is never closed", BARE: "a bare carriage return", ENCODING: NOT_UTF8}[fault]
