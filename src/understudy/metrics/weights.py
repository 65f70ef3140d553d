"""Importance weights: checked, kept as float32, joined."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from understudy.errors import InvalidInput
from understudy.metrics.functions import Floats

Kept = npt.NDArray[np.float32]


def float_weights(weights: Floats | None, rows: int) -> Kept | None:
    """Return weights as they are kept; InvalidInput unless there is one for each row, above 0 and finite."""
    if weights is None:
        return None
    kept = np.asarray(weights).astype(np.float32)
    if len(kept) != rows:
        raise InvalidInput(f"{len(kept):,} weights came with {rows:,} rows", "Give one weight for each row.")
    good = (kept > 0) & np.isfinite(kept)
    if not good.all():
        row = int(np.argmin(good))
        raise InvalidInput(
            f"the weight of row {row:,} is {np.asarray(weights)[row]}, not a number above 0",
            "Correct the row weight's column, or leave such rows out.",
        )
    return kept


def joined_weights(parts: Sequence[Kept | None], lengths: Sequence[int]) -> Floats | None:
    """Return the parts' weights in one float64 array, 1 where a part has none; None where no part has any."""
    if all(part is None for part in parts):
        return None
    filled = [np.ones(n, np.float32) if part is None else part for part, n in zip(parts, lengths, strict=True)]
    return np.concatenate(filled).astype(np.float64)
