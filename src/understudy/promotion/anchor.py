"""The anchor: the best champion of the last year, beside whom every challenger must stand too.

Small losses add up when each challenger meets only the champion before it. The anchor stays where it is while champions
pass, so the sum of their losses is seen whole, on the same rows, at every verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Promoted(msgspec.Struct, frozen=True):
    """One promotion, as far as it says who is the best."""

    model_id: str
    by_hand: bool = False
    """Whether a person chose it: promoted, or rolled back to."""
    difference: float | None = None
    """By how much it was ahead on its verdict's rows: of the anchor of its day, or of the champion where these were
    one; None: nobody compared."""


def anchor_of(promotions: Sequence[Promoted]) -> str | None:
    """Return the model id of the anchor; None where nobody was promoted.

    `promotions` are those of the last year, oldest first, led by that of the champion at the year's start. The first is
    the anchor; a later one takes its place if a person promoted it, or if it was not below the anchor.
    """
    anchor = None
    for promoted in promotions:
        ahead = promoted.difference is not None and promoted.difference >= 0
        if anchor is None or promoted.by_hand or ahead:
            anchor = promoted.model_id
    return anchor
