"""The 64-bit hash behind row keys and feature keys: compiled kernels and their plain twin.

The mixing constants are those of MurmurHash3's finaliser (Appleby 2011) and the golden ratio; the string hash folds
eight little-endian bytes at a time. It is no cryptographic hash: digests and fingerprints use SHA-256.

>>> hash_text("Rome", seed=1) == int(hash_strings(pa.array(["Rome"]), seed=1)[0])
True
"""

# ruff: noqa: ANN001, ANN201, ANN202 - numba infers the types of kernels

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from understudy import compiling as nb
from understudy.memory import load64, load_few, low_bytes

UInt64s = npt.NDArray[np.uint64]

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_MURMUR = 0xFF51AFD7ED558CCD
_MURMUR_TWICE = (_MURMUR * _MURMUR) & _MASK

_word = int.from_bytes  # by a name of its own, as looking it up costs as much as the call

_M1 = np.uint64(_GOLDEN)
_M2 = np.uint64(_MURMUR)
_S29 = np.uint64(29)
_S32 = np.uint64(32)


def mix(value: int) -> int:
    """Spread the bits of one 64-bit number; the plain twin of `mix64`."""
    h = value & _MASK
    h = ((h ^ (h >> 32)) * _MURMUR) & _MASK
    h = ((h ^ (h >> 29)) * _GOLDEN) & _MASK
    return h ^ (h >> 32)


def hash_text(text: str, seed: int) -> int:
    """Hash one string's UTF-8 bytes; the plain twin of `hash_strings`."""
    data = text.encode()
    size = len(data)
    h = seed ^ (size * _GOLDEN)
    if size > 8:
        last = (size - 1) & -8
        for start in range(0, last, 8):
            h = ((h ^ _word(data[start : start + 8], "little")) * _MURMUR) & _MASK
            h ^= h >> 32
        data = data[last:]
    elif not size:
        return mix(seed)
    # The last word's `h ^ (h >> 32)` and that which `mix` begins with undo each other: two products become one.
    h = ((h ^ _word(data, "little")) * _MURMUR_TWICE) & _MASK
    h = ((h ^ (h >> 29)) * _GOLDEN) & _MASK
    return h ^ (h >> 32)


@nb.njit(inline="always")
def mix64(h):  # type: ignore[no-untyped-def]
    """Spread the bits of one uint64, inside kernels."""
    h = (h ^ (h >> _S32)) * _M2
    h = (h ^ (h >> _S29)) * _M1
    return h ^ (h >> _S32)


@nb.njit(inline="always")
def hash_bytes64(data, start, stop, seed):  # type: ignore[no-untyped-def]
    """Hash data[start:stop] (uint8), inside kernels."""
    return hash_at(data.ctypes.data, start, stop, len(data), seed)


@nb.njit(inline="always")
def hash_at(data, start, stop, size, seed):  # type: ignore[no-untyped-def]
    """Hash the bytes from `start` to `stop` of the `size` bytes at an address; reads none beyond the last of them."""
    h = seed ^ (np.uint64(stop - start) * _M1)
    i = start
    while i + 8 <= stop:
        h = (h ^ load64(data + i)) * _M2
        h = h ^ (h >> _S32)
        i += 8
    if i < stop:
        word = low_bytes(load64(data + i), stop - i) if i + 8 <= size else load_few(data + i, stop - i)
        h = (h ^ word) * _M2
        h = h ^ (h >> _S32)
    return mix64(h)


@nb.njit(nogil=True, cache=True)
def _hash_slices(data, offsets, seed, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        out[i] = hash_bytes64(data, offsets[i], offsets[i + 1], seed)


@nb.njit(nogil=True, cache=True)
def _mix_all(values, seed, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        out[i] = mix64(seed ^ mix64(values[i]))


_NOTHING = np.frombuffer(bytes(1), np.uint8)[:0]
"""No bytes; read-only like those of a buffer, so that kernels are compiled for one kind alone."""


def string_buffers(array: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return the bytes of a string array and its n + 1 offsets into them; a null is an empty string."""
    data, offsets = text_buffers(array)
    return data, offsets.astype(np.int64)


def text_buffers(array: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[Any]]:
    """Return what `string_buffers` does, the offsets as wide as the array has them."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if array.null_count:
        array = array.fill_null("")
    large = pa.types.is_large_string(array.type)
    _, offset_buffer, data_buffer = array.buffers()
    kind = np.int64 if large else np.int32
    if len(array) == 0:
        return _NOTHING, np.frombuffer(bytes(8), kind)[:1]
    offsets = np.frombuffer(offset_buffer, kind)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None else _NOTHING
    return data, offsets


def hash_strings(array: pa.Array, seed: int) -> UInt64s:
    """Hash every string of an Arrow array; a null counts as the empty string. Returns uint64[n]."""
    data, offsets = text_buffers(array)
    out = np.empty(len(array), np.uint64)
    _hash_slices(data, offsets, np.uint64(seed & _MASK), out)
    return out


def hash_numbers(values: npt.NDArray[np.float64], seed: int) -> UInt64s:
    """Hash every number by its bits; -0.0 counts as 0.0 and every NaN as one value. Returns uint64[n]."""
    plain = np.where(np.isnan(values), np.nan, values + 0.0)
    return hash_words(plain.view(np.uint64), seed)


def hash_words(words: UInt64s, seed: int) -> UInt64s:
    """Hash every uint64. Returns uint64[n]."""
    out = np.empty(len(words), np.uint64)
    _mix_all(np.ascontiguousarray(words), np.uint64(seed & _MASK), out)
    return out


def fractions(keys: UInt64s) -> npt.NDArray[np.float64]:
    """Map hashes to [0, 1) by their top 53 bits."""
    return (keys >> np.uint64(11)).astype(np.float64) * 2.0**-53
