"""Which rows of a batch hold which cells of its columns, and which bins of the target they are in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from understudy.statistics.cells import Column, read_only
from understudy.statistics.folding import Codes, Counts, Held, Targets, held_of
from understudy.statistics.kernels import count_codes, take_codes

Parts = npt.NDArray[np.uint8]
"""The part that each row belongs to."""
Chosen = npt.NDArray[np.int32] | None
"""Some of a batch's rows, int32[n], ascending; None for all."""


class Share(NamedTuple):
    """The n rows of a batch that belong to one part."""

    chosen: Chosen
    targets: Targets
    """The bin of the target of each, int8[n]; -1 for a row without."""
    untold: bool
    """Whether any of them is without."""

    def of(self, column: Column) -> Rows:
        """Return what these rows hold of a column."""
        codes, counts = taken(column, self.chosen)
        held = held_of(counts)
        if not self.untold:
            return Rows(codes, counts, held, self.targets, held)
        told = np.zeros_like(counts)
        count_codes(read_only(codes[self.targets >= 0]), told)
        return Rows(codes, counts, held, self.targets, held_of(told))


class Rows(NamedTuple):
    """n rows of a column of k different cells, and their bins of the target."""

    codes: Codes
    """The cell of each, int32[n]."""
    counts: Counts
    """How many of them hold each cell, int32[k + 1]; the last counts the nulls."""
    held: Held
    """Which cells they hold."""
    targets: Targets
    """The bin of the target of each, int8[n]; -1 for a row without."""
    told: Held
    """Which cells those with a target hold."""


def taken(column: Column, chosen: Chosen) -> tuple[Codes, Counts]:
    """Return the cells of chosen rows, int32[n], and how many of these hold each cell, int32[k + 1]."""
    counts = np.zeros(len(column.cells) + 1, np.int32)
    if chosen is None:
        count_codes(column.codes, counts)
        return column.codes, counts
    codes = np.empty(len(chosen), np.int32)
    take_codes(column.codes, chosen, codes, counts)
    return read_only(codes), counts


def rows_of(parts: Parts, part: int) -> Chosen:
    """Return which rows belong to a part."""
    chosen = np.flatnonzero(parts == part)
    return None if len(chosen) == len(parts) else chosen.astype(np.int32)
