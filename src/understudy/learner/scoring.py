"""Linear scores of frozen weights: one row and a batch of rows get the same bits."""
# ruff: noqa: ANN001, ANN202 (numba infers a kernel's types; it takes arrays, not objects)

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

from understudy.features import Features


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
    intercept: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return intercept + sum of weight x value, float64[n, outputs].

    `keys` uint64[m] must ascend; `weights` are float32[m, outputs], `intercept` float64[outputs]. A key that is not
    among them contributes nothing. Each row is summed in float64 in its own order, so batching changes no bit.
    """
    out = np.empty((features.rows, len(intercept)))
    out[:] = intercept
    _decide(features.indptr, features.keys, features.values, keys, weights, out)
    return out
