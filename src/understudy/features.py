"""What a learner sees of observations: sparse rows of hashed keys and values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Features:
    """Sparse features of n observations, row after row (CSR).

    Row i holds keys[indptr[i]:indptr[i + 1]] and the values at the same places. A key is a 64-bit hash of an output of
    the recipe and its value; within one row no key stands twice.
    """

    indptr: npt.NDArray[np.int64]
    keys: npt.NDArray[np.uint64]
    values: npt.NDArray[np.float32]

    @property
    def rows(self) -> int:
        """How many observations these are."""
        return len(self.indptr) - 1
