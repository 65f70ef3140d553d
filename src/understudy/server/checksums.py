"""Checksums that clients send along with uploads, in a header or behind the body: computed in one pass, and compared.

CRC-32C is Castagnoli's (RFC 3720), CRC-64/NVME the NVM Express specification's; both reflected, as zlib's CRC-32. Their
kernel takes eight bytes a step ("slicing-by-8", Kounavis and Berry 2008); `plain_crc` is its plain twin.

>>> checks = Checks.of({"x-amz-checksum-crc32c": "4waSgw=="})
>>> checks.update(b"123456789")
>>> checks.verify()
>>> checks.values
{'x-amz-checksum-crc32c': '4waSgw=='}
"""

# ruff: noqa: ANN001, ANN202 - numba infers the types of kernels

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import NoReturn, Protocol

import numpy as np
import numpy.typing as npt

from understudy import compiling as nb
from understudy.server.payload import PayloadError

PREFIX = "x-amz-checksum-"

_NOT_CHECKSUMS = {f"{PREFIX}{word}" for word in ("algorithm", "mode", "type")}
_DECLARED = "x-amz-sdk-checksum-algorithm"


class Sum(Protocol):
    """A checksum that is fed with bytes."""

    def update(self, data: bytes, /) -> None:
        """Take the next bytes."""

    def digest(self) -> bytes:
        """Return the checksum of all bytes so far."""


class Checks:
    """The checksums of one upload: those that it announces, and the MD5 that its ETag is.

    Feed it with every byte, then `verify`.
    """

    def __init__(self, expected: Mapping[str, bytes | None], md5: bytes | None) -> None:
        self._expected = expected
        self._expected_md5 = md5
        self._sums: dict[str, Sum] = {name: SUMS[name.removeprefix(PREFIX)]() for name in expected}
        self._md5 = hashlib.md5(usedforsecurity=False)

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Checks:
        """Read from a request's headers what there is to check; one checksum may be announced for the trailers.

        Raises
        ------
        PayloadError : InvalidDigest for a Content-MD5 that is none; InvalidRequest for a checksum of an unknown kind
            or form, for several, or for an algorithm that is declared without its checksum.

        """
        found: dict[str, bytes | None] = {}
        for name, value in headers.items():
            if name.startswith(PREFIX) and name not in _NOT_CHECKSUMS:
                found[name] = _decoded(name, value)
        for name in (part.strip().lower() for part in headers.get("x-amz-trailer", "").split(",")):
            if name.startswith(PREFIX):
                found.setdefault(_known(name), None)
        if len(found) > 1:
            _refuse("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
        declared = headers.get(_DECLARED)
        if declared is not None and f"{PREFIX}{declared.lower()}" not in found:
            _refuse(f"{_DECLARED} specified, but no corresponding {PREFIX}* or x-amz-trailer headers were found.")
        return cls(found, _decoded_md5(headers.get("content-md5")))

    @property
    def expected(self) -> dict[str, str | None]:
        """Base64 of the checksum that was announced, by its header's name; None where it comes behind the body."""
        return {name: _base64(value) if value is not None else None for name, value in self._expected.items()}

    def update(self, data: bytes) -> None:
        """Take the next bytes of the plain body."""
        self._md5.update(data)
        for checksum in self._sums.values():
            checksum.update(data)

    def verify(self, trailers: Mapping[str, str] | None = None) -> None:
        """Compare what was announced, in headers or in `trailers`, with the bytes that came.

        Raises
        ------
        PayloadError : BadDigest where they differ; InvalidRequest where a trailer is missing or no checksum.

        """
        if self._expected_md5 is not None and self._expected_md5 != self._md5.digest():
            raise PayloadError("BadDigest", "The Content-MD5 you specified did not match what we received.")
        for name, value in self._expected.items():
            expected = value if value is not None else _decoded(name, (trailers or {}).get(name, ""))
            if expected != self._sums[name].digest():
                kind = name.removeprefix(PREFIX).upper()
                raise PayloadError("BadDigest", f"The {kind} you specified did not match the calculated checksum.")

    @property
    def values(self) -> dict[str, str]:
        """The computed checksum in base64 by its header's name: what is stored and answered; empty without one."""
        return {name: _base64(checksum.digest()) for name, checksum in self._sums.items()}

    @property
    def md5(self) -> str:
        """The MD5 of the bytes so far, hexadecimal."""
        return self._md5.hexdigest()


def plain_crc(polynomial: int, bits: int, data: bytes) -> int:
    """Return a reflected CRC with all bits set before and inverted after; the plain twin of the kernel.

    >>> hex(plain_crc(0x82F63B78, 32, b"123456789"))
    '0xe3069283'
    """
    state = (1 << bits) - 1
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = (state >> 1) ^ (polynomial if state & 1 else 0)
    return state ^ ((1 << bits) - 1)


class Crc:
    """A reflected CRC of 32 or 64 bits, by its polynomial."""

    def __init__(self, polynomial: int, bits: int) -> None:
        self._tables = _tables(polynomial)
        self._bits = bits
        self._state = np.uint64((1 << bits) - 1)

    def update(self, data: bytes, /) -> None:
        """Take the next bytes."""
        # Read-only, so that the kernel is compiled for one kind of array only.
        array = np.frombuffer(memoryview(data).toreadonly(), np.uint8)
        self._state = np.uint64(_advance(self._state, array, self._tables))

    def digest(self) -> bytes:
        """Return the checksum, big-endian."""
        value = int(self._state) ^ ((1 << self._bits) - 1)
        return value.to_bytes(self._bits // 8, "big")


class _Crc32:
    """zlib's CRC-32."""

    def __init__(self) -> None:
        self._state = 0

    def update(self, data: bytes, /) -> None:
        """Take the next bytes."""
        self._state = zlib.crc32(data, self._state)

    def digest(self) -> bytes:
        """Return the checksum, big-endian."""
        return self._state.to_bytes(4, "big")


CASTAGNOLI = 0x82F63B78
NVME = 0x9A6C9329AC4BC9B5

SUMS: Mapping[str, Callable[[], Sum]] = {
    "crc32": _Crc32,
    "crc32c": partial(Crc, CASTAGNOLI, 32),
    "crc64nvme": partial(Crc, NVME, 64),
    "sha1": partial(hashlib.sha1, usedforsecurity=False),
    "sha256": hashlib.sha256,
}
"""What can be computed, by the end of the header's name."""

_SIZES = {"crc32": 4, "crc32c": 4, "crc64nvme": 8, "sha1": 20, "sha256": 32}


@cache
def _tables(polynomial: int) -> npt.NDArray[np.uint64]:
    """Return what each byte does to the state, uint64[8, 256]: table k for a byte with k bytes behind it."""
    tables = np.zeros((8, 256), np.uint64)
    for byte in range(256):
        state = byte
        for _ in range(8):
            state = (state >> 1) ^ (polynomial if state & 1 else 0)
        tables[0, byte] = state
    for k in range(1, 8):
        before = tables[k - 1]
        tables[k] = (before >> np.uint64(8)) ^ tables[0][before & np.uint64(255)]
    return tables


@nb.njit(nogil=True, cache=True)
def _advance(state, data, tables):  # type: ignore[no-untyped-def]
    low, byte = np.uint64(255), np.uint64(8)
    whole = len(data) // 8 * 8
    for start in range(0, whole, 8):
        for k in range(8):
            state ^= np.uint64(data[start + k]) << np.uint64(8 * k)
        word, state = state, np.uint64(0)
        for k in range(8):
            state ^= tables[7 - k, (word >> np.uint64(8 * k)) & low]
    for i in range(whole, len(data)):
        state = (state >> byte) ^ tables[0, (state ^ np.uint64(data[i])) & low]
    return state


def _known(name: str) -> str:
    if name.removeprefix(PREFIX) not in SUMS:
        _refuse(f"The algorithm type you specified in {name} is invalid; use one of {', '.join(SUMS)}.")
    return name


def _decoded(name: str, text: str) -> bytes:
    """Return the bytes of a checksum in base64; raises PayloadError."""
    value = _from_base64(text)
    if value is None or len(value) != _SIZES[_known(name).removeprefix(PREFIX)]:
        _refuse(f"Value for {name} header is invalid.")
    return value


def _decoded_md5(text: str | None) -> bytes | None:
    value = _from_base64(text) if text is not None else None
    if text is not None and (value is None or len(value) != 16):
        raise PayloadError("InvalidDigest", "The Content-MD5 you specified is not valid.")
    return value


def _from_base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _refuse(message: str) -> NoReturn:
    raise PayloadError("InvalidRequest", message)
