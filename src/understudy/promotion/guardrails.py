"""What must not happen to the data between two runs: facts of both runs -> doubts."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec


class Doubt(msgspec.Struct, frozen=True):
    """One reason to hold: a name for programs, a sentence for people."""

    name: str
    sentence: str


class Target(msgspec.Struct, frozen=True):
    """How the target was distributed over some rows: the counts of its labels, or its mean and standard deviation."""

    counts: dict[str, int] = {}
    mean: float | None = None
    deviation: float | None = None


class Cells(msgspec.Struct, frozen=True):
    """What the cells of one attribute hold, as shares of the rows, 0 to 1."""

    filled: float
    """Cells that are not empty."""
    numbers: float
    """Cells that read as a number."""


class RunFacts(msgspec.Struct, frozen=True):
    """What a run saw, as far as the guardrails ask."""

    rows: int
    """Rows extracted, less those rejected."""
    target: Target = Target()
    """The target's distribution over them."""
    attributes: dict[str, Cells] = {}
    """The cells of each attribute by name."""


class Guardrails(msgspec.Struct, frozen=True):
    """Where data stop being believed."""

    rows_fall: float = 0.5
    """Hold where fewer than this share of the champion's rows is left."""
    shares_move: float = 0.3
    """Hold where this share of the target would have to change its label to look as before."""
    mean_moves: float = 1.0
    """Hold where the target's mean moved by more than this many of its former standard deviations."""
    spread_grows: float = 3.0
    """Hold where the target's standard deviation changed by more than this factor, up or down."""
    cells_left: float = 0.5
    """Hold where less than this share of an attribute's cells is still filled, or still a number."""
    class_kept: int = 10
    """A class that had at least this many rows must not vanish."""


def tripped(now: RunFacts, before: RunFacts, limits: Guardrails) -> tuple[Doubt, ...]:
    """Return what is odd about a run's data, beside those that the champion learned from."""
    return tuple(
        doubt
        for question in (_rows_fell, _target_moved, _classes_lost, _schema_changed)
        for doubt in question(now, before, limits)
    )


def _rows_fell(now: RunFacts, before: RunFacts, limits: Guardrails) -> Iterator[Doubt]:
    if now.rows < limits.rows_fall * before.rows:
        yield Doubt("rows_fell", f"only {now.rows:,} rows were extracted; the champion's run had {before.rows:,}")


def _target_moved(now: RunFacts, before: RunFacts, limits: Guardrails) -> Iterator[Doubt]:
    moved = _distance(now.target.counts, before.target.counts)
    if moved > limits.shares_move:
        yield Doubt("target_moved", f"{moved:.0%} of the target's labels would have to change to look as before")
    was, now_is = before.target, now.target
    if was.mean is None or now_is.mean is None or not was.deviation or now_is.deviation is None:
        return
    steps = abs(now_is.mean - was.mean) / was.deviation
    if steps > limits.mean_moves:
        yield Doubt(
            "target_moved",
            f"the target's mean went from {was.mean:.6g} to {now_is.mean:.6g}, {steps:.1f} of its standard deviations",
        )
    growth = now_is.deviation / was.deviation
    if max(growth, 1 / growth if growth else math.inf) > limits.spread_grows:
        yield Doubt(
            "target_moved",
            f"the target's standard deviation went from {was.deviation:.6g} to {now_is.deviation:.6g}",
        )


def _distance(now: dict[str, int], before: dict[str, int]) -> float:
    """Return the total variation distance of two distributions over labels, 0 to 1."""
    if not sum(now.values()) or not sum(before.values()):
        return 0.0
    every, all_now, all_before = sorted({*now, *before}), sum(now.values()), sum(before.values())
    return sum(abs(now.get(c, 0) / all_now - before.get(c, 0) / all_before) for c in every) / 2


def _classes_lost(now: RunFacts, before: RunFacts, limits: Guardrails) -> Iterator[Doubt]:
    for label, count in sorted(before.target.counts.items()):
        if count >= limits.class_kept and not now.target.counts.get(label):
            yield Doubt("class_lost", f"no row has the label {label!r} any more; the champion's run had {count:,}")


def _schema_changed(now: RunFacts, before: RunFacts, limits: Guardrails) -> Iterator[Doubt]:
    if not now.attributes:
        return
    for name, was in before.attributes.items():
        if name not in now.attributes:
            yield Doubt("schema_changed", f"the attribute {name!r} has vanished")
            continue
        shares = (
            ("is filled", was.filled, now.attributes[name].filled),
            ("is a number", was.numbers, now.attributes[name].numbers),
        )
        for what, share_was, share in shares:
            if share < limits.cells_left * share_was:
                yield Doubt("schema_changed", f"{name!r} {what} in {share:.0%} of the rows; it was in {share_was:.0%}")
