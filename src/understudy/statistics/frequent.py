"""Frequent values and the number of distinct ones, in bounded memory.

Up to `CAPACITY` distinct values all counts are exact, and nothing depends on order or merges. Beyond, the rarer half is
forgotten whenever the table is full (space saving, Metwally, Agrawal, El Abbadi 2005, half a table at a time): a count
may then be short by `error` at most, and depends on the order of rows and merges, though never on where a batch ends.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from understudy.statistics.folding import Codes, Held, Targets, UInt64s
from understudy.statistics.kernels import (
    REGISTER_BITS,
    Table,
    count_cells,
    count_new,
    count_rows,
    count_words,
    empty_slots,
    fill_slots,
    nth_least,
)
from understudy.statistics.rows import Rows

Places = npt.NDArray[np.int64]
Columns = tuple[npt.NDArray[Any], ...]

CAPACITY = 16_384
"""Values counted at a time."""
_TEXTS, _BYTES = 8 * CAPACITY, 1 << 21
"""So many texts, and bytes of them, may be kept before those that are not needed are given up."""
_EMPTY = pa.array([""])
_REGISTERS = 1 << REGISTER_BITS


class Distinct:
    """HyperLogLog (Flajolet et al. 2007) with 64-bit hashes: how many distinct values, within 1.6 %; 4 kB."""

    def __init__(self) -> None:
        self.registers = np.zeros(_REGISTERS, np.uint8)
        """What kernels raise when they meet a hash."""

    def merge(self, other: Distinct) -> None:
        """Add all that the other has seen."""
        np.maximum(self.registers, other.registers, out=self.registers)

    @property
    def estimate(self) -> int:
        """The estimate; meant for more than `CAPACITY` values, where no correction for small numbers is due."""
        alpha = 0.7213 / (1.0 + 1.079 / _REGISTERS)
        return round(alpha * _REGISTERS**2 / math.fsum(np.ldexp(1.0, -self.registers.astype(np.int64)).tolist()))


class FrequentValues:
    """Rows counted by the values, or by the distinct words, that they hold; 1 to 3 MB without target counts.

    `targets` is how many bins of the target to count each value with; 0 for none.
    """

    def __init__(self, targets: int = 0) -> None:
        self.error = 0
        """How many rows a count may be short of; 0 while all counts are exact."""
        self._size = 0
        self._rows = 0
        self._distinct = Distinct()
        self._table = Table(
            slots=empty_slots(CAPACITY),
            keys=np.zeros(CAPACITY, np.uint64),
            totals=np.zeros(CAPACITY, np.int64),
            registers=self._distinct.registers,
        )
        self._missed = np.zeros(CAPACITY, np.int64)  # rows that may have been seen before a value was noticed
        self._last = np.zeros(CAPACITY, np.int64)
        self._joint = np.zeros((CAPACITY, targets), np.int32)
        self._texts: list[pa.Array] = []
        self._places = np.zeros(CAPACITY, np.int64)  # where the text of each value stands in all of these
        self._length, self._bytes = 0, 0  # of these

    def add_values(self, values: pa.Array, hashes: UInt64s, rows: Rows) -> None:
        """Add rows that hold one of k values each, or the empty text, whose hash is the last of k + 1."""
        if self._is_short_of_room(hashes, rows.held):
            self._add_one_by_one(hashes, rows.codes)
        else:
            self._note(count_cells(hashes, rows.counts, rows.held, self._table, self._size, self._places))
        self._keep(values)

    def _is_short_of_room(self, hashes: UInt64s, held: Held) -> bool:
        """Tell whether the table may be full before these values are in it; one that has been full will be again."""
        if self._size + len(held) <= CAPACITY:
            return False
        return not self.exact or self._size + count_new(hashes, held, self._table.slots, self._table.keys) > CAPACITY

    def _add_one_by_one(self, hashes: UInt64s, codes: Codes) -> None:
        """Add rows in their order: the table may be full before the last of them, and it matters where."""
        numbers, row = np.full(len(hashes), -1, np.int32), 0
        while True:
            row, size = count_rows(codes, row, hashes, numbers, self._table, self._size, self._places)
            self._note(size)
            if row == len(codes):
                return
            kept = self._forget(self._size // 2)
            moved = np.full(CAPACITY + 1, -1, np.int32)  # the last is where -1 leads
            moved[kept] = np.arange(len(kept))
            numbers[:] = moved[numbers]

    def add_words(self, words: pa.Array, hashes: UInt64s, offsets: Places, codes: Codes, targets: Targets) -> None:
        """Add rows: row i holds words[offsets[code]:offsets[code + 1]] of its code, with their hashes."""
        row, word = 0, 0
        while True:
            row, word, size = count_words(
                codes, row, word, self._rows, hashes, offsets, targets,
                self._table, self._size, self._last, self._joint, self._places,
            )  # fmt: skip
            self._note(size)
            if row == len(codes):
                break
            self._forget(self._size // 2)
        self._rows += len(codes)
        self._keep(words)

    def _note(self, size: int) -> None:
        """Note values that a kernel has numbered, whose texts will stand after all that stand so far."""
        new = slice(self._size, size)
        self._places[new] += self._length
        self._missed[new] = self.error
        self._size = size

    def _keep(self, texts: pa.Array) -> None:
        """Keep the texts of a batch's values, if any of them is new, with the empty one after them.

        To take what is needed out of them costs more than to count; so it is done for some batches together.
        """
        if self._size and self._places[self._size - 1] >= self._length:
            self._texts += [texts, _EMPTY]
            self._length += len(texts) + 1
            self._bytes += texts.nbytes
            if self._length > _TEXTS or self._bytes > _BYTES:
                self._held_texts()

    def _held_texts(self) -> pa.Array:
        """Return the texts of all values by number, and keep no others."""
        texts = pa.concat_arrays([*self._texts, _EMPTY]).take(pa.array(self._places[: self._size]))
        self._places[: self._size] = np.arange(self._size)
        self._texts, self._length, self._bytes = [texts], self._size, texts.nbytes
        return texts

    def move_targets(self, moves: Codes | None) -> None:
        """Follow the target's bins to their new numbers."""
        if moves is not None and self._joint.shape[1]:
            joint = np.zeros_like(self._joint)
            np.add.at(joint.T, moves, self._joint.T[: len(moves)])
            self._joint = joint

    def merge(self, other: FrequentValues, targets: Codes) -> None:
        """Add all that the other, which saw later rows, has seen; `targets` numbers its target's bins here."""
        mine, theirs = slice(0, self._size), slice(0, other._size)
        both = np.concatenate([self._table.keys[mine], other._table.keys[theirs]])
        keys, first, place = np.unique(both, return_index=True, return_inverse=True)
        here, there = place[mine], place[self._size :]
        counts, joint = np.zeros(len(keys), np.int64), np.zeros((len(keys), self._joint.shape[1]), np.int32)
        missed = np.full(len(keys), self.error + other.error, np.int64)
        counts[here] += self._table.totals[mine]
        missed[here] += self._missed[mine] - self.error
        joint[here] += self._joint[mine]
        counts[there] += other._table.totals[theirs]
        missed[there] += other._missed[theirs] - other.error
        if joint.shape[1]:
            np.add.at(joint, (there[:, None], targets[None, :]), other._joint[theirs, : len(targets)])
        self.error += other.error
        self._rows += other._rows
        self._distinct.merge(other._distinct)
        kept = self._most_frequent(counts + missed, max(len(keys) - CAPACITY, 0))
        self._texts = [self._held_texts(), other._held_texts()]
        self._hold(kept, (keys, counts, missed, np.full(len(keys), -1, np.int64), joint, first))
        self._held_texts()

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
        texts, counts = self._held_texts().to_pylist(), self._table.totals[: self._size].tolist()
        return dict(sorted(zip(texts, counts, strict=True), key=lambda pair: (-pair[1], pair[0])))

    def joint_counts(self) -> dict[str, npt.NDArray[np.int32]]:
        """Return, for each counted value, its rows by bin of the target, int32[targets]."""
        return dict(zip(self._held_texts().to_pylist(), self._joint[: self._size], strict=True))

    def _forget(self, fewest: int) -> Places:
        """Forget the rarest values, `fewest` of them and all that are as rare; return the numbers of the rest."""
        held = slice(0, self._size)
        kept = self._most_frequent(self._table.totals[held] + self._missed[held], fewest)
        self._hold(kept, self._columns())
        return kept

    def _most_frequent(self, most: npt.NDArray[np.int64], fewest: int) -> Places:
        """Return the numbers of all values but the rarest, `fewest` of them and those that are equally rare."""
        if not fewest:
            return np.arange(len(most))
        self.error = max(self.error, int(nth_least(most, fewest)))
        return np.flatnonzero(most > self.error)

    def _columns(self) -> Columns:
        """Return what is known of each value: key, count, missed rows, last row, joint counts, place of its text."""
        return self._table.keys, self._table.totals, self._missed, self._last, self._joint, self._places

    def _hold(self, kept: Places, columns: Columns) -> None:
        """Hold of columns what is kept."""
        for own, given in zip(self._columns(), columns, strict=True):
            own[: len(kept)] = given[kept]
        self._size = len(kept)
        self._table.slots.fill(-1)
        fill_slots(self._table.keys[: self._size], self._table.slots)
