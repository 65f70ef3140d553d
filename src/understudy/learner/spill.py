"""Blocks of rows scattered over the buckets of one file, written piece by piece and read back bucket by bucket."""

from __future__ import annotations

import os
import weakref
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from understudy.errors import StoreError
from understudy.learner.block import Block, Floats

_COLUMNS: Mapping[str, Any] = {
    "labels": np.float32,
    "weights": np.float32,
    "numbered": np.int64,
    "ones": np.uint32,
    "numbers": np.float32,
    "lengths": np.int32,
    "ids": np.uint32,
    "values": np.float32,
}
"""What a piece is written as, column after column; `lengths` tells how many of `ids` and `values` each row has."""


class _Piece(NamedTuple):
    """Where a piece stands in the file, and the sizes of its columns."""

    offset: int
    sizes: tuple[int, ...]


class SpillFile:
    """One file for all buckets: to create a file costs more than to write a piece. It is closed with its last user."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise StoreError(
                f"{path} could not be made: {error.strerror}", "Free some space and run it again."
            ) from None
        weakref.finalize(self, os.close, self._file)
        self._end = 0
        self._shapes: tuple[int, int] = (0, 0)
        self.parts: dict[int, list[_Piece]] = defaultdict(list)
        """The pieces of each bucket, in the order in which they came."""

    def write(self, bucket: int, block: Block) -> None:
        """Append a block to its bucket. Raises StoreError where the disk is full."""
        self._shapes = block.ones.shape[1], block.numbers.shape[1]
        columns = {**block._asdict(), "lengths": np.diff(block.indptr)}
        arrays = [np.ascontiguousarray(columns[name], kind) for name, kind in _COLUMNS.items()]
        try:
            written = os.writev(self._file, [array.data for array in arrays if array.size])
        except OSError as error:
            raise StoreError(
                f"rows could not be written to {self._path}: {error.strerror}", "Free some space and run it again."
            ) from None
        if written != sum(array.nbytes for array in arrays):
            raise StoreError(f"rows could not be written to {self._path}: the disk is full", "Free some space.")
        self.parts[bucket].append(_Piece(self._end, tuple(array.size for array in arrays)))
        self._end += sum(array.nbytes for array in arrays)

    def read(self, bucket: int) -> Block:
        """Read a bucket's rows in the order in which they came; what is constant to all blocks is empty."""
        columns = self._columns(bucket, len(_COLUMNS))
        rows, (ones, numbers) = len(columns["labels"]), self._shapes
        none = np.zeros(0, np.uint32)
        return Block(
            columns["numbered"],
            columns["ones"].reshape(rows, ones),
            columns["numbers"].reshape(rows, numbers),
            none,
            none,
            np.concatenate([[0], np.cumsum(columns["lengths"], dtype=np.int64)]),
            columns["ids"],
            columns["values"],
            columns["labels"],
            columns["weights"],
        )

    def labels(self, bucket: int) -> tuple[Floats, Floats]:
        """Read the labels and weights of a bucket alone."""
        columns = self._columns(bucket, 2)
        return columns["labels"], columns["weights"]

    def _columns(self, bucket: int, count: int) -> dict[str, npt.NDArray[Any]]:
        """Read the first `count` columns of a bucket, the pieces of each joined."""
        pieces = self.parts[bucket]
        kinds = list(_COLUMNS.items())[:count]
        ends = np.cumsum([(0,) * count, *(piece.sizes[:count] for piece in pieces)], axis=0)
        columns = {name: np.empty(size, kind) for (name, kind), size in zip(kinds, ends[-1].tolist(), strict=True)}
        for piece, first, last in zip(pieces, ends[:-1].tolist(), ends[1:].tolist(), strict=True):
            slices = [column[a:b] for column, a, b in zip(columns.values(), first, last, strict=True)]
            self._read_into(slices, piece.offset)
        return columns

    def _read_into(self, slices: list[npt.NDArray[Any]], offset: int) -> None:
        wanted = sum(each.nbytes for each in slices)
        if os.preadv(self._file, [each.data for each in slices if each.size], offset) != wanted:
            raise StoreError(f"{self._path} is shorter than what was written to it", "Check the disk and run it again.")
