"""A bounded number of distinct keys: exact while they are few, then neighbours share one.

A key is a uint64. While the keys do not fit, their lowest bit is dropped, again and again: the *level* is how many bits
are gone. It is the lowest at which all keys ever seen fit, so the outcome is a function of the set of keys alone: no
order, no batch and no merge leaves a trace. With floats as ordered keys this is a histogram whose bins adapt to the
data (the uniform collapse of UDDSketch, Epicoco et al. 2020, on bit patterns in place of logarithms).
"""
# ruff: noqa: ANN001, ANN202 - compiled kernels carry no types

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

from understudy.hashing import mix64

UInt64s = npt.NDArray[np.uint64]
Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_TOP = np.uint64(1 << 63)
_S63 = np.int64(63)


@nb.njit(nogil=True, cache=True)
def _encode(values, start, level, slots, keys, size, codes):  # type: ignore[no-untyped-def]
    """Write the codes of values[start:]; return where it stopped for want of room, and the number of keys."""
    mask = np.uint64(len(slots) - 1)
    for i in range(start, len(values)):
        key = values[i] >> level
        place = mix64(key) & mask
        while slots[place] >= 0 and keys[slots[place]] != key:
            place = (place + np.uint64(1)) & mask
        if slots[place] < 0:
            if size == len(keys):
                return i, size
            keys[size] = key
            slots[place] = size
            size += 1
        codes[i] = slots[place]
    return len(values), size


class Folded:
    """At most `capacity` distinct keys, numbered by first appearance; 4-8 ns a key."""

    def __init__(self, capacity: int) -> None:
        self.level = 0
        """How many low bits of every key are dropped."""
        self.size = 0
        """How many distinct keys there are."""
        self._keys = np.zeros(capacity, np.uint64)
        self._slots = self._empty_slots()

    @property
    def keys(self) -> UInt64s:
        """The distinct keys by number, without the dropped bits, uint64[size]."""
        return self._keys[: self.size]

    def codes(self, values: UInt64s) -> tuple[Codes, Codes | None]:
        """Return the number of each value's key, int64[n], and where the numbers of before have moved to, if they have.

        What is counted by number must be moved along before the new numbers are counted.
        """
        codes = np.empty(len(values), np.int64)
        before, moves = self.size, None
        start, self.size = self._encode(values, 0, codes)
        while start < len(values):
            moved = self._fold()
            codes[:start] = moved[codes[:start]]
            moves = moved[:before] if moves is None else moved[moves]
            start, self.size = self._encode(values, start, codes)
        return codes, moves

    def fold_to(self, level: int) -> Codes | None:
        """Drop bits up to `level`; return where the numbers have moved to, if they have."""
        moves = None
        while self.level < level:
            moved = self._fold()
            moves = moved if moves is None else moved[moves]
        return moves

    def absorb(self, other: Folded) -> tuple[Codes, Codes | None]:
        """Take in another's keys; return their numbers here, and where the own numbers have moved to, if they have."""
        raised = self.fold_to(other.level)
        codes, moves = self.codes(other.keys << np.uint64(other.level))
        if raised is None or moves is None:
            return codes, moves if raised is None else raised
        return codes, moves[raised]

    def _encode(self, values: UInt64s, start: int, codes: Codes) -> tuple[int, int]:
        stopped, size = _encode(values, start, np.uint64(self.level), self._slots, self._keys, self.size, codes)
        return int(stopped), int(size)

    def _fold(self) -> Codes:
        """Drop one more bit; return the new number of each old one, int64[size]."""
        old = self.keys >> np.uint64(1)
        self.level += 1
        self._slots = self._empty_slots()
        moved = np.empty(len(old), np.int64)
        _, size = _encode(old, 0, np.uint64(0), self._slots, self._keys, 0, moved)
        self.size = int(size)
        return moved

    def _empty_slots(self) -> npt.NDArray[np.int32]:
        return np.full(1 << (2 * len(self._keys) - 1).bit_length(), -1, np.int32)


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
    bits = (values + 0.0).view(np.int64)
    return bits.view(np.uint64) ^ ((bits >> _S63).view(np.uint64) | _TOP)


def ordered_values(keys: UInt64s) -> Floats:
    """Return the values of ordered keys, float64[n]."""
    negative = keys < _TOP
    return np.where(negative, ~keys, keys ^ _TOP).view(np.float64)
