"""Text cells read as numbers in decimal syntax, correctly rounded: the compiled loop, and Arrow for the rare rest.

A number of few digits is an integer up to 2**53 times or over a power of ten up to 10**22. A float64 holds both
exactly, so that one multiplication or division rounds once, and right (Clinger 1990).
"""

# ruff: noqa: ANN001, ANN201, ANN202 - numba infers the types of kernels

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from understudy import compiling as nb
from understudy.hashing import text_buffers
from understudy.memory import load8
from understudy.values.cells import Floats

NO_NUMBER, PLAIN, CODE = 0, 1, 2
"""Shapes. A number is a code where its digits may be one's: a leading zero, or a plus sign."""

_RARE = 4
"""Added to the shape of a number that the fast way cannot round right."""

_DIGITS = 18
"""So many digits are below 2**63."""

_EXACT = np.uint64(2**53)
_POWERS = np.array([float(f"1e{power}") for power in range(23)])

_ZERO, _PLUS, _MINUS, _POINT, _E = (ord(character) for character in "0+-.e")
_SIGNS = (_PLUS, _MINUS)
_NINE, _TEN = np.uint64(9), np.uint64(10)


class Decimals(NamedTuple):
    """n text cells as numbers."""

    values: Floats
    """float64[n]; NaN where a cell is no number, or one beyond float64."""
    shapes: npt.NDArray[np.uint8]
    """Whether each is a number, and whether a plain one."""


def read_decimals(texts: pa.StringArray) -> Decimals:
    """Read text cells as numbers: digits with a point among them or none, after a sign, before an exponent."""
    data, offsets = text_buffers(texts)
    values, shapes = np.empty(len(texts)), np.empty(len(texts), np.uint8)
    if _read_all(data, offsets, values, shapes):
        rare = shapes >= _RARE
        values[rare] = texts.filter(pa.array(rare)).cast(pa.float64()).to_numpy(zero_copy_only=False)
        values[np.isinf(values)] = np.nan
        shapes &= _RARE - 1
    return Decimals(values, shapes)


@nb.njit(nogil=True, cache=True)
def _read_all(data, offsets, values, shapes):  # type: ignore[no-untyped-def]
    """Fill values and shapes; return how many cells the fast way could not round."""
    rare = 0
    base = data.ctypes.data
    for i in range(len(shapes)):
        value, shape = read_one(base + np.int64(offsets[i]), base + np.int64(offsets[i + 1]))
        values[i], shapes[i] = value, shape
        rare += shape >= _RARE
    return rare


@nb.njit
def _read_digits(at, stop, number):  # type: ignore[no-untyped-def]
    """Append the digits between two addresses to a number (uint64); return it, and where they end."""
    while at < stop:
        digit = np.uint64(load8(at) - 48)
        if digit > _NINE:
            break
        number = number * _TEN + digit
        at += 1
    return number, at


@nb.njit
def read_one(at, stop):  # type: ignore[no-untyped-def]
    """Return the value and the shape of the text between two addresses."""
    if at == stop:
        return np.nan, NO_NUMBER
    sign = load8(at)
    at += sign in _SIGNS
    number, point = _read_digits(at, stop, np.uint64(0))
    digits, power = point - at, np.int64(0)
    shape = CODE if sign == _PLUS or (digits > 1 and load8(at) == _ZERO) else PLAIN
    at = point
    if at < stop and load8(at) == _POINT:
        number, at = _read_digits(point + 1, stop, number)
        power = point + 1 - at
        digits -= power
    if digits == 0:
        return np.nan, NO_NUMBER
    if at < stop and load8(at) | 32 == _E:
        sign_of_power = load8(at + 1) if at + 1 < stop else 0
        start = at + 1 + (sign_of_power in _SIGNS)
        exponent, at = _read_digits(start, stop, np.uint64(0))
        if at == start:
            return np.nan, NO_NUMBER
        digits = max(digits, at - start)
        power += -np.int64(exponent) if sign_of_power == _MINUS else np.int64(exponent)
    if at < stop:
        return np.nan, NO_NUMBER
    if digits > _DIGITS or number > _EXACT or abs(power) >= len(_POWERS):
        return np.nan, shape | _RARE
    value = np.float64(np.int64(number))
    value = value / _POWERS[-power] if power < 0 else value * _POWERS[power]
    return -value if sign == _MINUS else value, shape
