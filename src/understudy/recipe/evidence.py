"""How many bins does a number deserve? The count whose bins predict the target best where they were not counted.

Each count is judged by cross-validation on one attribute alone: the target's smoothed mean (or class frequencies) in
each bin, learned on four folds, is scored on the fifth. Numbers are sorted and outcomes summed up once for all counts;
what lies in a bin, and leaving a fold out, are subtractions.
"""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa

from understudy.hashing import fractions, hash_words
from understudy.later import pc
from understudy.recipe.columns import Floats, Int64s, Kind, read_column
from understudy.recipe.transformations import edges_between
from understudy.schema import ModelType
from understudy.values import read_texts

BIN_COUNTS = (5, 10, 20, 50, 100, 200, 500)
"""What is tried; Amazon ML's suggestions were seen to use most of these (reference 5.5)."""

FOLDS = 5
MAX_ROWS = 30_000
MAX_CLASSES = 50
PRIOR_WEIGHT = 1.0
"""How many observations the overall mean counts for in each bin."""

FOLD_SEED = 0x666F6C6473


class Evidence:
    """The target of a sample, ready to judge bins of any number."""

    def __init__(self, target: pa.Array, model_type: ModelType) -> None:
        if model_type is ModelType.REGRESSION:
            numbers = read_column(target, Kind.NUMERIC).of_rows
            self.known = ~np.isnan(numbers)
            self._outcomes = _moments(numbers[self.known])
        else:
            texts = read_texts(target)
            self.known = pc.not_equal(texts, "").to_numpy(zero_copy_only=False)
            self._outcomes = _memberships(texts.filter(pa.array(self.known)))
        self._squared = model_type is ModelType.REGRESSION
        rows = np.arange(len(self._outcomes), dtype=np.uint64)
        self._folds = (fractions(hash_words(rows, FOLD_SEED)) * FOLDS).astype(np.int64)

    def best_count(self, numbers: Floats) -> int:
        """Return the number of bins that predicts best, the fewest among equals; float64[n] with NaN for missing."""
        sums = _RunningSums(numbers[self.known], self._folds, self._outcomes)
        gains = [self._score(sums.by_bin(count)) for count in BIN_COUNTS]
        return BIN_COUNTS[int(np.argmax(gains))]

    def _score(self, sums: Floats) -> float:
        """Return the held-out log-likelihood, or minus the squared error, of the bins' smoothed means."""
        learned = sums.sum(axis=1, keepdims=True) - sums
        overall = learned.sum(axis=0, keepdims=True)
        if self._squared:
            return _squared_score(sums, learned, overall)
        prior = (overall + 1.0) / (overall + 1.0).sum(axis=2, keepdims=True)
        frequencies = (learned + PRIOR_WEIGHT * prior) / (learned.sum(axis=2, keepdims=True) + PRIOR_WEIGHT)
        return float((sums * np.log(frequencies)).sum())


class _RunningSums:
    """Sums of outcomes up to every number, one fold after the other: those of any bin are a subtraction."""

    def __init__(self, numbers: Floats, folds: Int64s, outcomes: Floats) -> None:
        """Take n numbers, NaN where missing, with the fold [n] and the outcomes [n, m] of each."""
        order = np.lexsort((numbers, folds))  # NaN comes last in each fold
        self._starts = np.searchsorted(folds[order], np.arange(FOLDS + 1))
        self._ordered = [numbers[order[a:b]] for a, b in itertools.pairwise(self._starts)]
        self._known = np.sort(numbers[~np.isnan(numbers)])
        self._running = np.concatenate([np.zeros((1, outcomes.shape[1])), np.cumsum(outcomes[order], axis=0)])

    def by_bin(self, count: int) -> Floats:
        """Return the sums [bins, folds, m] in each of at most `count` bins; the last bin is that of missing numbers."""
        edges = np.append(edges_between(self._known, count), np.inf)
        return np.stack([self._of_fold(fold, edges) for fold in range(FOLDS)], axis=1)

    def _of_fold(self, fold: int, edges: Floats) -> Floats:
        ends = np.searchsorted(self._ordered[fold], edges, side="right")
        bounds = self._starts[fold] + np.concatenate([[0], ends, [len(self._ordered[fold])]])
        return np.diff(self._running[bounds], axis=0)


def _squared_score(sums: Floats, learned: Floats, overall: Floats) -> float:
    """Return minus the sum of (y - mean)² from counts, sums and squares of y by bin and fold."""
    prior = overall[..., 1] / np.maximum(overall[..., 0], 1.0)
    means = (learned[..., 1] + PRIOR_WEIGHT * prior) / (learned[..., 0] + PRIOR_WEIGHT)
    return -float((sums[..., 2] - 2.0 * means * sums[..., 1] + means**2 * sums[..., 0]).sum())


def _moments(numbers: Floats) -> Floats:
    """Return 1, y and y² of each observation, y centred so that the squares keep their digits."""
    centred = numbers - (numbers.mean() if len(numbers) else 0.0)
    return np.stack([np.ones_like(centred), centred, centred**2], axis=1)


def _memberships(labels: pa.Array) -> Floats:
    """Return for each observation a 1 in the column of its class; rare classes beyond `MAX_CLASSES` share the last."""
    codes = pc.dictionary_encode(labels).indices.to_numpy(zero_copy_only=False).astype(np.int64)
    counts = np.bincount(codes, minlength=1)
    ranks = np.empty_like(counts)
    ranks[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    classes = min(len(counts), MAX_CLASSES)
    members: Floats = np.eye(classes)[np.minimum(ranks[codes], classes - 1)]
    return members
