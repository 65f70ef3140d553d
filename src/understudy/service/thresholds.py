"""Score thresholds: realtime, batch and evaluation agree, since all compare the score that clients are shown.

That is a float of 32 bits, widened; the threshold is one of 64 and stays as it was set.

>>> is_positive(0.7, 0.7), is_positive(0.75, 0.75)
(False, True)
>>> is_positive(np.array([0.69, 0.7, 0.71]), 0.7).tolist()
[False, False, True]
"""

from __future__ import annotations

from typing import overload

import numpy as np
import numpy.typing as npt

from understudy.values.single import rounded


@overload
def is_positive(scores: float, threshold: float) -> bool: ...
@overload
def is_positive(scores: npt.NDArray[np.floating], threshold: float) -> npt.NDArray[np.bool_]: ...
def is_positive(scores: float | npt.NDArray[np.floating], threshold: float) -> bool | npt.NDArray[np.bool_]:
    """Tell which scores of a BINARY model mean 1: those that reach the threshold, rounded to 32 bits."""
    if isinstance(scores, float):
        return rounded(scores) >= threshold
    return np.asarray(np.asarray(scores, np.float32).astype(np.float64) >= threshold)
