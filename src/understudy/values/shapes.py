"""The shape of each text cell, told by one look at its bytes."""

# ruff: noqa: ANN001, ANN202 - numba infers the types of kernels

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from understudy.hashing import string_buffers

EMPTY, EDGE, ZEROS, TIME = 1, 2, 4, 8
NO_NUMBER, PLAIN, _CODED = 0, 1, 2
"""A number is coded where its digits may be a code's: a leading zero, or a plus sign."""


def text_shapes(array: pa.Array) -> npt.NDArray[np.uint8]:
    """Tell for every text cell whether it is empty, may have white space at an edge, zeros to lose, or a time."""
    data, offsets = string_buffers(array)
    shapes = np.empty(len(array), np.uint8)
    _look_at_texts(data, offsets, shapes)
    return shapes


def number_shapes(array: pa.Array) -> npt.NDArray[np.uint8]:
    """Tell for every text cell whether it is a number in decimal syntax, and whether a plain one."""
    data, offsets = string_buffers(array)
    shapes = np.empty(len(array), np.uint8)
    _look_at_numbers(data, offsets, shapes)
    return shapes


@nb.njit(inline="always")
def _digits(data, start, stop):  # type: ignore[no-untyped-def]
    """Return where the run of digits from `start` on ends."""
    while start < stop and 48 <= data[start] <= 57:
        start += 1
    return start


@nb.njit(nogil=True, cache=True)
def _look_at_texts(data, offsets, shapes):  # type: ignore[no-untyped-def]
    for i in range(len(shapes)):
        start, stop = offsets[i], offsets[i + 1]
        if start == stop:
            shapes[i] = EMPTY
            continue
        first, last = data[start], data[stop - 1]
        shape = 0
        if first <= 32 or first >= 128 or last <= 32 or last >= 128:
            shape |= EDGE
        whole = start + 1 if first == 45 else start
        point = _digits(data, whole, stop)
        if point > whole and (data[whole] != 48 or point == whole + 1):
            if point == stop:
                if whole > start and data[whole] == 48:
                    shape |= ZEROS
            elif last == 48 and data[point] == 46 and _digits(data, point + 1, stop) == stop:
                shape |= ZEROS
        timed = stop - start >= 19 and point == start + 4 and data[start + 13] == 58 and data[start + 16] == 58
        if timed and (stop - start > 19 or data[start + 10] != 32):
            shape |= TIME
        shapes[i] = shape


@nb.njit(nogil=True, cache=True)
def _look_at_numbers(data, offsets, shapes):  # type: ignore[no-untyped-def]
    for i in range(len(shapes)):
        at, stop = offsets[i], offsets[i + 1]
        shapes[i] = NO_NUMBER
        if at == stop:
            continue
        coded = data[at] == 43
        if data[at] == 43 or data[at] == 45:
            at += 1
        whole = _digits(data, at, stop)
        digits = whole - at
        coded = coded or (digits > 1 and data[at] == 48)
        at = whole
        if at < stop and data[at] == 46:
            whole = _digits(data, at + 1, stop)
            digits += whole - at - 1
            at = whole
        if digits == 0:
            continue
        if at < stop and (data[at] == 69 or data[at] == 101):
            at += 1
            if at < stop and (data[at] == 43 or data[at] == 45):
                at += 1
            whole = _digits(data, at, stop)
            if whole == at:
                continue
            at = whole
        if at == stop:
            shapes[i] = _CODED if coded else PLAIN
