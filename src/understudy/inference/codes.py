"""Whole numbers that are codes: what tells `117961`, a role, from `117,961`, an amount.

Numbers that measure lie near one another for a reason: neighbours behave alike. A code's neighbours tell nothing. Two
tests look for that, one with the target and one without; both ask for values strewn thinly over their range, since
small dense ones (counts, grades, years) are measures more often than not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from understudy.inference.column import Column

Floats = npt.NDArray[np.float64]

_MAX_CLASSES = 50


def look_like_codes(column: Column, answers: Floats | None) -> str:
    """Say why a column's whole numbers look like codes; empty where they do not.

    Parameters
    ----------
    column : a column of n rows of whole numbers.
    answers : float64[n, c], the target as numbers (see `answers_of`); None without a target.
    """
    numbers, counts = column.sorted_numbers
    if len(numbers) < 10 or len(numbers) > 0.1 * (numbers[-1] - numbers[0] + 1) or numbers[counts.argmax()] == 0:
        return ""
    if answers is not None and _neighbours_tell_nothing(column, answers):
        return "equal numbers share an answer, neighbouring ones do not"
    if _heaped_on_odd_numbers(numbers, counts):
        return "a few odd numbers are frequent and their neighbours are not"
    return ""


def answers_of(target: Column) -> Floats | None:
    """Return a target's n rows as float64[n, c]: ranks of numbers, or a 0/1 column per label; NaN where empty.

    None where it has too many labels to compare rows by.
    """
    places = target.places
    if target.is_number and target.distinct > 2:
        numbers, _ = target.sorted_numbers
        ranks = np.searchsorted(numbers, target.numbers).astype(np.float64)
        ranks[np.isnan(target.numbers)] = np.nan
        return np.asarray(np.append(ranks, np.nan)[places][:, None])
    if not 2 <= len(target.values) <= _MAX_CLASSES:
        return None
    table = np.vstack([np.eye(len(target.values)), np.full(len(target.values), np.nan)])
    return np.asarray(table[places])


def _neighbours_tell_nothing(column: Column, answers: Floats) -> bool:
    """Compare how far the answer differs between neighbouring numbers with how far it differs between any.

    Both are variances of the group means, freed of the variance within groups. Their ratio is near 0 for a smooth
    relation and near 1 for a code, as von Neumann's ratio of the mean square successive difference is (1941). Asked
    only where numbers tell anything at all: the F statistic lies four standard errors above its mean of 1.
    """
    own = np.append(column.numbers, np.nan)[column.places]
    known = ~np.isnan(own) & ~np.isnan(answers[:, 0])
    own, answers = own[known], answers[known]
    numbers, group, sizes = np.unique(own, return_inverse=True, return_counts=True)
    rows, groups = len(own), len(numbers)
    if groups < 3 or rows - groups < 20:
        return False
    means = np.stack([np.bincount(group, answer) / sizes for answer in answers.T], axis=1)
    within = float(((answers - means[group]) ** 2).sum()) / (rows - groups)
    between = float((sizes * ((means - answers.mean(axis=0)) ** 2).sum(axis=1)).sum())
    excess = between - within * (groups - 1)
    if excess <= 4 * within * (groups - 1) * np.sqrt(2 / (groups - 1) + 2 / (rows - groups)):
        return False
    overall = excess / (rows - float((sizes.astype(float) ** 2).sum()) / rows)
    weights = sizes[:-1] * sizes[1:] / (sizes[:-1] + sizes[1:])
    steps = (weights * ((means[1:] - means[:-1]) ** 2).sum(axis=1)).sum()
    return bool((steps - within * (groups - 1)) / (2 * weights.sum()) > 0.8 * overall)


def _heaped_on_odd_numbers(numbers: Floats, counts: npt.NDArray[np.int64]) -> bool:
    """Tell whether many rows stand on single numbers that neither rounding nor a limit explains.

    People round measures to fives and tens, and limits heap them at either end; nothing heaps a measure on 118,321.
    """
    adjacent = np.diff(numbers) == 1
    beside = np.zeros(len(numbers))
    beside[1:] += np.where(adjacent, counts[:-1], 0)
    beside[:-1] += np.where(adjacent, counts[1:], 0)
    odd = (counts >= 4) & (beside <= counts / 4) & (numbers % 5 != 0)
    odd[[0, -1]] = False
    return bool(counts[odd].sum() >= 0.4 * counts.sum())
