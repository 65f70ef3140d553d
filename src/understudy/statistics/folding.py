"""A bounded number of distinct keys: exact while they are few, then neighbours share one.

A key is a uint64. While the keys do not fit, their lowest bit is dropped, again and again: the *level* is how many bits
are gone. It is the lowest at which all keys ever seen fit, so the outcome is a function of the set of keys alone: no
order, no batch and no merge leaves a trace. With floats as ordered keys this is a histogram whose bins adapt to the
data (the uniform collapse of UDDSketch, Epicoco et al. 2020, on bit patterns in place of logarithms).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from understudy.statistics.kernels import empty_slots, list_held, number_keys, write_ordered_keys

UInt64s = npt.NDArray[np.uint64]
Codes = npt.NDArray[np.int32]
"""The code of each row's cell, or the number of each key."""
Counts = npt.NDArray[np.int32]
"""How many rows hold each different cell."""
Held = npt.NDArray[np.int32]
"""Which cells are held by any row, ascending."""
Targets = npt.NDArray[np.int8]
"""The number of each row's bin of the target, -1 where there is none."""
Floats = npt.NDArray[np.float64]

_TOP = np.uint64(1 << 63)


class Folded:
    """At most `capacity` distinct keys, numbered by first appearance; 1-2 ns a key."""

    def __init__(self, capacity: int) -> None:
        self.level = 0
        """How many low bits of every key are dropped."""
        self.size = 0
        """How many distinct keys there are."""
        self._keys = np.zeros(capacity, np.uint64)
        self._slots = empty_slots(capacity)

    @property
    def keys(self) -> UInt64s:
        """The distinct keys by number, without the dropped bits, uint64[size]."""
        return self._keys[: self.size]

    def numbers(self, values: UInt64s, held: Held) -> tuple[Codes, Codes | None]:
        """Return the numbers of the keys values[held], and where the numbers of before have moved to, if they have.

        The numbers stand where the values do, int32[k]; where no value is held they mean nothing. What is counted by
        number must be moved along before the new numbers are counted.
        """
        numbers, before = np.zeros(len(values), np.int32), self.size
        if self._number(values, held, numbers):
            return numbers, None
        moves = self._fold(self._bits_too_many(values[held]))
        self._number(values, held, numbers)
        return numbers, moves[:before]

    def fold_to(self, level: int) -> Codes | None:
        """Drop bits up to `level`; return where the numbers have moved to, if they have."""
        return self._fold(level - self.level) if self.level < level else None

    def absorb(self, other: Folded) -> tuple[Codes, Codes | None]:
        """Take in another's keys; return their numbers here, and where the own numbers have moved to, if they have."""
        raised = self.fold_to(other.level)
        numbers, moves = self.numbers(other.keys << np.uint64(other.level), every(other.size))
        if raised is None or moves is None:
            return numbers, moves if raised is None else raised
        return numbers, moves[raised]

    def _number(self, values: UInt64s, held: Held, numbers: Codes) -> bool:
        """Give numbers to the keys values[held]; return whether there was room for all."""
        all_in, size = number_keys(values, held, np.uint64(self.level), self._slots, self._keys, self.size, numbers)
        self.size = size
        return bool(all_in)

    def _bits_too_many(self, values: UInt64s) -> int:
        """Return how many more bits must be dropped so that these keys and those of the values fit.

        In order of size, keys become one exactly where they differ in no bit that is left.
        """
        keys = np.sort(np.concatenate([self.keys, values >> np.uint64(self.level)]))
        differ = np.sort(keys[1:] ^ keys[:-1])
        return int(differ[-len(self._keys)]).bit_length()

    def _fold(self, bits: int) -> Codes:
        """Drop some more bits; return the new number of each old one, int32[size]."""
        old = self.keys >> np.uint64(bits)
        self.level += bits
        self._slots.fill(-1)
        moved = np.zeros(len(old), np.int32)
        _, self.size = number_keys(old, every(len(old)), np.uint64(0), self._slots, self._keys, 0, moved)
        return moved


def held_of(counts: Counts) -> Held:
    """Return the cells that have a count."""
    held = np.empty(len(counts), np.int32)
    return held[: list_held(counts, held)]


def every(cells: int) -> Held:
    """Return all of some cells."""
    return np.arange(cells, dtype=np.int32)


def moved(counts: npt.NDArray[np.int64], moves: Codes | None, axis: int = 0) -> npt.NDArray[np.int64]:
    """Return counts of the same shape whose entries stand, and add up, where `moves` sends them along the axis."""
    if moves is None:
        return counts
    target = np.zeros_like(counts)
    source = np.moveaxis(counts, axis, 0)[: len(moves)]
    np.add.at(np.moveaxis(target, axis, 0), moves, source)
    return target


def ordered_keys(values: Floats) -> UInt64s:
    """Return keys that sort as the values do; -0.0 counts as 0.0. Returns uint64[n]."""
    keys = np.empty(len(values), np.uint64)
    write_ordered_keys(np.ascontiguousarray(values, np.float64).view(np.int64), keys)
    return keys


def ordered_values(keys: UInt64s) -> Floats:
    """Return the values of ordered keys, float64[n]."""
    negative = keys < _TOP
    return np.where(negative, ~keys, keys ^ _TOP).view(np.float64)
