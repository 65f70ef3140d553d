"""Where the records and fields of CSV stand (reference 3.1, RFC 4180): kernels over a stretch of bytes.

Records in order, which is nearly all of them, are found 64 bytes at a time: a bit for each byte that is a comma, a line
end or a quote. A record that is out of order in any way is looked at byte by byte instead, by the one state machine
that says what is right. `scan` gives what that machine alone would give.
"""

# ruff: noqa: ANN001, ANN201, ANN202 - numba infers the types of kernels

from __future__ import annotations

import numpy as np

from understudy import compiling as nb
from understudy.memory import beyond_ascii64, count_ones, equal64, load8, set_int32, trailing_zeros

MAX_RECORD = 16_000_000
"""Bytes after which a quote is given up as never closed."""

GOOD, FIELDS, OPEN, BARE, ENCODING, LONG = range(6)
"""What is wrong with a record; the last two are told by others."""

_COMMA, _QUOTE, _LINE, _RETURN = (ord(mark) for mark in ',"\n\r')
_NONE, _ONE, _ALL = np.uint64(0), np.uint64(1), ~np.uint64(0)
_LAST = np.uint64(63)


@nb.njit(nogil=True, cache=True)
def scan(data, at, size, ended, fields, blanks, cuts, good, bad, faulty):  # type: ignore[no-untyped-def]
    """Find records in data[at:size] (uint8, SPARE bytes behind) until there is no room for more.

    Parameters
    ----------
    ended : whether nothing comes behind these bytes; else the last record may be incomplete, and is not taken.
    fields : how many a record should have; -1 takes any number, and cuts a record as if it were one field.
    blanks : whether blank lines are records.
    cuts : int32[fields + 1, room]; cuts[f, r] + 1 is where field f of the r-th good record begins, cuts[f + 1, r] where
        it ends.
    good, bad : how many records have been found before.
    faulty : int64[room, 4]: start, end, fields and fault of every bad record.

    Returns where the first record begins that was not taken, how many are good, and how many bad.
    """
    base, place, stride = data.ctypes.data, cuts.ctypes.data, np.int64(cuts.strides[0])
    room = cuts.shape[1]
    while at < size and good + bad < room:
        if fields > 0:
            at, good = _scan_in_order(base, at, size, fields, place, stride, good, room - bad)
            if at >= size or good + bad >= room:
                break
        start = at
        end, at, found, fault = _scan_one(base, start, size, ended, fields, place + 4 * good, stride)
        if at < 0:
            return start, good, bad
        if not blanks and (end == start or (end == start + 1 and load8(base + start) == _RETURN)):
            continue
        if fault == GOOD:
            good += 1
        else:
            faulty[bad, 0], faulty[bad, 1], faulty[bad, 2], faulty[bad, 3] = start, end, found, fault
            bad += 1
    return min(at, size), good, bad


@nb.njit
def _scan_one(base, start, size, ended, wanted, place, stride):  # type: ignore[no-untyped-def]  # noqa: PLR0912 - one state machine
    """Find where the record ends that begins at `start`; return that, where the next begins, its fields and its fault.

    A quote opens a quoted field only at the field's beginning. Where a record that spans lines is bad, only its first
    line is rejected and the next record begins behind it: one stray quote costs one line, not all lines up to the next
    quote. Of a record that is not whole the next begins at -1.
    """
    at, fields, first_break = start, 1, -1
    fresh, quoted, bare, whole = True, False, False, False
    set_int32(place, 0, start - 1)
    while at < size:
        byte = load8(base + at)
        if quoted:
            if byte == _QUOTE:
                if at + 1 < size and load8(base + at + 1) == _QUOTE:
                    at += 1
                else:
                    quoted = False
            elif byte == _LINE and first_break < 0:
                first_break = at
        elif byte == _LINE:
            whole = True
            break
        elif byte == _QUOTE and fresh:
            quoted = True
        elif byte == _RETURN and at + 1 < size and load8(base + at + 1) != _LINE:
            bare = True
        fresh = byte == _COMMA and not quoted
        if fresh:
            if fields < wanted:
                set_int32(place + fields * stride, 0, at)
            fields += 1
        at += 1
    lost = quoted and first_break >= 0 and at - start > MAX_RECORD
    if not (whole or ended or lost):
        return at, -1, fields, GOOD
    fault = GOOD
    if quoted:
        fault = OPEN
    elif bare:
        fault = BARE
    elif fields != wanted and wanted >= 0:
        fault = FIELDS
    if fault != GOOD and first_break >= 0:
        at = first_break
    set_int32(place + max(wanted, 1) * stride, 0, _without_return(base, start, at))
    return at, at + 1, fields, fault


@nb.njit(inline="always")
def _without_return(base, start, end):  # type: ignore[no-untyped-def]
    """Return where a record's last field ends: a carriage return before the line end belongs to that."""
    return end - 1 if end > start and load8(base + end - 1) == _RETURN else end


@nb.njit
def _scan_in_order(base, at, size, fields, place, stride, good, room):  # type: ignore[no-untyped-def]
    """Find records as long as they are in order; return where the first begins that is not, and how many are good.

    A record is in order where its quotes and carriage returns are (see `_look_at_quotes`), where it has as many fields
    as it should, and is not blank.
    """
    start, found = at, 0
    here = place + 4 * good
    set_int32(here, 0, start - 1)
    quoted, before, returned = _NONE, _ONE, _NONE
    while at < size and good < room:
        mine = (_ONE << np.uint64(size - at)) - _ONE if size - at < 64 else _ALL
        lines, quotes, returns = equal64(base + at, _LINE), equal64(base + at, _QUOTE), equal64(base + at, _RETURN)
        lines, quotes, returns = lines & mine, quotes & mine, returns & mine
        cuts, odd = lines | (equal64(base + at, _COMMA) & mine), _NONE
        if quotes | returns | quoted | returned == _NONE:
            before = cuts >> _LAST
        else:
            cuts, lines, odd, quoted, before, returned = _look_at_quotes(
                cuts, lines, quotes, returns, mine, quoted, before, returned
            )
        while cuts != _NONE:
            bit = trailing_zeros(cuts)
            found += 1
            here += stride
            if (lines >> np.uint64(bit)) & _ONE == _NONE:
                if found == fields:
                    return start, good
                set_int32(here, 0, at + bit)
            else:
                end = _without_return(base, start, at + bit)
                if found != fields or end == start:
                    return start, good
                set_int32(here, 0, end)
                good += 1
                start, found, here = at + bit + 1, 0, place + 4 * good
                if good == room:
                    return start, good
                set_int32(here, 0, start - 1)
            cuts &= cuts - _ONE
        if odd != _NONE:
            return start, good
        at += 64
    return start, good


@nb.njit(inline="always")
def _look_at_quotes(cuts, lines, quotes, returns, mine, quoted, before, returned):  # type: ignore[no-untyped-def]
    """Take what is quoted out of cuts and line ends, and find what is out of order, as bits for 64 bytes.

    Quotes are in order where each that opens stands at a field's beginning, a doubled one counting as one that closes
    and one that opens: then a byte is quoted where an odd number of quotes stands before it. Carriage returns are in
    order before line ends. Three words go from each 64 bytes to the next: whether the next byte is quoted (all bits or
    none), follows a cut or a closing quote (one bit), or a carriage return.

    Returns cuts before what is out of order, line ends, what is out of order, and the three words.
    """
    inside = _odd_before(quotes) ^ quoted
    cuts, lines, returns = cuts & ~inside, lines & ~inside, returns & ~inside
    ends = cuts | (quotes & ~inside)
    odd = quotes & inside & ~(ends << _ONE | before)
    odd |= (returns << _ONE | returned) & ~lines & mine
    cuts &= (odd & (_NONE - odd)) - _ONE
    return cuts, lines, odd, _NONE - (inside >> _LAST), ends >> _LAST, returns >> _LAST


@nb.njit(inline="always")
def _odd_before(bits):  # type: ignore[no-untyped-def]
    """Set each bit at and before which an odd number of bits is set."""
    for places in (1, 2, 4, 8, 16, 32):
        bits ^= bits << np.uint64(places)
    return bits


@nb.njit(nogil=True, cache=True)
def look_over(data, start, stop):  # type: ignore[no-untyped-def]
    """Return how many line ends stand in data[start:stop] (uint8), and whether all of it is ASCII."""
    base, lines, beyond = data.ctypes.data, 0, _NONE
    for at in range(start, stop, 64):
        mine = (_ONE << np.uint64(stop - at)) - _ONE if stop - at < 64 else _ALL
        lines += count_ones(equal64(base + at, _LINE) & mine)
        beyond |= beyond_ascii64(base + at) & mine
    return lines, beyond == _NONE
