"""The shape of each text cell, told by one look at its bytes, and its canonical form in a kernel."""

# ruff: noqa: ANN001, ANN201, ANN202 - numba infers the types of kernels

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from understudy import compiling as nb
from understudy.hashing import text_buffers
from understudy.memory import load8, store8

EMPTY, EDGE, ZEROS, TIME = 1, 2, 4, 8
"""What a cell may be: empty, with white space at an edge, with zeros to lose, a time to be written anew."""

_ZERO, _NINE, _MINUS, _POINT, _COLON, _BLANK = (ord(character) for character in "09-.: ")
_BEYOND = 128
_LATIN = (0x85, 0xA0)
_SEPARATORS = (0xA8, 0xA9, 0xAF)
"""Last bytes of U+0085 and U+00A0; of U+2028, U+2029 and U+202F."""
_TIME = tuple(b"0000-00-00 00:00:00")
_SECONDS, _MICROS = len(_TIME), len(_TIME) + len(".000000")
_BEFORE_CLOCK, _BEFORE_FRACTION, _UTC = (tuple(text) for text in (b"Tt ", b".,", b"Zz"))


def text_shapes(array: pa.Array) -> npt.NDArray[np.uint8]:
    """Tell the shape of every text cell."""
    data, offsets = text_buffers(array)
    shapes = np.empty(len(array), np.uint8)
    _look_at_all(data, offsets, shapes)
    return shapes


@nb.njit(nogil=True, cache=True)
def _look_at_all(data, offsets, shapes):  # type: ignore[no-untyped-def]
    base = data.ctypes.data
    for i in range(len(shapes)):
        shapes[i] = shape_of(base + np.int64(offsets[i]), base + np.int64(offsets[i + 1]))


@nb.njit(nogil=True, cache=True)
def shapes_among(data, offsets, count):  # type: ignore[no-untyped-def]
    """Tell which shapes there are among so many cells, given by their bytes (uint8) and offsets."""
    base, seen = data.ctypes.data, 0
    for i in range(count):
        seen |= shape_of(base + np.int64(offsets[i]), base + np.int64(offsets[i + 1]))
    return seen


@nb.njit
def shape_of(start, stop):  # type: ignore[no-untyped-def]
    """Return the shape of the text between two addresses."""
    if start == stop:
        return EMPTY
    first, last = load8(start), load8(stop - 1)
    edge = _is_blank(first) or _is_blank(last)
    if first >= _BEYOND or last >= _BEYOND:
        edge = edge or _is_wide_blank(start, stop)
        edge = edge or _is_wide_blank(max(start, stop - 2), stop) or _is_wide_blank(max(start, stop - 3), stop)
    shape = EDGE if edge else 0
    if last == _ZERO or stop - start >= _SECONDS:  # else it has no zeros to lose, and is too short for a time
        shape |= _zeros_or_time(start, stop)
    return shape


@nb.njit
def _zeros_or_time(start, stop):  # type: ignore[no-untyped-def]
    whole, point = _whole_number(start, stop)
    shape = 0
    if point > whole:
        if point == stop:
            shape = ZEROS if whole > start and load8(whole) == _ZERO else 0
        elif load8(stop - 1) == _ZERO and load8(point) == _POINT and _end_of_digits(point + 1, stop) == stop:
            shape = ZEROS
    size = stop - start
    if size >= _SECONDS and _end_of_digits(start, stop) == start + 4:
        timed = load8(start + 13) == _COLON and load8(start + 16) == _COLON
        plain = load8(start + 10) == _BLANK and (size == _SECONDS or (size == _MICROS and _has_micros(start, stop)))
        if timed and not plain:
            shape |= TIME
    return shape


@nb.njit
def _has_micros(start, stop):  # type: ignore[no-untyped-def]
    """Tell whether six digits behind a point, not all of them zero, end a time."""
    point = start + _SECONDS
    if load8(point) != _POINT or _end_of_digits(point + 1, stop) != stop:
        return False
    while load8(stop - 1) == _ZERO:
        stop -= 1
    return stop > point + 1


@nb.njit
def canonical_form(start, size, spare):  # type: ignore[no-untyped-def]
    """Return address and size of a text's canonical form, and what is left of the spare bytes: it may be written there.

    What remains to be seen to: white space beyond ASCII at an edge, and times in a zone other than UTC.
    """
    stop = start + size
    while start < stop and _is_blank(load8(start)):
        start += 1
    while start < stop and _is_blank(load8(stop - 1)):
        stop -= 1
    if stop - start >= _SECONDS:
        end = _end_of_time(start, stop)
        if end:
            return spare, _write_time(start, end, spare), spare + _MICROS
    if start == stop or load8(stop - 1) != _ZERO:
        return start, stop - start, spare
    whole, point = _whole_number(start, stop)
    if point == whole:
        return start, stop - start, spare
    if point < stop and load8(point) == _POINT and _end_of_digits(point + 1, stop) == stop:
        while load8(stop - 1) == _ZERO:
            stop -= 1
        stop -= stop == point + 1
    if stop == whole + 1 and load8(whole) == _ZERO:
        start = whole
    return start, stop - start, spare


@nb.njit
def _end_of_time(start, stop):  # type: ignore[no-untyped-def]
    """Return where the seconds of an ISO time stamp in UTC or in no zone end; 0 where a text is no such."""
    for k in range(_SECONDS):
        expected, byte = _TIME[k], load8(start + k)
        if expected == _ZERO:
            if not _ZERO <= byte <= _NINE:
                return 0
        elif byte != expected and not (k == 10 and byte in _BEFORE_CLOCK):
            return 0
    at = start + _SECONDS
    if at + 1 < stop and load8(at) in _BEFORE_FRACTION and _ZERO <= load8(at + 1) <= _NINE:
        at = _end_of_digits(at + 1, stop)
    end = at
    if at + 1 < stop and load8(at) == _BLANK:
        at += 1
    at += at < stop and load8(at) in _UTC
    return end if at == stop else 0


@nb.njit
def _write_time(start, end, out):  # type: ignore[no-untyped-def]
    """Write YYYY-MM-DD HH:MM:SS, and six digits of a second where one is not zero; return how many bytes that takes."""
    for k in range(_SECONDS):
        store8(out + k, load8(start + k))
    store8(out + 10, _BLANK)
    store8(out + _SECONDS, _POINT)
    some = False
    for k in range(_SECONDS + 1, _MICROS):
        digit = load8(start + k) if start + k < end else _ZERO
        some |= digit != _ZERO
        store8(out + k, digit)
    return _MICROS if some else _SECONDS


@nb.njit
def _whole_number(start, stop):  # type: ignore[no-untyped-def]
    """Return the bounds of the digits that a text begins with, after a minus or none; none where they may be a code."""
    start += load8(start) == _MINUS
    end = _end_of_digits(start, stop)
    return start, start if end > start + 1 and load8(start) == _ZERO else end


@nb.njit
def _end_of_digits(at, stop):  # type: ignore[no-untyped-def]
    """Return where the run of digits from an address on ends."""
    while at < stop and _ZERO <= load8(at) <= _NINE:
        at += 1
    return at


@nb.njit
def _is_blank(byte):  # type: ignore[no-untyped-def]
    """Tell whether a byte is white space: one that `str.strip` takes away."""
    return byte == _BLANK or 9 <= byte <= 13 or 28 <= byte <= 31


@nb.njit
def _is_wide_blank(at, stop):  # type: ignore[no-untyped-def]
    """Tell whether a character of white space beyond ASCII begins at an address: U+0085, U+00A0, ... U+3000."""
    if stop - at < 2:
        return False
    first, second = load8(at), load8(at + 1)
    if first == 0xC2:
        return second in _LATIN
    if stop - at < 3 or not 0xE1 <= first <= 0xE3:
        return False
    third = load8(at + 2)
    if first == 0xE2 and second == 0x80:
        return 0x80 <= third <= 0x8A or third in _SEPARATORS
    if first == 0xE2:
        return second == 0x81 and third == 0x9F
    return third == 0x80 and second == (0x9A if first == 0xE1 else 0x80)
