"""Columns of text made coded: a kernel that numbers the different cells of a column straight from their bytes.

A cell of up to seven bytes is a number itself, and so is nearly each of eight: it is looked up in a table of open
addresses (Knuth, The Art of Computer Programming 3, 6.4) without a look at its bytes again. A longer one is looked up
by its hash and compared. One table does for all columns: what was numbered for a column before counts as free.
"""

# ruff: noqa: ANN001, ANN202 - numba infers the types of kernels

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from understudy import compiling as nb
from understudy.hashing import hash_at, text_buffers
from understudy.memory import (
    SPARE,
    equal64,
    int32_at,
    int64_at,
    load8,
    load64,
    low_bytes,
    prefetch,
    set_int32,
    set_int64,
    store8,
    store64,
    trailing_zeros,
)
from understudy.values.canonical import canonical_array
from understudy.values.cells import BATCH_ROWS
from understudy.values.coded import CODED
from understudy.values.shapes import EDGE, TIME, canonical_form, shapes_among

Bytes = npt.NDArray[np.uint8]
Cuts = npt.NDArray[np.int32]

_SLOTS = 2 * BATCH_ROWS
"""Places in the table: at most half of them are taken."""

_CHUNK = 64
"""Cells whose places in the table are fetched at once; as many as a word of the validity bitmap has bits."""

_ROOM = 4_096
"""Bytes that suffice for the canonical forms of a chunk of short cells; a long one is at most as long again."""

_SHIFT = np.uint64(64 - (_SLOTS.bit_length() - 1))
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_HALF, _TOP, _LONG = np.uint64(32), np.uint64(56), np.uint64(255)
_NONE, _ONE = np.uint64(0), np.uint64(1)
_QUOTE = ord('"')

_TEXTS, _QUOTES, _FORMS = range(3)
"""What cells are numbered by: as they stand, by what their quotes protect, or by their canonical forms."""


class _Numbered(NamedTuple):
    """n cells as k different ones."""

    codes: Cuts
    """int32[n]; 0 where a cell is empty."""
    valid: npt.NDArray[np.uint64]
    """A bit for every cell that is not empty."""
    different: int
    size: int
    """Bytes of the different cells."""


class Coder:
    """Codes columns of at most `BATCH_ROWS` cells, one after the other."""

    def __init__(self) -> None:
        self._slots = np.zeros((_SLOTS + 1, 2), np.int64)
        """A key and its code in each; the first is nobody's."""
        self._generation = 1
        """Added to the codes of a column: a slot with a smaller number is of a column before."""
        self._offsets = np.empty((2, BATCH_ROWS + 1), np.int32)
        self._texts = np.empty((3, 0), np.uint8)
        self._chunk = np.empty((4, _CHUNK), np.int64)

    def column(self, data: Bytes, left: Cuts, right: Cuts, *, canonical: bool = True) -> pa.DictionaryArray:
        """Return n cells of CSV, coded, in canonical form or just as they stand; empty ones are null.

        Parameters
        ----------
        data : bytes, of which the last SPARE are spare.
        left, right : int32[n]. Cell i is data[left[i] + 1 : right[i]], a quoted one what its quotes protect.
        """
        self._make_room(len(data))
        found = self._numbered(data, left, right, 0, _QUOTES)
        seen = shapes_among(self._texts[0], self._offsets[0], found.different) if canonical else 0
        if not seen:
            return self._array(found, 0)
        edges = self._offsets[0, : found.different + 1]
        forms = self._numbered(self._texts[0], edges[:-1] - 1, edges[1:], 1, _FORMS)
        _respell(found.codes, found.valid, forms.codes, forms.valid)
        seen = shapes_among(self._texts[1], self._offsets[1], forms.different)
        array = self._array(forms._replace(codes=found.codes, valid=found.valid), 1)
        return canonical_array(array) if seen & (EDGE | TIME) else array

    def batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a canonical batch of at most `BATCH_ROWS` rows with its columns of text coded."""
        if pa.string() not in batch.schema.types:
            return batch
        columns = [self._coded(column) if column.type == pa.string() else column for column in batch.columns]
        return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)

    def _coded(self, array: pa.StringArray) -> pa.DictionaryArray:
        data, offsets = text_buffers(array)
        first, stop = int(offsets[0]), int(offsets[-1])
        text = np.zeros(stop - first + SPARE, np.uint8)
        self._make_room(len(text))
        text[: stop - first] = data[first:stop]
        edges = offsets - np.int32(first)
        return self._array(self._numbered(text, edges[:-1] - 1, edges[1:], 0, _TEXTS), 0)

    def _make_room(self, size: int) -> None:
        if self._texts.shape[1] < 2 * size + _ROOM:
            self._texts = np.empty((3, 2 * size + _ROOM), np.uint8)

    def _numbered(self, data: Bytes, left: Cuts, right: Cuts, place: int, look: int) -> _Numbered:
        """Give numbers to cells, and write the different ones to one of two places."""
        # Arrow's pool hands out memory again that is at hand already; numpy's comes anew from the system.
        codes = np.frombuffer(pa.allocate_buffer(4 * len(left)), np.int32)
        valid = np.frombuffer(pa.allocate_buffer(8 * -(-len(left) // _CHUNK)), np.uint64)
        self._generation += BATCH_ROWS
        room = self._chunk, self._texts[place], self._texts[2], self._offsets[place]
        different, size = _number(data, left, right, self._slots, self._generation, *room, codes, valid, look)
        return _Numbered(codes, valid, different, size)

    def _array(self, found: _Numbered, place: int) -> pa.DictionaryArray:
        offsets = pa.py_buffer(self._offsets[place, : found.different + 1].tobytes())
        text = pa.py_buffer(self._texts[place, : found.size].tobytes())
        cells = pa.StringArray.from_buffers(found.different, offsets, text)
        buffers = [pa.py_buffer(found.valid), pa.py_buffer(found.codes)]
        return pa.DictionaryArray.from_buffers(CODED, len(found.codes), buffers, cells)


@nb.njit(nogil=True, cache=True)
def _number(data, left, right, slots, generation, chunk, text, spare, offsets, codes, valid, look):  # type: ignore[no-untyped-def]
    """Fill codes, bits, and the different cells' text and offsets; return how many they are, and their bytes.

    A chunk's keys are found first, while the table's places are fetched, then what stands there. `chunk`, int64[4,
    _CHUNK], is given, not made here: Numba frees an array after its last use by name, and sees no use of its address.
    """
    base, lefts, rights = data.ctypes.data, left.ctypes.data, right.ctypes.data
    table, out, begins, numbers = slots.ctypes.data, text.ctypes.data, offsets.ctypes.data, codes.ctypes.data
    keys, starts, sizes, odds = (
        chunk[0].ctypes.data,
        chunk[1].ctypes.data,
        chunk[2].ctypes.data,
        chunk[3].ctypes.data,
    )
    different, end, settled = 0, 0, False
    set_int32(begins, 0, 0)
    for first in range(0, len(codes), _CHUNK):
        count, odd = min(_CHUNK, len(codes) - first), 0
        for i in range(count):
            start = base + int32_at(lefts, first + i) + 1
            size = base + int32_at(rights, first + i) - start
            word = load64(start)
            key = word if size == 8 else low_bytes(word, size & 7) | np.uint64(size) << _TOP
            set_int64(odds, odd, i)
            odd += look == _FORMS or _is_odd(word, size)
            prefetch(table + 16 * _place(key))
            set_int64(keys, i, np.int64(key))
            set_int64(starts, i, start)
            set_int64(sizes, i, size)
        if odd:
            _see_to_odd(keys, starts, sizes, odds, odd, spare.ctypes.data, look)
        known, there = different, numbers + 4 * first
        if settled:
            bits, different, end = _take_known(
                keys, starts, sizes, count, table, generation, out, begins, there, different, end
            )
        else:
            bits, different, end = _take_any(
                keys, starts, sizes, count, table, generation, out, begins, there, different, end
            )
        if odd:
            different, end = _compare_long(
                keys, starts, sizes, odds, odd, table, generation, out, begins, there, different, end
            )
        settled = different == known
        valid[first // _CHUNK] = bits
    return different, end


@nb.njit(inline="always")
def _is_odd(word, size):  # type: ignore[no-untyped-def]
    """Tell whether a cell is more than its first eight bytes: long, or quoted; or whether these are not its key."""
    top = word >> _TOP
    return (size > 8) | (np.int64(word & _LONG) == _QUOTE) | ((size == 8) & ((top < 8) | (top == _LONG)))


@nb.njit(inline="always")
def _place(key):  # type: ignore[no-untyped-def]
    """Return where in the table to look for a key first; an empty cell's is nobody's."""
    return np.int64(((key ^ (key >> _HALF)) * _SPREAD) >> _SHIFT) + np.int64(key != _NONE)


@nb.njit
def _see_to_odd(keys, starts, sizes, odds, odd, spare, look):  # type: ignore[no-untyped-def]
    """Set right keys, starts and sizes of a chunk's odd cells; `spare` has room for what must be written anew.

    A long cell's key has 255 in its top byte. Up to seven bytes the size stands there, and a cell of eight bytes is its
    own key where its last byte is neither.
    """
    for j in range(odd):
        i = int64_at(odds, j)
        start, size = int64_at(starts, i), int64_at(sizes, i)
        if look == _FORMS:
            start, size, spare = canonical_form(start, size, spare)
        elif look == _QUOTES and load8(start) == _QUOTE:
            start, size, spare = _unquoted(start, size, spare)
        word = load64(start)
        if size < 8:
            key = low_bytes(word, size) | np.uint64(size) << _TOP
        elif size == 8 and 8 <= word >> _TOP < _LONG:
            key = word
        else:
            key = hash_at(start, 0, size, size + 8, _NONE) | _LONG << _TOP
        set_int64(keys, i, np.int64(key))
        set_int64(starts, i, start)
        set_int64(sizes, i, size)


@nb.njit
def _take_known(keys, starts, sizes, count, table, generation, out, begins, codes, different, end):  # type: ignore[no-untyped-def]
    """Write the codes of a chunk whose cells are nearly all known; return which are not empty, and then as `_find`.

    Long cells are taken by their keys alone; see `_compare_long`.
    """
    bits = _NONE
    for i in range(count):
        key = np.uint64(int64_at(keys, i))
        place, there = _place(key), key != _NONE
        code = int64_at(table, 2 * place + 1) - generation
        if there and ((code < 0) | (np.uint64(int64_at(table, 2 * place)) != key)):
            start, size = int64_at(starts, i), int64_at(sizes, i)
            code, different, end = _find(key, start, size, table, generation, out, begins, different, end)
        set_int32(codes, i, code * there)
        bits |= np.uint64(there) << np.uint64(i)
    return bits, different, end


@nb.njit
def _take_any(keys, starts, sizes, count, table, generation, out, begins, codes, different, end):  # type: ignore[no-untyped-def]
    """Do as `_take_known` where new cells are about as frequent as known ones, and no processor foretells which.

    So nothing branches on that: every cell is written behind the last new one, and a known one is written over.
    """
    bits = _NONE
    for i in range(count):
        key, start, size = np.uint64(int64_at(keys, i)), int64_at(starts, i), int64_at(sizes, i)
        place, there = _place(key), np.int64(key != _NONE)
        code = int64_at(table, 2 * place + 1) - generation
        if ((code >= 0) & (np.uint64(int64_at(table, 2 * place)) != key)) | ((code < 0) & (size > 8)):
            code, different, end = _find(key, start, size, table, generation, out, begins, different, end)
        else:
            new = np.int64(code < 0) & there
            code += new * (different - code)
            set_int64(table, 2 * place, np.int64(key))
            set_int64(table, 2 * place + 1, code + generation)
            store64(out + end, load64(start))
            different += new
            end += new * size
            set_int32(begins, different, end)
        set_int32(codes, i, code * there)
        bits |= np.uint64(there) << np.uint64(i)
    return bits, different, end


@nb.njit
def _compare_long(keys, starts, sizes, odds, odd, table, generation, out, begins, codes, different, end):  # type: ignore[no-untyped-def]
    """Compare a chunk's long cells with those whose codes they got, and look again for one that shares but its key."""
    for j in range(odd):
        i = int64_at(odds, j)
        key, start, size = np.uint64(int64_at(keys, i)), int64_at(starts, i), int64_at(sizes, i)
        if key >> _TOP == _LONG and not _is_cell(start, size, int32_at(codes, i), out, begins):
            code, different, end = _find(key, start, size, table, generation, out, begins, different, end)
            set_int32(codes, i, code)
    return different, end


@nb.njit
def _find(key, start, size, table, generation, out, begins, different, end):  # type: ignore[no-untyped-def]
    """Return a cell's code, and how many cells differ and how many bytes they have, it included."""
    place = _place(key)
    while True:
        code = int64_at(table, 2 * place + 1) - generation
        if code < 0:
            set_int64(table, 2 * place, np.int64(key))
            set_int64(table, 2 * place + 1, different + generation)
            for at in range(0, size, 8):  # up to seven bytes more are written, and written over
                store64(out + end + at, load64(start + at))
            set_int32(begins, different + 1, end + size)
            return different, different + 1, end + size
        if np.uint64(int64_at(table, 2 * place)) == key and (
            key >> _TOP != _LONG or _is_cell(start, size, code, out, begins)
        ):
            return code, different, end
        place = place % _SLOTS + 1


@nb.njit
def _is_cell(start, size, code, out, begins):  # type: ignore[no-untyped-def]
    """Tell whether a cell of eight bytes or more is the one that has this code."""
    other = out + int32_at(begins, code)
    if out + int32_at(begins, code + 1) - other != size:
        return False
    for at in range(0, size - 7, 8):
        if load64(start + at) != load64(other + at):
            return False
    return load64(start + size - 8) == load64(other + size - 8)


@nb.njit
def _unquoted(start, size, spare):  # type: ignore[no-untyped-def]
    """Return where what a cell's quotes protect begins, its size, and what is left of the spare bytes.

    It stands as it is but where a quote is doubled or something follows the closing one: then it is written into the
    spare bytes.
    """
    start, size = start + 1, size - 1
    closing = 0
    while closing < size and load8(start + closing) != _QUOTE:
        closing += trailing_zeros(equal64(start + closing, _QUOTE))
    if closing >= size - 1:
        return start, size - 1, spare
    quoted, at, written = True, 0, 0
    while at < size:
        byte = load8(start + at)
        at += 1
        if quoted and byte == _QUOTE:
            if at < size and load8(start + at) == _QUOTE:
                at += 1
            else:
                quoted = False
                continue
        store8(spare + written, byte)
        written += 1
    return spare, written, spare + written


@nb.njit(nogil=True, cache=True)
def _respell(codes, valid, new_codes, new_valid):  # type: ignore[no-untyped-def]
    """Put in place of each code the new one of its cell; a cell whose new form is empty is none."""
    for first in range(0, len(codes), _CHUNK):
        bits = _NONE
        for i in range(min(_CHUNK, len(codes) - first)):
            code = codes[first + i]
            bit = np.uint64(i)
            codes[first + i] = new_codes[code]
            bits |= ((new_valid[code // _CHUNK] >> np.uint64(code % _CHUNK)) & _ONE) << bit
        valid[first // _CHUNK] &= bits
