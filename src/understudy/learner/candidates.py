"""Candidates: a learning rate and a regularisation each, learned side by side and judged on rows they did not learn.

Small data is cross-validated: every candidate is learned once for each fold, without that fold, and its validation loss
is the mean over all rows. Large data keeps one validation part aside. Where fewer candidates make a pass cheaper, the
worse half is dropped now and then (successive halving, Jamieson and Talwalkar 2016).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from understudy.learner.block import Block, join
from understudy.learner.kernels import FIRST_SUM, follow_weights
from understudy.learner.passes import filled_up, judge_rows, learn_rows
from understudy.learner.rows import Rows

RATES = (1.0, 0.2, 4.0, 0.04)
"""Learning rates to try, the likeliest first."""
STRENGTHS = (0.3, 3.0, 0.0, 30.0)
"""L2 amounts to try, times the number of rows, the likeliest first."""
PROGRESS = 0.001
"""The share of its loss that a candidate must save to be worth further passes."""
PATIENCE = 3
"""Passes without such progress after which learning stops; over many rows one is enough."""
RUNGS = (1, 2, 4, 8)
"""Passes after which the worse half of the candidates is dropped, where that saves work."""
EARLY_RUNGS = (1 / 16, 1 / 4)
"""Shares of the first pass after which the same is done by what rows have cost so far."""
EARLY_ROWS = 10_000
"""Rows that it takes for that."""
MEAN_ROWS, MEANS = 25_000, 16
"""Rows after which the mean of the weights follows them, and how often in a pass at most."""
LINE = 64
"""Bytes of one line of memory."""
LANES = 16
"""Lanes of one group: one line of memory of float32."""
STATE_BYTES = 128 << 20
"""Memory for all groups' weights; a larger vocabulary gets fewer candidates."""
AUDITION_BYTES = 64 << 20
"""The same for an audition, of which there is one for each core at a time."""
CACHED_BYTES = 4 << 20
"""Weights up to which sixteen lanes cost hardly more than one."""
ALL_ROWS = -2
"""The part held out from a group that learns from every row."""
FOLDS = 5
CROSS_VALIDATED = 25_000
"""Rows times outputs up to which data is cross-validated."""
VALIDATION_SHARE, VALIDATION_ROWS = 0.1, 50_000
"""A validation part is a tenth of the rows, and no more than these."""
SMALL_SHARE = 0.05
"""The share of a validation part up to which its rows are learned last, instead of all rows anew."""
MANY_STEPS = 100_000_000
"""Steps (rows x passes x outputs) from which that is done whatever the share."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Candidate:
    """How one model would be learned."""

    rate: float
    """Learning rate, in units of each weight's own stride."""
    l1: float
    """L1 amount per observation."""
    l2: float
    """L2 amount per observation."""


@dataclass(frozen=True)
class CandidateReport:
    """How one candidate stands after one pass; losses are means in the loss's unit."""

    candidate: Candidate
    passes: int
    """Passes done."""
    updates: int
    """Steps taken, over all passes."""
    progressive_loss: float
    """Mean loss, taken before each step, of the rows of this pass; honest in the first pass only."""
    validation_loss: float
    """Mean loss of the rows that were held out; NaN while all rows are learned from, infinite if dropped before."""


@dataclass(frozen=True)
class Validation:
    """Which rows are held out from whom."""

    parts: int
    """Parts that are held out in turn; 1 for a validation part, 0 for none."""
    share: float
    """The share of the rows in each part."""

    def part(self, lots: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Return the part that each row belongs to, -1 for none."""
        parts = np.floor(lots / self.share).astype(np.int64) if self.parts else np.full(len(lots), -1)
        return np.where(parts < self.parts, parts, -1)


def validation_for(rows: int, outputs: int) -> Validation:
    """Choose cross-validation for few rows, one validation part for many.

    Whatever is seen of the same rows, the same of them are held out: losses of different recipes can be compared.
    """
    if rows * outputs <= CROSS_VALIDATED:
        return Validation(FOLDS, 1 / FOLDS)
    return Validation(1, min(VALIDATION_SHARE, VALIDATION_ROWS / rows))


@dataclass(frozen=True)
class Problem:
    """The rows as the kernels want them: what is learned, from where it starts, and how to read a block."""

    rows: Rows
    code: int
    """The loss's name in the kernels."""
    outputs: int
    """Scores of one candidate: 1, or one for each class."""
    start: Floats
    """Where the intercepts start [outputs]: the target's own frequencies."""
    center: float
    """What is subtracted from every label."""
    spread: float
    """What every label is then divided by."""
    mean_weight: float
    """What every importance weight is divided by."""
    traits: Floats
    """What every feature's values are multiplied by, and 1 / frequency [features + 1, 2]."""
    validation: Validation
    """Which rows candidates are judged on."""

    def parts(self, block: Block) -> npt.NDArray[np.int64]:
        """Return the validation part of each of the block's rows."""
        return self.validation.part(self.rows.lots(block.numbered))

    @property
    def means(self) -> int:
        """How often in a pass the mean of the weights follows them: at its end, and of many rows on the way there."""
        return max(1, min(MEANS, self.rows.count // MEAN_ROWS))

    @property
    def many(self) -> bool:
        """Whether rows are so many that the mean follows within a pass: the next pass is long, and tells less."""
        return self.means > 1

    def share(self, number: int) -> np.float32:
        """Return by how much the mean follows the weights for the time of that number (Shamir and Zhang 2013).

        So the weights of time p count p; within a pass about p squared, as the first times lie far from the last.
        """
        power = 2 if self.many else 1
        return np.float32((power + 1) / (number + power))

    def prepare(self, block: Block) -> tuple[Block, npt.NDArray[np.int64]]:
        """Return the block ready for the kernels, and the validation part of each of its rows."""
        return self.ready(block), self.parts(block)

    def ready(self, block: Block) -> Block:
        """Return the block with labels and weights in the kernels' units."""
        return block._replace(
            labels=((block.labels - self.center) / self.spread).astype(np.float32),
            weights=(block.weights / self.mean_weight).astype(np.float32),
        )


def aligned(features: int, width: int) -> Floats:
    """Return float32 zeros [features, width], the first on the border of a line of memory."""
    room = np.zeros(features * width + LINE // 4, np.float32)
    first = -room.ctypes.data % LINE // 4
    return room[first : first + features * width].reshape(features, width)


@dataclass(frozen=True)
class Group:
    """Candidates that share one state, hence one pass over memory, and the part of the rows they must not see."""

    candidates: tuple[Candidate, ...]
    part: int
    """The part held out; ALL_ROWS where nothing is."""
    state: Floats
    """Weights, then sums of squared gradients [features + 1, 2 x width]: candidates x outputs lanes, filled up."""
    mean: Floats | None = None
    """The weights' mean over the ends of all passes, or more often, later ones counting more [features + 1, width].

    None before the second time: until then it is the weights themselves.
    """

    @classmethod
    def fresh(cls, problem: Problem, candidates: tuple[Candidate, ...], part: int) -> Group:
        """Start from the target's frequencies alone."""
        lanes = len(candidates) * problem.outputs
        state = aligned(len(problem.traits), 2 * filled_up(lanes, problem.code))
        state[:, state.shape[1] // 2 :] = FIRST_SUM
        state[0, :lanes] = np.tile(problem.start, len(candidates))
        return cls(candidates, part, state)

    @property
    def weights(self) -> Floats:
        """The weights of the state as they are now [features + 1, width]."""
        return self.state[:, : self.state.shape[1] // 2]

    def remembering(self) -> Group:
        """Return the same group, about to learn on: the mean is no longer the weights themselves."""
        if self.mean is not None:
            return self
        mean = aligned(*self.weights.shape)
        mean[:] = self.weights
        return replace(self, mean=mean)

    def lanes(self, candidate: Candidate, outputs: int) -> tuple[Floats, Floats, Floats]:
        """Return one candidate's weights, sums and mean weights, each [features + 1, outputs]."""
        first = self.candidates.index(candidate) * outputs
        width, last = self.state.shape[1] // 2, first + outputs
        mean = self.weights if self.mean is None else self.mean
        return self.state[:, first:last], self.state[:, width + first : width + last], mean[:, first:last]

    def amounts(self, outputs: int, number: int) -> tuple[Floats, Floats, Floats]:
        """Return rates, l1 and l2 by lane for pass `number`; rates fall with its root, so that the weights settle."""
        amounts = np.zeros((3, self.state.shape[1] // 2), np.float32)
        for place, candidate in enumerate(self.candidates):
            lanes = slice(place * outputs, (place + 1) * outputs)
            amounts[:, lanes] = [[candidate.rate / number**0.5], [candidate.l1], [candidate.l2]]
        return amounts[0], amounts[1], amounts[2]

    def learn(
        self, problem: Problem, number: int, block: Block, order: npt.NDArray[np.int64], parts: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """Learn, in pass `number`, the block's rows but the held-out part's; return the sum of losses by candidate."""
        seen = order[parts[order] != self.part]
        amounts = self.amounts(problem.outputs, number)
        lanes = len(self.candidates) * problem.outputs
        return learn_rows(problem.code, block, seen, problem.traits, self.state, lanes, amounts, len(self.candidates))

    def judge(self, problem: Problem, held: Block, parts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return the sum of losses, by candidate, over the held-out rows of this group's part."""
        rows = np.flatnonzero(parts == self.part)
        lanes, width = len(self.candidates) * problem.outputs, self.state.shape[1] // 2
        weights = self.state if self.mean is None else self.mean
        return judge_rows(problem.code, held, rows, problem.traits, weights, width, lanes, len(self.candidates))

    def settle(self, share: np.float32) -> None:
        """Move the mean by that share of its way to the weights."""
        if self.mean is not None:
            follow_weights(self.mean, self.state, share)


def grouped(candidates: tuple[Candidate, ...], outputs: int) -> Iterator[tuple[Candidate, ...]]:
    """Cut candidates into groups of at most LANES lanes."""
    size = max(1, LANES // outputs)
    for first in range(0, len(candidates), size):
        yield candidates[first : first + size]


def regrouped(groups: list[Group], alive: tuple[Candidate, ...], outputs: int, code: int) -> list[Group]:
    """Keep the lanes of the candidates alive, closed up."""
    result = []
    for part in sorted({group.part for group in groups}):
        home = {c: group for group in groups if group.part == part for c in group.candidates}
        result += [_moved(together, part, home, outputs, code) for together in grouped(alive, outputs)]
    return result


def _moved(together: tuple[Candidate, ...], part: int, home: dict[Candidate, Group], outputs: int, code: int) -> Group:
    """Put the candidates' lanes side by side in a state of their own."""
    width = filled_up(len(together) * outputs, code)
    features = len(home[together[0]].state)
    state = aligned(features, 2 * width)
    mean = None if home[together[0]].mean is None else aligned(features, width)
    state[:, width:] = FIRST_SUM
    for place, candidate in enumerate(together):
        first, last = place * outputs, (place + 1) * outputs
        weights, sums, means = home[candidate].lanes(candidate, outputs)
        state[:, first:last], state[:, width + first : width + last] = weights, sums
        if mean is not None:
            mean[:, first:last] = means
    return Group(together, part, state, mean)


class _Pass:
    """A pass under way: what the rows have cost each candidate so far."""

    def __init__(self, problem: Problem, number: int, pool: Executor, rungs: Sequence[int] = ()) -> None:
        self._problem, self._number, self._pool = problem, number, pool
        self._ends = {round(problem.rows.count * (time + 1) / problem.means) for time in range(problem.means)}
        self._stops = sorted(self._ends | {*rungs})
        self._times = (number - 1) * problem.means
        self._costs: dict[Candidate, float] = {}
        self._weight = 0.0
        self.visited = 0
        """Rows so far."""

    def pieces(self, order: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
        """Cut the next rows where the mean follows the weights, and at rungs."""
        cuts = [stop - self.visited for stop in self._stops if 0 < stop - self.visited < len(order)]
        return np.split(order, cuts)

    def visit(
        self, groups: list[Group], block: Block, order: npt.NDArray[np.int64], parts: npt.NDArray[np.int64]
    ) -> list[Group]:
        """Take every group through one more piece of a block that is ready; return them."""
        if self._times:
            groups = [group.remembering() for group in groups]
        jobs = [self._pool.submit(group.learn, self._problem, self._number, block, order, parts) for group in groups]
        for group, job in zip(groups, jobs, strict=True):
            for candidate, cost in zip(group.candidates, job.result(), strict=True):
                self._costs[candidate] = self._costs.get(candidate, 0.0) + float(cost)
        weights, parts = block.weights[order], parts[order]
        self._weight += sum(
            float(weights[parts != part].sum(dtype=np.float64)) for part in {group.part for group in groups}
        )
        self.visited += len(order)
        if self.visited in self._ends:
            self._times += 1
            share = self._problem.share(self._times)
            for _ in self._pool.map(lambda group: group.settle(share), groups):
                pass
        return groups

    def loss(self, candidate: Candidate) -> float:
        """Return a candidate's mean progressive loss; it has been visited by all rows so far."""
        return self._costs[candidate] / max(self._weight, 1e-30)


def one_pass(
    problem: Problem, groups: list[Group], number: int, pool: Executor
) -> tuple[list[Group], dict[Candidate, float]]:
    """Take every group through all rows once; return the groups, and the mean progressive loss of each candidate."""
    under_way = _Pass(problem, number, pool)
    for (ready, parts), whole in problem.rows.passing(number, problem.prepare):
        for order in under_way.pieces(whole):
            groups = under_way.visit(groups, ready, order, parts)
    return groups, {candidate: under_way.loss(candidate) for candidate in alive_in(groups)}


def first_pass(
    problem: Problem,
    groups: list[Group],
    pool: Executor,
    report: Callable[[CandidateReport], None],
    advance: Callable[[int], None],
) -> tuple[list[Group], dict[Candidate, float], Block]:
    """Do what `one_pass` does, but drop the worse half on the way, where that saves work and nobody needs folds.

    What rows cost is honest here: none was seen before. Return the groups that are left, their losses, and the rows
    that are held out from some group, which never are more than fit in memory.
    """
    rungs = [round(share * problem.rows.count) for share in EARLY_RUNGS]
    rungs = [rung for rung in rungs if rung >= EARLY_ROWS]
    under_way = _Pass(problem, 1, pool, rungs)
    held: list[Block] = []
    for (ready, parts), whole in problem.rows.passing(1, problem.prepare):
        for order in under_way.pieces(whole):
            groups = under_way.visit(groups, ready, order, parts)
            held.append(ready.take(order[parts[order] >= 0]))
            advance(len(order))
            if under_way.visited in rungs and problem.validation.parts == 1 and _crowded(groups, 1):
                losses = _losses_so_far(problem, groups, under_way, held, pool)
                groups = _halved(problem, groups, under_way, losses, report)
    gathered = join(held)
    ordered = gathered.take(np.argsort(gathered.numbered))  # whatever blocks the rows lay in
    return groups, {candidate: under_way.loss(candidate) for candidate in alive_in(groups)}, ordered


def _losses_so_far(
    problem: Problem, groups: list[Group], under_way: _Pass, held: list[Block], pool: Executor
) -> dict[Candidate, float]:
    """Return what candidates are compared by within the first pass.

    Progressive loss is that of weights in motion, and of all rows. A mean that follows them within the pass allows of
    higher rates, so it is judged itself, by the rows held out so far.
    """
    if not problem.many:
        return {candidate: under_way.loss(candidate) for candidate in alive_in(groups)}
    rows = join(held)
    return _judged(problem, groups, rows, problem.parts(rows), pool)


def _halved(
    problem: Problem,
    groups: list[Group],
    under_way: _Pass,
    losses: Mapping[Candidate, float],
    report: Callable[[CandidateReport], None],
) -> list[Group]:
    """Drop the worse half; report those dropped."""
    alive = alive_in(groups)
    kept = better_half(alive, losses)
    for candidate in alive:
        if candidate not in kept:
            report(CandidateReport(candidate, 1, under_way.visited, under_way.loss(candidate), np.inf))
    return regrouped(groups, kept, problem.outputs, problem.code)


def alive_in(groups: list[Group]) -> tuple[Candidate, ...]:
    """Return the candidates of groups, each once, in order."""
    return tuple(dict.fromkeys(candidate for group in groups for candidate in group.candidates))


def better_half(alive: tuple[Candidate, ...], losses: Mapping[Candidate, float]) -> tuple[Candidate, ...]:
    """Return the candidates of less loss, the odd one among them, in their order."""
    kept = set(sorted(alive, key=losses.__getitem__)[: (len(alive) + 1) // 2])
    return tuple(candidate for candidate in alive if candidate in kept)


@dataclass(frozen=True)
class Choice:
    """The best candidate, after so many passes."""

    candidate: Candidate
    passes: int
    group: Group | None
    """It alone, having learned from all rows but the validation part; None where it had better learn them all anew."""
    held: Block
    """The rows that were held out, ready to be learned."""

    def learn_held_out(self, problem: Problem) -> Group:
        """Let it learn from the validation part, too."""
        assert self.group is not None
        before = self.group.weights.copy()
        order = np.argsort(problem.rows.lots(self.held.numbered))
        replace(self.group, part=ALL_ROWS).learn(problem, self.passes, self.held, order, problem.parts(self.held))
        if self.group.mean is None:
            return self.group
        share = problem.share(self.passes * problem.means)
        return replace(self.group, mean=self.group.mean + share * (self.group.weights - before))


def choose(
    problem: Problem,
    candidates: tuple[Candidate, ...],
    passes: int,
    pool: Executor,
    report: Callable[[CandidateReport], None],
    advance: Callable[[int], None] = lambda _: None,
) -> Choice:
    """Learn all candidates side by side, reporting each after each pass; return the best and its number of passes."""
    validation = problem.validation
    groups = [
        Group.fresh(problem, together, part)
        for part in range(validation.parts)
        for together in grouped(candidates, problem.outputs)
    ]
    best, kept = (np.inf, candidates[0], 1), None
    for number in range(1, passes + 1):
        if number == 1:
            groups, progressive, held = first_pass(problem, groups, pool, report, advance)
            parts = problem.parts(held)
        else:
            groups, progressive = one_pass(problem, groups, number, pool)
        alive, losses = alive_in(groups), _judged(problem, groups, held, parts, pool)
        for candidate in alive:
            updates = number * round(problem.rows.count * (1 - validation.share))
            report(CandidateReport(candidate, number, updates, progressive[candidate], losses[candidate]))
        leader = min(alive, key=losses.__getitem__)
        progress = losses[leader] < best[0] * (1 - PROGRESS)
        enough = not progress and (problem.many or number - best[2] >= PATIENCE)
        if progress or (problem.many and losses[leader] < best[0]):
            best, kept = (losses[leader], leader, number), None
            if _worth_ending(problem, number):
                (kept,) = regrouped(groups, (leader,), problem.outputs, problem.code)
        if enough:
            break
        if number in RUNGS and len(alive) > 1 and _crowded(groups, validation.parts):
            groups = regrouped(groups, better_half(alive, losses), problem.outputs, problem.code)
    _, candidate, passes = best
    return Choice(candidate, passes, kept, held)


def _worth_ending(problem: Problem, passes: int) -> bool:
    """Tell whether the rows held out are few, or learning all rows anew is long."""
    steps = problem.rows.count * passes * problem.outputs
    few = problem.validation.share <= SMALL_SHARE
    return problem.validation.parts == 1 and (few or steps >= MANY_STEPS)


def _crowded(groups: list[Group], parts: int) -> bool:
    """Tell whether fewer candidates would make a pass cheaper."""
    return len(groups) > parts or sum(group.state.nbytes for group in groups) > CACHED_BYTES


def _judged(
    problem: Problem, groups: list[Group], held: Block, parts: npt.NDArray[np.int64], pool: Executor
) -> dict[Candidate, float]:
    """Mean validation loss of each candidate over all held-out rows."""
    jobs = [pool.submit(group.judge, problem, held, parts) for group in groups]
    totals: dict[Candidate, float] = {}
    for group, job in zip(groups, jobs, strict=True):
        for candidate, loss in zip(group.candidates, job.result(), strict=True):
            totals[candidate] = totals.get(candidate, 0.0) + float(loss)
    weight = max(float(held.weights.sum(dtype=np.float64)), 1e-30)
    return {candidate: total / weight for candidate, total in totals.items()}
