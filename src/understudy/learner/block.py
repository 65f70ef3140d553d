"""Neighbouring rows as the kernels read them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.uint32]
Places = npt.NDArray[np.int64]


class Block(NamedTuple):
    """n rows: features of value 1, numbers, and what is left; an id of 0 stands for no feature."""

    numbered: Places
    """Which of all rows each is [n]."""
    ones: Ids
    """Ids of the features that every row has one of each, of value 1 [n, outputs]."""
    numbers: Floats
    """Numbers [n, numeric outputs]; NaN where missing, 0 is no feature."""
    number_ids: Ids
    """The feature that each number is the value of [numeric outputs]."""
    missing_ids: Ids
    """The feature, of value 1, that a row has instead of a missing number [numeric outputs]."""
    indptr: Places
    """Row i has further features at indptr[i]:indptr[i + 1] of `ids` and `values` [n + 1]."""
    ids: Ids
    values: Floats
    labels: Floats
    weights: Floats

    @property
    def bytes(self) -> int:
        """What the rows occupy."""
        return sum(column.nbytes for column in self)

    def take(self, rows: Places) -> Block:
        """Return those rows, in that order."""
        lengths = np.diff(self.indptr)[rows]
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        places = np.repeat(self.indptr[rows] - indptr[:-1], lengths) + np.arange(indptr[-1])
        return self._replace(
            numbered=self.numbered.take(rows),
            ones=self.ones.take(rows, axis=0),
            numbers=self.numbers.take(rows, axis=0),
            indptr=indptr,
            ids=self.ids.take(places),
            values=self.values.take(places),
            labels=self.labels.take(rows),
            weights=self.weights.take(rows),
        )

    def between(self, first: int, last: int) -> Block:
        """Return rows first to last - 1 without copying their features."""
        start, stop = self.indptr[first], self.indptr[last]
        return self._replace(
            numbered=self.numbered[first:last],
            ones=self.ones[first:last],
            numbers=self.numbers[first:last],
            indptr=self.indptr[first : last + 1] - start,
            ids=self.ids[start:stop],
            values=self.values[start:stop],
            labels=self.labels[first:last],
            weights=self.weights[first:last],
        )


def join(blocks: list[Block]) -> Block:
    """Put one or more blocks of the same rows one after the other."""
    if len(blocks) == 1:
        return blocks[0]
    lengths = [np.diff(block.indptr) for block in blocks]
    whole = {
        name: np.concatenate([getattr(block, name) for block in blocks])
        for name in ("numbered", "ones", "numbers", "ids", "values", "labels", "weights")
    }
    return blocks[0]._replace(indptr=np.concatenate([[0], np.cumsum(np.concatenate(lengths))]), **whole)
