"""Bodies in pieces: gathered for writing, read for sending, with all work on files in threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import BinaryIO, ParamSpec, TypeVar

from understudy.errors import StoreError
from understudy.store.bucket_records import BucketError

PIECE = 1 << 20
"""Bytes that are held in memory of a body, about."""

SENT = 128 << 10
"""Bytes that are sent at once: the port gives each piece the same time, and slow readers need a minute for more."""

# Threads of the door's own, so that storage never keeps predictions waiting, and long copies never keep objects.
_STORING = ThreadPoolExecutor(8, "s3")
_COPYING = ThreadPoolExecutor(2, "s3-copying")

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function in a thread. A cancellation waits for its end, so that what follows never runs beside it."""
    return await _in_thread(_STORING, partial(function, *args, **kwargs))


async def in_slow_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function that may take minutes as `in_thread` does, in one of the few threads that such work has."""
    return await _in_thread(_COPYING, partial(function, *args, **kwargs))


async def _in_thread(threads: ThreadPoolExecutor, function: Callable[[], T]) -> T:
    work = asyncio.get_running_loop().run_in_executor(threads, function)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


class Tracked:
    """A request's body that knows whether it was read to its end."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._ended = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._pieces)
        except StopAsyncIteration:
            self._ended = True
            raise

    async def drained(self) -> bool:
        """Read and forget the rest, but not more than PIECE bytes of it; tell whether that was all."""
        left = PIECE
        while left >= 0 and not self._ended:
            left -= len(await anext(self, b""))
        return self._ended


async def gathered(body: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """Yield a body in pieces of about PIECE bytes; raises BucketError `EntityTooLarge` behind `limit` bytes."""
    held = bytearray()
    total = 0
    async for piece in body:
        total += len(piece)
        if total > limit:
            raise BucketError(
                "EntityTooLarge", f"Your proposed upload exceeds the maximum allowed size: {limit} bytes."
            )
        held += piece
        if len(held) >= PIECE:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


class FileBody:
    """A stretch of an open file as the body of a response; closes the file at its end, or by `aclose`."""

    def __init__(self, file: BinaryIO, start: int, length: int) -> None:
        self._file = file
        self._start = start
        self._left = length
        self._held = memoryview(b"")

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._held:
            if not self._left:
                await self.aclose()
                raise StopAsyncIteration
            self._held = memoryview(await in_thread(self._read))
            self._left -= len(self._held)
        piece, self._held = bytes(self._held[:SENT]), self._held[SENT:]
        return piece

    async def aclose(self) -> None:
        """Close the file; what was not sent by now will not be."""
        self._left, self._held = 0, memoryview(b"")
        await in_thread(self._file.close)

    def __del__(self) -> None:
        self._file.close()  # a body that nobody began to send

    def _read(self) -> bytes:
        if self._start:
            self._file.seek(self._start)
            self._start = 0
        piece = self._file.read(min(PIECE, self._left))
        if not piece:
            self._file.close()
            raise StoreError(f"an object is {self._left} bytes shorter than it was when it was put")
        return piece
