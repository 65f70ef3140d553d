"""One pass of stochastic gradient descent over many rows, many candidates side by side in the lanes of vectors.

A candidate's weights stand in *lanes*: `state[f, :width]` holds feature f's weights and `state[f, width:]` its sums of
squared gradients, where width is candidates x outputs, filled up to whole vectors. Fetching a feature's line of memory
is most of the work, and costs the same for one lane as for eight. Row 0 is the intercept.

The step is AdaGrad (Duchi, Hazan, Singer 2011) on values divided by their feature's own scale (after Ross, Mineiro,
Langford 2013), followed by a proximal, so always stable, step for L2 and L1 whose strength is divided by how often the
feature occurs (after McMahan 2011): over one pass every weight feels the same regularisation, be it rare or frequent.
A square root and a division for each weight would be much of the work, so the inverse root is an estimate, and nothing
is divided where nothing is regularised.
"""
# ruff: noqa: ANN001, ANN202 (numba infers a kernel's types; it takes arrays, not objects)

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from understudy import compiling as nb
from understudy.learner import classes
from understudy.learner.block import Block
from understudy.learner.kernels import DISMAY, LOGISTIC, PULL, REACH, SOFTMAX, STARTLE
from understudy.learner.lanes import (
    COMPILED,
    add_to,
    exp,
    float_at,
    id_at,
    inverse_root,
    lanes1,
    lanes4,
    lanes8,
    lanes16,
    least,
    load,
    most,
    size,
    spread,
    store,
    where_not_negative,
)
from understudy.learner.reading import AHEAD, addresses, number_at, within
from understudy.memory import int64_at, prefetch

_ONE, _NOT = np.float32(1), np.float32(0)

Floats = npt.NDArray[np.float32]


@nb.njit(inline="always")
def _log1p(x):  # type: ignore[no-untyped-def]
    """Compute log(1 + x) of lanes in [0, 1]; the polynomial of `kernels.log1p32`."""
    power = spread(x, np.float32(-8.3711526e-3))
    power = power * x + spread(x, np.float32(4.3493840e-2))
    power = power * x + spread(x, np.float32(-1.0685003e-1))
    power = power * x + spread(x, np.float32(1.7687477e-1))
    power = power * x + spread(x, np.float32(-2.4474774e-1))
    power = power * x + spread(x, np.float32(3.3271928e-1))
    power = power * x + spread(x, np.float32(-4.9997175e-1))
    power = power * x + spread(x, np.float32(9.9999978e-1))
    return power * x


@nb.njit(inline="always")
def _judged(code, scores, label, weight):  # type: ignore[no-untyped-def]
    """Return the weighted losses of one row's scores, and their slopes; `kernels.judge` of lanes."""
    zero, one = spread(scores, np.float32(0)), spread(scores, _ONE)
    truth, pull = spread(scores, label), spread(scores, weight)
    if code == LOGISTIC:
        tail = exp(zero - size(scores))
        loss = least(_log1p(tail) + most(scores, zero) - truth * scores, spread(scores, DISMAY))
        upper = one / (one + tail)
        return pull * loss, pull * (where_not_negative(scores, upper, tail * upper) - truth)
    residual = least(most(scores - truth, spread(scores, -STARTLE)), spread(scores, STARTLE))
    return pull * spread(scores, np.float32(0.5)) * residual * residual, pull * residual


@nb.njit(inline="always")
def _scored(zero, row, at, weights, stride):  # type: ignore[no-untyped-def]
    """Return one vector of a row's linear scores.

    `at` is what `addresses` gave, `weights` an address, `stride` the bytes between features.
    """
    scores = load(zero, weights)
    for k in range(at.ones_each):
        f = id_at(at.ones + 4 * at.ones_each * row, k)
        if f != 0:
            scores = scores + load(zero, weights + f * stride)
    for k in range(at.numbers_each):
        x, f = number_at(k, float_at(at.numbers + 4 * at.numbers_each * row, k), at.number_ids, at.missing_ids)
        if x != 0 and f != 0:
            x = within(x * float_at(at.traits, 2 * f), REACH)
            scores = scores + spread(zero, x) * load(zero, weights + f * stride)
    for k in range(int64_at(at.indptr, row), int64_at(at.indptr, row + 1)):
        f = id_at(at.ids, k)
        x = within(float_at(at.values, k) * float_at(at.traits, 2 * f), REACH)
        scores = scores + spread(zero, x) * load(zero, weights + f * stride)
    return scores


@nb.njit(inline="always")
def _step(place, sums, slopes, x, decay, amounts):  # type: ignore[no-untyped-def]
    """Move one feature's weights, at address `place`, against the slopes, then towards zero; `kernels.step` of lanes.

    `amounts` are the rates, these times L1 and times L2, and whether there is any L1 or L2: what is not is left out.
    """
    rate, rate_l1, rate_l2, sparing, shrinking = amounts
    g = slopes * spread(slopes, x)
    total = load(slopes, place + sums) + g * g
    pace = inverse_root(total)
    moved = load(slopes, place) - rate * g * pace
    if sparing:
        slack = rate_l1 * spread(slopes, decay) * pace
        moved = moved - least(most(moved, spread(slopes, _NOT) - slack), slack)
    if shrinking:
        moved = moved / (spread(slopes, _ONE) + rate_l2 * spread(slopes, decay) * pace)
    store(place + sums, total)
    store(place, moved)


@nb.njit(inline="always")
def _stepped(row, at, weights, stride, slopes, amounts):  # type: ignore[no-untyped-def]
    """Move the weights of all of one row's features in one vector of lanes; arguments as for `_scored`."""
    sums = stride >> 1
    _step(weights, sums, slopes, _ONE, _NOT, amounts)
    for k in range(at.ones_each):
        f = id_at(at.ones + 4 * at.ones_each * row, k)
        if f != 0:
            _step(weights + f * stride, sums, slopes, _ONE, float_at(at.traits, 2 * f + 1), amounts)
    for k in range(at.numbers_each):
        x, f = number_at(k, float_at(at.numbers + 4 * at.numbers_each * row, k), at.number_ids, at.missing_ids)
        if x != 0 and f != 0:
            x = within(x * float_at(at.traits, 2 * f), PULL)
            _step(weights + f * stride, sums, slopes, x, float_at(at.traits, 2 * f + 1), amounts)
    for k in range(int64_at(at.indptr, row), int64_at(at.indptr, row + 1)):
        f = id_at(at.ids, k)
        x = within(float_at(at.values, k) * float_at(at.traits, 2 * f), PULL)
        _step(weights + f * stride, sums, slopes, x, float_at(at.traits, 2 * f + 1), amounts)


@nb.njit(inline="always")
def _expect(place, order, last, at, weights, stride):  # type: ignore[no-untyped-def]
    """Ask for the memory that rows to come will need: for the rows first, half as far ahead for their features.

    `order` is an address, of `last` row numbers.
    """
    if place + 2 * AHEAD < last:
        row = int64_at(order, place + 2 * AHEAD)
        for first in range(0, at.ones_each, 16):
            prefetch(at.ones + 4 * (at.ones_each * row + first))
        prefetch(at.numbers + 4 * at.numbers_each * row)
        prefetch(at.labels + 4 * row)
        prefetch(at.importances + 4 * row)
    if place + AHEAD < last:
        row = int64_at(order, place + AHEAD)
        for k in range(at.ones_each):
            f = id_at(at.ones + 4 * at.ones_each * row, k)
            prefetch(weights + f * stride)
            prefetch(at.traits + 8 * f)


@nb.njit(inline="always")
def _learn(zero, code, rows, order, traits, state, rates, l1, l2, losses):  # type: ignore[no-untyped-def]
    """Learn with all lanes in one vector."""
    at, weights, stride, totals = addresses(rows, traits), state.ctypes.data, 4 * state.shape[1], losses.ctypes.data
    labels, importances, visits, last = at.labels, at.importances, order.ctypes.data, len(order)
    rate = load(zero, rates.ctypes.data)
    rate_l1, rate_l2 = rate * load(zero, l1.ctypes.data), rate * load(zero, l2.ctypes.data)
    amounts = rate, rate_l1, rate_l2, l1.any(), l2.any()
    for place in range(last):
        row = int64_at(visits, place)
        _expect(place, visits, last, at, weights, stride)
        scores = _scored(zero, row, at, weights, stride)
        loss, slopes = _judged(code, scores, float_at(labels, row), float_at(importances, row))
        add_to(totals, loss)
        _stepped(row, at, weights, stride, slopes, amounts)


@nb.njit(inline="always")
def _judge(zero, code, rows, order, traits, weights, losses):  # type: ignore[no-untyped-def]
    at, address, stride, totals = (
        addresses(rows, traits),
        weights.ctypes.data,
        4 * weights.shape[1],
        losses.ctypes.data,
    )
    visits, last = order.ctypes.data, len(order)
    for place in range(last):
        row = int64_at(visits, place)
        _expect(place, visits, last, at, address, stride)
        scores = _scored(zero, row, at, address, stride)
        loss, _ = _judged(code, scores, float_at(at.labels, row), float_at(at.importances, row))
        add_to(totals, loss)


@nb.njit(**COMPILED)
def _learn1(code, rows, order, traits, state, rates, l1, l2, losses):  # type: ignore[no-untyped-def]
    _learn(lanes1(), code, rows, order, traits, state, rates, l1, l2, losses)


@nb.njit(**COMPILED)
def _learn4(code, rows, order, traits, state, rates, l1, l2, losses):  # type: ignore[no-untyped-def]
    _learn(lanes4(), code, rows, order, traits, state, rates, l1, l2, losses)


@nb.njit(**COMPILED)
def _learn8(code, rows, order, traits, state, rates, l1, l2, losses):  # type: ignore[no-untyped-def]
    _learn(lanes8(), code, rows, order, traits, state, rates, l1, l2, losses)


@nb.njit(**COMPILED)
def _learn16(code, rows, order, traits, state, rates, l1, l2, losses):  # type: ignore[no-untyped-def]
    _learn(lanes16(), code, rows, order, traits, state, rates, l1, l2, losses)


@nb.njit(**COMPILED)
def _judge1(code, rows, order, traits, weights, losses):  # type: ignore[no-untyped-def]
    _judge(lanes1(), code, rows, order, traits, weights, losses)


@nb.njit(**COMPILED)
def _judge4(code, rows, order, traits, weights, losses):  # type: ignore[no-untyped-def]
    _judge(lanes4(), code, rows, order, traits, weights, losses)


@nb.njit(**COMPILED)
def _judge8(code, rows, order, traits, weights, losses):  # type: ignore[no-untyped-def]
    _judge(lanes8(), code, rows, order, traits, weights, losses)


@nb.njit(**COMPILED)
def _judge16(code, rows, order, traits, weights, losses):  # type: ignore[no-untyped-def]
    _judge(lanes16(), code, rows, order, traits, weights, losses)


_LEARN = {1: _learn1, 4: _learn4, 8: _learn8, 16: _learn16}
_JUDGE = {1: _judge1, 4: _judge4, 8: _judge8, 16: _judge16}


def filled_up(lanes: int, code: int) -> int:
    """Return the width of a state with room for so many lanes: whole vectors."""
    if code == SOFTMAX:
        return -(-lanes // 16) * 16
    return next(width for width in _LEARN if width >= lanes)


def learn_rows(
    code: int,
    rows: Block,
    order: npt.NDArray[np.int64],
    traits: Floats,
    state: Floats,
    lanes: int,
    amounts: tuple[Floats, Floats, Floats],
    candidates: int,
) -> npt.NDArray[np.float64]:
    """Predict, then learn, the rows in `order`; return the sum of their losses from before their steps by candidate.

    Shapes: order int64[any]; traits float32[features, 2], (1 / scale, 1 / frequency); state float32[features,
    2 x width], whose lanes are candidates x outputs; amounts (rates, l1, l2) each float32[width], 0 beyond the lanes.
    """
    if code == SOFTMAX:
        return classes.learn_rows(rows, order, traits, state, lanes, amounts, candidates)
    losses = np.zeros(state.shape[1] // 2)
    _LEARN[len(losses)](code, rows, order, traits, state, *amounts, losses)
    return losses[:candidates]


def judge_rows(
    code: int,
    rows: Block,
    order: npt.NDArray[np.int64],
    traits: Floats,
    weights: Floats,
    width: int,
    lanes: int,
    candidates: int,
) -> npt.NDArray[np.float64]:
    """Return the sum of losses of the rows in `order` by candidate; learn nothing.

    Shapes as in `learn_rows`, but `weights` is float32[features, width or more]: a state, or its mean.
    """
    if code == SOFTMAX:
        return classes.judge_rows(rows, order, traits, weights, width, lanes, candidates)
    losses = np.zeros(width)
    _JUDGE[width](code, rows, order, traits, weights, losses)
    return losses[:candidates]
