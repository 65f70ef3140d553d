"""Frequent values and the number of distinct ones, in bounded memory.

Up to `CAPACITY` distinct values all counts are exact, and nothing depends on order or merges. Beyond, the rarer half is
forgotten whenever the table is full (space saving, Metwally, Agrawal, El Abbadi 2005, half a table at a time): a count
may then be short by `error` at most, and depends on the order of rows and merges, though never on where a batch ends.
"""
# ruff: noqa: ANN001, ANN202 - compiled kernels carry no types

from __future__ import annotations

import math
from typing import TypeVar

import numba as nb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from understudy.hashing import mix64
from understudy.statistics.folding import Codes, UInt64s

Number = TypeVar("Number", bound=np.generic)

CAPACITY = 16_384
"""Values counted at a time."""
_REGISTERS = 4_096
_REGISTER_BITS = 12


@nb.njit(nogil=True, cache=True)
def _raise_registers(hashes, registers):  # type: ignore[no-untyped-def]
    for h in hashes:
        place = h >> np.uint64(64 - _REGISTER_BITS)
        rest = (h << np.uint64(_REGISTER_BITS)) | np.uint64(1 << (_REGISTER_BITS - 1))
        rank = np.uint8(1)
        while rest < np.uint64(1 << 63):
            rest <<= np.uint64(1)
            rank += np.uint8(1)
        registers[place] = max(registers[place], rank)


@nb.njit(nogil=True, cache=True)
def _count_words(hashes, offsets, row, word, first_row, targets, slots, keys, counts, last, joint, size, fresh):  # type: ignore[no-untyped-def]
    """Count each row's distinct words from (row, word) on; return where it stopped for want of room, and the size.

    fresh[code] receives the place, among the words, at which a new code was first seen.
    """
    mask = np.uint64(len(slots) - 1)
    for i in range(row, len(offsets) - 1):
        for j in range(max(word, offsets[i]), offsets[i + 1]):
            key = hashes[j]
            place = mix64(key) & mask
            while slots[place] >= 0 and keys[slots[place]] != key:
                place = (place + np.uint64(1)) & mask
            if slots[place] < 0:
                if size == len(keys):
                    return i, j, size
                keys[size], counts[size], last[size], fresh[size] = key, 0, -1, j
                joint[size, :] = 0
                slots[place] = size
                size += 1
            code = slots[place]
            if last[code] != first_row + i:
                last[code] = first_row + i
                counts[code] += 1
                if joint.shape[1] and targets[i] >= 0:
                    joint[code, targets[i]] += 1
    return len(offsets) - 1, len(hashes), size


class Distinct:
    """HyperLogLog (Flajolet et al. 2007) with 64-bit hashes: how many distinct values, within 1.6 %; 4 kB."""

    def __init__(self) -> None:
        self._registers = np.zeros(_REGISTERS, np.uint8)

    def add(self, hashes: UInt64s) -> None:
        """Add the hashes of values, uint64[n]."""
        _raise_registers(hashes, self._registers)

    def merge(self, other: Distinct) -> None:
        """Add all that the other has seen."""
        np.maximum(self._registers, other._registers, out=self._registers)

    @property
    def estimate(self) -> int:
        """The estimate; meant for more than `CAPACITY` values, where no correction for small numbers is due."""
        alpha = 0.7213 / (1.0 + 1.079 / _REGISTERS)
        return round(alpha * _REGISTERS**2 / math.fsum(np.ldexp(1.0, -self._registers.astype(np.int64)).tolist()))


class FrequentValues:
    """Rows counted by the values, or by the distinct words, that they hold; below 2 MB without target counts.

    `targets` is how many bins of the target to count each value with; 0 for none.
    """

    def __init__(self, targets: int = 0) -> None:
        self.error = 0
        """How many rows a count may be short of; 0 while all counts are exact."""
        self._size = 0
        self._rows = 0
        self._keys = np.zeros(CAPACITY, np.uint64)
        self._counts = np.zeros(CAPACITY, np.int64)
        self._missed = np.zeros(CAPACITY, np.int64)  # rows that may have been seen before a value was noticed
        self._last = np.zeros(CAPACITY, np.int64)
        self._joint = np.zeros((CAPACITY, targets), np.int32)
        self._texts: pa.Array = pa.array([], pa.string())
        self._distinct = Distinct()
        self._slots = _slots_of(self._keys[:0])

    def add(self, values: pa.Array, hashes: UInt64s, offsets: Codes, targets: Codes) -> None:
        """Add rows: row i holds values[offsets[i]:offsets[i + 1]], with their hashes; targets as bin numbers or -1."""
        self._distinct.add(hashes)
        row, word, rows = 0, 0, len(offsets) - 1
        while row < rows:
            before, fresh = self._size, np.zeros(CAPACITY, np.int64)
            row, word, size = _count_words(
                hashes, offsets, row, word, self._rows, targets, self._slots, self._keys, self._counts, self._last,
                self._joint, before, fresh,
            )  # fmt: skip
            self._size = int(size)
            self._missed[before : self._size] = self.error
            if self._size > before:
                self._texts = pa.concat_arrays([self._texts, values.take(pa.array(fresh[before : self._size]))])
            if row < rows:
                self._forget(self._size // 2)
        self._rows += rows

    def move_targets(self, moves: Codes | None) -> None:
        """Follow the target's bins to their new numbers."""
        if moves is not None and self._joint.shape[1]:
            joint = np.zeros_like(self._joint)
            np.add.at(joint.T, moves, self._joint.T[: len(moves)])
            self._joint = joint

    def merge(self, other: FrequentValues, targets: Codes) -> None:
        """Add all that the other, which saw later rows, has seen; `targets` numbers its target's bins here."""
        mine, theirs = slice(0, self._size), slice(0, other._size)
        keys, first = np.unique(np.concatenate([self._keys[mine], other._keys[theirs]]), return_index=True)
        keys = keys[np.argsort(first)]
        order = np.argsort(keys)
        here = order[np.searchsorted(keys, self._keys[mine], sorter=order)]
        there = order[np.searchsorted(keys, other._keys[theirs], sorter=order)]
        counts, joint = np.zeros(len(keys), np.int64), np.zeros((len(keys), self._joint.shape[1]), np.int32)
        missed = np.full(len(keys), self.error + other.error, np.int64)
        counts[here] += self._counts[mine]
        missed[here] += self._missed[mine] - self.error
        joint[here] += self._joint[mine]
        counts[there] += other._counts[theirs]
        missed[there] += other._missed[theirs] - other.error
        if joint.shape[1]:
            np.add.at(joint, (there[:, None], targets[None, :]), other._joint[theirs, : len(targets)])
        both = pa.concat_arrays([self._texts, other._texts])
        self._texts = both.take(pa.array(np.sort(first)))
        self.error += other.error
        self._rows += other._rows
        self._distinct.merge(other._distinct)
        self._keys, self._counts, self._missed, self._joint = keys, counts, missed, joint
        self._last = np.full(len(keys), -1, np.int64)
        self._size = len(keys)
        self._forget(max(self._size - CAPACITY, 0))

    @property
    def exact(self) -> bool:
        """Whether every distinct value is still counted."""
        return self.error == 0

    @property
    def distinct(self) -> int:
        """How many distinct values there are: exact while all are counted, else within 1.6 %."""
        return self._size if self.exact else max(self._distinct.estimate, CAPACITY + 1)

    def counts(self) -> dict[str, int]:
        """Return the counted values, most frequent first, equals by value."""
        texts, counts = self._texts.to_pylist(), self._counts[: self._size].tolist()
        return dict(sorted(zip(texts, counts, strict=True), key=lambda pair: (-pair[1], pair[0])))

    def joint_counts(self) -> dict[str, npt.NDArray[np.int32]]:
        """Return, for each counted value, its rows by bin of the target, int32[targets]."""
        return dict(zip(self._texts.to_pylist(), self._joint[: self._size], strict=True))

    def _forget(self, fewest: int) -> None:
        """Forget the rarest values, `fewest` of them and those that are equally rare, and make room for new ones."""
        most = self._counts[: self._size] + self._missed[: self._size]
        kept = np.arange(self._size)
        if fewest:
            self.error = max(self.error, int(np.partition(most, fewest - 1)[fewest - 1]))
            kept = np.flatnonzero(most > self.error)
        self._texts = self._texts.take(pa.array(kept))
        self._size = len(kept)
        self._keys = _widened(self._keys[kept])
        self._counts, self._missed = _widened(self._counts[kept]), _widened(self._missed[kept])
        self._last, self._joint = _widened(self._last[kept]), _widened(self._joint[kept])
        self._slots = _slots_of(self._keys[: self._size])


def _widened(column: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Return the column with room for `CAPACITY` values."""
    wide = np.zeros((CAPACITY, *column.shape[1:]), column.dtype)
    wide[: len(column)] = column
    return wide


def _slots_of(keys: UInt64s) -> npt.NDArray[np.int32]:
    """Return the open-addressed table that finds each key's number."""
    slots = np.full(2 * CAPACITY, -1, np.int32)
    _fill_slots(keys, slots)
    return slots


@nb.njit(nogil=True, cache=True)
def _fill_slots(keys, slots):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(slots) - 1)
    for code in range(len(keys)):
        place = mix64(keys[code]) & mask
        while slots[place] >= 0:
            place = (place + np.uint64(1)) & mask
        slots[place] = code
