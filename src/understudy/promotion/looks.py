"""The gate's looks at the rows: known ones and new ones apart, and what contradicts what.

Three contradictions make a doubt, each a sign of labels that should not be learned:

- the challenger pays for the new rows with the known ones (it has learned flipped labels);
- the challenger is worse on the new rows alone;
- the new labels say the opposite of what the champion knows, or next to nothing of it is left even after learning them
  (labels that are partly noise cannot be learned by anybody; in real drift the challenger wins most of its skill back).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from understudy.promotion.comparison import Comparison, compare, quantile, standard_error
from understudy.promotion.guardrails import Doubt
from understudy.promotion.influence import skills
from understudy.promotion.paired import Measured, Paired

MATERIAL = 0.1
"""A loss on the known rows counts from this share of the margin on; of a million rows any loss is significant."""
KEPT = 0.6
"""The share of the champion's skill on known rows that a challenger must have on new ones.

Flipping a share s of evenly split labels leaves 1 - 2 s of the skill: this holds a week from one flip in five on.
"""
TRUSTED = 0.1
"""Below this skill on the known rows there is nothing that new rows could contradict."""


class Looks(msgspec.Struct, frozen=True):
    """One metric on all held-out rows, on those believed before, and on those new since; None: cannot tell."""

    pooled: Comparison | None
    known: Comparison | None
    fresh: Comparison | None


def look(known: Paired | None, fresh: Paired | None, metric: str, confidence: float) -> Looks:
    """Compare on known and fresh rows apart and together."""
    both = known.followed_by(fresh) if known and fresh else known or fresh
    pooled, old, new = (compare(rows, metric, confidence) if rows else None for rows in (both, known, fresh))
    return Looks(pooled, old, new)


def contradictions(
    looks: Looks, known: Paired | None, fresh: Paired | None, margin: float, confidence: float
) -> tuple[Doubt, ...]:
    """Return what the two looks say against each other; nothing where either is missing."""
    doubts = [*_pays_with_known(looks, margin), *_collapses_on_new(looks, margin)]
    if known and fresh:
        doubts += _labels_contradict(known, fresh, confidence)
    return tuple(doubts)


def _pays_with_known(looks: Looks, margin: float) -> Iterator[Doubt]:
    known, fresh = looks.known, looks.fresh
    if known is None or fresh is None or known.upper >= 0 or known.difference >= -MATERIAL * margin:
        return
    if fresh.difference > 0:  # without a gain nothing was paid for; the rule alone judges a loss
        yield Doubt(
            "known_rows_lost",
            f"the challenger loses {-known.difference:.4f} of {known.metric} on the {known.rows:,} rows known before, "
            f"against {fresh.difference:+.4f} on the {fresh.rows:,} new ones; flipped labels look like this",
        )


def _collapses_on_new(looks: Looks, margin: float) -> Iterator[Doubt]:
    fresh = looks.fresh
    if looks.known is not None and fresh is not None and fresh.upper < -margin:
        yield Doubt(
            "new_rows_lost",
            f"on the {fresh.rows:,} new rows alone it is worse by {-fresh.difference:.4f} of {fresh.metric}, "
            f"more than the margin of {margin:g}",
        )


def _labels_contradict(known: Paired, fresh: Paired, confidence: float) -> Iterator[Doubt]:
    champion_knew, knew = skills(known, known.labels)
    champion_knows, knows = skills(fresh, known.labels)
    if champion_knew is None or champion_knows is None or champion_knew.value < TRUSTED:
        return
    if champion_knows.value + _reach(champion_knows, confidence) < 0:
        yield Doubt(
            "labels_reversed",
            f"the labels of the {fresh.rows:,} new rows say the opposite of what the champion knows (skill "
            f"{champion_knows.value:.2f}, on the known rows {champion_knew.value:.2f})",
        )
        return
    if knew is None or knows is None:
        return
    fall = champion_knew.value - knows.value
    if knows.value < KEPT * champion_knew.value and fall > math.hypot(
        _reach(knew, confidence), _reach(knows, confidence)
    ):
        yield Doubt(
            "labels_unlike",
            f"even after learning them the challenger understands little of the {fresh.rows:,} new rows (skill "
            f"{knows.value:.2f}, the champion's on the known rows is {champion_knew.value:.2f}); wrong labels look so",
        )


def _reach(measured: Measured, confidence: float) -> float:
    return quantile(confidence, measured.freedom) * standard_error(measured.influence)
