"""One pass over many rows that have a score for each class: the counterpart of `passes` for softmax.

A hundred classes are seven vectors of lanes. A row's features are listed once, and every vector runs through the list.
Either one candidate fills whole vectors, or several candidates of few classes share a single vector.

The step is that of `passes`.
"""
# ruff: noqa: ANN001, ANN202 (numba infers a kernel's types; it takes arrays, not objects)

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from understudy import compiling as nb
from understudy.learner.block import Block
from understudy.learner.kernels import DISMAY, PULL, REACH, softmax
from understudy.learner.lanes import (
    COMPILED,
    exp,
    float_at,
    highest,
    id_at,
    inverse_root,
    lanes16,
    least,
    load,
    most,
    set_float,
    spread,
    store,
    total,
    where_not_negative,
)
from understudy.learner.reading import AHEAD, addresses, number_at, within
from understudy.memory import int64_at, prefetch, set_int64

_ONE, _NOT = np.float32(1), np.float32(0)
_VECTOR = 64
"""Bytes of one vector of lanes."""
_NEAR = 1 << 20
"""Bytes of weights that stay near the processor by themselves."""
_SILENT = np.float32(-1e30)
"""The score of a lane that is no class."""

Floats = npt.NDArray[np.float32]


class _Scratch(NamedTuple):
    """What a kernel writes while it works on a row. Kernels take its addresses, so it is made outside of them."""

    places: npt.NDArray[np.int64]
    """Where the weights of each of the row's features stand, in bytes behind the intercept's [features of a row]."""
    reaches: Floats
    """The value of each to score by [features of a row]."""
    pulls: Floats
    """The value of each to learn by [features of a row]."""
    decays: Floats
    """1 / frequency of each [features of a row]."""
    starts: Floats
    """What scores start at: 0, but no chance at all for lanes that are no class [width]."""
    scores: Floats
    """Scores, then slopes [width]."""

    @classmethod
    def of(cls, rows: Block, order: npt.NDArray[np.int64], width: int, lanes: int, candidates: int) -> _Scratch:
        """Lay out room for the longest of these rows."""
        tokens = int((rows.indptr[order + 1] - rows.indptr[order]).max(initial=0))
        room = 1 + rows.ones.shape[1] + rows.numbers.shape[1] + tokens
        reaches, pulls, decays = np.zeros((3, room), np.float32)
        starts, scores = np.zeros((2, width), np.float32)
        if candidates == 1:
            starts[lanes:] = _SILENT
        return cls(np.zeros(room, np.int64), reaches, pulls, decays, starts, scores)


# --- one row ---------------------------------------------------------------------------------------------------------


@nb.njit(inline="always")
def _put(n, f, x, at, stride, listed):  # type: ignore[no-untyped-def]
    """Write a feature, of value x, to the n-th place of a row's list; return the place behind it.

    The list is where its weights stand, the value to score by and to learn by, and 1 / frequency.
    """
    places, reaches, pulls, decays = listed
    set_int64(places, n, f * stride)
    set_float(reaches, n, within(x, REACH))
    set_float(pulls, n, within(x, PULL))
    set_float(decays, n, float_at(at.traits, 2 * f + 1))
    return n + 1


@nb.njit(inline="always")
def _listed(row, at, stride, listed):  # type: ignore[no-untyped-def]
    """List a row's features, the intercept first; return how many there are.

    `at` is what `addresses` gave, `stride` the bytes between features.
    """
    n = _put(0, 0, _ONE, at, stride, listed)
    for k in range(at.ones_each):
        f = id_at(at.ones + 4 * at.ones_each * row, k)
        if f != 0:
            n = _put(n, f, _ONE, at, stride, listed)
    for k in range(at.numbers_each):
        x, f = number_at(k, float_at(at.numbers + 4 * at.numbers_each * row, k), at.number_ids, at.missing_ids)
        if x != 0 and f != 0:
            n = _put(n, f, x * float_at(at.traits, 2 * f), at, stride, listed)
    for k in range(int64_at(at.indptr, row), int64_at(at.indptr, row + 1)):
        f = id_at(at.ids, k)
        n = _put(n, f, float_at(at.values, k) * float_at(at.traits, 2 * f), at, stride, listed)
    return n


@nb.njit(inline="always")
def _expect(place, order, last, at, weights, stride, far):  # type: ignore[no-untyped-def]
    """Ask for the memory that rows to come will need: for the rows first, half as far ahead for what they list.

    `order` is an address, of `last` row numbers. Weights are asked for where they are `far`: too many for the cache.
    """
    if place + 2 * AHEAD < last:
        row = int64_at(order, place + 2 * AHEAD)
        prefetch(at.indptr + 8 * row)
        prefetch(at.labels + 4 * row)
        prefetch(at.importances + 4 * row)
        prefetch(at.numbers + 4 * at.numbers_each * row)
        for first in range(0, at.ones_each, 16):
            prefetch(at.ones + 4 * (at.ones_each * row + first))
    if place + AHEAD < last:
        row = int64_at(order, place + AHEAD)
        for first in range(int64_at(at.indptr, row), int64_at(at.indptr, row + 1), 16):
            prefetch(at.ids + 4 * first)
            prefetch(at.values + 4 * first)
    if far and place + AHEAD // 2 < last:
        row = int64_at(order, place + AHEAD // 2)
        for k in range(at.ones_each):
            _expect_feature(id_at(at.ones + 4 * at.ones_each * row, k), at, weights, stride)
        for k in range(int64_at(at.indptr, row), int64_at(at.indptr, row + 1)):
            _expect_feature(id_at(at.ids, k), at, weights, stride)


@nb.njit(inline="always")
def _expect_feature(f, at, weights, stride):  # type: ignore[no-untyped-def]
    """Ask for what is known of a feature, and where its weights and its sums begin; the processor asks for the rest."""
    prefetch(at.traits + 8 * f)
    prefetch(weights + f * stride)
    prefetch(weights + f * stride + (stride >> 1))


@nb.njit(inline="always")
def _score(n, listed, weights, starts, scores, width):  # type: ignore[no-untyped-def]
    """Write the linear scores of a row of n features."""
    places, reaches, _, _ = listed
    for first in range(0, 4 * width, _VECTOR):
        score = load(lanes16(), starts + first)
        for k in range(n):
            score = score + spread(score, float_at(reaches, k)) * load(score, weights + int64_at(places, k) + first)
        store(scores + first, score)


@nb.njit(inline="always")
def _softmax(scores, starts, width, label, weight):  # type: ignore[no-untyped-def]
    """Turn one candidate's scores into slopes; return its weighted loss: `kernels.softmax` of lanes."""
    tops = load(lanes16(), scores)
    for first in range(_VECTOR, 4 * width, _VECTOR):
        tops = most(tops, load(tops, scores + first))
    top = highest(tops)
    truth = float_at(scores, label) - top
    sums = lanes16()
    for first in range(0, 4 * width, _VECTOR):
        powers = exp(load(sums, scores + first) - spread(sums, top))
        powers = where_not_negative(load(sums, starts + first), powers, lanes16())
        store(scores + first, powers)
        sums = sums + powers
    whole = total(sums)
    for first in range(0, 4 * width, _VECTOR):
        store(scores + first, load(sums, scores + first) * spread(sums, weight / whole))
    set_float(scores, label, float_at(scores, label) - weight)
    return weight * min(np.float32(np.log(whole)) - truth, DISMAY)


@nb.njit(inline="always")
def _step(n, listed, weights, slopes, width, amounts, sparing, shrinking):  # type: ignore[no-untyped-def]
    """Move the weights of a row of n features against the slopes, then towards zero.

    `amounts` are the addresses of rates, L1 and L2 by lane.
    """
    places, _, pulls, decays = listed
    rates, l1, l2 = amounts
    sums = 4 * width
    for first in range(0, 4 * width, _VECTOR):
        slope, rate = load(lanes16(), slopes + first), load(lanes16(), rates + first)
        rate_l1, rate_l2 = rate * load(slope, l1 + first), rate * load(slope, l2 + first)
        for k in range(n):
            place = weights + int64_at(places, k) + first
            g = slope * spread(slope, float_at(pulls, k))
            squares = load(slope, place + sums) + g * g
            pace = inverse_root(squares)
            moved = load(slope, place) - rate * g * pace
            if sparing:
                slack = rate_l1 * spread(slope, float_at(decays, k)) * pace
                moved = moved - least(most(moved, lanes16() - slack), slack)
            if shrinking:
                moved = moved / (spread(slope, _ONE) + rate_l2 * spread(slope, float_at(decays, k)) * pace)
            store(place + sums, squares)
            store(place, moved)


@nb.njit(inline="always")
def _judged(at, row, scores, starts, width, real, losses):  # type: ignore[no-untyped-def]
    """Turn a row's scores into slopes; add what it costs each candidate. `real` are the scores of what is a class."""
    label, weight = np.int64(float_at(at.labels, row)), float_at(at.importances, row)
    if len(losses) == 1:
        losses[0] += _softmax(scores, starts, width, label, weight)
    else:
        softmax(real, label, weight, losses)


@nb.njit(inline="always")
def _addresses(scratch):  # type: ignore[no-untyped-def]
    """Return where a row's list, what scores start at, and scores stand."""
    listed = (
        scratch.places.ctypes.data,
        scratch.reaches.ctypes.data,
        scratch.pulls.ctypes.data,
        scratch.decays.ctypes.data,
    )
    return listed, scratch.starts.ctypes.data, scratch.scores.ctypes.data


# --- many rows -------------------------------------------------------------------------------------------------------


@nb.njit(**COMPILED)
def _learn(rows, order, traits, state, lanes, rates, l1, l2, scratch, losses):  # type: ignore[no-untyped-def]
    at, weights, stride, width = addresses(rows, traits), state.ctypes.data, 4 * state.shape[1], len(rates)
    far = state.nbytes > _NEAR
    listed, starts, scores = _addresses(scratch)
    amounts, sparing, shrinking = (rates.ctypes.data, l1.ctypes.data, l2.ctypes.data), l1.any(), l2.any()
    real, visits, last = scratch.scores[:lanes], order.ctypes.data, len(order)
    for place in range(last):
        row = int64_at(visits, place)
        _expect(place, visits, last, at, weights, stride, far)
        n = _listed(row, at, stride, listed)
        _score(n, listed, weights, starts, scores, width)
        _judged(at, row, scores, starts, width, real, losses)
        _step(n, listed, weights, scores, width, amounts, sparing, shrinking)


@nb.njit(**COMPILED)
def _judge(rows, order, traits, weights, width, lanes, scratch, losses):  # type: ignore[no-untyped-def]
    at, address, stride = addresses(rows, traits), weights.ctypes.data, 4 * weights.shape[1]
    far = weights.nbytes > _NEAR
    listed, starts, scores = _addresses(scratch)
    real, visits, last = scratch.scores[:lanes], order.ctypes.data, len(order)
    for place in range(last):
        row = int64_at(visits, place)
        _expect(place, visits, last, at, address, stride, far)
        n = _listed(row, at, stride, listed)
        _score(n, listed, address, starts, scores, width)
        _judged(at, row, scores, starts, width, real, losses)


def learn_rows(
    rows: Block,
    order: npt.NDArray[np.int64],
    traits: Floats,
    state: Floats,
    lanes: int,
    amounts: tuple[Floats, Floats, Floats],
    candidates: int,
) -> npt.NDArray[np.float64]:
    """Do what `passes.learn_rows` does, for softmax."""
    losses = np.zeros(candidates)
    scratch = _Scratch.of(rows, order, state.shape[1] // 2, lanes, candidates)
    _learn(rows, order, traits, state, lanes, *amounts, scratch, losses)
    return losses


def judge_rows(
    rows: Block,
    order: npt.NDArray[np.int64],
    traits: Floats,
    weights: Floats,
    width: int,
    lanes: int,
    candidates: int,
) -> npt.NDArray[np.float64]:
    """Do what `passes.judge_rows` does, for softmax."""
    losses = np.zeros(candidates)
    _judge(rows, order, traits, weights, width, lanes, _Scratch.of(rows, order, width, lanes, candidates), losses)
    return losses
