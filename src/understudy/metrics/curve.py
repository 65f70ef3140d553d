"""All rows of a BINARY evaluation in the order of their scores, looked at piece after piece.

Millions of rows have millions of different scores, and an array of float64 for each thing that is asked of them would
take many times the memory of the rows themselves. So the rows stand as sorted integers of 8 bytes, and whatever is
asked is summed up over pieces that fit into the processor's cache. Counts of rows are whole numbers, and a float64
holds their sums exactly, wherever a piece ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from understudy.metrics.functions import Floats, log_losses, mass_by_score, ratio

PIECE = 1 << 15
"""Rows of a piece, more where they have one score."""

_ONE = np.uint64(1)

Packed = npt.NDArray[np.uint64]
Masses = npt.NDArray[np.int64] | Floats


def packed(labels: npt.NDArray[np.bool_], scores: Floats) -> Packed:
    """Put scores from 0 to 1 and labels into integers, uint64[n], that are ordered as (score, label) are.

    The bits of such a float64 are ordered as the numbers are, and the highest of them, the sign, means nothing.
    """
    both = scores.view(np.uint64) << _ONE
    both |= labels
    return both


class Piece(NamedTuple):
    """Rows of neighbouring scores: at each of k distinct ascending scores the weight of the ones and of the zeros.

    The squared weights stand beside them. Without weights they are the very same arrays, int64[k]; else all are
    float64[k].
    """

    scores: Floats
    ones: Masses
    zeros: Masses
    squared_ones: Masses
    squared_zeros: Masses


def _piece(rows: Packed) -> Piece:
    """Count sorted rows by score and label; as a rule, no two of them have one score."""
    scores, ones = (rows >> _ONE).view(np.float64), (rows & _ONE).view(np.int64)
    differs = scores[1:] != scores[:-1]
    if differs.all():
        zeros = 1 - ones
    else:
        first = np.flatnonzero(np.concatenate(([True], differs)))
        scores, ones = scores[first], np.add.reduceat(ones, first)
        zeros = np.diff(first, append=len(rows)) - ones
    return Piece(scores, ones, zeros, ones, zeros)


def _cuts(rows: Packed) -> list[int]:
    """Return where pieces of sorted rows begin, and where the last ends; rows of one score stay together."""
    places = np.arange(PIECE, len(rows), PIECE)
    whole = np.searchsorted(rows, rows[places] & ~_ONE)
    cuts: list[int] = np.unique(np.concatenate([[0], whole, [len(rows)]])).tolist()
    return cuts


@dataclass(frozen=True)
class Counts:
    """Weights of the four outcomes at one threshold."""

    true_positive: float
    false_positive: float
    true_negative: float
    false_negative: float

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        right = self.true_positive + self.true_negative
        return ratio(right, right + self.false_positive + self.false_negative)

    @property
    def precision(self) -> float:
        """Share of ones among the rows called 1."""
        return ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float:
        """Share of the ones that are called 1."""
        return ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return ratio(2.0 * self.true_positive, 2.0 * self.true_positive + self.false_positive + self.false_negative)

    @property
    def false_positive_rate(self) -> float:
        """Share of the zeros that are called 1."""
        return ratio(self.false_positive, self.false_positive + self.true_negative)


class Ranked(NamedTuple):
    """A piece, and the weight of all ones and of all zeros up to each of its scores, itself included, float64[k]."""

    piece: Piece
    ones: Floats
    zeros: Floats


class ScoreCurve:
    """What rows in the order of their scores tell of a model."""

    def __init__(self, pieces: int, piece: Callable[[int], Piece]) -> None:
        """Take all rows in so many pieces of ascending scores, each of which `piece` makes whenever it is asked for."""
        self._pieces, self._piece = pieces, piece
        self._starts, sums = np.zeros(pieces), np.zeros((pieces + 1, 4))
        for number in range(pieces):
            scores, ones, zeros, *squared = piece(number)
            self._starts[number] = scores[0]
            running = (np.cumsum(mass)[-1] for mass in (ones, zeros))  # as `ranked` adds up, to the bit
            sums[number + 1] = sums[number] + [*running, *(mass.sum() for mass in squared)]
        self._before = sums[:, :2]
        self.ones: float
        """The weight of all ones."""
        self.zeros: float
        """The weight of all zeros."""
        self.squared_ones: float
        self.squared_zeros: float
        self.ones, self.zeros, self.squared_ones, self.squared_zeros = sums[-1].tolist()

    @classmethod
    def of_rows(cls, rows: Packed) -> ScoreCurve:
        """Make the curve of `packed` rows that count once each; they are sorted where they stand."""
        rows.sort()
        cuts = _cuts(rows)
        return cls(len(cuts) - 1, lambda number: _piece(rows[cuts[number] : cuts[number + 1]]))

    @classmethod
    def of_weighted_rows(cls, rows: Packed, weights: Floats) -> ScoreCurve:
        """Make the curve of `packed` rows, each of which counts as often as its weight says; one piece holds all."""
        labels, scores = (rows & _ONE).astype(np.float64), (rows >> _ONE).view(np.float64)
        _, squared_ones, squared_zeros = mass_by_score(labels, scores, weights**2)
        whole = Piece(*mass_by_score(labels, scores, weights), squared_ones, squared_zeros)
        return cls(min(len(rows), 1), lambda _: whole)

    @property
    def weight(self) -> float:
        """The weight of all rows."""
        return self.ones + self.zeros

    @property
    def effective_rows(self) -> float:
        """The effective number of rows."""
        squared = self.squared_ones + self.squared_zeros
        return self.weight**2 / squared if squared else 0.0

    def pieces(self) -> Iterator[Piece]:
        """Yield all pieces, lowest scores first."""
        return map(self._piece, range(self._pieces))

    def ranked(self) -> Iterator[Ranked]:
        """Yield all pieces with their running sums, lowest scores first."""
        return map(self._ranked, range(self._pieces))

    def descending(self) -> Iterator[Ranked]:
        """Yield all pieces with their running sums, highest scores first."""
        return map(self._ranked, reversed(range(self._pieces)))

    def _ranked(self, number: int) -> Ranked:
        piece, (ones, zeros) = self._piece(number), self._before[number]
        return Ranked(piece, ones + np.cumsum(piece.ones), zeros + np.cumsum(piece.zeros))

    def counts(self, threshold: float) -> Counts:
        """Count the outcomes where a score of at least `threshold` means 1 (reference 8.1)."""
        return self.outcomes(np.array([threshold]))[0]

    def outcomes(self, thresholds: Floats) -> list[Counts]:
        """Return the counts at each of some thresholds."""
        missed, spared = self._below(thresholds)
        return [
            Counts(self.ones - missed, self.zeros - spared, spared, missed)
            for missed, spared in zip(missed.tolist(), spared.tolist(), strict=True)
        ]

    def _below(self, thresholds: Floats) -> tuple[Floats, Floats]:
        """Return the weight of the ones and of the zeros whose score is less than each threshold."""
        where = np.maximum(np.searchsorted(self._starts, thresholds) - 1, 0)
        below = np.zeros((2, len(thresholds)))
        for number in np.unique(where).tolist() if self._pieces else []:
            chosen, (piece, *sums) = where == number, self._ranked(number)
            cuts = np.searchsorted(piece.scores, thresholds[chosen])
            for side, running in enumerate(sums):
                below[side, chosen] = np.concatenate([[self._before[number, side]], running])[cuts]
        return below[0], below[1]

    @cached_property
    def auc(self) -> float:
        """Area under the ROC curve; NaN where one class is absent."""
        pairs = self.ones * self.zeros
        if not pairs:
            return math.nan
        return sum(float((piece.ones * (zeros - 0.5 * piece.zeros)).sum()) for piece, _, zeros in self.ranked()) / pairs

    @cached_property
    def auc_variance(self) -> float:
        """Variance of the AUC (DeLong, DeLong, Clarke-Pearson 1988), summed up over sorted scores (Sun, Xu 2014).

        NaN for fewer than two rows of a class.
        """
        won = lost = 0.0
        for piece, ones, zeros in self.ranked():
            one_wins = (zeros - 0.5 * piece.zeros) / self.zeros
            zero_loses = (self.ones - ones + 0.5 * piece.ones) / self.ones
            won += float((piece.squared_ones * (one_wins - self.auc) ** 2).sum())
            lost += float((piece.squared_zeros * (zero_loses - self.auc) ** 2).sum())
        freedoms = self.ones**2 - self.squared_ones, self.zeros**2 - self.squared_zeros
        return won / freedoms[0] + lost / freedoms[1] if min(freedoms) > 0 else math.nan

    @cached_property
    def log_loss(self) -> tuple[float, float]:
        """Return the mean log loss in nats and its standard error; NaN without rows."""
        if not self.weight:
            return math.nan, math.nan
        losses = [_Losses.of(piece) for piece in self.pieces()]
        mean = sum(each.total for each in losses) / self.weight
        spread = max(sum(each.spread_around(mean) for each in losses), 0.0)
        freedom = self.weight**2 - (self.squared_ones + self.squared_zeros)
        return mean, math.sqrt(spread / freedom) if freedom > 0 else math.nan


class _Losses(NamedTuple):
    """Log losses of a piece: their sum, and by squared weights their weight, sum and squares around `middle`.

    The middle being the piece's own mean, nothing is lost when the squares are moved to the mean of all rows.
    """

    total: float
    middle: float
    weight: float
    first: float
    second: float

    @classmethod
    def of(cls, piece: Piece) -> _Losses:
        if_one, if_zero = log_losses(piece.scores), log_losses(1.0 - piece.scores)
        total = float((piece.ones * if_one + piece.zeros * if_zero).sum())
        middle = total / float(piece.ones.sum() + piece.zeros.sum())
        if_one, if_zero = if_one - middle, if_zero - middle
        weight = float((piece.squared_ones + piece.squared_zeros).sum())
        first = float((piece.squared_ones * if_one + piece.squared_zeros * if_zero).sum())
        second = float((piece.squared_ones * if_one**2 + piece.squared_zeros * if_zero**2).sum())
        return cls(total, middle, weight, first, second)

    def spread_around(self, mean: float) -> float:
        """Return the sum of the squared losses around a mean."""
        apart = self.middle - mean
        return self.second + 2.0 * apart * self.first + apart**2 * self.weight
