"""What an attribute tells about the target: mutual information, as a share of what there is to know.

Rows are counted by (the attribute's value, the target's value). Where there are many values, neighbouring numbers
share a bin, and categories share one by their hash (see `folding`), which can only hide information. The figure is
corrected for the chance agreement of many small cells (Miller 1955, Madow) and divided by the entropy of the target:
0 tells nothing, 1 everything (Theil's uncertainty coefficient).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from understudy.statistics.folding import Codes, Floats, Folded, UInt64s, moved
from understudy.statistics.kernels import count_pairs
from understudy.statistics.rows import Rows

VALUES = 512
"""Bins of an attribute."""
TARGETS = 32
"""Bins of the target."""


class Association:
    """Counts of an attribute's values together with the target's; 131 kB; no order or merge leaves a trace."""

    def __init__(self) -> None:
        self._values = Folded(VALUES)
        self._counts = np.zeros((VALUES, TARGETS), np.int64)

    def add(self, keys: UInt64s, rows: Rows) -> None:
        """Add rows that hold cells with keys, uint64[k + 1]; those without a target are left out."""
        numbers, moves = self._values.numbers(keys, rows.told)
        self._counts = moved(self._counts, moves)
        count_pairs(rows.codes, numbers, rows.targets, self._counts)

    def move_targets(self, moves: Codes | None) -> None:
        """Follow the target's bins to their new numbers."""
        self._counts = moved(self._counts, moves, axis=1)

    def merge(self, other: Association, targets: Codes) -> None:
        """Add all that the other has seen; `targets` gives the number here of each of its target's bins."""
        numbers, moves = self._values.absorb(other._values)
        self._counts = moved(self._counts, moves)
        theirs = other._counts[: len(numbers), : len(targets)]
        np.add.at(self._counts, (numbers[:, None], targets[None, :]), theirs)

    @property
    def strength(self) -> float:
        """The share of the target's entropy that the attribute explains, 0..1."""
        return float(normalised_information(self._counts))


def normalised_information(counts: npt.NDArray[np.int64]) -> Floats:
    """Return the corrected mutual information of rows and columns over the entropy of the columns, 0..1.

    `counts` holds one table, int64[rows, columns], or many, int64[..., rows, columns]; the result has the shape `...`.
    """
    by_value, by_target = counts.sum(axis=-1), counts.sum(axis=-2)
    cells = counts.reshape(*counts.shape[:-2], -1)
    uncertain = _total_entropy(by_target)
    shared = _total_entropy(by_value) + uncertain - _total_entropy(cells)
    filled = [np.count_nonzero(table, axis=-1) for table in (cells, by_value, by_target)]
    chance = (filled[0] - filled[1] - filled[2] + 1) / 2.0
    share = np.divide(shared - chance, uncertain, out=np.zeros_like(uncertain), where=uncertain > 0)
    return np.asarray(np.clip(share, 0.0, 1.0))


def _total_entropy(counts: npt.NDArray[np.int64]) -> Floats:
    """Return n times the entropy in nats of n counted rows, along the last axis.

    The cells are sorted first, so that the order in which they were first met leaves no trace.
    """
    seen = np.sort(counts, axis=-1).astype(np.float64)
    total = seen.sum(axis=-1, keepdims=True)
    surprise = np.log(np.divide(total, seen, out=np.ones_like(seen), where=seen > 0))
    return np.asarray((seen * surprise).sum(axis=-1))
