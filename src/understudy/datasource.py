"""A data source: which rows there are, what they mean, and which part of them is held out.

A split decides, row by row, whether a row is for training or for evaluation. Under the `stable` strategy a row that was
ever held out stays held out: the decision hangs on the row's key alone, whatever rows come and go around it.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum

import msgspec
import numpy as np
import numpy.typing as npt

from understudy.config import Split
from understudy.hashing import UInt64s, fractions, hash_text, hash_words
from understudy.schema import Schema


class Part(IntEnum):
    """What one row of a run is for."""

    TRAINING = 0
    EVALUATION = 1
    REJECTED = 2


Parts = npt.NDArray[np.uint8]


def held_out(split: Split, keys: UInt64s, first_row: int, total_rows: int) -> npt.NDArray[np.bool_]:
    """Tell which of n neighbouring rows a split holds out of training.

    Parameters
    ----------
    split : `stable` decides by the row's key, `random` by seed and position, `sequential` by position (reference 3.7).
    keys : uint64[n], the rows' keys.
    first_row : position of the first of them among all rows, from 0.
    total_rows : how many rows there are in all.
    """
    positions = np.arange(first_row, first_row + len(keys), dtype=np.uint64)
    if split.strategy == "sequential":
        return positions >= np.uint64(total_rows * split.train // 100)
    drawn = hash_words(keys if split.strategy == "stable" else positions, hash_text(split.seed, seed=1))
    return np.asarray(fractions(drawn) >= split.train / 100)


def ascending(keys: UInt64s) -> UInt64s:
    """Sort keys where they stand, many times sooner than `np.unique`; return the different ones in ascending order.

    >>> ascending(np.array([3, 1, 3], np.uint64)).tolist()
    [1, 3]
    """
    keys.sort()
    first_of_its_kind = np.ones(len(keys), np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=first_of_its_kind[1:])
    return keys if first_of_its_kind.all() else keys[first_of_its_kind]


class DataSource(msgspec.Struct, frozen=True):
    """A frozen description of one part of a run's rows."""

    id: str
    location: str
    """Object that keeps the observations."""
    part: str
    """`training` or `evaluation`."""
    rows: int
    attributes: Schema
    split: Split
    digest: str
    """SHA-256 over the rows' canonical values, in order, whatever the source."""
    statistics: dict[str, object] | None = None


class RowDigest:
    """SHA-256 over a stream of row hashes: the same rows in the same order give the same, whatever the source."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.rows = 0

    def add(self, row_hashes: UInt64s) -> None:
        """Add the hashes of the next rows."""
        self._digest.update(np.ascontiguousarray(row_hashes, dtype="<u8").tobytes())
        self.rows += len(row_hashes)

    def value(self) -> str:
        """Return the digest as `sha256:...`."""
        return f"sha256:{self._digest.hexdigest()}"
