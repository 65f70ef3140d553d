"""Loads of many bytes at once give what the bytes say one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from understudy import compiling as nb
from understudy.memory import (
    beyond_ascii64,
    count_ones,
    equal64,
    int32_at,
    int64_at,
    load8,
    load32,
    load64,
    load_few,
    low_bytes,
    prefetch,
    set_int32,
    set_int64,
    store8,
    store64,
    trailing_zeros,
)


@nb.njit
def _loads(data, at):
    base = data.ctypes.data + at
    prefetch(base)
    return np.array([np.uint64(load8(base)), load32(base), load64(base)], np.uint64)


@nb.njit
def _few(data, at, count):
    return load_few(data.ctypes.data + at, count), low_bytes(load64(data.ctypes.data + at), count)


@nb.njit
def _masks(data, at, byte):
    base = data.ctypes.data + at
    return np.array([equal64(base, byte), beyond_ascii64(base)], np.uint64)


@nb.njit
def _bits(word):
    return trailing_zeros(word), count_ones(word)


@nb.njit
def _store(data, at, word, byte):
    store64(data.ctypes.data + at, word)
    store8(data.ctypes.data + 16, byte)


@nb.njit
def _turned(ints, longs):
    """Write each number into the place of the one that is as far from the other end."""
    for i in range(len(ints) // 2):
        other = len(ints) - 1 - i
        one, two = int32_at(ints.ctypes.data, i), int32_at(ints.ctypes.data, other)
        set_int32(ints.ctypes.data, i, two)
        set_int32(ints.ctypes.data, other, one)
        one, two = int64_at(longs.ctypes.data, i), int64_at(longs.ctypes.data, other)
        set_int64(longs.ctypes.data, i, two)
        set_int64(longs.ctypes.data, other, one)


def _number(data):
    return int.from_bytes(data, "little")


def _flags(chosen):
    return sum(1 << place for place, one in enumerate(chosen) if one)


@given(st.binary(min_size=80, max_size=80), st.integers(0, 16), st.integers(0, 255))
def test_many_bytes_are_read_as_one_by_one(data, at, byte):
    """Words are little-endian wherever they begin, and a bit stands for each of 64 bytes that is the wanted one."""
    view = np.frombuffer(data, np.uint8)
    assert _loads(view, at).tolist() == [data[at], _number(data[at : at + 4]), _number(data[at : at + 8])]
    piece = data[at : at + 64]
    assert _masks(view, at, byte).tolist() == [_flags(b == byte for b in piece), _flags(b >= 128 for b in piece)]
    assert _masks(view, at, piece[5])[0] == _flags(b == piece[5] for b in piece)


@given(st.binary(min_size=8, max_size=20), st.integers(0, 7))
def test_few_bytes_are_read_as_a_word_cut_short(data, count):
    """Up to seven bytes make the word that their eight bytes would make without the rest."""
    assert list(_few(np.frombuffer(data, np.uint8), 0, count)) == [_number(data[:count])] * 2


@given(st.integers(0, 2**64 - 1))
def test_bits_are_counted(word):
    """The lowest bit that is set has its place; of none it is 64."""
    places = [place for place in range(64) if word >> place & 1]
    assert _bits(np.uint64(word)) == (places[0] if places else 64, len(places))


@given(st.integers(0, 2**64 - 1), st.integers(0, 8), st.integers(0, 255))
def test_words_are_written_where_they_belong(word, at, byte):
    """A word takes eight bytes, little-endian, and a byte one; no others change."""
    data = np.zeros(18, np.uint8)
    _store(data, at, np.uint64(word), byte)
    assert _number(data.tobytes()) == word << 8 * at | byte << 128


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=2, max_size=9))
def test_numbers_in_a_row_are_read_and_written(numbers):
    """The i-th of many int32 or int64 at an address is read with its sign, and written."""
    ints, longs = np.array(numbers, np.int32), np.array(numbers, np.int64) << 31
    _turned(ints, longs)
    assert ints.tolist() == numbers[::-1]
    assert longs.tolist() == [number << 31 for number in numbers[::-1]]
