"""The compiled inner loops of a recipe: words of UTF-8 bytes, runs and pairs of them, combinations, rows of features.

Every kernel reads flat buffers and writes flat buffers. *Ragged* values are `hashes[offsets[i]:offsets[i + 1]]` for
observation i. Nothing here knows where a batch ends, so nothing depends on it.
"""

# ruff: noqa: ANN001, ANN201, PLR1714  kernels are typed by what they are called with
from __future__ import annotations

import numpy as np

from understudy import compiling as nb
from understudy.hashing import hash_bytes64, mix64

BLANK = np.uint64(ord(" "))
"""Stands before and after a word where its characters are taken in runs; no word holds one."""


WORD, SPACE, PERHAPS = 0, 1, 2
BYTES = np.zeros(256, np.uint8)
"""Whether a byte of UTF-8 belongs to a word, is white space, or may begin white space of two or three bytes."""
BYTES[[0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x1C, 0x1D, 0x1E, 0x1F, 0x20]] = SPACE
BYTES[[0xC2, 0xE1, 0xE2, 0xE3]] = PERHAPS


@nb.njit(inline="always")
def chain(left, right):  # type: ignore[no-untyped-def]
    """Hash an ordered pair of hashes; `columns.chain_hashes` is its plain twin."""
    return mix64(mix64(left) ^ right)


@nb.njit
def wide_white_space(data, i, stop):  # type: ignore[no-untyped-def]
    """Return the bytes of the white-space character beyond ASCII at data[i], 0 for any other character."""
    first = data[i]
    if i + 1 < stop and first == 0xC2:
        return 2 if data[i + 1] == 0x85 or data[i + 1] == 0xA0 else 0
    if i + 2 >= stop or first == 0xC2:
        return 0
    second, third = data[i + 1], data[i + 2]
    if first == 0xE1:
        found = second == 0x9A and third == 0x80
    elif first == 0xE3:
        found = second == 0x80 and third == 0x80
    elif second == 0x81:
        found = third == 0x9F
    else:
        found = second == 0x80 and (third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF)
    return 3 if found else 0


@nb.njit(inline="always")
def next_word(data, i, stop):  # type: ignore[no-untyped-def]
    """Return where the next word in data[i:stop] starts and ends; both are `stop` where none is left.

    Words are what `str.split` gives. Bytes are looked up first: a call for each would cost more than all else.
    """
    while i < stop and BYTES[data[i]] != WORD:
        width = 1 if BYTES[data[i]] == SPACE else wide_white_space(data, i, stop)
        if width == 0:
            break
        i += width
    start = i
    while i < stop and (BYTES[data[i]] == WORD or (BYTES[data[i]] == PERHAPS and wide_white_space(data, i, stop) == 0)):
        i += 1
    return start, i


@nb.njit(inline="always")
def code_point(data, i):  # type: ignore[no-untyped-def]
    """Decode the UTF-8 character at data[i]; return it and its width in bytes."""
    first = np.int64(data[i])
    if first < 0x80:
        return first, 1
    if first < 0xE0:
        return (first & 0x1F) << 6 | (np.int64(data[i + 1]) & 0x3F), 2
    if first < 0xF0:
        return (first & 0x0F) << 12 | (np.int64(data[i + 1]) & 0x3F) << 6 | (np.int64(data[i + 2]) & 0x3F), 3
    high = (first & 0x07) << 18 | (np.int64(data[i + 1]) & 0x3F) << 12
    return high | (np.int64(data[i + 2]) & 0x3F) << 6 | (np.int64(data[i + 3]) & 0x3F), 4


@nb.njit(nogil=True, cache=True)
def hash_words_of_texts(data, text_offsets, offsets, hashes):  # type: ignore[no-untyped-def]
    """Write the hash of every word, text after text, and the running number of words."""
    at = 0
    offsets[0] = 0
    for row in range(len(text_offsets) - 1):
        i, stop = text_offsets[row], text_offsets[row + 1]
        while i < stop:
            start, i = next_word(data, i, stop)
            if i > start:
                hashes[at] = hash_bytes64(data, start, i, np.uint64(0))
                at += 1
        offsets[row + 1] = at


@nb.njit(nogil=True, cache=True)
def strip_words(data, text_offsets, marks, out, out_offsets):  # type: ignore[no-untyped-def]
    """Write each text as its words without `marks` (bool by code point) at their ends, a blank after each word."""
    at = 0
    out_offsets[0] = 0
    for row in range(len(text_offsets) - 1):
        i, stop = text_offsets[row], text_offsets[row + 1]
        while i < stop:
            start, i = next_word(data, i, stop)
            left, right = strip(data, start, i, marks)
            if right > left:
                out[at : at + right - left] = data[left:right]
                at += right - left + 1
                out[at - 1] = 0x20
        out_offsets[row + 1] = at


@nb.njit(inline="always")
def strip(data, start, stop, marks):  # type: ignore[no-untyped-def]
    """Return the bounds of data[start:stop] without the marks at both ends."""
    while start < stop:
        point, width = code_point(data, start)
        if not marks[point]:
            break
        start += width
    while stop > start:
        last = stop - 1
        while data[last] & 0xC0 == 0x80:
            last -= 1
        if not marks[code_point(data, last)[0]]:
            break
        stop = last
    return start, stop


@nb.njit(nogil=True, cache=True)
def runs_of_words(offsets, words, n, out_offsets, out):  # type: ignore[no-untyped-def]
    """Write the hash of every run of 1 to n neighbouring words."""
    at = 0
    out_offsets[0] = 0
    for row in range(len(offsets) - 1):
        for i in range(offsets[row], offsets[row + 1]):
            run = words[i]
            out[at] = run
            at += 1
            for j in range(i + 1, min(i + n, offsets[row + 1])):
                run = chain(run, words[j])
                out[at] = run
                at += 1
        out_offsets[row + 1] = at


@nb.njit(nogil=True, cache=True)
def sparse_pairs(offsets, words, n, out_offsets, out):  # type: ignore[no-untyped-def]
    """Write the hash of every word with each of the n - 1 words after it, and how far apart they stand."""
    at = 0
    out_offsets[0] = 0
    for row in range(len(offsets) - 1):
        for i in range(offsets[row], offsets[row + 1]):
            for j in range(i + 1, min(i + n, offsets[row + 1])):
                out[at] = chain(chain(words[i], np.uint64(j - i)), words[j])
                at += 1
        out_offsets[row + 1] = at


@nb.njit(nogil=True, cache=True)
def runs_of_characters(data, text_offsets, n, out_offsets, out):  # type: ignore[no-untyped-def]
    """Write the hash of every run of n characters of each word, which has a blank at either end if n > 1."""
    at = 0
    out_offsets[0] = 0
    for row in range(len(text_offsets) - 1):
        i, stop = text_offsets[row], text_offsets[row + 1]
        points = np.empty(stop - i + 2, np.uint64)
        while i < stop:
            start, i = next_word(data, i, stop)
            if i == start:
                continue
            count = marked_characters(data, start, i, n > 1, points)
            for first in range(max(count - n, 0) + 1):
                run = points[first]
                for j in range(first + 1, min(first + n, count)):
                    run = chain(run, points[j])
                out[at] = run
                at += 1
        out_offsets[row + 1] = at


@nb.njit(inline="always")
def marked_characters(data, start, stop, mark, points):  # type: ignore[no-untyped-def]
    """Write the code points of data[start:stop], between blanks if asked; return how many they are."""
    count = 0
    if mark:
        points[0] = BLANK
        count = 1
    while start < stop:
        point, width = code_point(data, start)
        points[count] = np.uint64(point)
        count += 1
        start += width
    if mark:
        points[count] = BLANK
        count += 1
    return count


@nb.njit(nogil=True, cache=True)
def combine(left_offsets, left, right_offsets, right, out_offsets, out):  # type: ignore[no-untyped-def]
    """Write the hash of every pair of a left and a right value of the same observation."""
    at = 0
    out_offsets[0] = 0
    for row in range(len(left_offsets) - 1):
        for i in range(left_offsets[row], left_offsets[row + 1]):
            for j in range(right_offsets[row], right_offsets[row + 1]):
                out[at] = chain(left[i], right[j])
                at += 1
        out_offsets[row + 1] = at


@nb.njit(nogil=True, cache=True)
def combine_single(left, left_codes, right, right_codes):  # type: ignore[no-untyped-def]
    """Return the hash of each different pair, in order of first occurrence, and which of them each observation has."""
    rows = len(left_codes)
    size = 4
    while size < 2 * rows:
        size *= 2
    pairs = np.empty(size, np.int64)
    taken = np.zeros(size, np.int32)  # 1 + the pair's code; 0 is free
    hashes, codes = np.empty(rows, np.uint64), np.empty(rows, np.int32)
    found = 0
    for row in range(rows):
        pair = np.int64(left_codes[row]) * len(right) + right_codes[row]
        slot = np.int64(mix64(np.uint64(pair)) & np.uint64(size - 1))
        while taken[slot] != 0 and pairs[slot] != pair:
            slot = (slot + 1) & (size - 1)
        if taken[slot] == 0:
            hashes[found] = chain(left[left_codes[row]], right[right_codes[row]])
            pairs[slot] = pair
            found += 1
            taken[slot] = found
        codes[row] = taken[slot] - 1
    return hashes[:found].copy(), codes


@nb.njit(nogil=True, cache=True)
def keep_distinct(offsets, hashes, out_offsets, out):  # type: ignore[no-untyped-def]
    """Write each observation's hashes without repetition, in order of first occurrence."""
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    size = 4
    while size < 2 * longest:
        size *= 2
    table = np.empty(size, np.uint64)
    taken = np.full(size, -1, np.int64)  # the row that filled the slot last, so that no row needs to clear it
    mask = np.uint64(size - 1)
    at = 0
    out_offsets[0] = 0
    for row in range(len(offsets) - 1):
        for i in range(offsets[row], offsets[row + 1]):
            slot = hashes[i] & mask
            while taken[slot] == row and table[slot] != hashes[i]:
                slot = (slot + np.uint64(1)) & mask
            if taken[slot] != row:
                taken[slot] = row
                table[slot] = hashes[i]
                out[at] = hashes[i]
                at += 1
        out_offsets[row + 1] = at


FEW = 300
"""Edges up to which it is sooner to compare with each, many numbers at once, than to look for the right one."""


@nb.njit(nogil=True)
def bin_of(number, edges, first, count):  # type: ignore[no-untyped-def]
    """Return the number of one bin among edges[first:first + count], as `bins_of` does of many."""
    low, size, last = first, count, first + count
    while size > 0:
        half = (size + 1) >> 1
        if low + half <= last and edges[low + half - 1] < number:
            low += half
        size -= half
    return 0 if np.isnan(number) else low - first + 1


@nb.njit(nogil=True, cache=True)
def bins_of(numbers, edges, codes):  # type: ignore[no-untyped-def]
    """Write the number of each bin, from 1: one more than there are edges below; 0 for NaN. Edges ascend.

    The plain twin is `np.searchsorted(edges, numbers, side="left") + 1`.
    """
    if len(edges) > FEW:
        for i in range(len(numbers)):
            codes[i] = bin_of(numbers[i], edges, 0, len(edges))
        return
    for first in range(0, len(numbers), 256):
        some, counts = numbers[first : first + 256], codes[first : first + 256]
        for i in range(len(some)):
            counts[i] = 0 if np.isnan(some[i]) else 1
        for edge in edges:
            for i in range(len(some)):
                counts[i] += np.int32(edge < some[i])


@nb.njit(nogil=True, cache=True)
def keys_of(hashes, seed, keys):  # type: ignore[no-untyped-def]
    """Write the key of every value of one output, which has a seed of its own."""
    for i in range(len(hashes)):
        keys[i] = mix64(seed ^ hashes[i])
