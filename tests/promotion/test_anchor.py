"""The best champion of the last year: who it is, and that a year beside it does not slide."""

import numpy as np
import pytest

from understudy.promotion import Comparison, Paired, Promoted, Rule, Status, anchor_of, judge


def by(difference, lower):
    """Make a comparison of which only the difference and its lower bound count."""
    return Comparison("auc", 1000, 0.8, 0.8 + difference, difference, lower, 2 * difference - lower)


FIRST = Promoted("first")


@pytest.mark.parametrize(
    ("later", "anchor"),
    [
        ([], "first"),
        ([Promoted("gained", found=by(0.02, 0.01))], "gained"),
        ([Promoted("same", found=by(0.0, 0.0))], "same"),
        ([Promoted("lucky", found=by(0.01, -0.001))], "first"),
        ([Promoted("lost", found=by(-0.004, -0.009))], "first"),
        ([Promoted("alone")], "first"),
        ([Promoted("chosen", by_hand=True)], "chosen"),
        ([Promoted("gained", found=by(0.02, 0.01)), Promoted("lost", found=by(-0.004, -0.009))], "gained"),
        ([Promoted("chosen", by_hand=True), Promoted("gained", found=by(0.02, 0.01))], "gained"),
    ],
)
def test_anchor_is_the_first_until_a_person_or_a_sure_comparison_moves_it(later, anchor):
    """Luck, loss and silence leave the anchor where it is."""
    assert anchor_of([FIRST, *later]) == anchor


def test_without_promotions_there_is_no_anchor():
    """Nobody promoted, nobody to stand beside."""
    assert anchor_of([]) is None


def year(rows, step, *, anchored):
    """Promote challengers that each lose `step` rows more, as long as the gate lets them in; return the rows lost."""
    labels = np.arange(rows) % 2

    def wrong_on(count):
        return np.where(np.arange(rows) < count, 1 - labels, labels)

    lost, promotions = {"0": 0}, [Promoted("0")]
    for week in range(1, 53):
        champion, anchor = promotions[-1].model_id, anchor_of(promotions)
        lost[str(week)] = lost[champion] + step
        said = {model_id: wrong_on(lost[model_id]) for model_id in (champion, anchor, str(week))}
        beside = Paired.binary(labels, said[anchor], said[str(week)])
        verdict = judge(
            Paired.binary(labels, said[champion], said[str(week)]),
            None,
            Rule("accuracy"),
            anchor=beside if anchored and anchor != champion else None,
        )
        if verdict.status is Status.ADMITTED:
            promotions.append(Promoted(str(week), found=verdict.deciding))
    return lost[promotions[-1].model_id]


def test_year_of_small_losses_stays_within_one_margin():
    """Each challenger loses less than the margin to the champion it meets; the anchor sees the sum."""
    assert year(10_000, 40, anchored=False) == 52 * 40
    assert 0 < year(10_000, 40, anchored=True) <= 100
