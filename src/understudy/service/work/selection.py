"""Which records a data source takes by its DataRearrangement (reference 3.7).

>>> chosen = Selection(Rearrangement(0, 70), total=10)
>>> chosen(np.arange(6)).tolist(), chosen(np.arange(4)).tolist()
([True, True, True, True, True, True], [True, False, False, False])
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from understudy.hashing import fractions, hash_text, hash_words
from understudy.service.rearrangement import Rearrangement

_SEED = 0x5711


class Selection:
    """Tells of records, which come in order, whether they are taken. Where blocks of them end makes no difference."""

    def __init__(self, asked: Rearrangement, total: int | None = None) -> None:
        """`total` is how many records there are in all; `sequential` alone asks for it."""
        self._asked = asked
        self._total = total
        self._seen = 0
        self._seed = hash_text(asked.seed, _SEED)

    def __call__(self, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Tell which of the next n records are taken; `offsets` are the bytes before each, int64[n]."""
        within = self._drawn(offsets) if self._asked.strategy == "random" else self._in_turn(len(offsets))
        return ~within if self._asked.complement else within

    def _drawn(self, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        lots = fractions(hash_words(offsets.astype(np.uint64), self._seed))
        return np.asarray((lots >= self._asked.begin / 100) & (lots < self._asked.end / 100))

    def _in_turn(self, records: int) -> npt.NDArray[np.bool_]:
        places = np.arange(self._seen, self._seen + records)
        self._seen += records
        assert self._total is not None
        begin, end = (self._total * percent // 100 for percent in (self._asked.begin, self._asked.end))
        return np.asarray((places >= begin) & (places < end))


def overlap(one: Rearrangement, other: Rearrangement) -> bool:
    """Tell whether two selections out of the same data have, or may have, rows in common."""
    here, there = _percents(one), _percents(other)
    alike = one.strategy == other.strategy and (one.strategy == "sequential" or one.seed == other.seed)
    return bool(here & there) if alike else bool(here and there)


def _percents(asked: Rearrangement) -> set[int]:
    within = set(range(asked.begin, asked.end))
    return set(range(100)) - within if asked.complement else within
