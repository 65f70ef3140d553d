"""How kernels read the rows of a block: by addresses, as to take an array out of a tuple costs more than to read it."""
# ruff: noqa: ANN001, ANN201 (numba infers a kernel's types; it takes arrays, not objects)

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from understudy import compiling as nb
from understudy.learner.lanes import id_at

AHEAD = 4
"""Rows ahead for which memory is asked: about as long as it takes to come."""

_ONE = np.float32(1)


class Addresses(NamedTuple):
    """Where the columns of a block, and what is known of features, stand, and how wide rows are."""

    ones: int
    ones_each: np.int64
    """How many `ones` each row has."""
    numbers: int
    numbers_each: np.int64
    """How many `numbers` each row has."""
    number_ids: int
    missing_ids: int
    indptr: int
    ids: int
    values: int
    labels: int
    importances: int
    traits: int


@nb.njit(inline="always")
def addresses(rows, traits):  # type: ignore[no-untyped-def]
    """Return the addresses of a block and of traits.

    Numba counts references wherever an array is taken out of a tuple or handed on, at 10 ns each; a number is a number.
    """
    return Addresses(
        rows.ones.ctypes.data,
        np.int64(rows.ones.shape[1]),
        rows.numbers.ctypes.data,
        np.int64(rows.numbers.shape[1]),
        rows.number_ids.ctypes.data,
        rows.missing_ids.ctypes.data,
        rows.indptr.ctypes.data,
        rows.ids.ctypes.data,
        rows.values.ctypes.data,
        rows.labels.ctypes.data,
        rows.weights.ctypes.data,
        traits.ctypes.data,
    )


@nb.njit(inline="always")
def number_at(k, number, number_ids, missing_ids):  # type: ignore[no-untyped-def]
    """Return the value and the feature of a row's k-th number; a missing one is a feature of its own, of value 1."""
    if np.isnan(number):
        return _ONE, id_at(missing_ids, k)
    return number, id_at(number_ids, k)


@nb.njit(inline="always")
def within(x, bound):  # type: ignore[no-untyped-def]
    """Hold a number between -bound and bound."""
    return min(max(x, -bound), bound)
