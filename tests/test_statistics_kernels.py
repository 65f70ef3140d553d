"""The compiled loops of statistics: each beside its plain twin."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.statistics import kernels
from understudy.values.coded import fill_codes

CELLS = 6
CODES = st.lists(st.integers(0, CELLS - 1), max_size=40).map(lambda codes: np.array(codes, np.int32))
KEYS = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9), min_size=1, max_size=40)


def held(counts):
    """Return the cells that have a count."""
    return np.flatnonzero(counts).astype(np.int32)


def uints(values):
    return np.array(values, np.uint64)


def table_of(capacity):
    """Return an empty table."""
    return kernels.Table(
        slots=kernels.empty_slots(capacity),
        keys=np.zeros(capacity, np.uint64),
        totals=np.zeros(capacity, np.int64),
        registers=np.zeros(1 << kernels.REGISTER_BITS, np.uint8),
    )


def numbered(table, size):
    """Return the keys of a table by number, having looked each of them up."""
    keys = table.keys[:size]
    assert kernels.count_new(keys, np.arange(size, dtype=np.int32), table.slots, table.keys) == 0
    return keys.tolist()


def registers_of(hashes):
    """Return what HyperLogLog knows of hashes, bit by bit."""
    registers = np.zeros(1 << kernels.REGISTER_BITS, np.uint8)
    for value in hashes:
        bits = f"{value:064b}"
        place, rest = int(bits[: kernels.REGISTER_BITS], 2), bits[kernels.REGISTER_BITS :] + "1"
        registers[place] = max(registers[place], rest.index("1") + 1)
    return registers


@given(values=st.lists(st.floats(allow_nan=False), min_size=1))
def test_ordered_keys_sort_as_numbers_do(values):
    """The keys of numbers stand in the numbers' order, and zero has one key, whatever its sign."""
    values = np.array(values)
    keys = np.empty(len(values), np.uint64)
    kernels.write_ordered_keys(values.view(np.int64), keys)
    assert np.array_equal(np.unique(keys, return_inverse=True)[1], np.unique(values, return_inverse=True)[1])


@given(cells=st.lists(st.none() | st.integers(0, 99)), start=st.integers(0, 20))
def test_nulls_have_a_code_of_their_own(cells, start):
    """Codes stay as they are but for those of nulls, wherever in Arrow's memory a slice begins."""
    array = pa.array([*[None] * start, *cells, None], pa.int32())[start:]
    valid, data = array.buffers()
    codes = np.empty(len(array), np.int32)
    fill_codes(np.frombuffer(data, np.int32)[start:], np.frombuffer(valid, np.uint8), start, 100, codes)
    assert codes.tolist() == [100 if cell is None else cell for cell in array.to_pylist()]


@given(codes=CODES, chosen=st.sets(st.integers(0, 39)))
def test_rows_are_counted_by_code(codes, chosen):
    """Counts of codes, of all rows or chosen ones, are those of bincount; cells with a count are listed in order."""
    counts, some, listed = np.zeros(CELLS, np.int32), np.zeros(CELLS, np.int32), np.empty(CELLS, np.int32)
    kernels.count_codes(codes, counts)
    assert np.array_equal(counts, np.bincount(codes, minlength=CELLS))
    assert np.array_equal(listed[: kernels.list_held(counts, listed)], held(counts))
    rows = np.array([row for row in sorted(chosen) if row < len(codes)], np.int32)
    taken = np.empty(len(rows), np.int32)
    kernels.take_codes(codes, rows, taken, some)
    assert np.array_equal(taken, codes[rows])
    assert np.array_equal(some, np.bincount(codes[rows], minlength=CELLS))


@given(codes=CODES, seed=st.integers(0, 99))
def test_rows_are_counted_by_number_and_target(codes, seed):
    """A row with a target counts once for its cell's number and its target; a row without counts for nothing."""
    rng = np.random.default_rng(seed)
    targets, numbers = rng.integers(-1, 3, len(codes)).astype(np.int8), rng.integers(0, 4, CELLS).astype(np.int32)
    counts, expected = np.zeros((4, 3), np.int64), np.zeros((4, 3), np.int64)
    kernels.count_pairs(codes, numbers, targets, counts)
    np.add.at(expected, (numbers[codes[targets >= 0]], targets[targets >= 0]), 1)
    assert np.array_equal(counts, expected)


@given(codes=CODES, seed=st.integers(0, 99))
def test_counts_are_added_by_number(codes, seed):
    """A cell's count goes to its number; the ends of values are those of the cells that are held."""
    rng = np.random.default_rng(seed)
    counts, numbers = np.bincount(codes, minlength=CELLS).astype(np.int32), rng.integers(0, 4, CELLS).astype(np.int32)
    values, totals, expected = rng.normal(size=CELLS), np.zeros(4, np.int64), np.zeros(4, np.int64)
    kernels.add_counts(numbers, counts, held(counts), totals)
    np.add.at(expected, numbers, counts)
    assert np.array_equal(totals, expected)
    some = values[held(counts)]
    assert kernels.ends_of(values, held(counts)) == (some.min(initial=np.inf), some.max(initial=-np.inf))


@given(values=KEYS, level=st.integers(0, 63), capacity=st.integers(1, 20), chosen=st.randoms(use_true_random=False))
def test_keys_are_numbered_by_first_appearance(values, level, capacity, chosen):
    """The held cells' keys are numbered as they come, as long as there is room; cells that none holds are passed by."""
    cells = np.array(sorted(chosen.sample(range(len(values)), chosen.randint(0, len(values)))), np.int32)
    slots, keys = kernels.empty_slots(capacity), np.zeros(capacity, np.uint64)
    numbers = np.full(len(values), -1, np.int32)
    fits, size = kernels.number_keys(uints(values), cells, np.uint64(level), slots, keys, 0, numbers)
    expected = list(dict.fromkeys(values[cell] >> level for cell in cells))
    assert fits == (len(expected) <= capacity)
    assert keys[:size].tolist() == expected[:capacity]
    if fits:
        assert [expected[number] for number in numbers[cells]] == [values[cell] >> level for cell in cells]


@given(values=KEYS, counts=st.lists(st.integers(0, 3), min_size=40, max_size=40))
def test_cells_are_counted_at_once_where_there_is_room(values, counts):
    """Counts of cells add up by hash; what is new is noted with its cell, and HyperLogLog has seen all of it."""
    hashes, counts, table = uints(values), np.array(counts[: len(values)], np.int32), table_of(40)
    fresh = np.zeros(40, np.int64)
    assert kernels.count_new(hashes, held(counts), table.slots, table.keys) == np.count_nonzero(counts)
    size = kernels.count_cells(hashes, counts, held(counts), table, 0, fresh)
    expected = {value: 0 for value, count in zip(values, counts, strict=True) if count}
    for value, count in zip(values, counts.tolist(), strict=True):
        if count:
            expected[value] += count
    assert dict(zip(numbered(table, size), table.totals.tolist(), strict=False)) == expected
    assert hashes[fresh[:size]].tolist() == list(expected)
    assert np.array_equal(table.registers, registers_of(expected))


@pytest.mark.parametrize("times", [1, 60])
@given(codes=CODES, capacity=st.integers(1, CELLS + 1))
def test_rows_are_counted_one_by_one_until_there_is_no_room(times, codes, capacity):
    """Rows count in their order up to the first whose value is new and finds no room, in a few rows or thousands."""
    codes = np.repeat(codes, times)
    hashes = uints([3, 3 << 60, 5, 2**64 - 1, 0, 9])
    table, numbers, fresh = table_of(capacity), np.full(CELLS, -1, np.int32), np.zeros(capacity, np.int64)
    row, size = kernels.count_rows(codes, 0, hashes, numbers, table, 0, fresh)
    expected: dict[int, int] = {}
    stop = len(codes)
    for i, code in enumerate(codes.tolist()):
        if code not in expected and len(expected) == capacity:
            stop = i
            break
        expected[code] = expected.get(code, 0) + 1
    assert (row, size) == (stop, len(expected))
    assert fresh[:size].tolist() == list(expected)
    assert table.totals[:size].tolist() == list(expected.values())
    assert numbered(table, size) == hashes[list(expected)].tolist()


@settings(max_examples=200)
@given(
    cells=st.lists(st.lists(st.integers(0, 9), max_size=5), min_size=CELLS, max_size=CELLS),
    codes=CODES,
    capacity=st.integers(1, 12),
)
def test_words_are_counted_once_a_row_until_there_is_no_room(cells, codes, capacity):
    """Each row counts each of its words once, by its target, and counting can go on in the middle of a row."""
    words = uints([word for cell in cells for word in cell])
    offsets = np.concatenate([[0], np.cumsum([len(cell) for cell in cells])]).astype(np.int64)
    targets = (np.arange(len(codes)) % 3 - 1).astype(np.int8)
    table, last, joint = table_of(capacity), np.zeros(capacity, np.int64), np.zeros((capacity, 2), np.int32)
    fresh = np.zeros(capacity, np.int64)
    row, word, size = kernels.count_words(codes, 0, 0, 7, words, offsets, targets, table, 0, last, joint, fresh)
    rows: dict[int, list[int]] = {}
    at = (len(codes), 0)
    for i, code in enumerate(codes.tolist()):
        for j, each in enumerate(cells[code]):
            if at[0] == len(codes) and each not in rows and len(rows) == capacity:
                at = (i, int(offsets[code]) + j)
            if at[0] == len(codes) and i not in rows.setdefault(each, []):
                rows[each].append(i)
    assert (row, word) == at
    assert numbered(table, size) == list(rows)
    assert table.totals[:size].tolist() == [len(held_by) for held_by in rows.values()]
    told = [np.bincount(targets[held_by][targets[held_by] >= 0], minlength=2).tolist() for held_by in rows.values()]
    assert joint[:size].tolist() == told
    assert words[fresh[:size]].tolist() == list(rows)


def test_counting_words_goes_on_where_it_stopped():
    """A row that was stopped in the middle goes on with its next word, and counts none of its words twice."""
    words, offsets, codes = uints([1, 2, 1, 3]), np.array([0, 4, 4]), np.array([0, 0], np.int32)
    targets, joint, fresh = np.zeros(2, np.int8), np.zeros((4, 0), np.int32), np.zeros(4, np.int64)
    last, table = np.full(4, -1), table_of(4)
    stopped = kernels.count_words(codes, 0, 1, 0, words, offsets, targets, table, 0, last, joint, fresh)
    assert stopped == (2, 0, 3)
    assert dict(zip(numbered(table, 3), table.totals.tolist(), strict=False)) == {2: 2, 1: 2, 3: 2}


@given(values=st.sets(st.integers(0, 2**64 - 1), max_size=30))
def test_slots_are_filled_anew(values):
    """After the slots were cleared and filled, every key is found under its number."""
    table = table_of(30)
    table.keys[: len(values)] = uints(sorted(values))
    kernels.fill_slots(table.keys[: len(values)], table.slots)
    assert numbered(table, len(values)) == sorted(values)


@given(counts=st.lists(st.integers(1, 5) | st.integers(200, 2**40), min_size=1, max_size=40))
def test_nth_least_is_that_of_the_sorted_counts(counts):
    """The n-th least count is the one at that place in order of size, small counts and large ones alike."""
    found = [kernels.nth_least(np.array(counts), n) for n in range(1, len(counts) + 1)]
    assert found == sorted(counts)
