"""The training rows, kept for many passes in bounded memory: small data in memory, larger data scattered over files.

Shuffling needs no second copy. Each row belongs to a bucket by the hash of its number, and a pass visits the buckets in
a seeded order, and the rows of each in a seeded order. Whether the rows lie in memory or in files makes no difference.
"""
# ruff: noqa: ANN001, ANN202 (numba infers a kernel's types; it takes arrays, not objects)

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from understudy import compiling as nb
from understudy.ahead import ahead
from understudy.errors import InvalidInput, UsageError
from understudy.features import FeatureColumns, Features
from understudy.hashing import fractions, hash_words, mix64
from understudy.learner.block import Block, Floats, Places, join
from understudy.learner.spill import SpillFile
from understudy.learner.vocabulary import MAX_FEATURES, IndexedColumns, Vocabulary

BUCKETS = 128
"""Parts that a shuffled file is scattered over; one of them, read back, is what stands in memory."""
MEMORY = 12 << 20
"""Bytes of rows kept in memory before they are spilled."""

Prepared = TypeVar("Prepared")

_BUCKET_SALT, _FOLD_SALT = 0x6B75636B, 0x666F6C64


@nb.njit(nogil=True, cache=True)
def _shuffle(order, cuts, seeds):  # type: ignore[no-untyped-def]
    """Shuffle order[cuts[g]:cuts[g + 1]] by the seed of each group g (Durstenfeld 1964)."""
    for group in range(len(seeds)):
        first, state = cuts[group], seeds[group]
        for left in range(cuts[group + 1] - first, 1, -1):
            state += np.uint64(0x9E3779B97F4A7C15)
            other = first + np.int64((mix64(state) >> np.uint64(32)) * np.uint64(left) >> np.uint64(32))
            last = first + left - 1
            order[last], order[other] = order[other], order[last]


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
        self._closed = False
        self.seed = seed
        self.shuffle = shuffle
        self._folder = folder
        self._memory = memory
        self._pending: list[Block] = []
        self._spill_file: SpillFile | None = None
        self._number_ids = self._missing_ids = np.zeros(0, np.uint32)

    def append(
        self,
        features: Features | FeatureColumns,
        labels: npt.NDArray[np.float64] | npt.NDArray[np.float32],
        weights: npt.NDArray[np.float32] | None = None,
    ) -> None:
        """Keep n more rows: their features, labels[n] (0 or 1, class index, or number) and importance weights[n] >= 0.

        The features of all rows come in the same form. Raises InvalidInput, and keeps none of them, where something is
        not finite or a weight is below 0.
        """
        if self._closed:
            raise UsageError("these rows are being learned from already", "Append all rows before.")
        weights = np.ascontiguousarray(np.ones(features.rows) if weights is None else weights, np.float32)
        labels = np.ascontiguousarray(labels, np.float32)
        if not len(labels) == len(weights) == features.rows:
            raise UsageError(
                f"{features.rows:,} rows came with {len(labels):,} labels and {len(weights):,} weights",
                "Give one of each for every row.",
            )
        self._refuse(~np.isfinite(labels), labels, "label", "a finite number")
        self._refuse(~((weights >= 0) & (weights < np.inf)), weights, "weight", "a finite number of 0 or more")
        self._pending.append(self._block(self._indexed(features), labels, weights))
        self.count += features.rows
        if self._folder is not None and sum(block.bytes for block in self._pending) > self._memory:
            self._spill()

    def _indexed(self, features: Features | FeatureColumns) -> IndexedColumns:
        if isinstance(features, FeatureColumns):
            return self.vocabulary.index_columns(features, self.count)
        nothing, none = np.zeros((features.rows, 0), np.uint32), np.zeros(0, np.uint32)
        return IndexedColumns(nothing, nothing.view(np.float32), none, none, self.vocabulary.index(features, grow=True))

    def _block(
        self, indexed: IndexedColumns, labels: npt.NDArray[np.float32], weights: npt.NDArray[np.float32]
    ) -> Block:
        """Give the next rows their numbers."""
        self._number_ids, self._missing_ids = indexed.number_ids, indexed.missing_ids  # the last to tell knows most
        numbered = np.arange(self.count, self.count + len(labels))
        return Block(
            numbered, indexed.ones, indexed.numbers, indexed.number_ids, indexed.missing_ids, *indexed.others, labels,
            weights,
        )  # fmt: skip

    def close(self) -> None:
        """Take no more rows, and give up the memory for it."""
        self._settled()
        self.vocabulary.close()
        self._closed = True

    def blocks(self) -> Iterator[Block]:
        """Read all rows, block after block, in the order in which they are kept."""
        file = self._settled()
        if file is None:
            yield self._pending[0]
        else:
            yield from (self._read(file, bucket) for bucket in sorted(file.parts))

    def passing(self, number: int, prepare: Callable[[Block], Prepared]) -> Iterator[tuple[Prepared, Places]]:
        """Read all rows for pass `number`: blocks, prepared, each with the order in which to visit its rows.

        Where rows were spilled, all this is done in a thread of its own, ahead of who learns them.
        """
        file = self._settled()
        ranks = np.argsort(
            hash_words(np.arange(BUCKETS, dtype=np.uint64), self._pass_seed(number)), kind="stable"
        ).argsort()
        if file is None:
            block = self._pending[0]
            yield prepare(block), self._order(block, number, ranks)
            return
        buckets = sorted(file.parts, key=lambda bucket: ranks[bucket] if self.shuffle else bucket)
        blocks = (self._read(file, bucket) for bucket in buckets)
        yield from ahead((prepare(block), self._order(block, number, ranks)) for block in blocks)

    def labels(self) -> Iterator[tuple[Floats, Floats]]:
        """Read all labels with their weights, block after block, without the features."""
        file = self._settled()
        if file is None:
            yield self._pending[0].labels, self._pending[0].weights
        else:
            yield from (file.labels(bucket) for bucket in sorted(file.parts))

    def lots(self, numbers: Places) -> npt.NDArray[np.float64]:
        """Draw one number in [0, 1) for each row number: what decides on folds and validation parts."""
        return fractions(hash_words(numbers.astype(np.uint64), self.seed ^ _FOLD_SALT))

    def _order(self, block: Block, number: int, ranks: Places) -> Places:
        if not self.shuffle:
            return np.arange(len(block.labels))
        buckets = self._buckets(block.numbered)
        order = np.argsort(ranks[buckets].astype(np.uint8), kind="stable")
        in_rank = np.argsort(ranks)
        cuts = np.concatenate([[0], np.cumsum(np.bincount(buckets, minlength=BUCKETS)[in_rank])])
        _shuffle(order, cuts, hash_words(in_rank.astype(np.uint64), self._pass_seed(number)))
        return order

    def _pass_seed(self, number: int) -> int:
        return self.seed * 1_000_003 + number

    def _buckets(self, numbers: Places) -> Places:
        hashes = hash_words(numbers.astype(np.uint64), self.seed ^ _BUCKET_SALT)
        return (hashes % np.uint64(BUCKETS)).astype(np.int64)

    def _refuse(self, bad: npt.NDArray[np.bool_], found: npt.NDArray[np.float32], what: str, expected: str) -> None:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise InvalidInput(
                f"the {what} of row {self.count + row:,} is {found[row]}, where {expected} was expected",
                "Correct it or leave the row out.",
            )

    def _settled(self) -> SpillFile | None:
        """After the last append, let the rest join its buckets; None where all rows are one block in memory."""
        if self._spill_file is not None and self._pending:
            self._spill()
        elif self._spill_file is None and self._pending:
            self._pending = [join(self._pending)._replace(number_ids=self._number_ids, missing_ids=self._missing_ids)]
        return self._spill_file

    def _spill(self) -> None:
        chunk = join(self._pending)
        self._pending = []
        if self._spill_file is None:
            assert self._folder is not None
            self._spill_file = SpillFile(self._folder / "rows")
        file = self._spill_file
        if not self.shuffle:
            file.write(len(file.parts), chunk)
            return
        buckets = self._buckets(chunk.numbered)
        grouped = np.argsort(buckets.astype(np.uint8), kind="stable")
        cuts = np.concatenate([[0], np.cumsum(np.bincount(buckets, minlength=BUCKETS))])
        scattered = chunk.take(grouped)
        for bucket in np.flatnonzero(np.diff(cuts)).tolist():
            file.write(bucket, scattered.between(cuts[bucket], cuts[bucket + 1]))

    def _read(self, file: SpillFile, bucket: int) -> Block:
        return file.read(bucket)._replace(number_ids=self._number_ids, missing_ids=self._missing_ids)
