"""The anchor: the best champion of the last year, beside whom every challenger must stand too.

Small losses add up when each challenger meets only the champion before it. The anchor stays where it is while champions
pass, so the sum of their losses is seen whole, on the same rows, at every verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from understudy.promotion.comparison import Comparison


class Promoted(msgspec.Struct, frozen=True):
    """One promotion, as far as it says who is the best."""

    model_id: str
    by_hand: bool = False
    """Whether a person chose it: promoted, or rolled back to."""
    found: Comparison | None = None
    """`Verdict.deciding`; None where nobody was compared."""


def anchor_of(promotions: Sequence[Promoted]) -> str | None:
    """Return the model id of the anchor; None where nobody was promoted.

    `promotions` are those of the last year, oldest first, led by that of the champion at the year's start. The first is
    the anchor; a later one takes its place if a person promoted it, or if it was surely not below the anchor. An
    estimate alone is not enough: promoted challengers are chosen for looking good, so their estimates flatter, and an
    anchor that gives way to luck slides with the champions.
    """
    anchor = None
    for promoted in promotions:
        ahead = promoted.found is not None and promoted.found.lower >= 0
        if anchor is None or promoted.by_hand or ahead:
            anchor = promoted.model_id
    return anchor
