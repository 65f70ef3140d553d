"""Linear scores of frozen weights: one row and a batch of rows get the same bits."""
# ruff: noqa: ANN001, ANN202 (numba infers a kernel's types; it takes arrays, not objects)

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from itertools import chain

import numpy as np
import numpy.typing as npt

from understudy import compiling as nb
from understudy.features import FeatureColumns, Features, Number, Single
from understudy.memory import prefetch

Floats = npt.NDArray[np.float64]

_AHEAD = 8
"""Keys ahead for which memory is asked."""


@nb.njit(nogil=True, cache=True)
def _place(key, keys):  # type: ignore[no-untyped-def]
    """Find `key` among ascending `keys` by halving; -1 where it is missing."""
    low, high = 0, len(keys)
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low if low < len(keys) and keys[low] == key else -1


class KeyIndex:
    """Ascending keys, found by their first bits: as they are hashes, about eight begin with the same.

    So few bits that the index stays in the processor's cache, and so many that the keys to look through stand together.
    """

    def __init__(self, keys: npt.NDArray[np.uint64]) -> None:
        """Index uint64[m]."""
        bits = max(1, (len(keys) - 1).bit_length() - 3)
        self._keys, self._shift = keys, np.uint64(64 - bits)
        self._starts = np.zeros((1 << bits) + 1, np.uint32)
        np.cumsum(np.bincount((keys >> self._shift).astype(np.int64), minlength=1 << bits), out=self._starts[1:])

    def places(self, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """Return where each key stands, -1 where it is missing."""
        return self.places_of(keys, np.arange(len(keys), dtype=np.int32))

    def places_of(self, keys: npt.NDArray[np.uint64], held: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
        """Return where each of the keys[held] stands, at its own place; what is at the others means nothing."""
        places = np.empty(len(keys), np.int64)
        _find(keys, held, self._keys, self._starts, self._shift, places)
        return places


@nb.njit(nogil=True, cache=True)
def _find(wanted, held, keys, starts, shift, places):  # type: ignore[no-untyped-def]
    address = keys.ctypes.data
    for i in range(len(held)):
        if i + _AHEAD < len(held):
            prefetch(address + 8 * np.int64(starts[wanted[held[i + _AHEAD]] >> shift]))
        key = wanted[held[i]]
        place, end = np.int64(starts[key >> shift]), np.int64(starts[(key >> shift) + np.uint64(1)])
        while place < end and keys[place] < key:
            place += 1
        places[held[i]] = place if place < end and keys[place] == key else -1


@nb.njit(nogil=True, cache=True)
def _hold(codes, there, held):  # type: ignore[no-untyped-def]
    """Write which cells stand in any row, ascending; return how many. `there` is zeros, one for each cell."""
    for row in range(len(codes)):
        there[codes[row]] = 1
    found = 0
    for cell in range(len(there)):
        held[found] = cell
        found += there[cell]
    return found


@nb.njit(nogil=True, cache=True)
def _add_single(codes, held, places, weights, summands, out):  # type: ignore[no-untyped-def]
    """Add the weights of each row's cell; a single one is fetched once for all rows, into `summands`."""
    if weights.shape[1] == 1:
        for cell in held:
            place = places[cell]
            summands[cell] = np.float64(weights[place, 0]) if place >= 0 else -0.0  # which changes no sum's bits
        for row in range(len(codes)):
            out[row, 0] += summands[codes[row]]
        return
    for row in range(len(codes)):
        place = places[codes[row]]
        if place >= 0:
            for output in range(weights.shape[1]):
                out[row, output] += np.float64(weights[place, output])


@nb.njit(nogil=True, cache=True)
def _add_numbers(values, present, missing, weights, out):  # type: ignore[no-untyped-def]
    for row in range(len(values)):
        value, place = np.float32(values[row]), present
        if np.isnan(value):
            value, place = np.float32(1), missing
        if place >= 0 and value != 0:
            for output in range(weights.shape[1]):
                out[row, output] += np.float64(value) * np.float64(weights[place, output])


@nb.njit(nogil=True, cache=True)
def _add_tokens(offsets, places, weights, out):  # type: ignore[no-untyped-def]
    for row in range(len(offsets) - 1):
        value = np.float32(1.0 / np.sqrt(max(offsets[row + 1] - offsets[row], 1)))
        for i in range(offsets[row], offsets[row + 1]):
            if places[i] >= 0:
                for output in range(weights.shape[1]):
                    out[row, output] += np.float64(value) * np.float64(weights[places[i], output])


def _held(column: Single) -> npt.NDArray[np.int32]:
    """Return which of a column's different keys stand in any row."""
    held = np.empty(len(column.keys) + 1, np.int32)
    return held[: _hold(column.codes, np.zeros(len(column.keys), np.uint8), held)]


def decision_by_column(
    features: FeatureColumns, index: KeyIndex, weights: npt.NDArray[np.float32], intercept: Floats
) -> Floats:
    """Return what `decision` returns, to the bit: column after column each row is summed in the same order."""
    out = np.empty((features.rows, len(intercept)))
    out[:] = intercept
    for column in features.columns:
        if isinstance(column, Single):
            held = _held(column)
            places, summands = index.places_of(column.keys, held), np.empty(len(column.keys))
            _add_single(column.codes, held, places, weights, summands, out)
        elif isinstance(column, Number):
            present, missing = index.places(np.array([column.key, column.missing], np.uint64))
            _add_numbers(column.values, present, missing, weights, out)
        else:
            _add_tokens(column.offsets, index.places(column.keys), weights, out)
    return out


@nb.njit(nogil=True, cache=True)
def _decide(indptr, row_keys, values, keys, weights, out):  # type: ignore[no-untyped-def]
    for row in range(len(indptr) - 1):
        for k in range(indptr[row], indptr[row + 1]):
            place = _place(row_keys[k], keys)
            if place >= 0:
                for output in range(weights.shape[1]):
                    out[row, output] += np.float64(values[k]) * np.float64(weights[place, output])


def decision(
    features: Features,
    keys: npt.NDArray[np.uint64],
    weights: npt.NDArray[np.float32],
    intercept: Floats,
) -> Floats:
    """Return intercept + sum of weight x value, float64[n, outputs].

    `keys` uint64[m] must ascend; `weights` are float32[m, outputs], `intercept` float64[outputs]. A key that is not
    among them contributes nothing. Each row is summed in float64 in its own order, so batching changes no bit.
    """
    out = np.empty((features.rows, len(intercept)))
    out[:] = intercept
    _decide(features.indptr, features.keys, features.values, keys, weights, out)
    return out


class SingleRows:
    """Linear scores of one row at a time in plain Python, no kernel behind them; the bits are those of `decision`."""

    def __init__(self, keys: npt.NDArray[np.uint64], weights: npt.NDArray[np.float32], intercept: Floats) -> None:
        self._keys = keys.data
        self._weights = weights
        self._first = weights.reshape(-1).data
        self._intercept = intercept
        self._start = float(intercept[0])

    def place(self, key: int) -> int | None:
        """Return where a key's weights stand; None where it has none."""
        place = bisect_left(self._keys, key)
        return place if place < len(self._keys) and self._keys[place] == key else None

    def weight(self, key: int) -> float | None:
        """Return a key's only weight, None where it has none: for models of one output."""
        place = bisect_left(self._keys, key)
        return self._first[place] if place < len(self._keys) and self._keys[place] == key else None

    def total(self, summands: Iterable[Iterable[float]]) -> float:
        """Return the score of a row whose products of weight and value are given: for models of one output."""
        score = self._start
        for some in summands:
            for summand in some:  # `sum` would round otherwise
                score += summand
        return score

    def totals(self, features: Iterable[Iterable[tuple[int, float]]]) -> Floats:
        """Return the scores float64[outputs] of a row whose features are given: places of weights, and values."""
        places, values = tuple(zip(*chain.from_iterable(features), strict=True)) or ((), ())
        summands = np.empty((len(places) + 1, len(self._intercept)))
        summands[0] = self._intercept
        np.multiply(self._weights.take(np.array(places, np.intp), 0), np.array(values)[:, None], out=summands[1:])
        scores: Floats = np.add.reduce(summands)  # one row after the other; only along a row would numpy add in pairs
        return scores


def probability(score: float) -> float:
    """Return the probability of the positive label; the plain twin of `losses.sigmoid`."""
    tail = float(np.exp(-abs(score)))  # of the same bits as for arrays, which `math.exp` has not
    return (1.0 if score >= 0 else tail) / (1.0 + tail)
