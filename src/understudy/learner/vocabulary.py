"""Feature keys -> dense ids in order of first occurrence, with what is known of each feature.

>>> vocabulary = Vocabulary()
>>> row = Features(np.array([0, 2]), np.array([77, 99], np.uint64), np.array([1.0, 1.0], np.float32))
>>> vocabulary.index(row, grow=True).ids
array([1, 2], dtype=uint32)
"""
# ruff: noqa: ANN001, ANN202 (numba infers a kernel's types; it takes arrays, not objects)

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

from understudy.errors import InvalidInput
from understudy.features import Features
from understudy.hashing import mix64

MAX_FEATURES = 1 << 22
"""Features that a vocabulary holds unless told otherwise; further ones are dropped and counted."""

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_WIDER, _NARROWER = np.float32(2.0), np.float32(2.0 ** (-1 / 8))
_SMALL = np.float32(1e-3)  # 1 / sqrt(k) of k tokens is meant: a text of many words weighs as much as one category
_TINIEST, _WIDEST = np.float32(1e-30), np.float32(1e30)


class Indexed(NamedTuple):
    """Features by dense id: row i holds ids[indptr[i]:indptr[i + 1]]; unknown ones are left out."""

    indptr: npt.NDArray[np.int64]
    ids: npt.NDArray[np.uint32]
    values: npt.NDArray[np.float32]


@nb.njit(nogil=True)
def _slot(key, keys, table):  # type: ignore[no-untyped-def]
    """Find where `key` is, or would be, in the open-addressing table of ids (0: free)."""
    last = len(table) - 1
    slot = np.int64(mix64(key ^ _SPREAD) & np.uint64(last))
    while table[slot] != 0 and keys[table[slot]] != key:
        slot = (slot + 1) & last
    return slot


@nb.njit(nogil=True, cache=True)
def _look_up(wanted, keys, table, out):  # type: ignore[no-untyped-def]
    for i in range(len(wanted)):
        out[i] = table[_slot(wanted[i], keys, table)]


@nb.njit(nogil=True, cache=True)
def _place(first, size, keys, table):  # type: ignore[no-untyped-def]
    for feature in range(first, size):
        table[_slot(keys[feature], keys, table)] = feature


@nb.njit(nogil=True, cache=True)
def _grow(wanted, values, start, size, limit, keys, counts, scales, table, out):  # type: ignore[no-untyped-def]
    """Index wanted[start:], adding what is new, until all is done or `keys` is full.

    A feature's scale starts as the size of its first value other than 0. It doubles at a value beyond twice itself and
    shrinks by an eighth of that step at one below half of itself: neither a few outliers nor a few specks move it for
    long (a multiplicative frugal sketch, after Ma, Muthukrishnan, Sandler 2013). Returns the place reached and size.
    """
    for i in range(start, len(wanted)):
        slot = _slot(wanted[i], keys, table)
        feature = np.int64(table[slot])
        size_of_value = abs(values[i])
        if feature == 0 and size < limit:
            if size == len(keys):
                return i, size
            feature = size
            size += 1
            keys[feature] = wanted[i]
            table[slot] = feature
        if feature != 0:
            counts[feature] += 1
            if scales[feature] == 0:
                scales[feature] = min(size_of_value, _WIDEST)
            elif size_of_value > 2 * scales[feature]:
                scales[feature] = min(scales[feature] * _WIDER, _WIDEST)
            elif 0 < size_of_value < scales[feature] / 2:
                scales[feature] = max(scales[feature] * _NARROWER, _TINIEST)
        out[i] = feature
    return len(wanted), size


class Vocabulary:
    """The features seen so far; id 0 is the intercept's, so features count from 1.

    `limit` bounds the number of features: what comes later is unknown, and `dropped` counts its occurrences.
    """

    def __init__(self, limit: int = MAX_FEATURES) -> None:
        self.limit = limit + 1
        self.size = 1
        self.dropped = 0
        self._keys = np.zeros(1024, np.uint64)
        self._counts = np.zeros(1024, np.uint32)
        self._scales = np.zeros(1024, np.float32)
        self._table = np.zeros(2048, np.uint32)

    @classmethod
    def of(
        cls, keys: npt.NDArray[np.uint64], counts: npt.NDArray[np.uint32], scales: npt.NDArray[np.float32]
    ) -> Vocabulary:
        """Make a vocabulary of known features, ids 1 to m in the order given."""
        vocabulary = cls(max(MAX_FEATURES, 2 * len(keys)))
        vocabulary._reserve(len(keys) + 1)
        vocabulary.size = len(keys) + 1
        vocabulary._keys[1 : vocabulary.size] = keys
        vocabulary._counts[1 : vocabulary.size] = counts
        vocabulary._scales[1 : vocabulary.size] = scales
        _place(1, vocabulary.size, vocabulary._keys, vocabulary._table)
        return vocabulary

    @property
    def keys(self) -> npt.NDArray[np.uint64]:
        """The features' keys by id, uint64[size]; place 0 means nothing."""
        return self._keys[: self.size]

    @property
    def counts(self) -> npt.NDArray[np.uint32]:
        """How many rows each feature was seen in, uint32[size]."""
        return self._counts[: self.size]

    @property
    def scales(self) -> npt.NDArray[np.float32]:
        """The usual size of each feature's values, float32[size]; 1 where all values were 0."""
        return self.scales_of(np.arange(self.size))

    def scales_of(self, ids: npt.NDArray[np.uint32] | npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return those features' scales; 1 where values are of a size that a recipe gives on purpose."""
        scales = self._scales[ids]
        return np.where((scales < _SMALL) & (scales > 0) | (scales > 1), scales, np.float32(1))

    def stretches(self, rows: int) -> npt.NDArray[np.float32]:
        """Return what each feature's values are multiplied by for learning, float32[size]: tokens by rarity, others 1.

        A token has values below 1, like the 1/sqrt(k) of k words, and is in fewer than half of the rows: a number is in
        most. Its rarity is its inverse document frequency (Sparck Jones 1972), divided by the root mean square of those
        of all tokens' occurrences: rare words gain what frequent ones lose, and texts as a whole pull as before.
        """
        token = (self._scales[: self.size] > _SMALL) & (self._scales[: self.size] < 1) & (self.counts < rows / 2)
        rarity = np.log((1 + rows) / (1 + self.counts))
        occurrences = self.counts * token
        usual = np.sqrt((occurrences * rarity**2).sum() / max(occurrences.sum(), 1))
        return np.where(token, rarity / (usual or 1), 1).astype(np.float32)

    def index(self, features: Features, *, grow: bool) -> Indexed:
        """Translate keys to ids; with `grow`, new keys get one and are counted, else they are left out.

        Raises InvalidInput, and learns no key, where a value is NaN or infinite.
        """
        values = np.ascontiguousarray(features.values, np.float32)
        if not np.isfinite(values).all():
            place = int(np.flatnonzero(~np.isfinite(values))[0])
            row = int(np.searchsorted(features.indptr, place, side="right")) - 1
            raise InvalidInput(
                f"a feature of row {row:,} has the value {values[place]}, where a finite number was expected",
                "Leave the feature out where its value is missing.",
            )
        ids = np.zeros(len(values), np.uint32)
        if grow:
            self._index_growing(features.keys, values, ids)
        else:
            _look_up(features.keys, self._keys, self._table, ids)
        return _known(features.indptr, ids, values)

    def _index_growing(
        self, keys: npt.NDArray[np.uint64], values: npt.NDArray[np.float32], ids: npt.NDArray[np.uint32]
    ) -> None:
        done = 0
        while True:
            done, self.size = _grow(
                keys, values, done, self.size, self.limit, self._keys, self._counts, self._scales, self._table, ids
            )
            if done == len(keys):
                break
            self._reserve(2 * len(self._keys))
        self.dropped += int(np.count_nonzero(ids == 0))

    def _reserve(self, room: int) -> None:
        """Make room for that many features; the table stays at most half full."""
        room = 1 << max(10, (room - 1).bit_length())
        more = room - len(self._keys)
        self._keys = np.concatenate([self._keys, np.zeros(more, np.uint64)])
        self._counts = np.concatenate([self._counts, np.zeros(more, np.uint32)])
        self._scales = np.concatenate([self._scales, np.zeros(more, np.float32)])
        self._table = np.zeros(2 * room, np.uint32)
        _place(1, self.size, self._keys, self._table)


def _known(indptr: npt.NDArray[np.int64], ids: npt.NDArray[np.uint32], values: npt.NDArray[np.float32]) -> Indexed:
    known = ids != 0
    if known.all():
        return Indexed(indptr, ids, values)
    kept_before = np.concatenate([[0], np.cumsum(known)])
    return Indexed(kept_before[indptr], ids[known], values[known])
