"""Features -> weights: `learn` makes a `Fit` from many rows."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import numpy.typing as npt

from understudy.errors import TrainingError, UsageError
from understudy.learner.candidates import (
    ALL_ROWS,
    AUDITION_BYTES,
    RATES,
    STATE_BYTES,
    STRENGTHS,
    Candidate,
    CandidateReport,
    Choice,
    Group,
    Problem,
    choose,
    one_pass,
    validation_for,
)
from understudy.learner.kernels import LOGISTIC, SOFTMAX, SQUARED
from understudy.learner.losses import loss_named
from understudy.learner.passes import filled_up
from understudy.learner.rows import Rows


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How to learn; what is left out is chosen by validation."""

    max_passes: int | None = None
    """A cap on the passes (`sgd.maxPasses`); None: by the number of rows."""
    l1: float | None = None
    """L1 amount per observation (`sgd.l1RegularizationAmount`)."""
    l2: float | None = None
    """L2 amount per observation (`sgd.l2RegularizationAmount`); with neither given, several are tried."""
    max_size_bytes: int = 100 << 20
    """Bytes of the weights with their keys (`sgd.maxMLModelSizeInBytes`); the least useful weights are dropped."""
    threads: int | None = None
    """Threads that learn; None: one for each core. They change no bit of the result."""


@dataclass(frozen=True)
class Fit:
    """Learned weights, and how they came about. The score of a row is intercept + sum of weight x value."""

    loss: str
    """The loss's name."""
    keys: npt.NDArray[np.uint64]
    """Keys of the m features, ascending."""
    weights: npt.NDArray[np.float32]
    """Weights [m, outputs], in score per unit of the value."""
    intercept: npt.NDArray[np.float64]
    """Intercepts [outputs]."""
    counts: npt.NDArray[np.uint32]
    """Training rows that each feature occurred in [m]."""
    scales: npt.NDArray[np.float32]
    """The usual size of each feature's values [m]."""
    sums: npt.NDArray[np.float32]
    """Sums of squared gradients [m + 1, outputs], the intercept's first: how far the pace has slowed down."""
    center: float
    """Mean of the training labels for squared loss, else 0."""
    spread: float
    """Standard deviation of the training labels for squared loss, else 1."""
    rows: int
    """Training rows."""
    candidate: Candidate
    """The learning rate and regularisation that were chosen."""
    passes: int
    """Passes over all training rows."""
    progressive_loss: float
    """Mean loss of the chosen candidate in its first pass, each row's taken before its step."""
    validation_loss: float
    """Mean loss on held-out training rows, in the loss's unit; NaN with too few rows to hold any out."""
    log: tuple[CandidateReport, ...]
    """Every candidate after every pass, then the chosen one on all rows."""


def learn(
    rows: Rows,
    loss: str,
    outputs: int,
    settings: Settings | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Fit:
    """Learn from all rows: choose a candidate and its number of passes on held-out rows, then learn exactly that.

    `rows` take no more then. `outputs` is 1, or the number of classes for "softmax"; `advance` is told of rows visited
    for the first time. Raises TrainingError without rows or weight, and for labels that the loss cannot use.
    """
    settings = settings or Settings()
    rows.close()
    problem = _problem(rows, loss_named(loss).code, outputs)
    reports: list[CandidateReport] = []

    def report(entry: CandidateReport) -> None:
        reports.append(_in_units(entry, problem.spread))

    candidates = _affordable(_candidates(settings, rows.count), problem)
    passes = _passes(rows.count, settings.max_passes)
    with ThreadPoolExecutor(settings.threads or os.cpu_count() or 1) as pool:
        choice = choose(problem, candidates, passes, pool, report, advance)
        if choice.group is None:
            group, progressive = _learn_again(problem, choice, pool)
        else:
            group = choice.learn_held_out(problem)
            progressive = [r.progressive_loss for r in reports if r.candidate == choice.candidate][: choice.passes]
    for number, before in enumerate(progressive, 1):
        reports.append(CandidateReport(choice.candidate, number, number * rows.count, before, math.nan))
    return _fit(loss, problem, group, settings.max_size_bytes, reports)


def _learn_again(problem: Problem, choice: Choice, pool: Executor) -> tuple[Group, list[float]]:
    """Learn what was chosen from all rows; return it and its progressive loss, in the loss's unit, pass after pass."""
    group = Group.fresh(problem, (choice.candidate,), ALL_ROWS)
    losses = []
    for number in range(1, choice.passes + 1):
        (group,), progressive = one_pass(problem, [group], number, pool)
        losses.append(progressive[choice.candidate])
    return group, [loss * problem.spread**2 for loss in losses]


def audition(rows: Rows, loss: str, outputs: int, settings: Settings, share: float) -> float:
    """Return the least validation loss within that share of the passes: enough to compare ways to see the same rows.

    Which rows are held out hangs on nothing but their number and `outputs`, so losses can be compared.
    Raises as `learn` does.
    """
    problem = _problem(rows, loss_named(loss).code, outputs)
    candidates = _affordable(_candidates(settings, rows.count), problem, AUDITION_BYTES)
    passes = max(1, round(_passes(rows.count, settings.max_passes) * share))
    reports: list[CandidateReport] = []
    with ThreadPoolExecutor(settings.threads or os.cpu_count() or 1) as pool:
        choose(problem, candidates, passes, pool, reports.append)
    return min(report.validation_loss for report in reports) * problem.spread**2


def _passes(rows: int, cap: int | None) -> int:
    """Allow small data many passes and large data few: 20 up to 30,000 rows, 12 for 100,000, 2 from 3 million on."""
    budget = round(min(300, max(2, 3700 / math.sqrt(rows))))
    return budget if cap is None else min(budget, cap)


def _candidates(settings: Settings, rows: int) -> tuple[Candidate, ...]:
    if settings.l1 and settings.l2:
        raise UsageError(
            f"both L1 ({settings.l1}) and L2 ({settings.l2}) are given", "Set one of them to 0, or leave both out."
        )
    if settings.l1 is not None or settings.l2 is not None:
        return tuple(Candidate(rate, settings.l1 or 0.0, settings.l2 or 0.0) for rate in RATES)
    return tuple(Candidate(rate, 0.0, strength / rows) for strength in STRENGTHS for rate in RATES)


def _affordable(
    candidates: tuple[Candidate, ...], problem: Problem, state_bytes: int = STATE_BYTES
) -> tuple[Candidate, ...]:
    """Keep the likeliest candidates whose weights and sums fit in memory, and always the first."""
    room = state_bytes // (12 * len(problem.traits) * problem.validation.parts)  # lanes of weights, sums and means
    fitting = (n for n in range(len(candidates), 1, -1) if filled_up(n * problem.outputs, problem.code) <= room)
    return candidates[: next(fitting, 1)]


def _in_units(entry: CandidateReport, spread: float) -> CandidateReport:
    return replace(
        entry,
        progressive_loss=entry.progressive_loss * spread**2,
        validation_loss=entry.validation_loss * spread**2,
    )


def _problem(rows: Rows, code: int, outputs: int) -> Problem:
    """Look at all labels once, and at the vocabulary."""
    if rows.count == 0:
        raise TrainingError("there are no rows to learn from", "Check the query, the filter and the rejected rows.")
    total = first = second = 0.0
    per_class = np.zeros(max(outputs, 2))
    for labels, weights in rows.labels():
        refuse_labels(labels, code, outputs)
        wide = weights.astype(np.float64)
        total += wide.sum()
        first += (wide * labels).sum()
        second += (wide * labels.astype(np.float64) ** 2).sum()
        if code != SQUARED:
            per_class += np.bincount(labels.astype(np.int64), wide, len(per_class))
    if total == 0:
        raise TrainingError("every row has the importance weight 0", "Give at least one row a weight above 0.")
    center = first / total if code == SQUARED else 0.0
    variance = second / total - center**2 if code == SQUARED else 1.0
    spread = variance**0.5 if variance > 1e-12 * (second / total) else 1.0
    log_odds = np.log(per_class / total * rows.count + 0.5)
    start = log_odds - log_odds.mean() if code == SOFTMAX else np.diff(log_odds) if code == LOGISTIC else np.zeros(1)
    vocabulary = rows.vocabulary
    factors = vocabulary.stretches(rows.count) / vocabulary.scales
    traits = np.stack([factors, rows.count / np.maximum(vocabulary.counts, 1)], axis=1)
    traits[0] = 1, 0
    return Problem(
        rows=rows,
        code=code,
        outputs=outputs,
        start=start.astype(np.float32),
        center=center,
        spread=spread,
        mean_weight=total / rows.count,
        traits=traits.astype(np.float32),
        validation=validation_for(rows.count, outputs),
    )


def refuse_labels(labels: npt.NDArray[np.float32], code: int, outputs: int) -> None:
    """Raise TrainingError where a label is no class index of the loss."""
    if code == SQUARED:
        return
    classes = 2 if code == LOGISTIC else outputs
    bad = (labels < 0) | (labels >= classes) | (labels != np.floor(labels))
    if bad.any():
        raise TrainingError(
            f"a label is {labels[bad][0]}, where a class index from 0 to {classes - 1} was expected",
            "Number the classes from 0.",
        )


def _fit(loss: str, problem: Problem, group: Group, max_size: int, reports: list[CandidateReport]) -> Fit:
    """Turn lanes into weights in the user's units, features by ascending key, only what is worth its bytes."""
    (candidate,) = group.candidates
    own_passes = [report for report in reports if math.isnan(report.validation_loss)]
    _, sums, lanes = group.lanes(candidate, problem.outputs)
    vocabulary = problem.rows.vocabulary
    weights = _settled(lanes, vocabulary.counts, candidate, len(own_passes))
    kept = _useful(weights[1:], vocabulary.counts[1:], max_size) + 1
    kept = kept[np.argsort(vocabulary.keys[kept])]
    return Fit(
        loss=loss,
        keys=vocabulary.keys[kept],
        weights=(weights[kept] * problem.traits[kept, :1] * problem.spread).astype(np.float32),
        intercept=weights[0].astype(np.float64) * problem.spread + problem.center,
        counts=vocabulary.counts[kept],
        scales=vocabulary.scales[kept],
        sums=np.concatenate([sums[:1], sums[kept]]),
        center=problem.center,
        spread=problem.spread,
        rows=problem.rows.count,
        candidate=candidate,
        passes=len(own_passes),
        progressive_loss=own_passes[0].progressive_loss,
        validation_loss=float(np.nanmin([report.validation_loss for report in reports])),
        log=tuple(reports),
    )


def _settled(
    weights: npt.NDArray[np.float32], counts: npt.NDArray[np.uint32], candidate: Candidate, passes: int
) -> npt.NDArray[np.float32]:
    """Under L1, make 0 what is no more than the trembling of the last steps around 0.

    A step of AdaGrad on a feature seen c times in each of p passes is about rate / (p sqrt(c)) long. Ten of them divide
    noise from signal about as an exact L1 solution does (measured on one small data set, docs/learner.md).
    """
    if candidate.l1 == 0:
        return weights
    step = candidate.rate / passes / np.sqrt(np.maximum(counts, 1), dtype=np.float32)
    still = np.abs(weights) > 10 * step[:, None]
    still[0] = True
    settled: npt.NDArray[np.float32] = np.where(still, weights, np.float32(0))
    return settled


def _useful(weights: npt.NDArray[np.float32], counts: npt.NDArray[np.uint32], max_size: int) -> npt.NDArray[np.int64]:
    """Return the features worth their bytes: none whose weights are 0, and the most influential that fit."""
    influence = np.abs(weights).sum(axis=1, dtype=np.float64) * np.sqrt(counts)
    bytes_each = 8 + 4 + 4 + 4 * weights.shape[1]
    room, useful = max_size // bytes_each, np.flatnonzero(influence > 0)
    if len(useful) <= room:
        return useful
    return np.sort(useful[np.argsort(-influence[useful], kind="stable")[:room]])
