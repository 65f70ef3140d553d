"""Cells read as numbers, and the words that stand for what cells hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BATCH_ROWS = 65_536
"""Rows that a batch holds at most. Nothing may depend on where a batch ends."""

MISSING_WORDS = frozenset({"na", "n/a", "nan", "null", "none", "?", "-"})
"""Spellings, in lower case, of a number that is not there."""

TRUE_WORDS = frozenset({"1", "y", "yes", "t", "true"})
FALSE_WORDS = frozenset({"0", "n", "no", "f", "false"})
"""Amazon ML's spellings of truth values, in lower case (reference 3.3)."""

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class NumberCells:
    """Cells of one column read as numbers."""

    values: Floats
    """float64[n]; NaN where a cell is missing or invalid."""
    missing: int
    """How many cells hold nothing: null, empty, or one of `MISSING_WORDS`."""
    invalid: int
    """How many cells hold something else that cannot be read."""
