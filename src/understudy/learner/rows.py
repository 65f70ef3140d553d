"""The training rows, kept for many passes in bounded memory: small data in memory, larger data scattered over files.

Shuffling needs no second copy. Each row belongs to a bucket by the hash of its number, and a pass visits the buckets in
a seeded order, and the rows of each in a seeded order. Whether the rows lie in memory or in files makes no difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from understudy.errors import InvalidInput, UsageError
from understudy.features import Features
from understudy.hashing import fractions, hash_words
from understudy.learner.vocabulary import MAX_FEATURES, Vocabulary

BUCKETS = 128
"""Parts that a shuffled file is scattered over; one of them, read back, is what stands in memory."""
MEMORY = 64 << 20
"""Bytes of rows kept in memory before they are spilled."""

_BUCKET_SALT, _FOLD_SALT = 0x6B75636B, 0x666F6C64


class Block(NamedTuple):
    """Rows as the kernels read them; row i holds ids[indptr[i]:indptr[i + 1]] and the values at the same places."""

    numbers: npt.NDArray[np.int64]
    indptr: npt.NDArray[np.int64]
    ids: npt.NDArray[np.uint32]
    values: npt.NDArray[np.float32]
    labels: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]

    @property
    def bytes(self) -> int:
        """What the rows occupy."""
        return sum(column.nbytes for column in self)

    def take(self, rows: npt.NDArray[np.int64]) -> Block:
        """Return those rows, in that order."""
        lengths = np.diff(self.indptr)[rows]
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        places = np.repeat(self.indptr[rows] - indptr[:-1], lengths) + np.arange(indptr[-1])
        return Block(
            self.numbers[rows], indptr, self.ids[places], self.values[places], self.labels[rows], self.weights[rows]
        )


def join(blocks: list[Block]) -> Block:
    """Put blocks one after the other."""
    lengths = [np.diff(block.indptr) for block in blocks]
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]) if blocks else np.zeros(1)
    columns = {
        name: np.concatenate([getattr(block, name) for block in blocks] or [np.zeros(0)]).astype(kind, copy=False)
        for name, kind in _COLUMNS.items()
    }
    return Block(indptr=indptr.astype(np.int64), **columns)


_COLUMNS = {
    "numbers": np.int64,
    "ids": np.uint32,
    "values": np.float32,
    "labels": np.float32,
    "weights": np.float32,
}


class Rows:
    """Labelled rows, written once by `append`, then read in passes.

    Parameters: `folder`, where rows beyond `memory` bytes are spilled (None: all stays in memory); it must be empty and
    belongs to the caller. `shuffle` as in `sgd.shuffleType`: without it rows keep the order of their arrival.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        seed: int = 0,
        shuffle: bool = True,
        max_features: int = MAX_FEATURES,
        memory: int = MEMORY,
    ) -> None:
        self.vocabulary = Vocabulary(max_features)
        self.count = 0
        self.entries = 0
        self.seed = seed
        self.shuffle = shuffle
        self._folder = folder
        self._memory = memory
        self._pending: list[Block] = []
        self._spilled: list[int] = []

    def append(
        self,
        features: Features,
        labels: npt.NDArray[np.float64] | npt.NDArray[np.float32],
        weights: npt.NDArray[np.float32] | None = None,
    ) -> None:
        """Keep n more rows: their features, labels[n] (0 or 1, class index, or number) and importance weights[n] >= 0.

        Raises InvalidInput, and keeps none of them, where something is not finite or a weight is below 0.
        """
        weights = np.ones(features.rows, np.float32) if weights is None else np.asarray(weights, np.float32)
        labels = np.asarray(labels, np.float32)
        if not len(labels) == len(weights) == features.rows:
            raise UsageError(
                f"{features.rows:,} rows came with {len(labels):,} labels and {len(weights):,} weights",
                "Give one of each for every row.",
            )
        self._refuse(~np.isfinite(labels), labels, "label", "a finite number")
        self._refuse(~((weights >= 0) & (weights < np.inf)), weights, "weight", "a finite number of 0 or more")
        indexed = self.vocabulary.index(features, grow=True)
        numbers = np.arange(self.count, self.count + features.rows)
        self._pending.append(Block(numbers, *indexed, labels, weights))
        self.count += features.rows
        self.entries += len(indexed.ids)
        if self._folder is not None and sum(block.bytes for block in self._pending) > self._memory:
            self._spill()

    def blocks(self) -> Iterator[Block]:
        """Read all rows, block after block, in the order in which they are kept."""
        self._settle()
        if not self._spilled:
            yield self._pending[0]
        for bucket in sorted(self._spilled):
            yield self._read(bucket)

    def passing(self, number: int) -> Iterator[tuple[Block, npt.NDArray[np.int64]]]:
        """Read all rows for pass `number`: blocks, each with the order in which to visit its rows."""
        self._settle()
        ranks = np.argsort(
            hash_words(np.arange(BUCKETS, dtype=np.uint64), self._pass_seed(number)), kind="stable"
        ).argsort()
        if not self._spilled:
            block = self._pending[0]
            yield block, self._order(block, number, ranks)
            return
        visited = sorted(self._spilled, key=lambda bucket: ranks[bucket]) if self.shuffle else self._spilled
        for bucket in visited:
            block = self._read(bucket)
            yield block, self._order(block, number, ranks)

    def labels(self) -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
        """Read all labels with their weights, block after block, without the features."""
        self._settle()
        if not self._spilled:
            yield self._pending[0].labels, self._pending[0].weights
        for bucket in sorted(self._spilled):
            yield self._column(bucket, "labels"), self._column(bucket, "weights")

    def lots(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Draw one number in [0, 1) for each row number: what decides on folds and validation parts."""
        return fractions(hash_words(numbers.astype(np.uint64), self.seed ^ _FOLD_SALT))

    def _order(self, block: Block, number: int, ranks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        if not self.shuffle:
            return np.arange(len(block.labels))
        within = hash_words(block.numbers.astype(np.uint64), self._pass_seed(number)) >> np.uint64(7)
        order: npt.NDArray[np.int64] = np.argsort(
            (ranks[self._buckets(block.numbers)].astype(np.uint64) << np.uint64(57)) | within, kind="stable"
        )
        return order

    def _pass_seed(self, number: int) -> int:
        return self.seed * 1_000_003 + number

    def _buckets(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        hashes = hash_words(numbers.astype(np.uint64), self.seed ^ _BUCKET_SALT)
        return (hashes % np.uint64(BUCKETS)).astype(np.int64)

    def _refuse(self, bad: npt.NDArray[np.bool_], found: npt.NDArray[np.float32], what: str, expected: str) -> None:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise InvalidInput(
                f"the {what} of row {self.count + row:,} is {found[row]}, where {expected} was expected",
                "Correct it or leave the row out.",
            )

    def _settle(self) -> None:
        """After the last append: the rest joins its buckets, or the rows in memory become one block."""
        if self._spilled and self._pending:
            self._spill()
        elif not self._spilled and len(self._pending) != 1:
            self._pending = [join(self._pending)]

    def _spill(self) -> None:
        chunk = join(self._pending)
        self._pending = []
        if not self.shuffle:
            self._write(len(self._spilled), chunk)
            return
        buckets = self._buckets(chunk.numbers)
        grouped = np.argsort(buckets, kind="stable")
        cuts = np.searchsorted(buckets[grouped], np.arange(BUCKETS + 1))
        for bucket in range(BUCKETS):
            rows = grouped[cuts[bucket] : cuts[bucket + 1]]
            if len(rows):
                self._write(bucket, chunk.take(rows))

    def _path(self, bucket: int, column: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{column}-{bucket:05d}"

    def _write(self, bucket: int, block: Block) -> None:
        if bucket not in self._spilled:
            self._spilled.append(bucket)
        columns = {name: getattr(block, name) for name in _COLUMNS} | {"lengths": np.diff(block.indptr)}
        for name, column in columns.items():
            with self._path(bucket, name).open("ab") as file:
                column.tofile(file)

    def _column(self, bucket: int, name: str) -> npt.NDArray[np.float32]:
        column: npt.NDArray[np.float32] = np.fromfile(self._path(bucket, name), _COLUMNS[name])
        return column

    def _read(self, bucket: int) -> Block:
        lengths = np.fromfile(self._path(bucket, "lengths"), np.int64)
        columns = {name: np.fromfile(self._path(bucket, name), kind) for name, kind in _COLUMNS.items()}
        return Block(indptr=np.concatenate([[0], np.cumsum(lengths)]), **columns)
