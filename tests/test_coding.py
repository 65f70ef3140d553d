"""Columns coded straight from bytes are those that reading cell by cell would give."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.freed import be_frugal
from understudy.hashing import _GOLDEN, _MASK, _MURMUR, hash_text
from understudy.memory import SPARE
from understudy.values import BATCH_ROWS, CODED, canonical_array
from understudy.values.coding import Coder

BLANKS = " \t\n\x0b\x0c\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000"
TIMES = st.builds(
    "{}-05-01{}10:00:0{}{}{}".format,
    st.sampled_from(["2024", "0024", "24"]),
    st.sampled_from("Tt -"),
    st.integers(0, 10),
    st.sampled_from(["", ".0", ".5", ".500", ",1234567", ".0000001", "."]),
    st.sampled_from(["", "Z", " z", "+02", " -02:00", "+0200", "x", " "]),
)
CELLS = st.one_of(
    st.text(max_size=12),
    st.text("0123456789.-+eE ", max_size=12),
    st.text(f'{BLANKS}a0".\x01\u2001\u200bé', max_size=5),
    st.sampled_from(["1.0", "-0", "-0.0", "0.50", "007.0", "5.", "a\0", "a", "eight888", "eight88\1", "eight88\7"]),
    st.sampled_from(["a long category", "a long categorx", "a long category ", '"quoted", twice', "x" * 200]),
    TIMES,
)
COLUMNS = st.lists(st.tuples(CELLS, st.booleans()), max_size=200)


def _written(cells, quoted):
    """Write a column of CSV; return its bytes and where the cells stand in them."""
    texts = [cell.encode() for cell in cells]
    texts = [
        b'"' + text.replace(b'"', b'""') + b'"' if quote or text[:1] == b'"' else text
        for text, quote in zip(texts, quoted, strict=True)
    ]
    edges = np.array([-1, *itertools.accumulate(len(text) + 1 for text in texts)], np.int32)
    edges[1:] -= 1
    return np.frombuffer(b"".join(text + b"," for text in texts) + bytes(SPARE), np.uint8), edges[:-1], edges[1:]


def _same(found, expected):
    found.validate(full=True)
    assert found.type == CODED
    assert found.to_pylist() == expected
    cells = found.dictionary.to_pylist()
    assert sorted(cells) == sorted(set(expected) - {None})


@settings(max_examples=500, deadline=None)
@given(COLUMNS)
def test_column_of_csv_is_coded_in_canonical_form(column):
    """Whatever the cells and their quotes, a column is coded to the form that its cells have one by one."""
    cells, quoted = [cell for cell, _ in column], [quote for _, quote in column]
    coder = Coder()
    for _ in range(2):  # what was coded before changes nothing
        found = coder.column(*_written(cells, quoted))
        _same(found, canonical_array(pa.array(cells, pa.string())).to_pylist())
        assert canonical_array(found).equals(found)


@settings(max_examples=300, deadline=None)
@given(COLUMNS)
def test_column_of_csv_is_coded_as_it_stands(column):
    """Where the cells are wanted just as they stand, white space and zeros stay; only an empty one is null."""
    cells, quoted = [cell for cell, _ in column], [quote for _, quote in column]
    _same(Coder().column(*_written(cells, quoted), canonical=False), [cell or None for cell in cells])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.none(), CELLS), max_size=200), st.integers(0, 5))
def test_plain_columns_are_coded_to_the_same_cells(cells, start):
    """A canonical batch, or a slice of one, is coded column by column where it is text; the rest stays as it is."""
    plain = canonical_array(pa.array(cells, pa.string()))
    batch = pa.RecordBatch.from_arrays([plain, pa.array(range(len(cells)), pa.int64())], ["a", "n"]).slice(start)
    found = Coder().batch(batch)
    _same(found.column("a"), batch.column("a").to_pylist())
    assert found.column("n").equals(batch.column("n"))
    assert Coder().batch(found).equals(found)


def test_every_character_of_white_space_is_trimmed_and_no_other():
    """Of all characters those are taken from a cell's edges that Python counts as white space."""
    characters = [chr(code) for code in range(0x11000) if not 0xD800 <= code < 0xE000]
    cells = [cell for c in characters for cell in (f"{c}x", f"x{c}")]
    coder = Coder()
    for first in range(0, len(cells), BATCH_ROWS):
        part = cells[first : first + BATCH_ROWS]
        assert coder.column(*_written(part, [True] * len(part))).to_pylist() == [cell.strip() for cell in part]


def _hashed(word, h):
    h = ((h ^ int.from_bytes(word, "little")) * _MURMUR) & _MASK
    return h ^ (h >> 32)


def test_long_cells_that_share_their_hash_stay_apart():
    """Two cells may have one hash, by chance or on purpose; their bytes tell them apart, each time that they come."""
    start = 16 * _GOLDEN & _MASK
    one = b"the first" + b" of two"
    for n in itertools.count():
        other = f"{n:08}".encode()
        rest = int.from_bytes(one[8:], "little") ^ _hashed(one[:8], start) ^ _hashed(other, start)
        rest = rest.to_bytes(8, "little")
        if rest.isascii() and rest.decode().isprintable():
            break
    cells = [one.decode(), (other + rest).decode(), "a", "b"] * 100
    assert hash_text(cells[0], 0) == hash_text(cells[1], 0)
    cells += ["c", cells[0], cells[1], cells[1], cells[0]] * 50
    _same(Coder().column(*_written(cells, [True] * len(cells)), canonical=False), cells)


def test_as_many_cells_may_differ_as_a_batch_has_rows():
    """A column of ids, each its own, is coded like any other; and a batch of one cell after it, too."""
    coder = Coder()
    for width in (5, 8, 12):
        ids = [f"{n:0{width}}" for n in range(BATCH_ROWS)]
        found = coder.column(*_written(ids, [False] * len(ids)))
        assert found.indices.to_pylist() == list(range(BATCH_ROWS))
        assert found.dictionary.to_pylist() == ids
    assert coder.column(*_written(["00007"], [False])).to_pylist() == ["00007"]


def test_columns_are_coded_alike_while_other_threads_allocate():
    """What a kernel writes to is nobody else's: threads that code side by side, and allocate, get the same columns."""
    cells = [f"{number % 977}.{number % 7}" if number % 3 else f"a longer cell {number}" for number in range(5_000)]
    data, left, right = _written(cells, [False] * len(cells))
    wanted = Coder().column(data, left, right).to_pylist()
    be_frugal()  # threads share heaps then, so that what one has freed another is given

    def code(_thread):
        coder, kept = Coder(), []
        for _ in range(30):
            kept += [bytearray(size) for size in range(1_900, 2_300, 8)]  # about what a kernel needs for itself
            if coder.column(data, left, right).to_pylist() != wanted:
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(code, range(4)))
