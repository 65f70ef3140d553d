"""How much better the challenger is than the champion on the same rows, and how surely.

>>> rows = Paired.binary([0, 0, 0, 1, 1, 1], [0.1, 0.6, 0.2, 0.5, 0.7, 0.8], [0.1, 0.3, 0.2, 0.6, 0.7, 0.8])
>>> found = compare(rows, "accuracy", confidence=0.95)
>>> round(found.challenger - found.champion, 3) == round(found.difference, 3)
True
"""

from __future__ import annotations

import math
from statistics import NormalDist

import msgspec
import numpy as np
import numpy.typing as npt

from understudy.metrics import METRICS
from understudy.promotion.influence import measure_both
from understudy.promotion.paired import Paired


class Comparison(msgspec.Struct, frozen=True):
    """Champion and challenger by one metric on the same rows.

    `champion` and `challenger` are in the metric's own unit and direction. `difference` and its interval from `lower`
    to `upper` are turned so that above 0 the challenger is better, also where less is better.
    """

    metric: str
    rows: int
    champion: float
    challenger: float
    difference: float
    lower: float
    upper: float


def compare(paired: Paired, metric: str, confidence: float) -> Comparison | None:
    """Compare two models on n rows; O(n log n) time.

    The interval is two-sided at `confidence` (0 to 1): the mean of the rows' influence differences by Student's t, and
    for accuracy by the counts of Bonett and Price 2012, which stay honest where few rows differ. Equal answers give a
    width of 0. None means that these rows cannot tell: fewer than two, or one class only.

    Raises
    ------
    ConfigError : the metric is none of the model type's.

    """
    champion, challenger = measure_both(paired, metric)
    if champion is None or challenger is None:
        return None
    sign = 1.0 if METRICS[metric].greater_is_better else -1.0
    difference = sign * (challenger.value - champion.value)
    if _same(paired):
        middle, width = 0.0, 0.0
    else:
        steps = difference + sign * (challenger.influence - champion.influence)
        spread = quantile(confidence, champion.freedom)
        middle, width = (_discordant if metric == "accuracy" else _mean)(steps, spread, champion.freedom)
    return Comparison(
        metric=metric,
        rows=paired.rows,
        champion=champion.value,
        challenger=challenger.value,
        difference=difference,
        lower=min(middle - width, difference),
        upper=max(middle + width, difference),
    )


def standard_error(influence: npt.NDArray[np.float64]) -> float:
    """Return the standard error of a mean whose rows pull by `influence`, float64[n], n >= 2."""
    return float(influence.std(ddof=1)) / math.sqrt(len(influence))


def quantile(confidence: float, freedom: int) -> float:
    """Return Student's two-sided quantile, by the expansion of Fisher and Cornish (1960) around the normal one."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def _same(paired: Paired) -> bool:
    ours, theirs = paired.champion, paired.challenger
    same_probability = ours.probability is theirs.probability or (
        ours.probability is not None
        and theirs.probability is not None
        and np.array_equal(ours.probability, theirs.probability)
    )
    return same_probability and np.array_equal(ours.values, theirs.values)


def _mean(steps: npt.NDArray[np.float64], spread: float, freedom: int) -> tuple[float, float]:
    """Return the middle and the half width of a mean's interval.

    Rows that do not vary at all still say nothing of the next row: then half a row of the smaller class is the error.
    """
    return float(steps.mean()), spread * (standard_error(steps) or 0.5 / (freedom + 1))


def _discordant(steps: npt.NDArray[np.float64], spread: float, _: int) -> tuple[float, float]:
    """Return the adjusted Wald interval of paired shares: one row more of either kind of disagreement."""
    rows = len(steps) + 2
    gained = (int((steps > 0.5).sum()) + 1) / rows
    lost = (int((steps < -0.5).sum()) + 1) / rows
    middle = gained - lost
    return middle, spread * math.sqrt((gained + lost - middle**2) / rows)
