"""A stretch of a stream in memory that moves along: what is read is appended, what is done with is dropped."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` more bytes; none at the end."""


class Window:
    """The bytes of a stream from `offset` on, as far as they have been read."""

    def __init__(self, stream: Readable, spare: int) -> None:
        """`spare` zeros stand behind the bytes, for those who look at many at once."""
        self._stream = stream
        self._spare = spare
        self.data: npt.NDArray[np.uint8] = np.zeros(spare, np.uint8)
        """uint8[n], of which the first `size` are read, and as many as are spare are zero behind them."""
        self.size = 0
        self.offset = 0
        """Bytes of the stream before the window."""
        self.ended = False
        """Whether the stream has no more."""

    def read_on(self, size: int) -> None:
        """Append up to `size` bytes, or find that there are no more."""
        more = np.frombuffer(self._stream.read(size), np.uint8)
        self.ended = not len(more)
        end = self.size + len(more)
        if end + self._spare > len(self.data):
            data = np.empty(max(end, 2 * self.size) + self._spare, np.uint8)
            data[: self.size] = self.data[: self.size]
            self.data = data
        self.data[self.size : end] = more
        self.data[end : end + self._spare] = 0
        self.size = end

    def drop(self, count: int) -> None:
        """Move on by `count` bytes."""
        rest = self.size - count
        self.data[: rest + self._spare] = self.data[count : self.size + self._spare]
        self.size, self.offset = rest, self.offset + count

    def bytes(self, start: int, stop: int) -> bytes:
        """Return some of the bytes."""
        return self.data[start:stop].tobytes()
