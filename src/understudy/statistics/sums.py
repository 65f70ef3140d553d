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
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from understudy import compiling as nb
from understudy.errors import InvalidInput
from understudy.values import BATCH_ROWS

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int32]

_UNIT_BITS = 1074
"""The smallest positive float64 is 2 ** -1074; sums count these, sums of squares count its squares."""
_UNIT = 1 << _UNIT_BITS
_EXPONENTS = 2048
"""Exponents that 11 bits tell apart; the last is that of what is no finite number."""
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
def _add_counted(bits, counts, held, limbs):  # type: ignore[no-untyped-def]
    """Add each held float64, as often as it counts, to limbs[exponent, :2], and its square of 106 bits to the rest.

    Return how many that were.
    """
    rows = np.int64(0)
    for i in held:
        exponent = (bits[i] >> _S52) & _EXPONENT
        mantissa = (bits[i] & _MANTISSA) + (_HIDDEN if exponent else np.int64(0))
        high, low = mantissa >> _S32, mantissa & _LOW
        square = np.uint64(low) * np.uint64(low)
        cross = high * low
        count = np.int64(counts[i])
        signed = -count if bits[i] < 0 else count
        limbs[exponent, 0] += signed * low
        limbs[exponent, 1] += signed * high
        limbs[exponent, 2] += count * np.int64(square & np.uint64(0xFFFFFFFF))
        limbs[exponent, 3] += count * (np.int64(square >> np.uint64(32)) + ((cross << np.int64(1)) & _LOW))
        limbs[exponent, 4] += count * ((cross >> _S31) + high * high)
        rows += count
    return rows


def _total(values: Floats) -> int:
    """Return the sum of the values in units of 2**-1074."""
    refuse_infinite(values)
    bits = np.ascontiguousarray(values, np.float64).view(np.int64)
    total = 0
    for start in range(0, len(bits), _BLOCK):
        limbs = np.zeros((_EXPONENTS, 2), np.int64)
        _add_values(bits[start : start + _BLOCK], limbs)
        for exponent, low, high in _filled(limbs):
            total += (low + (high << 32)) << (max(exponent, 1) - 1)
    return total


def _filled(limbs: npt.NDArray[np.int64]) -> Iterator[list[int]]:
    """Yield each exponent that has limbs, and these."""
    exponents = np.flatnonzero(limbs.any(axis=1))
    return ([exponent, *row] for exponent, row in zip(exponents.tolist(), limbs[exponents].tolist(), strict=True))


def refuse_infinite(values: Floats) -> None:
    """Raise InvalidInput where one of the values is infinite or NaN."""
    if not np.isfinite(values).all():
        raise InvalidInput("a value to sum up is infinite or no number", "Leave such cells out, and count them.")


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
        self._total += _total(values)

    def merge(self, other: ExactSum) -> None:
        """Add all that the other sum has seen."""
        self._total += other._total

    @property
    def value(self) -> float:
        """The sum, rounded once."""
        return _quotient(self._total, _UNIT)


class Moments:
    """Count, mean and standard deviation of finite float64 values, exact until they are read; 2-3 ns a value."""

    def __init__(self) -> None:
        self._count = 0
        self._total = 0
        self._squares = 0
        self._limbs = np.zeros((_EXPONENTS, 5), np.int64)
        self._waiting = 0  # values in the limbs, which the totals lack

    def add(self, values: Floats) -> None:
        """Add finite values, float64[n]."""
        refuse_infinite(values)
        for start in range(0, len(values), BATCH_ROWS):
            block = values[start : start + BATCH_ROWS]
            self.add_counted(block, np.ones(len(block), np.int32), np.arange(len(block), dtype=np.int32))

    def add_counted(self, values: Floats, counts: Counts, held: Counts) -> None:
        """Add the finite values[held], as often as counts[held] say, `BATCH_ROWS` times at most."""
        if self._waiting + BATCH_ROWS > _BLOCK:
            self._settle()
        bits = np.ascontiguousarray(values, np.float64).view(np.int64)
        self._waiting += _add_counted(bits, counts, held, self._limbs)

    def merge(self, other: Moments) -> None:
        """Add all that the other moments have seen."""
        other._settle()
        self._count += other._count
        self._total += other._total
        self._squares += other._squares

    @property
    def count(self) -> int:
        """How many values there are."""
        return self._count + self._waiting

    def _settle(self) -> None:
        """Take what the limbs hold into the totals: every some batches, for it costs more than a batch's values."""
        for exponent, low, high, square_low, square_middle, square_high in _filled(self._limbs):
            shift = max(exponent, 1) - 1
            self._total += (low + (high << 32)) << shift
            self._squares += (square_low + (square_middle << 32) + (square_high << 64)) << (2 * shift)
        self._limbs.fill(0)
        self._count, self._waiting = self.count, 0

    @property
    def mean(self) -> float:
        """The mean; NaN without values."""
        self._settle()
        return _quotient(self._total, self.count * _UNIT) if self.count else math.nan

    @property
    def sd(self) -> float:
        """The sample's standard deviation (divisor n - 1); NaN for fewer than two values."""
        if self.count < 2:
            return math.nan
        self._settle()
        spread = self.count * self._squares - self._total**2
        return _quotient(math.isqrt(spread // (self.count * (self.count - 1))), _UNIT)
