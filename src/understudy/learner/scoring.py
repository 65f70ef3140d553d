"""Linear scores of frozen weights: one row and a batch of rows get the same bits."""
# ruff: noqa: ANN001, ANN202 (numba infers a kernel's types; it takes arrays, not objects)

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

import numba as nb
import numpy as np
import numpy.typing as npt

from understudy.features import Features

Floats = npt.NDArray[np.float64]


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

    def total(self, summands: Iterable[float]) -> float:
        """Return the score of a row whose products of weight and value are given: for models of one output."""
        score = self._start
        for summand in summands:  # `sum` would round otherwise
            score += summand
        return score

    def totals(self, features: Iterable[tuple[int, float]]) -> Floats:
        """Return the scores float64[outputs] of a row whose features are given: places of weights, and values."""
        places, values = tuple(zip(*features, strict=True)) or ((), ())
        summands = np.empty((len(places) + 1, len(self._intercept)))
        summands[0] = self._intercept
        np.multiply(self._weights.take(np.array(places, np.intp), 0), np.array(values)[:, None], out=summands[1:])
        scores: Floats = np.add.reduce(summands)  # one row after the other; only along a row would numpy add in pairs
        return scores


def probability(score: float) -> float:
    """Return the probability of the positive label; the plain twin of `losses.sigmoid`."""
    tail = float(np.exp(-abs(score)))  # of the same bits as for arrays, which `math.exp` has not
    return (1.0 if score >= 0 else tail) / (1.0 + tail)
