"""Feature keys -> dense ids, with what is known of each feature.

Sparse rows number keys in order of first occurrence, columns number theirs one column of a batch after the other: ids
hang on how rows came, and nothing that is learned hangs on ids.

>>> vocabulary = Vocabulary()
>>> row = Features(np.array([0, 2]), np.array([77, 99], np.uint64), np.array([1.0, 1.0], np.float32))
>>> vocabulary.index(row, grow=True).ids
array([1, 2], dtype=uint32)
"""
# ruff: noqa: ANN001, ANN202 (numba infers a kernel's types; it takes arrays, not objects)

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from understudy import compiling as nb
from understudy.errors import InvalidInput
from understudy.features import FeatureColumns, Features, Number, Single, Tokens
from understudy.hashing import mix64
from understudy.memory import prefetch

MAX_FEATURES = 1 << 22
"""Features that a vocabulary holds unless told otherwise; further ones are dropped and counted."""

FIRST_ROWS, SPARSELY = 16_384, 8
"""Rows that tell the scale of a number: the first of all, and then every eighth."""

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_WIDER, _NARROWER = np.float32(2.0), np.float32(2.0 ** (-1 / 8))
_SMALL = np.float32(1e-3)  # 1 / sqrt(k) of k tokens is meant: a text of many words weighs as much as one category
_TINIEST, _WIDEST = np.float32(1e-30), np.float32(1e30)


Ids = npt.NDArray[np.uint32]


class Indexed(NamedTuple):
    """Features by dense id: row i holds ids[indptr[i]:indptr[i + 1]]; unknown ones are left out."""

    indptr: npt.NDArray[np.int64]
    ids: Ids
    values: npt.NDArray[np.float32]


class IndexedColumns(NamedTuple):
    """Feature columns of n rows by dense id; 0 stands for a feature that is unknown."""

    ones: Ids
    """Of each `Single` column, every row's feature [n, columns]."""
    numbers: npt.NDArray[np.float32]
    """Of each `Number` column, every row's number, NaN where missing [n, columns]."""
    number_ids: Ids
    """The feature of each of these columns [columns]."""
    missing_ids: Ids
    """The feature that stands for a missing one [columns]."""
    others: Indexed
    """The tokens."""


_FEATURE = np.dtype([("key", np.uint64), ("count", np.uint32), ("scale", np.float32)])
"""What is known of one feature, together in memory; the scale is 0 while all values were 0."""

_AHEAD = 8
"""Keys ahead for which memory is asked: first the place in the table, then, half as far ahead, the feature."""

_TAG = np.uint64(0xFFFFFFFF00000000)
_ID = np.uint64(0x00000000FFFFFFFF)


@nb.njit(inline="always")
def _slot(key, known, table):  # type: ignore[no-untyped-def]
    """Find where `key` is, or would be, in the open-addressing table.

    An entry is a feature's id below the first half of its key's hash, which tells most other keys apart; 0 is free.
    """
    hashed = mix64(key ^ _SPREAD)
    last = np.uint64(len(table) - 1)
    slot = hashed & last
    while table[slot] != 0 and not (
        (table[slot] ^ hashed) & _TAG == 0 and known[np.int64(table[slot] & _ID)]["key"] == key
    ):
        slot = (slot + np.uint64(1)) & last
    return slot


@nb.njit(inline="always")
def _entry(key, feature):  # type: ignore[no-untyped-def]
    return (mix64(key ^ _SPREAD) & _TAG) | np.uint64(feature)


@nb.njit(inline="always")
def _expect(wanted, i, known, table):  # type: ignore[no-untyped-def]
    """Ask for the memory that keys to come will need."""
    last = np.uint64(len(table) - 1)
    if i + _AHEAD < len(wanted):
        prefetch(table.ctypes.data + np.int64(8 * (mix64(wanted[i + _AHEAD] ^ _SPREAD) & last)))
    if i + _AHEAD // 2 < len(wanted):
        entry = table[mix64(wanted[i + _AHEAD // 2] ^ _SPREAD) & last]
        prefetch(known.ctypes.data + np.int64(16 * (entry & _ID)))


@nb.njit(nogil=True, cache=True)
def _look_up(wanted, known, table, out):  # type: ignore[no-untyped-def]
    for i in range(len(wanted)):
        out[i] = np.uint32(table[_slot(wanted[i], known, table)] & _ID)


@nb.njit(nogil=True, cache=True)
def _place(first, size, known, table):  # type: ignore[no-untyped-def]
    for feature in range(first, size):
        key = known[feature]["key"]
        table[_slot(key, known, table)] = _entry(key, feature)


@nb.njit(inline="always")
def _rescaled(scale, value):  # type: ignore[no-untyped-def]
    """Return a feature's scale after one more value.

    It starts as the size of the first value other than 0. It doubles at a value beyond twice itself and shrinks by an
    eighth of that step at one below half of itself: neither a few outliers nor a few specks move it for long (a
    multiplicative frugal sketch, after Ma, Muthukrishnan, Sandler 2013).
    """
    if scale == 0:
        return min(value, _WIDEST)
    if value > 2 * scale:
        return min(scale * _WIDER, _WIDEST)
    if 0 < value < scale / 2:
        return max(scale * _NARROWER, _TINIEST)
    return scale


@nb.njit(nogil=True, cache=True)
def _grow(wanted, times, values, start, size, limit, known, table, out):  # type: ignore[no-untyped-def]
    """Index wanted[start:], each seen so many times, adding what is new until all is done or `known` is full.

    Return the place reached and the new size.
    """
    for i in range(start, len(wanted)):
        _expect(wanted, i, known, table)
        if times[i] == 0:
            out[i] = 0
            continue
        slot = _slot(wanted[i], known, table)
        feature = np.int64(table[slot] & _ID)
        if feature == 0 and size < limit:
            if size == len(known):
                return i, size
            feature = size
            size += 1
            known[feature]["key"] = wanted[i]
            table[slot] = _entry(wanted[i], feature)
        if feature != 0:
            known[feature]["count"] += times[i]
            known[feature]["scale"] = _rescaled(known[feature]["scale"], abs(values[i]))
        out[i] = feature
    return len(wanted), size


@nb.njit(nogil=True, cache=True)
def _rescale_all(scale, values):  # type: ignore[no-untyped-def]
    """Return a feature's scale after more values, of which NaN and 0 are none."""
    for value in values:
        if value != 0 and not np.isnan(value):
            scale = _rescaled(scale, abs(value))
    return scale


@nb.njit(nogil=True, cache=True)
def _count(codes, counts):  # type: ignore[no-untyped-def]
    """Count how often each code occurs."""
    for code in codes:
        counts[code] += 1


@nb.njit(nogil=True, cache=True)
def _spread(codes, firsts, ids, out):  # type: ignore[no-untyped-def]
    """Write every row's ids, by column: ids[firsts[column] + codes[column, row]]."""
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            out[row, column] = ids[firsts[column] + codes[column, row]]


class Vocabulary:
    """The features seen so far; id 0 is the intercept's, so features count from 1.

    `limit` bounds the number of features: what comes later is unknown, and `dropped` counts its occurrences.
    """

    def __init__(self, limit: int = MAX_FEATURES) -> None:
        self.limit = limit + 1
        self.size = 1
        self.dropped = 0
        self._known = np.zeros(1024, _FEATURE)
        self._table = np.zeros(2048, np.uint64)

    @classmethod
    def of(
        cls, keys: npt.NDArray[np.uint64], counts: npt.NDArray[np.uint32], scales: npt.NDArray[np.float32]
    ) -> Vocabulary:
        """Make a vocabulary of known features, ids 1 to m in the order given."""
        vocabulary = cls(max(MAX_FEATURES, 2 * len(keys)))
        vocabulary._reserve(len(keys) + 1)
        vocabulary.size = len(keys) + 1
        known = vocabulary._known[1 : vocabulary.size]
        known["key"], known["count"], known["scale"] = keys, counts, scales
        _place(1, vocabulary.size, vocabulary._known, vocabulary._table)
        return vocabulary

    @property
    def keys(self) -> npt.NDArray[np.uint64]:
        """The features' keys by id, uint64[size]; place 0 means nothing."""
        return self._known["key"][: self.size]

    @property
    def counts(self) -> npt.NDArray[np.uint32]:
        """How many rows each feature was seen in, uint32[size]."""
        return self._known["count"][: self.size]

    @property
    def scales(self) -> npt.NDArray[np.float32]:
        """The usual size of each feature's values, float32[size]; 1 where all values were 0."""
        return self.scales_of(np.arange(self.size))

    def scales_of(self, ids: npt.NDArray[np.uint32] | npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return those features' scales; 1 where values are of a size that a recipe gives on purpose."""
        scales = self._known["scale"][ids]
        return np.where((scales < _SMALL) & (scales > 0) | (scales > 1), scales, np.float32(1))

    def stretches(self, rows: int) -> npt.NDArray[np.float32]:
        """Return what each feature's values are multiplied by for learning, float32[size]: tokens by rarity, others 1.

        A token has values below 1, like the 1/sqrt(k) of k words, and is in fewer than half of the rows: a number is in
        most. Its rarity is its inverse document frequency (Sparck Jones 1972), divided by the root mean square of those
        of all tokens' occurrences: rare words gain what frequent ones lose, and texts as a whole pull as before.
        """
        scales = self._known["scale"][: self.size]
        token = (scales > _SMALL) & (scales < 1) & (self.counts < rows / 2)
        rarity = np.log((1 + rows) / (1 + self.counts))
        occurrences = self.counts * token
        usual = np.sqrt((occurrences * rarity**2).sum() / max(occurrences.sum(), 1))
        return np.where(token, rarity / (usual or 1), 1).astype(np.float32)

    def close(self) -> None:
        """Give up looking up and growing, and the memory for it; what is known of the features stays."""
        self._known = self._known[: self.size].copy()
        self._table = np.zeros(0, np.uint64)

    def index(self, features: Features, *, grow: bool) -> Indexed:
        """Translate keys to ids; with `grow`, new keys get one and are counted, else they are left out.

        Raises InvalidInput, and learns no key, where a value is NaN or infinite.
        """
        values = np.ascontiguousarray(features.values, np.float32)
        _refuse_infinite(values, features.indptr)
        if grow:
            ids = self._grown(features.keys, np.ones(len(values), np.uint32), values)
            self.dropped += int(np.count_nonzero(ids == 0))
        else:
            ids = np.zeros(len(values), np.uint32)
            _look_up(features.keys, self._known, self._table, ids)
        return _known(features.indptr, ids, values)

    def index_columns(self, features: FeatureColumns, first_row: int) -> IndexedColumns:
        """Translate keys to ids; new keys get one and are counted. What a column has of a key is looked up once.

        The rows are those from `first_row` on; of numbers, the scale is told by the first rows and by every eighth.
        """
        telling = _telling(first_row, features.rows)
        singles = [column for column in features.columns if isinstance(column, Single)]
        numbers = [column for column in features.columns if isinstance(column, Number)]
        tokens = tuple(column for column in features.columns if isinstance(column, Tokens))
        dense = np.empty((features.rows, len(numbers)), np.float32)
        ids = np.zeros((2, len(numbers)), np.uint32)
        ones = self._index_singles(features.rows, singles)
        for place, column in enumerate(numbers):
            dense[:, place] = column.values
            ids[:, place] = self._index_number(column, dense[:, place], telling)
        return IndexedColumns(
            ones, dense, ids[0], ids[1], self.index(FeatureColumns(features.rows, tokens).sparse(), grow=True)
        )

    def _index_singles(self, rows: int, columns: list[Single]) -> Ids:
        out = np.empty((rows, len(columns)), np.uint32)
        if not columns:
            return out
        found, firsts, first = [], [], 0
        for column in columns:
            times = np.zeros(len(column.keys), np.uint32)
            _count(column.codes, times)
            found.append(self._grown(column.keys, times, np.ones(len(times), np.float32)))
            self.dropped += int(times[found[-1] == 0].sum())
            firsts.append(first)
            first += len(times)
        codes = np.stack([column.codes for column in columns])
        _spread(codes, np.array(firsts), np.concatenate(found), out)
        return out

    def _index_number(self, column: Number, values: npt.NDArray[np.float32], telling: tuple[slice, slice]) -> Ids:
        """Return the ids of a number and of its being missing; float32 values [n], of which some tell the scale."""
        missing = int(np.count_nonzero(np.isnan(values)))
        times = np.array([np.count_nonzero(values) - missing, missing], np.uint32)
        keys = np.array([column.key, column.missing], np.uint64)
        ids = self._grown(keys, times, np.array([0, 1], np.float32))
        _look_up(keys, self._known, self._table, ids)  # what these rows lack may be known of earlier ones
        if ids[0]:
            for some in telling:
                self._known["scale"][ids[0]] = _rescale_all(self._known["scale"][ids[0]], values[some])
        self.dropped += int(times[ids == 0].sum())
        return ids

    def _grown(
        self, keys: npt.NDArray[np.uint64], times: npt.NDArray[np.uint32], values: npt.NDArray[np.float32]
    ) -> Ids:
        """Return the keys' ids, new ones for new keys, having counted them; 0 for those seen no time or dropped."""
        ids, done = np.zeros(len(keys), np.uint32), 0
        while True:
            done, self.size = _grow(keys, times, values, done, self.size, self.limit, self._known, self._table, ids)
            if done == len(keys):
                return ids
            self._reserve(2 * len(self._known))

    def _reserve(self, room: int) -> None:
        """Make room for that many features; the table stays at most half full."""
        room = 1 << max(10, (room - 1).bit_length())
        known, self._known = self._known, np.zeros(room, _FEATURE)  # whose pages are nobody's until they are written
        self._known[: self.size] = known[: self.size]
        self._table = np.zeros(2 * room, np.uint64)
        _place(1, self.size, self._known, self._table)


def _telling(first_row: int, rows: int) -> tuple[slice, slice]:
    """Return which of some rows tell scales: all among the first of all, then those that a number divides."""
    early = min(max(FIRST_ROWS - first_row, 0), rows)
    return slice(0, early), slice(early + -(first_row + early) % SPARSELY, rows, SPARSELY)


def _refuse_infinite(values: npt.NDArray[np.float32], indptr: npt.NDArray[np.int64]) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        place = int(np.flatnonzero(~finite)[0])
        row = int(np.searchsorted(indptr, place, side="right")) - 1
        raise InvalidInput(
            f"a feature of row {row:,} has the value {values[place]}, where a finite number was expected",
            "Leave the feature out where its value is missing.",
        )


def _known(indptr: npt.NDArray[np.int64], ids: npt.NDArray[np.uint32], values: npt.NDArray[np.float32]) -> Indexed:
    known = ids != 0
    if known.all():
        return Indexed(indptr, ids, values)
    kept_before = np.concatenate([[0], np.cumsum(known)])
    return Indexed(kept_before[indptr], ids[known], values[known])
