"""The gate: two looks and the guardrails -> ADMITTED, REFUSED or HELD, with reasons.

A verdict says what was found in sentences and numbers. HELD means *cannot be told yet*: rows newer than the held run,
or a person, settle it. Nothing here raises for bad models or bad data; that is what verdicts are for.
"""

from __future__ import annotations

import math
from enum import StrEnum
from functools import cached_property

import msgspec

from understudy.errors import ConfigError
from understudy.metrics import METRICS
from understudy.promotion.comparison import Comparison, compare
from understudy.promotion.guardrails import Doubt, Guardrails, RunFacts, tripped
from understudy.promotion.looks import Looks, contradictions, look
from understudy.promotion.paired import Paired

CONFIRMING_ROWS = 50
"""Newer rows below this number settle nothing."""
CHAMPION, ANCHOR = "the champion", "the best champion of the last year"


class Status(StrEnum):
    """A verdict's answer: in, not in, or not to be told yet."""

    ADMITTED = "ADMITTED"
    REFUSED = "REFUSED"
    HELD = "HELD"


class RuleName(StrEnum):
    """What a challenger must show."""

    NOT_WORSE = "not_worse"
    BETTER = "better"
    ALWAYS = "always"
    NEVER = "never"


class Rule(msgspec.Struct, frozen=True):
    """What is compared, and what the comparison must show (`[promotion]` of the project file)."""

    metric: str
    rule: RuleName = RuleName.NOT_WORSE
    margin: float = 0.01
    """How much worse still counts as not worse, in the metric's unit."""
    confidence: float = 0.95
    """Of the two-sided interval whose lower bound is judged."""
    minimum: float | None = None
    """A floor for the challenger's metric; a ceiling where less is better."""

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise ConfigError(f"the metric is {self.metric!r}", f"Use one of {', '.join(METRICS)}.")
        if not (math.isfinite(self.margin) and self.margin >= 0):
            raise ConfigError(f"the margin is {self.margin}", "Give a number of at least 0, in the metric's unit.")
        if not 0.5 < self.confidence < 1:
            raise ConfigError(f"the confidence is {self.confidence}", "Give a number between 0.5 and 1.")

    def betters(self, score: float, other: float) -> bool:
        """Say whether `score` is better than `other` in this metric."""
        return score > other if METRICS[self.metric].greater_is_better else score < other


class First(msgspec.Struct, frozen=True):
    """What the first model, with no champion beside it, is judged by: its metrics and the baseline's, by name."""

    scores: dict[str, float]
    baseline: dict[str, float]


class Evidence(msgspec.Struct, frozen=True):
    """What the gate knows besides the answers."""

    now: RunFacts | None = None
    """The data of this run."""
    before: RunFacts | None = None
    """The data of the champion's run."""
    limits: Guardrails = Guardrails()
    """Where data stop being believed."""
    pinned: bool = False
    """Whether a person rolled back and has not unpinned."""
    first: First | None = None
    """Given when nobody serves yet."""


NO_EVIDENCE = Evidence()
"""Nothing is known besides the answers."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate answered, and why."""

    status: Status
    reasons: tuple[str, ...]
    """Sentences with numbers; the deciding one first."""
    rule: Rule
    looks: Looks = Looks(None, None, None)
    """The comparisons: pooled, known and fresh."""
    newer: Comparison | None = None
    """The comparison on rows newer than a held run, where that was asked."""
    anchor: Comparison | None = None
    """The comparison with the best champion of the last year, in the champion's place; None where it still serves."""
    guardrails: tuple[str, ...] = ()
    """Names of the doubts, for programs."""
    what_would_settle: str | None = None
    """What would turn HELD or REFUSED into an answer."""
    believed: bool = True
    """Whether the fresh rows count as known from now on; doubted rows stay fresh until they are confirmed."""

    @property
    def deciding(self) -> Comparison | None:
        """The comparison that the next anchor goes by: on newer rows after a hold, else with the anchor, else pooled.

        What newer rows have settled is no slide: where the world has changed, the best of before is no yardstick.
        """
        return self.newer or self.anchor or self.looks.pooled


def judge(
    known: Paired | None,
    fresh: Paired | None,
    rule: Rule,
    evidence: Evidence = NO_EVIDENCE,
    held_before: Paired | None = None,
    anchor: Paired | None = None,
) -> Verdict:
    """Judge a challenger against the champion on held-out rows that neither has learned.

    Parameters
    ----------
    known : held-out rows of runs that were believed (`Verdict.believed`), the champion's run among them.
    fresh : held-out rows new since, so that a refused run in between does not thin a bad week out.
    rule : what must be shown.
    evidence : facts of the data, the pin; `first` when nobody serves.
    held_before : when the last run was HELD, the held-out rows newer than that run.
    anchor : all held-out rows, with the best champion of the last year (`anchor_of`) in the champion's place; None
        where that is the champion itself.

    """
    if evidence.first is not None:
        return _judge_first(evidence.first, rule)
    case = Case(known, fresh, rule, evidence, held_before, anchor)
    for question in (_pinned, _speechless, _incomparable, _below_minimum, _decreed, _confirmed, _doubted):
        verdict = question(case)
        if verdict is not None:
            return verdict
    return _by_rule(case)


class Case:
    """One question before the gate, with its looks taken once."""

    def __init__(
        self,
        known: Paired | None,
        fresh: Paired | None,
        rule: Rule,
        evidence: Evidence,
        newer: Paired | None,
        anchor: Paired | None,
    ) -> None:
        self.known, self.fresh, self.newer, self.anchor = known, fresh, newer, anchor
        self.rule, self.evidence = rule, evidence
        self.silent = sum(rows.challenger.missing for rows in (known, fresh) if rows)
        self.looks = Looks(None, None, None) if self.silent else look(known, fresh, rule.metric, rule.confidence)
        enough = newer is not None and newer.rows >= CONFIRMING_ROWS and not newer.challenger.missing
        self.confirming = compare(newer, rule.metric, rule.confidence) if newer and enough else None
        self.anchored = compare(anchor, rule.metric, rule.confidence) if anchor and not self.silent else None

    @cached_property
    def doubts(self) -> tuple[Doubt, ...]:
        """What speaks against believing the rows."""
        facts = self.evidence
        data = tripped(facts.now, facts.before, facts.limits) if facts.now and facts.before else ()
        if self.silent:
            return data
        return (*contradictions(self.looks, self.known, self.fresh, self.rule.margin, self.rule.confidence), *data)

    def answer(
        self, status: Status, *reasons: str, doubts: tuple[Doubt, ...] = (), settle: str | None = None
    ) -> Verdict:
        """Put a verdict on record."""
        return Verdict(
            status=status,
            reasons=(*reasons, *(doubt.sentence for doubt in doubts)),
            rule=self.rule,
            looks=self.looks,
            newer=self.confirming,
            anchor=self.anchored,
            guardrails=tuple(sorted({doubt.name for doubt in doubts})),
            what_would_settle=settle,
            believed=status is Status.ADMITTED or not self.doubts,
        )


def not_worse(found: Comparison, margin: float) -> bool:
    """Say whether the challenger is surely not worse by `margin`, or nobody can tell and it does not look worse."""
    return found.lower > -margin or found.difference >= 0


def _judge_first(first: First, rule: Rule) -> Verdict:
    score, baseline = first.scores.get(rule.metric, math.nan), first.baseline.get(rule.metric, math.nan)
    if rule.rule is RuleName.NEVER:
        return Verdict(status=Status.REFUSED, reasons=("the rule is never",), rule=rule)
    if not math.isfinite(score):
        return Verdict(status=Status.REFUSED, reasons=(f"the first model has no {rule.metric}",), rule=rule)
    if _misses(score, rule):
        return Verdict(status=Status.REFUSED, reasons=(_short_of_minimum(score, rule),), rule=rule)
    beats = rule.rule is RuleName.ALWAYS or (not rule.betters(baseline, score) and baseline != score)
    word = "beats" if beats else "does not beat"
    return Verdict(
        status=Status.ADMITTED if beats else Status.REFUSED,
        reasons=(f"the first model, with {rule.metric} {score:.4f}, {word} the baseline's {baseline:.4f}",),
        rule=rule,
    )


def _pinned(case: Case) -> Verdict | None:
    if not case.evidence.pinned:
        return None
    return case.answer(
        Status.HELD,
        "the endpoint is pinned since a rollback by hand",
        settle="`understudy unpin` lets the gate decide again",
    )


def _speechless(case: Case) -> Verdict | None:
    if not case.silent:
        return None
    return case.answer(Status.REFUSED, f"the challenger has no prediction for {case.silent:,} of the held-out rows")


def _incomparable(case: Case) -> Verdict | None:
    if case.rule.rule in (RuleName.ALWAYS, RuleName.NEVER):
        return None
    if case.looks.pooled is None:
        whom, rows = CHAMPION, sum(part.rows for part in (case.known, case.fresh) if part)
    elif case.rule.rule is RuleName.NOT_WORSE and case.anchor and case.anchored is None:
        whom, rows = ANCHOR, case.anchor.rows
    else:
        return None
    return case.answer(
        Status.HELD,
        f"{case.rule.metric} cannot be compared with {whom} on {rows:,} held-out rows: too few, or all of one class",
        settle="more held-out rows that neither model has learned",
    )


def _below_minimum(case: Case) -> Verdict | None:
    pooled = case.looks.pooled
    if pooled is None or not _misses(pooled.challenger, case.rule):
        return None
    return case.answer(Status.REFUSED, _short_of_minimum(pooled.challenger, case.rule))


def _misses(score: float, rule: Rule) -> bool:
    return rule.minimum is not None and rule.betters(rule.minimum, score)


def _short_of_minimum(score: float, rule: Rule) -> str:
    return f"the challenger's {rule.metric} of {score:.4f} misses the minimum of {rule.minimum:g}"


def _decreed(case: Case) -> Verdict | None:
    match case.rule.rule:
        case RuleName.ALWAYS:
            return case.answer(Status.ADMITTED, "the rule is always")
        case RuleName.NEVER:
            return case.answer(Status.REFUSED, "the rule is never")
        case _:
            return None


def _confirmed(case: Case) -> Verdict | None:
    """Newer rows settle a hold, unless they raise the same doubts again."""
    found = case.confirming
    if found is None or not not_worse(found, case.rule.margin):
        return None
    alone = Looks(None, case.looks.known, found)
    if any(doubt.name.startswith("labels") for doubt in contradictions(alone, case.known, case.newer, 0.0, 0.95)):
        return None
    return case.answer(
        Status.ADMITTED,
        f"on {found.rows:,} rows newer than the held run the challenger is not worse: {_difference(found)}",
    )


def _doubted(case: Case) -> Verdict | None:
    doubts = case.doubts
    if not doubts:
        return None
    return case.answer(
        Status.HELD,
        doubts=doubts,
        settle=f"at least {CONFIRMING_ROWS} held-out rows newer than this run on which a challenger is not worse, "
        "or a person's `understudy promote`",
    )


def _by_rule(case: Case) -> Verdict:
    found = case.looks.pooled
    assert found is not None, "_incomparable has asked"
    if case.rule.rule is RuleName.BETTER:
        better = found.lower > 0
        word = "better" if better else "not shown to be better"
        reason = f"the challenger is {word}: {_difference(found)}"
        return case.answer(*_admit(better), reason, settle=None if better else _rows_needed(found, 0.0))
    compared = {CHAMPION: found} | ({ANCHOR: case.anchored} if case.anchored else {})
    fit = {whom: not_worse(found, case.rule.margin) for whom, found in compared.items()}
    failed_first = sorted(compared, key=fit.__getitem__)
    reasons = [_standing(compared[whom], whom, case.rule.margin) for whom in failed_first]
    settle = _rows_needed(compared[failed_first[0]], case.rule.margin)
    return case.answer(*_admit(all(fit.values())), *reasons, settle=None if all(fit.values()) else settle)


def _standing(found: Comparison, whom: str, margin: float) -> str:
    return f"the challenger is {_how(found, margin)} (margin {margin:g}): {_difference(found, whom)}"


def _how(found: Comparison, margin: float) -> str:
    if found.lower > -margin:
        return "not worse"
    if found.difference >= 0:
        return "not below, with too few rows to tell more"
    return "not shown to be not worse" if found.upper >= 0 else "worse"


def _admit(fit: bool) -> tuple[Status]:
    return (Status.ADMITTED if fit else Status.REFUSED,)


def _difference(found: Comparison, whom: str = CHAMPION) -> str:
    return (
        f"{found.metric} {found.challenger:.4f} against {found.champion:.4f} of {whom} on {found.rows:,} rows, "
        f"difference {found.difference:+.4f}, between {found.lower:+.4f} and {found.upper:+.4f}"
    )


def _rows_needed(found: Comparison, margin: float) -> str | None:
    """Say how many rows would prove a difference like this one; None where no number would."""
    room, width = found.difference + margin, found.difference - found.lower
    if room <= 0 or width <= 0:
        return None
    return f"about {math.ceil(found.rows * (width / room) ** 2):,} held-out rows, if the difference stays as it is"
