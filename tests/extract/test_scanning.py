"""Records found 64 bytes at a time are those that the rules of CSV give byte by byte."""

import io
import itertools

import numpy as np
import pyarrow as pa
import pyarrow.csv
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.extract.scanning import BARE, FIELDS, GOOD, MAX_RECORD, OPEN, look_over, scan
from understudy.memory import SPARE

PIECES = [",", '"', "\n", "\r", "\r\n", '""', '",', ',"', '"\n', '\n"', "a", " ", "\0", "é", "1.50", "x" * 40]
LINES = ["a,b\n", '"a","b"\n', '"a, b","c\nd"\n', '"a ""b""",\r\n', ",\n", 'a"b",c\n', '"a"b",c"\n', "\n", "a,b,c\r\n"]
TEXTS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
    st.lists(st.sampled_from([*LINES, *LINES, *PIECES]), max_size=60).map("".join),
)


def _records(data, wanted, *, ended, blanks):
    """Read records byte by byte: start, end, fields, fault and cells of each, and where they stop; the slow twin."""
    at, found = 0, []
    while at < len(data):
        start, quoted, bare, whole, breaks = at, False, False, False, []
        edges = [start - 1]
        while at < len(data) and not whole:
            byte, following = data[at], data[at + 1 : at + 2]
            if quoted and byte == ord('"') and following == b'"':
                at += 1
            elif quoted and byte == ord('"'):
                quoted = False
            elif quoted:
                breaks += [at] if byte == ord("\n") else []
            elif byte == ord("\n"):
                whole = True
                break
            elif byte == ord('"') and at == edges[-1] + 1:
                quoted = True
            elif byte == ord(","):
                edges.append(at)
            elif byte == ord("\r") and following not in (b"\n", b""):
                bare = True
            at += 1
        if not (whole or ended):
            return found, start
        fault = OPEN if quoted else BARE if bare else FIELDS if len(edges) != wanted else GOOD
        if fault != GOOD and breaks:
            at = breaks[0]
        if blanks or data[start:at].strip(b"\r") or at > start + 1:
            end = at - 1 if data[start:at].endswith(b"\r") else at
            edges.append(end)
            cells = [data[left + 1 : right] for left, right in itertools.pairwise(edges)]
            found.append((start, at, len(edges) - 1, fault, cells if fault == GOOD else None))
        at += 1
    return found, min(at, len(data))


def _scanned(data, wanted, *, ended, blanks, room=100):
    """Give what `scan` finds in the same form, and where it stopped."""
    bytes_ = np.frombuffer(data + bytes(SPARE), np.uint8)
    cuts, faulty = np.empty((wanted + 1, room), np.int32), np.empty((room, 4), np.int64)
    at, good, bad = scan(bytes_, 0, len(data), ended, wanted, blanks, cuts, 0, 0, faulty)
    found = [(*map(int, row), None) for row in faulty[:bad]]
    for column in cuts[:, :good].T.tolist():
        end = column[-1] + (data[column[-1] : column[-1] + 1] == b"\r")
        cells = [data[left + 1 : right] for left, right in itertools.pairwise(column)]
        found.append((column[0] + 1, end, wanted, GOOD, cells))
    return sorted(found, key=lambda record: record[0]), at


@settings(max_examples=1_000, deadline=None)
@given(text=TEXTS, wanted=st.integers(1, 3), ended=st.booleans(), blanks=st.booleans())
def test_records_are_those_of_the_rules(text, wanted, ended, blanks):
    """Whatever the bytes, fast and slow agree on every record, its cells and its fault, and on where they stop."""
    data = text.encode()
    found = _scanned(data, wanted, ended=ended, blanks=blanks, room=len(data) + 1)
    assert found == _records(data, wanted, ended=ended, blanks=blanks)


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, wanted=st.integers(1, 3), room=st.integers(1, 5))
def test_records_are_found_piece_by_piece(text, wanted, room):
    """Where there is room for a few records only, the scan goes on behind them as if it had not stopped."""
    data, found, at = text.encode(), [], 0
    while at < len(data):
        more, used = _scanned(data[at:], wanted, ended=True, blanks=False, room=room)
        assert len(more) <= room
        found += [(start + at, end + at, *rest) for start, end, *rest in more]
        at += used
    assert found == _records(data, wanted, ended=True, blanks=False)[0]


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, wanted=st.integers(1, 3))
def test_cells_are_those_of_arrow(text, wanted):
    """What a quote means is what Arrow's parser takes it for: each good record has the cells that it reads."""
    names = [f"c{n}" for n in range(wanted)]
    for start, end, _, fault, cells in _records(text.encode(), wanted, ended=True, blanks=False)[0]:
        if fault != GOOD:
            continue
        table = pyarrow.csv.read_csv(
            io.BytesIO(text.encode()[start:end] + b"\n"),
            pyarrow.csv.ReadOptions(column_names=names),
            pyarrow.csv.ParseOptions(newlines_in_values=True),
            pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.binary()), strings_can_be_null=False),
        )
        assert [column[0].as_py() for column in table.columns] == [_content(cell) for cell in cells]


def _content(cell):
    """Return what a cell's quotes protect, and what follows them."""
    if cell[:1] != b'"':
        return cell
    inner, _, after = cell[1:].replace(b'""', b"\1\1").partition(b'"')
    return inner.replace(b"\1\1", b'"') + after.replace(b"\1\1", b'""')


def test_quote_that_is_never_closed_is_given_up():
    """Beyond so many bytes a quote counts as never closed though more may come, and costs its first line."""
    data = b'a,"b\nc,d\n' + b"x" * MAX_RECORD
    found, at = _scanned(data, 2, ended=False, blanks=False)
    assert found == [(0, 4, 1 + 1, OPEN, None), (5, 8, 2, GOOD, [b"c", b"d"])]
    assert at == 9


@given(st.binary(max_size=300), st.integers(0, 10))
def test_lines_are_counted_and_ascii_told(data, start):
    """The line ends between two places are counted, and a byte beyond ASCII is seen wherever it stands."""
    start = min(start, len(data))
    view = np.frombuffer(data + b"\n\xff" * SPARE, np.uint8)
    assert look_over(view, start, len(data)) == (data[start:].count(b"\n"), data[start:].isascii())
