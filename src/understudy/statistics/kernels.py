"""The compiled inner loops of statistics.

A column is k different cells and a code for each row. Rows are only counted, by code and by code and target; whatever
else there is to do is done once for each different cell, with the count of the rows that hold it. So a row costs about
a nanosecond here, whatever its cell is. Cells that no row holds are passed by: a dictionary may have such cells.

Keys are uint64, and a table numbers them: `slots` holds in each place the number of the key that stands there, -1 for
none; `keys` holds the keys by number; `size` is how many there are. A key's place is the top bits of its product with
the golden ratio (Knuth's multiplicative hashing), or the next empty place after it. There are at least twice as many
places as keys, so that a search ends soon.
"""

# ruff: noqa: ANN001, ANN201, ANN202 - compiled kernels carry no types

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from understudy import compiling as nb

_FEW = 256
"""Counts below this are counted themselves."""
_ROWS = 1024
"""Rows that are looked at together."""
REGISTER_BITS = 12
"""2**12 registers estimate the number of distinct values."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ONE, _TOP, _WORD = np.uint64(1), np.uint64(63), np.uint64(64)
_LEAST, _HIGHEST = np.int64(-(1 << 63)), np.uint64(1 << 63)
_REGISTER_BITS = np.uint64(REGISTER_BITS)
_LAST_BIT = np.uint64(1 << (REGISTER_BITS - 1))


class Table(NamedTuple):
    """Keys with how many rows hold each."""

    slots: npt.NDArray[np.int16]
    """The number of the key in each place, -1 for none, int16[2**m]; so there are at most 2**15 keys."""
    keys: npt.NDArray[np.uint64]
    """The keys by number, uint64[capacity]."""
    totals: npt.NDArray[np.int64]
    """How many rows hold each, int64[capacity]."""
    registers: npt.NDArray[np.uint8]
    """What HyperLogLog has seen of all keys ever entered, uint8[2**12]."""


def empty_slots(capacity: int) -> npt.NDArray[np.int16]:
    """Return places for `capacity` keys, none of them taken, int16[2**m]."""
    return np.full(1 << (2 * capacity - 1).bit_length(), -1, np.int16)


@nb.njit(nogil=True, cache=True)
def write_ordered_keys(bits, keys):  # type: ignore[no-untyped-def]
    """Write, for the bits of each float64, a key that sorts as the numbers do; -0.0 counts as 0.0."""
    for i in range(len(bits)):
        held = bits[i] if bits[i] != _LEAST else np.int64(0)
        keys[i] = np.uint64(held) ^ (np.uint64(held >> np.int64(63)) | _HIGHEST)


@nb.njit(nogil=True, cache=True)
def count_codes(codes, counts):  # type: ignore[no-untyped-def]
    """Add 1 to counts[code] for each row's code, int32[n]."""
    for i in range(len(codes)):
        counts[np.uint32(codes[i])] += 1


@nb.njit(nogil=True, cache=True)
def take_codes(codes, chosen, taken, counts):  # type: ignore[no-untyped-def]
    """Write the codes of the chosen rows, and add 1 to counts[code] for each of them."""
    for i in range(len(chosen)):
        code = codes[np.uint32(chosen[i])]
        taken[i] = code
        counts[np.uint32(code)] += 1


@nb.njit(nogil=True, cache=True)
def list_held(counts, held):  # type: ignore[no-untyped-def]
    """Write the cells that have a count, ascending; return how many. There is no branch to be guessed wrong."""
    found = 0
    for cell in range(len(counts)):
        held[found] = cell
        found += counts[cell] != 0
    return found


@nb.njit(nogil=True, cache=True)
def count_pairs(codes, numbers, targets, counts):  # type: ignore[no-untyped-def]
    """Add 1 to counts[numbers[code], target] for each row's code and target, but for a target of -1."""
    for i in range(len(codes)):
        if targets[i] >= 0:
            counts[np.uint32(numbers[np.uint32(codes[i])]), np.uint8(targets[i])] += 1


@nb.njit(nogil=True, cache=True)
def add_counts(numbers, counts, held, totals):  # type: ignore[no-untyped-def]
    """Add each held cell's count to totals[numbers[cell]]."""
    for cell in held:
        totals[np.uint32(numbers[np.uint32(cell)])] += counts[np.uint32(cell)]


@nb.njit(nogil=True, cache=True)
def ends_of(values, held):  # type: ignore[no-untyped-def]
    """Return the least and the greatest value of the held cells; infinity and its negative where there are none."""
    least, greatest = math.inf, -math.inf
    for cell in held:
        least = min(least, values[np.uint32(cell)])
        greatest = max(greatest, values[np.uint32(cell)])
    return least, greatest


@nb.njit(inline="always")
def _shift_of(slots):  # type: ignore[no-untyped-def]
    """Return how many low bits of a product say nothing of the place."""
    shift, places = _WORD, len(slots)
    while places > 1:
        shift -= _ONE
        places >>= 1
    return shift


@nb.njit(inline="always")
def _place_of(key, shift, slots, keys):  # type: ignore[no-untyped-def]
    """Return the place where a key stands, or the empty one where it may be written."""
    place = np.int64((key * _GOLDEN) >> shift)
    while slots[place] >= 0 and keys[slots[place]] != key:
        place = (place + 1) & (len(slots) - 1)
    return place


@nb.njit(nogil=True, cache=True)
def number_keys(values, held, level, slots, keys, size, numbers):  # type: ignore[no-untyped-def]
    """Give numbers to the keys values >> level of held cells; return whether there was room for all, and the size."""
    shift = _shift_of(slots)
    for cell in held:
        key = values[np.uint32(cell)] >> level
        place = _place_of(key, shift, slots, keys)
        if slots[place] < 0:
            if size == len(keys):
                return False, size
            keys[size] = key
            slots[place] = size
            size += 1
        numbers[np.uint32(cell)] = slots[place]
    return True, size


@nb.njit(nogil=True, cache=True)
def count_new(hashes, held, slots, keys):  # type: ignore[no-untyped-def]
    """Return how many of the held cells have a hash that no number has been given to."""
    shift, new = _shift_of(slots), 0
    for cell in held:
        new += slots[_place_of(hashes[np.uint32(cell)], shift, slots, keys)] < 0
    return new


@nb.njit(inline="always")
def _raise_register(value, registers):  # type: ignore[no-untyped-def]
    """Let the register that the first bits of a hash choose hold at least the place of the first 1 after them."""
    register = value >> (_WORD - _REGISTER_BITS)
    rest = (value << _REGISTER_BITS) | _LAST_BIT
    if (rest >> _ONE) >> (_TOP - np.uint64(registers[register])):
        return  # it holds more already: but for the first rows, this is the rule
    rank = np.uint8(1)
    while not rest >> _TOP:
        rest <<= _ONE
        rank += np.uint8(1)
    registers[register] = rank


@nb.njit(inline="always")
def _enter(key, place, slots, keys, totals, registers, size):  # type: ignore[no-untyped-def]
    """Write a new key at its place; no row has been counted for it yet."""
    slots[place], keys[size], totals[size] = size, key, 0
    _raise_register(key, registers)


@nb.njit(nogil=True, cache=True)
def count_cells(hashes, counts, held, table, size, fresh):  # type: ignore[no-untyped-def]
    """Add the counts of the held cells, for all of which there is room; return the size.

    fresh[number] receives the cell in which a new number was first seen.
    """
    slots, keys, totals, registers = table
    shift = _shift_of(slots)
    for cell in held:
        place = _place_of(hashes[cell], shift, slots, keys)
        if slots[place] < 0:
            _enter(hashes[cell], place, slots, keys, totals, registers, size)
            fresh[size] = cell
            size += 1
        totals[slots[place]] += counts[cell]
    return size


@nb.njit(nogil=True, cache=True)
def count_rows(codes, row, hashes, numbers, table, size, fresh):  # type: ignore[no-untyped-def]
    """Count the rows codes[row:] one after the other; return where room ran out, and the size.

    numbers[cell] is -1 until it is looked up; fresh[number] receives the cell in which a new number was first seen.
    """
    slots, keys, totals, registers = table
    shift, unknown = _shift_of(slots), np.empty(_ROWS, np.int64)
    while row < len(codes):
        # First note the rows of unknown cells, without a branch, for it would often be guessed wrong.
        stop, found = min(row + _ROWS, len(codes)), 0
        for i in range(row, stop):
            unknown[found] = i
            found += numbers[np.uint32(codes[i])] < 0
        for i in unknown[:found]:
            cell = np.uint32(codes[i])
            if numbers[cell] >= 0:
                continue
            place = _place_of(hashes[cell], shift, slots, keys)
            if slots[place] < 0:
                if size == len(keys):
                    stop, found = i, -1
                    break
                _enter(hashes[cell], place, slots, keys, totals, registers, size)
                fresh[size] = cell
                size += 1
            numbers[cell] = slots[place]
        for i in range(row, stop):
            totals[np.uint32(numbers[np.uint32(codes[i])])] += 1
        row = stop
        if found < 0:
            break
    return row, size


@nb.njit(nogil=True, cache=True)
def count_words(codes, row, word, first_row, hashes, offsets, targets, table, size, last, joint, fresh):  # type: ignore[no-untyped-def]
    """Count each row's distinct words from (row, word) on; return where room ran out, row and word, and the size.

    Row i holds the words of its cell, hashes[offsets[codes[i]] : offsets[codes[i] + 1]]. last[number] is the last row
    that was counted for a word, from `first_row` on; joint[number, target] counts its rows by target.
    fresh[number] receives the word as which a new number was first seen.
    """
    slots, keys, totals, registers = table
    shift = _shift_of(slots)
    for i in range(row, len(codes)):
        cell = codes[i]
        for j in range(max(word, offsets[cell]) if i == row else offsets[cell], offsets[cell + 1]):
            place = _place_of(hashes[j], shift, slots, keys)
            if slots[place] < 0:
                if size == len(keys):
                    return i, j, size
                _enter(hashes[j], place, slots, keys, totals, registers, size)
                last[size], joint[size, :], fresh[size] = -1, 0, j
                size += 1
            number = slots[place]
            if last[number] != first_row + i:
                last[number] = first_row + i
                totals[number] += 1
                if joint.shape[1] and targets[i] >= 0:
                    joint[number, targets[i]] += 1
    return len(codes), 0, size


@nb.njit(nogil=True, cache=True)
def fill_slots(keys, slots):  # type: ignore[no-untyped-def]
    """Write the numbers of keys, which all differ, into empty slots."""
    shift = _shift_of(slots)
    for number in range(len(keys)):
        slots[_place_of(keys[number], shift, slots, keys)] = number


@nb.njit(nogil=True, cache=True)
def nth_least(counts, n):  # type: ignore[no-untyped-def]
    """Return the n-th of counts in order of size, from 1 on. It is small as a rule, for most values are rare."""
    few = np.zeros(_FEW, np.int64)
    for count in counts:
        few[min(count, _FEW - 1)] += 1
    for count in range(_FEW - 1):
        n -= few[count]
        if n <= 0:
            return count
    return np.sort(counts)[len(counts) - few[_FEW - 1] + n - 1]
