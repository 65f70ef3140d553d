"""The alerts: what should make one doubt an evaluation (reference 7.5)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import NormalDist

import numpy as np

from understudy.evaluation.document import Alert, TrainingSummary
from understudy.metrics.binary import BinaryScores
from understudy.metrics.classes import ClassScores
from understudy.metrics.functions import Floats
from understudy.metrics.numbers import NumberScores
from understudy.schema import Schema

Scores = BinaryScores | ClassScores | NumberScores

ENOUGH = 0.1
"""Evaluation rows per training row below which an evaluation is too small (reference 7.5)."""
DIFFERENT = 0.07
"""Hellinger distance from which on distributions differ enough to matter: Cohen's small effect, h = 0.2, of two
classes. 0.50 against 0.60 is as far apart as 0.01 against 0.04."""
SURE = 0.001
"""Probability by chance below which a difference is believed."""
FEWEST_EXPECTED = 5.0
"""Rows to expect in a cell for chi-square to be trusted; rarer cells are put together."""


def schema_differences(trained: Schema, evaluated: Schema) -> list[str]:
    """Say how the schema of evaluation rows differs from the model's: attributes missing, additional, or retyped."""
    here = {attribute.name: attribute.type for attribute in evaluated.attributes}
    there = {attribute.name: attribute.type for attribute in trained.attributes}
    missing = [f"{name!r} is missing" for name in there if name not in here]
    additional = [f"{name!r} is additional" for name in here if name not in there]
    retyped = [
        f"{name!r} is {here[name]}, but was {kind} in training"
        for name, kind in there.items()
        if name in here and here[name] != kind
    ]
    return missing + additional + retyped


def doubts(
    scores: Scores, training: TrainingSummary, on_training_data: bool, unused: int, differences: Sequence[str]
) -> Iterator[Alert]:
    """Yield every alert that the evaluation deserves."""
    if on_training_data:
        yield Alert(
            "evaluation_on_training_data",
            "The model learned from these rows, so the figures flatter it. Evaluate on rows that were held out.",
        )
    if scores.rows < ENOUGH * training.rows:
        yield Alert(
            "too_little_evaluation_data",
            f"{scores.rows:,} rows were evaluated, less than 10 % of the {training.rows:,} training rows. "
            "Hold out more of them.",
        )
    if differences:
        yield Alert(
            "schema_mismatch",
            f"The rows' schema is not the model's: {'; '.join(differences)}. Evaluate rows of the model's schema.",
        )
    if unused:
        yield Alert(
            "records_unused",
            f"{unused:,} rows could not be used, above all for a missing or invalid target. Correct or remove them.",
        )
    shift = target_shift(scores, training)
    if shift:
        yield Alert("target_distribution_differs", f"{shift} Shuffle the rows, or split them at random.")


def target_shift(scores: Scores, training: TrainingSummary) -> str:
    """Say how the target's distribution differs from that in training; empty where it does not, or not enough.

    Two things must hold: the difference is no accident (chi-square test of two samples), and it is large enough to
    matter (Hellinger distance), so that millions of rows do not cry wolf.
    """
    names, trained, seen = _cells(scores, training)
    if not trained.sum() or not seen.sum():
        return ""
    trained, seen, names = _without_rare(trained, seen, names)
    before, now = trained / trained.sum(), seen / seen.sum()
    distance = math.sqrt(max(1.0 - float(np.sqrt(before * now).sum()), 0.0))
    if distance < DIFFERENT or _chance(trained, seen) > SURE:
        return ""
    most = int(np.argmax(np.abs(now - before)))
    return (
        f"The target's distribution is not that of training: {names[most]} makes up "
        f"{now[most]:.1%} of the evaluated rows, but {before[most]:.1%} of the training rows."
    )


def _cells(scores: Scores, training: TrainingSummary) -> tuple[list[str], Floats, Floats]:
    """Return the target's classes or bands by name, and the rows of each in training and here."""
    if isinstance(scores, NumberScores):
        edges = np.array(training.bands.edges)
        if len(edges) < 3:
            return [], np.zeros(0), np.zeros(0)
        names = [f"the range from {low:.6g} to {high:.6g}" for low, high in pairwise(edges)]
        seen = np.zeros(len(names))
        for part in scores.parts():
            seen += np.bincount(np.searchsorted(edges[1:-1], part.labels, side="right"), minlength=len(seen))
        return names, np.array(training.bands.counts, float), seen
    if isinstance(scores, BinaryScores):
        per_weight = scores.curve.effective_rows / scores.curve.weight if scores.rows else 0.0
        here = {"1": scores.curve.ones * per_weight, "0": scores.curve.zeros * per_weight}
    else:
        support = scores.confusion.support
        scaled = support * (scores.effective_rows / support.sum()) if scores.rows else support
        here = dict(zip([*scores.classes, "a class unknown to the model"], scaled.tolist(), strict=True))
    labels = list(dict.fromkeys([*training.classes, *here]))
    trained = np.array([training.classes.get(label, 0) for label in labels], float)
    return [f"class {label!r}" for label in labels], trained, np.array([here.get(label, 0.0) for label in labels])


def _without_rare(trained: Floats, seen: Floats, names: list[str]) -> tuple[Floats, Floats, list[str]]:
    """Put cells together in which too few rows are to be expected in the smaller of the samples."""
    pooled = (trained + seen) / (trained.sum() + seen.sum())
    rare = pooled * min(trained.sum(), seen.sum()) < FEWEST_EXPECTED
    if not rare.any():
        return trained, seen, names
    kept = [name for name, is_rare in zip(names, rare, strict=True) if not is_rare]
    trained = np.append(trained[~rare], trained[rare].sum())
    return trained, np.append(seen[~rare], seen[rare].sum()), [*kept, "the rare rest"]


def _chance(first: Floats, second: Floats) -> float:
    """Return the probability of so different samples by chance: chi-square (cube root of Wilson, Hilferty 1931)."""
    ratio = math.sqrt(second.sum() / first.sum())
    both = first + second
    some = both > 0
    freedom = int(some.sum()) - 1
    if freedom < 1:
        return 1.0
    square = float(((first[some] * ratio - second[some] / ratio) ** 2 / both[some]).sum())
    spread = 2.0 / (9.0 * freedom)
    return 1.0 - NormalDist().cdf(((square / freedom) ** (1.0 / 3.0) - (1.0 - spread)) / math.sqrt(spread))
