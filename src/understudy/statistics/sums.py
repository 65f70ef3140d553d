"""Sums and moments without rounding: one result, whatever the order, the batches and the merges.

A float64 is an integer of 53 bits times a power of two, so a sum of them is an integer in units of the smallest one.
Kernels add up the bits by exponent; Python's integers hold the total. Only reading a figure rounds, once.

>>> total = ExactSum()
>>> total.add(np.array([1e16, 1.0, -1e16]))
>>> total.value
1.0
"""

# ruff: noqa: ANN001, ANN202 - compiled kernels carry no types

from __future__ import annotations

import math

import numba as nb
import numpy as np
import numpy.typing as npt

from understudy.errors import InvalidInput

Floats = npt.NDArray[np.float64]

_UNIT_BITS = 1074
"""The smallest positive float64 is 2 ** -1074; sums count these, sums of squares count its squares."""
_UNIT = 1 << _UNIT_BITS
_INFINITE = 2047
"""The exponent bits of what is no finite number."""
_BLOCK = 1 << 19
"""Values per kernel call: few enough for limbs of 43 bits to add up within an int64."""

_LOW = np.int64(0xFFFFFFFF)
_MANTISSA = np.int64((1 << 52) - 1)
_HIDDEN = np.int64(1 << 52)
_S31, _S32, _S52 = np.int64(31), np.int64(32), np.int64(52)
_EXPONENT = np.int64(0x7FF)


@nb.njit(nogil=True, cache=True)
def _add_values(bits, limbs):  # type: ignore[no-untyped-def]
    """Add each float64, given as int64 bits, to limbs[exponent] of 32 and 21 bits."""
    for i in range(len(bits)):
        exponent = (bits[i] >> _S52) & _EXPONENT
        mantissa = (bits[i] & _MANTISSA) + (_HIDDEN if exponent else np.int64(0))
        sign = np.int64(-1) if bits[i] < 0 else np.int64(1)
        limbs[exponent, 0] += sign * (mantissa & _LOW)
        limbs[exponent, 1] += sign * (mantissa >> _S32)


@nb.njit(nogil=True, cache=True)
def _add_squares(bits, limbs):  # type: ignore[no-untyped-def]
    """Add each float64's square, all 106 bits of it, to limbs[exponent]."""
    for i in range(len(bits)):
        exponent = (bits[i] >> _S52) & _EXPONENT
        mantissa = (bits[i] & _MANTISSA) + (_HIDDEN if exponent else np.int64(0))
        high, low = mantissa >> _S32, mantissa & _LOW
        square = np.uint64(low) * np.uint64(low)
        cross = high * low
        limbs[exponent, 0] += np.int64(square & np.uint64(0xFFFFFFFF))
        limbs[exponent, 1] += np.int64(square >> np.uint64(32)) + ((cross << np.int64(1)) & _LOW)
        limbs[exponent, 2] += (cross >> _S31) + high * high


def _total(values: Floats, squared: bool) -> int:
    """Return the sum of the values in units of 2**-1074, or of their squares in units of 2**-2148."""
    bits = np.ascontiguousarray(values, np.float64).view(np.int64)
    total = 0
    for start in range(0, len(bits), _BLOCK):
        limbs = np.zeros((_INFINITE + 1, 3), np.int64)
        (_add_squares if squared else _add_values)(bits[start : start + _BLOCK], limbs)
        if limbs[_INFINITE].any():
            raise InvalidInput("a value to sum up is infinite or no number", "Leave such cells out, and count them.")
        for exponent in np.flatnonzero(limbs.any(axis=1)).tolist():
            low, middle, high = limbs[exponent].tolist()
            shift = max(exponent, 1) - 1
            total += (low + (middle << 32) + (high << 64)) << (2 * shift if squared else shift)
    return total


def _quotient(part: int, whole: int) -> float:
    """Return part / whole, correctly rounded; infinite beyond the largest float64."""
    try:
        return part / whole
    except OverflowError:
        return math.inf if part > 0 else -math.inf


class ExactSum:
    """The exact sum of finite float64 values; 2-3 ns a value."""

    def __init__(self) -> None:
        self._total = 0

    def add(self, values: Floats) -> None:
        """Add finite values, float64[n]."""
        self._total += _total(values, squared=False)

    def merge(self, other: ExactSum) -> None:
        """Add all that the other sum has seen."""
        self._total += other._total

    @property
    def value(self) -> float:
        """The sum, rounded once."""
        return _quotient(self._total, _UNIT)


class Moments:
    """Count, mean and standard deviation of finite float64 values, exact until they are read; 5 ns a value."""

    def __init__(self) -> None:
        self.count = 0
        self._total = 0
        self._squares = 0

    def add(self, values: Floats) -> None:
        """Add finite values, float64[n]."""
        self.count += len(values)
        self._total += _total(values, squared=False)
        self._squares += _total(values, squared=True)

    def merge(self, other: Moments) -> None:
        """Add all that the other moments have seen."""
        self.count += other.count
        self._total += other._total
        self._squares += other._squares

    @property
    def mean(self) -> float:
        """The mean; NaN without values."""
        return _quotient(self._total, self.count * _UNIT) if self.count else math.nan

    @property
    def sd(self) -> float:
        """The sample's standard deviation (divisor n - 1); NaN for fewer than two values."""
        if self.count < 2:
            return math.nan
        spread = self.count * self._squares - self._total**2
        return _quotient(math.isqrt(spread // (self.count * (self.count - 1))), _UNIT)


def exact_sum(values: Floats) -> float:
    """Return the sum of finite values, correctly rounded; the same in any order."""
    return _quotient(_total(values, squared=False), _UNIT)
