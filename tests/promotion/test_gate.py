"""Verdicts: who is let in, and why not."""

import msgspec
import numpy as np
import pytest

from understudy.errors import ConfigError
from understudy.promotion import (
    Cells,
    Evidence,
    First,
    Paired,
    Promoted,
    Rule,
    RuleName,
    RunFacts,
    Status,
    Target,
    Verdict,
    anchor_of,
    judge,
)

AUC = Rule("auc")


def week(rows, seed, *, champion=1.0, challenger=1.0, flipped=0.0):
    """Make rows whose labels both models know to some strength; a strength below 0 ranks backwards."""
    random = np.random.default_rng(seed)
    signal = random.normal(0, 1, rows)
    labels = signal + random.normal(0, 0.7, rows) > 0
    labels = labels ^ (random.random(rows) < flipped)
    scores = [
        1 / (1 + np.exp(-strength * signal - random.normal(0, 0.05, rows))) for strength in (champion, challenger)
    ]
    return Paired.binary(labels, *scores)


def test_equal_challenger_is_admitted_by_not_worse():
    """A challenger as good as the champion goes on stage, and the verdict shows both scores and the interval."""
    verdict = judge(week(3000, 1), week(1000, 2), AUC)
    assert verdict.status is Status.ADMITTED
    assert f"{verdict.looks.pooled.champion:.4f}" in verdict.reasons[0]
    assert verdict.looks.pooled.rows == 4000


def test_equal_challenger_is_refused_by_better():
    """Equal is not better, and the verdict says how much would be needed, or that nothing would."""
    verdict = judge(week(3000, 1), week(1000, 2), Rule("auc", RuleName.BETTER))
    assert verdict.status is Status.REFUSED
    assert "not shown to be better" in verdict.reasons[0]


def test_clearly_better_challenger_is_admitted_by_better():
    """A challenger whose lower bound is above 0 is admitted."""
    assert (
        judge(week(3000, 1, champion=0.05), week(1000, 2, champion=0.05), Rule("auc", RuleName.BETTER)).status
        == "ADMITTED"
    )


def test_worse_challenger_is_never_admitted_by_a_showing_rule():
    """A challenger that has forgotten half of what the champion knows is kept out."""
    rows = week(3000, 1, challenger=0.02)
    for name in (RuleName.NOT_WORSE, RuleName.BETTER):
        assert judge(rows, None, Rule("auc", name)).status is Status.REFUSED


def test_always_admits_a_worse_challenger_but_not_a_speechless_one():
    """The rule always asks for nothing but an answer to every row."""
    always = Rule("auc", RuleName.ALWAYS)
    rows = week(300, 1, challenger=0.01)
    assert judge(rows, None, always).status is Status.ADMITTED
    rows.challenger.values[7] = np.nan
    assert judge(rows, None, always).status is Status.REFUSED


def test_never_refuses_a_better_challenger():
    """The rule never leaves the champion where it is."""
    assert judge(week(300, 1, champion=0.01), None, Rule("auc", RuleName.NEVER)).status is Status.REFUSED


def test_minimum_keeps_out_what_no_champion_beats():
    """A floor counts under every rule; for a loss it is a ceiling."""
    assert judge(week(300, 1), None, Rule("auc", RuleName.ALWAYS, minimum=0.99)).status is Status.REFUSED
    assert judge(week(300, 1), None, Rule("log_loss", RuleName.ALWAYS, minimum=0.01)).status is Status.REFUSED
    assert judge(week(300, 1), None, Rule("log_loss", RuleName.ALWAYS, minimum=2.0)).status is Status.ADMITTED


def test_pinned_endpoint_holds_every_verdict():
    """After a rollback by hand nothing is promoted until a person unpins."""
    verdict = judge(week(300, 1), None, Rule("auc", RuleName.ALWAYS), Evidence(pinned=True))
    assert verdict.status is Status.HELD
    assert "unpin" in verdict.what_would_settle


def test_flipped_week_is_held_though_the_pooled_scores_rise():
    """A challenger that learned flipped labels gains on the new rows only by losing the known ones, and is held."""
    known = week(1000, 1, challenger=-0.2)
    fresh = week(4000, 2, challenger=-1.0, flipped=1.0)
    verdict = judge(known, fresh, AUC)
    assert verdict.looks.pooled.difference > 0
    assert verdict.status is Status.HELD
    assert "known_rows_lost" in verdict.guardrails
    assert verdict.what_would_settle


@pytest.mark.parametrize("share", [0.3, 0.4, 0.5])
def test_partly_flipped_week_is_held_though_nothing_known_is_lost(share):
    """Labels that nobody can learn are doubted even where both models keep what they know."""
    verdict = judge(week(3000, 1), week(600, 2, flipped=share), AUC)
    assert verdict.status is Status.HELD
    assert {"labels_unlike", "labels_reversed"} & set(verdict.guardrails)


def test_real_drift_is_admitted_when_the_known_rows_are_kept():
    """A challenger that gains on new rows without losing the known ones is fit."""
    assert judge(week(3000, 1), week(600, 2, champion=-0.2), AUC).status is Status.HELD
    assert judge(week(3000, 1), week(600, 2, champion=0.1), AUC).status is Status.ADMITTED


def test_collapse_on_new_rows_alone_is_held():
    """What the pooled rows would forgive, the new rows do not."""
    verdict = judge(week(20000, 1), week(400, 2, challenger=0.03), AUC)
    assert verdict.status is Status.HELD
    assert "new_rows_lost" in verdict.guardrails


def test_doubted_rows_are_not_believed():
    """Rows that raised a doubt do not count as known in the next run; rows of a plain refusal do."""
    assert not judge(week(3000, 1), week(600, 2, flipped=0.5), AUC).believed
    refused = judge(week(3000, 1), week(600, 2), Rule("auc", RuleName.BETTER))
    assert refused.status is Status.REFUSED
    assert refused.believed


def test_newer_rows_settle_a_hold():
    """A held challenger that is not worse on rows newer than the held run is admitted: the world has changed."""
    known, fresh = week(1000, 1, challenger=-0.2), week(1500, 2, champion=-1.0)
    assert judge(known, fresh, AUC).status is Status.HELD
    confirming = week(300, 3, champion=0.02)
    assert judge(known, fresh, AUC, held_before=confirming).status is Status.ADMITTED


def test_newer_rows_that_contradict_keep_the_hold():
    """After a poisoned week the clean rows that follow keep the poisoned model out."""
    known, fresh = week(1000, 1, challenger=-0.2), week(1500, 2, challenger=-1.0, flipped=1.0)
    assert judge(known, fresh, AUC, held_before=week(300, 3, challenger=-0.2)).status is Status.HELD


def test_too_few_newer_rows_settle_nothing():
    """A handful of rows does not end a hold."""
    known, fresh = week(1000, 1, challenger=-0.2), week(1500, 2, champion=-1.0)
    assert judge(known, fresh, AUC, held_before=week(20, 3)).status is Status.HELD


NUMBERS = Cells(filled=1.0, numbers=1.0)


@pytest.mark.parametrize(
    ("now", "name"),
    [
        (RunFacts(400, Target({"no": 350, "yes": 50}), {"age": NUMBERS}), "rows_fell"),
        (RunFacts(1000, Target({"no": 400, "yes": 600}), {"age": NUMBERS}), "target_moved"),
        (RunFacts(1000, Target({"no": 1000}), {"age": NUMBERS}), "class_lost"),
        (RunFacts(1000, Target({"no": 880, "yes": 120}), {"age": Cells(filled=1.0, numbers=0.1)}), "schema_changed"),
        (RunFacts(1000, Target({"no": 880, "yes": 120}), {"age": Cells(filled=0.2, numbers=0.2)}), "schema_changed"),
        (RunFacts(1000, Target({"no": 880, "yes": 120}), {"years": NUMBERS}), "schema_changed"),
    ],
)
def test_odd_data_hold_a_challenger_that_scores_well(now, name):
    """Lost rows, a jumped target, a lost class and a changed schema are each held and named."""
    before = RunFacts(1000, Target({"no": 880, "yes": 120}), {"age": NUMBERS})
    assert judge(week(3000, 1), None, AUC, Evidence(now=before, before=before)).status is Status.ADMITTED
    verdict = judge(week(3000, 1), None, AUC, Evidence(now=now, before=before))
    assert verdict.status is Status.HELD
    assert name in verdict.guardrails


@pytest.mark.parametrize(
    "target", [Target(mean=30, deviation=5), Target(mean=10, deviation=20), Target(mean=10, deviation=0)]
)
def test_numeric_target_that_jumped_is_held(target):
    """A target whose mean or spread is far from before is not believed at once."""
    evidence = Evidence(now=RunFacts(1000, target), before=RunFacts(1000, Target(mean=10, deviation=5)))
    assert judge(week(3000, 1), None, AUC, evidence).guardrails == ("target_moved",)


def test_challenger_as_weak_as_the_champion_is_refused_beside_a_better_anchor():
    """Equal to a champion that has fallen is not enough, and the verdict says beside whom it failed."""
    rows, beside = week(3000, 1, champion=0.03, challenger=0.03), week(3000, 1, challenger=0.03)
    assert judge(rows, None, AUC).status is Status.ADMITTED
    verdict = judge(rows, None, AUC, anchor=beside)
    assert verdict.status is Status.REFUSED
    assert "the best champion of the last year" in verdict.reasons[0]
    assert "not below" in verdict.reasons[1]
    assert verdict.anchor.champion > verdict.looks.pooled.champion


def test_challenger_worse_than_both_is_told_so_by_the_champion_first():
    """Where both comparisons fail the champion's stands first."""
    rows = week(3000, 1, challenger=0.03)
    reasons = judge(rows, None, AUC, anchor=rows).reasons
    assert [reason.startswith("the challenger is worse") for reason in reasons] == [True, True]
    assert "the best champion" not in reasons[0]


def test_challenger_not_worse_than_both_is_admitted():
    """A good challenger passes beside champion and anchor, and both comparisons are on record."""
    verdict = judge(week(3000, 1, champion=0.03), None, AUC, anchor=week(3000, 1))
    assert verdict.status is Status.ADMITTED
    assert (verdict.anchor.rows, len(verdict.reasons)) == (3000, 2)


@pytest.mark.parametrize(("wrong_rows_of_anchor", "status"), [(range(3, 6), "ADMITTED"), (range(3, 5), "REFUSED")])
def test_benefit_of_the_doubt_holds_beside_both(wrong_rows_of_anchor, status):
    """On few rows a challenger must look no worse than the anchor, too, though nobody can tell."""
    labels = np.array([0, 1] * 20)

    def wrong_on(rows):
        return np.where(np.isin(np.arange(40), list(rows)), 1 - labels, labels)

    rows = Paired.binary(labels, wrong_on(range(6, 9)), wrong_on(range(3)))
    beside = Paired.binary(labels, wrong_on(wrong_rows_of_anchor), wrong_on(range(3)))
    assert judge(rows, None, Rule("accuracy"), anchor=beside).status == status
    assert judge(beside, None, Rule("accuracy"), anchor=rows).status == status


def test_anchor_without_comparable_rows_holds():
    """Where no row can compare anchor and challenger the gate cannot tell, and says whose rows are missing."""
    verdict = judge(week(300, 1), None, AUC, anchor=Paired.binary([1, 1], [0.5, 0.6], [0.5, 0.7]))
    assert verdict.status is Status.HELD
    assert "the best champion of the last year on 2 held-out rows" in verdict.reasons[0]


def test_only_not_worse_asks_the_anchor():
    """What is better than the champion goes on stage; the anchor's comparison is on record all the same."""
    rows, beside = week(3000, 1, champion=0.01, challenger=0.03), week(3000, 1, challenger=0.03)
    for name in (RuleName.BETTER, RuleName.ALWAYS):
        verdict = judge(rows, None, Rule("auc", name), anchor=beside)
        assert verdict.status is Status.ADMITTED
        assert verdict.anchor.difference < 0


def test_what_newer_rows_settle_moves_the_anchor():
    """After a change of the world the challenger passes though the old best leads on all rows, and is the new one."""
    known, fresh = week(1000, 1, challenger=-0.2), week(1500, 2, champion=-1.0)
    confirming = week(300, 3, champion=0.02)
    verdict = judge(known, fresh, AUC, held_before=confirming, anchor=week(2500, 4, challenger=0.03))
    assert verdict.status is Status.ADMITTED
    assert verdict.anchor.upper < 0
    assert anchor_of([Promoted("old"), Promoted("new", found=verdict.deciding)]) == "new"


def test_identical_challenger_needs_no_margin():
    """The same answers are not worse, whatever the margin."""
    rows = week(300, 1)
    same = Paired(rows.model_type, rows.labels, rows.champion, rows.champion)
    assert judge(same, None, Rule("auc", margin=0.0)).status is Status.ADMITTED


def test_rows_that_cannot_tell_hold():
    """Held-out rows of one class are no comparison, and the verdict says what is missing."""
    verdict = judge(Paired.binary([1] * 9, [0.5] * 9, [0.6] * 9), None, AUC)
    assert verdict.status is Status.HELD
    assert verdict.what_would_settle
    assert judge(None, None, AUC).status is Status.HELD


@pytest.mark.parametrize(
    ("rule", "score", "status"),
    [
        (AUC, 0.7, Status.ADMITTED),
        (AUC, 0.5, Status.REFUSED),
        (Rule("auc", minimum=0.8), 0.7, Status.REFUSED),
        (Rule("auc", RuleName.NEVER), 0.9, Status.REFUSED),
        (Rule("auc", RuleName.ALWAYS), 0.4, Status.ADMITTED),
    ],
)
def test_first_model_must_beat_the_baseline_and_the_minimum(rule, score, status):
    """Nobody serves yet: the first model is compared with the baseline."""
    assert judge(None, None, rule, Evidence(first=First({"auc": score}, {"auc": 0.5}))).status is status


def test_verdict_survives_json():
    """A verdict is a document: written and read back it is the same."""
    verdict = judge(week(300, 1), week(100, 2), AUC, anchor=week(300, 1))
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict


def test_verdict_is_the_same_however_often_it_is_asked():
    """The gate draws no random numbers."""
    assert judge(week(300, 1), week(100, 2), AUC) == judge(week(300, 1), week(100, 2), AUC)


@pytest.mark.parametrize("wrong", [{"metric": "gini"}, {"margin": -1.0}, {"margin": float("nan")}, {"confidence": 1.0}])
def test_rule_that_makes_no_sense_is_refused(wrong):
    """A rule's numbers are checked where they are written."""
    with pytest.raises(ConfigError):
        Rule(**{"metric": "auc", **wrong})
