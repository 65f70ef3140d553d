"""The shape of each text cell, told by one look at its bytes."""

# ruff: noqa: ANN001, ANN202 - numba infers the types of kernels

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from understudy import compiling as nb
from understudy.hashing import text_buffers
from understudy.memory import load8

EMPTY, EDGE, ZEROS, TIME = 1, 2, 4, 8


def text_shapes(array: pa.Array) -> npt.NDArray[np.uint8]:
    """Tell for every text cell whether it is empty, may have white space at an edge, zeros to lose, or a time."""
    data, offsets = text_buffers(array)
    shapes = np.empty(len(array), np.uint8)
    _look_at_texts(data, offsets, shapes)
    return shapes


@nb.njit
def _end_of_digits(at, stop):  # type: ignore[no-untyped-def]
    """Return where the run of digits from an address on ends."""
    while at < stop and 48 <= load8(at) <= 57:
        at += 1
    return at


@nb.njit(nogil=True, cache=True)
def _look_at_texts(data, offsets, shapes):  # type: ignore[no-untyped-def]
    base = data.ctypes.data
    for i in range(len(shapes)):
        start, stop = base + np.int64(offsets[i]), base + np.int64(offsets[i + 1])
        if start == stop:
            shapes[i] = EMPTY
            continue
        first, last = load8(start), load8(stop - 1)
        shape = EDGE if first <= 32 or first >= 128 or last <= 32 or last >= 128 else 0
        if last == 48 or stop - start >= 19:  # else it has no zeros to lose, and is too short for a time
            shape |= _zeros_or_time(start, stop, last)
        shapes[i] = shape


@nb.njit
def _zeros_or_time(start, stop, last):  # type: ignore[no-untyped-def]
    whole = start + 1 if load8(start) == 45 else start
    point, shape = _end_of_digits(whole, stop), 0
    if point > whole and (load8(whole) != 48 or point == whole + 1):
        if point == stop:
            if whole > start and load8(whole) == 48:
                shape = ZEROS
        elif last == 48 and load8(point) == 46 and _end_of_digits(point + 1, stop) == stop:
            shape = ZEROS
    timed = stop - start >= 19 and point == start + 4 and load8(start + 13) == 58 and load8(start + 16) == 58
    if timed and (stop - start > 19 or load8(start + 10) != 32):
        shape |= TIME
    return shape
