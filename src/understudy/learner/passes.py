"""One pass of stochastic gradient descent over many rows, many candidates side by side in the lanes of vectors.

A candidate's weights stand in *lanes*: `state[f, :width]` holds feature f's weights and `state[f, width:]` its sums of
squared gradients, where width is candidates x outputs, filled up to whole vectors. Fetching a feature's line of memory
is most of the work, and costs the same for one lane as for eight. Row 0 is the intercept.

The step is AdaGrad (Duchi, Hazan, Singer 2011) on values divided by their feature's own scale (after Ross, Mineiro,
Langford 2013), followed by a proximal, so always stable, step for L2 and L1 whose strength is divided by how often the
feature occurs (after McMahan 2011): over one pass every weight feels the same regularisation, be it rare or frequent.
"""
# ruff: noqa: ANN001, ANN202 (numba infers a kernel's types; it takes arrays, not objects)

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from understudy import compiling as nb
from understudy.learner.block import Block
from understudy.learner.kernels import DISMAY, LOGISTIC, PULL, REACH, SOFTMAX, STARTLE, softmax
from understudy.learner.lanes import (
    add_to,
    floor,
    lanes1,
    lanes4,
    lanes8,
    lanes16,
    least,
    load,
    most,
    power_of_two,
    prefetch,
    root,
    size,
    spread,
    store,
    where_positive,
)

_FAST = {"nsz", "arcp", "contract", "afn", "reassoc"}  # all but the flags that would make NaN tests void
_ONE, _NOT = np.float32(1), np.float32(0)

Floats = npt.NDArray[np.float32]

AHEAD = 8
"""Rows ahead for which memory is asked: about as long as it takes to come."""


@nb.njit(inline="always")
def _exp(x):  # type: ignore[no-untyped-def]
    """Compute exp of lanes, relative error below 3e-7; the polynomial of `kernels.exp32`."""
    x = least(most(x, spread(x, np.float32(-87))), spread(x, np.float32(87))) * spread(
        x, np.float32(1.4426950408889634)
    )
    whole = floor(x + spread(x, np.float32(0.5)))
    part = x - whole
    power = spread(x, np.float32(1.5403530e-4))
    power = power * part + spread(x, np.float32(1.3333558e-3))
    power = power * part + spread(x, np.float32(9.6181291e-3))
    power = power * part + spread(x, np.float32(5.5504109e-2))
    power = power * part + spread(x, np.float32(2.4022651e-1))
    power = power * part + spread(x, np.float32(6.9314718e-1))
    power = power * part + spread(x, _ONE)
    return power * power_of_two(whole)


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
        tail = _exp(zero - size(scores))
        loss = least(_log1p(tail) + most(scores, zero) - truth * scores, spread(scores, DISMAY))
        upper = one / (one + tail)
        return pull * loss, pull * (where_positive(scores, upper, tail * upper) - truth)
    residual = least(most(scores - truth, spread(scores, -STARTLE)), spread(scores, STARTLE))
    return pull * spread(scores, np.float32(0.5)) * residual * residual, pull * residual


@nb.njit(inline="always")
def _within(x, bound):  # type: ignore[no-untyped-def]
    return min(max(x, -bound), bound)


@nb.njit(inline="always")
def _scored(zero, row, rows, traits, weights, stride):  # type: ignore[no-untyped-def]
    """Return one vector of a row's linear scores; `weights` is its address, `stride` the bytes between features."""
    scores = load(zero, weights)
    for k in range(rows.ones.shape[1]):
        f = np.int64(rows.ones[row, k])
        if f != 0:
            scores = scores + load(zero, weights + f * stride)
    for k in range(rows.numbers.shape[1]):
        x, f = rows.numbers[row, k], np.int64(rows.number_ids[k])
        if np.isnan(x):
            x, f = _ONE, np.int64(rows.missing_ids[k])
        if x != 0 and f != 0:
            scores = scores + spread(zero, _within(x * traits[f, 0], REACH)) * load(zero, weights + f * stride)
    for k in range(rows.indptr[row], rows.indptr[row + 1]):
        f = np.int64(rows.ids[k])
        scores = scores + spread(zero, _within(rows.values[k] * traits[f, 0], REACH)) * load(zero, weights + f * stride)
    return scores


@nb.njit(inline="always")
def _step(place, sums, slopes, x, decay, rate, rate_l1, rate_l2):  # type: ignore[no-untyped-def]
    """Move one feature's weights, at address `place`, against the slopes, then towards zero; `kernels.step` of lanes.

    With pace = rate / root the new weight is (w - pace g) less pace l1 decay, divided by 1 + pace l2 decay; numerator
    and denominator times the root, it takes one division.
    """
    g = slopes * spread(slopes, x)
    total = load(slopes, place + sums) + g * g
    steep = root(total)
    moved = load(slopes, place) * steep - rate * g
    slack = rate_l1 * spread(slopes, decay)
    moved = moved - least(most(moved, spread(slopes, _NOT) - slack), slack)
    store(place + sums, total)
    store(place, moved / (steep + rate_l2 * spread(slopes, decay)))


@nb.njit(inline="always")
def _stepped(row, rows, traits, weights, stride, slopes, rate, rate_l1, rate_l2):  # type: ignore[no-untyped-def]
    """Move the weights of all of one row's features in one vector of lanes; arguments as for `_scored`."""
    sums = stride >> 1
    _step(weights, sums, slopes, _ONE, _NOT, rate, rate_l1, rate_l2)
    for k in range(rows.ones.shape[1]):
        f = np.int64(rows.ones[row, k])
        if f != 0:
            _step(weights + f * stride, sums, slopes, _ONE, traits[f, 1], rate, rate_l1, rate_l2)
    for k in range(rows.numbers.shape[1]):
        x, f = rows.numbers[row, k], np.int64(rows.number_ids[k])
        if np.isnan(x):
            x, f = _ONE, np.int64(rows.missing_ids[k])
        if x != 0 and f != 0:
            x = _within(x * traits[f, 0], PULL)
            _step(weights + f * stride, sums, slopes, x, traits[f, 1], rate, rate_l1, rate_l2)
    for k in range(rows.indptr[row], rows.indptr[row + 1]):
        f = np.int64(rows.ids[k])
        x = _within(rows.values[k] * traits[f, 0], PULL)
        _step(weights + f * stride, sums, slopes, x, traits[f, 1], rate, rate_l1, rate_l2)


@nb.njit(inline="always")
def _expect(row, rows, weights, stride):  # type: ignore[no-untyped-def]
    """Ask for the memory that a row to come will need."""
    for k in range(rows.ones.shape[1]):
        prefetch(weights + np.int64(rows.ones[row, k]) * stride)


@nb.njit(inline="always")
def _learn(zero, code, rows, order, traits, state, rates, l1, l2, losses):  # type: ignore[no-untyped-def]
    """Learn with all lanes in one vector."""
    weights, stride = state.ctypes.data, 4 * state.shape[1]
    rate = load(zero, rates.ctypes.data)
    rate_l1, rate_l2 = rate * load(zero, l1.ctypes.data), rate * load(zero, l2.ctypes.data)
    for place in range(len(order)):
        row = order[place]
        if place + AHEAD < len(order):
            _expect(order[place + AHEAD], rows, weights, stride)
        scores = _scored(zero, row, rows, traits, weights, stride)
        loss, slopes = _judged(code, scores, rows.labels[row], rows.weights[row])
        add_to(losses.ctypes.data, loss)
        _stepped(row, rows, traits, weights, stride, slopes, rate, rate_l1, rate_l2)


@nb.njit(inline="always")
def _judge(zero, code, rows, order, traits, weights, losses):  # type: ignore[no-untyped-def]
    address, stride = weights.ctypes.data, 4 * weights.shape[1]
    for row in order:
        scores = _scored(zero, row, rows, traits, address, stride)
        loss, _ = _judged(code, scores, rows.labels[row], rows.weights[row])
        add_to(losses.ctypes.data, loss)


_COMPILED = {"nogil": True, "cache": True, "fastmath": _FAST, "error_model": "numpy"}


@nb.njit(**_COMPILED)
def _learn1(code, rows, order, traits, state, rates, l1, l2, losses):  # type: ignore[no-untyped-def]
    _learn(lanes1(), code, rows, order, traits, state, rates, l1, l2, losses)


@nb.njit(**_COMPILED)
def _learn4(code, rows, order, traits, state, rates, l1, l2, losses):  # type: ignore[no-untyped-def]
    _learn(lanes4(), code, rows, order, traits, state, rates, l1, l2, losses)


@nb.njit(**_COMPILED)
def _learn8(code, rows, order, traits, state, rates, l1, l2, losses):  # type: ignore[no-untyped-def]
    _learn(lanes8(), code, rows, order, traits, state, rates, l1, l2, losses)


@nb.njit(**_COMPILED)
def _learn16(code, rows, order, traits, state, rates, l1, l2, losses):  # type: ignore[no-untyped-def]
    _learn(lanes16(), code, rows, order, traits, state, rates, l1, l2, losses)


@nb.njit(**_COMPILED)
def _learn_classes(rows, order, traits, state, lanes, rates, l1, l2, losses):  # type: ignore[no-untyped-def]
    """Learn with a score for each class, in as many vectors as it takes; the scores meet in memory."""
    zero, vector = lanes16(), 64
    weights, stride, width = state.ctypes.data, 4 * state.shape[1], len(rates)
    scores = np.zeros(width, np.float32)
    real, slopes = scores[:lanes], scores.ctypes.data
    for row in order:
        for first in range(0, 4 * width, vector):
            store(slopes + first, _scored(zero, row, rows, traits, weights + first, stride))
        softmax(real, np.int64(rows.labels[row]), rows.weights[row], losses)
        for first in range(0, 4 * width, vector):
            rate = load(zero, rates.ctypes.data + first)
            rate_l1 = rate * load(zero, l1.ctypes.data + first)
            rate_l2 = rate * load(zero, l2.ctypes.data + first)
            slope = load(zero, slopes + first)
            _stepped(row, rows, traits, weights + first, stride, slope, rate, rate_l1, rate_l2)


@nb.njit(**_COMPILED)
def _judge1(code, rows, order, traits, weights, losses):  # type: ignore[no-untyped-def]
    _judge(lanes1(), code, rows, order, traits, weights, losses)


@nb.njit(**_COMPILED)
def _judge4(code, rows, order, traits, weights, losses):  # type: ignore[no-untyped-def]
    _judge(lanes4(), code, rows, order, traits, weights, losses)


@nb.njit(**_COMPILED)
def _judge8(code, rows, order, traits, weights, losses):  # type: ignore[no-untyped-def]
    _judge(lanes8(), code, rows, order, traits, weights, losses)


@nb.njit(**_COMPILED)
def _judge16(code, rows, order, traits, weights, losses):  # type: ignore[no-untyped-def]
    _judge(lanes16(), code, rows, order, traits, weights, losses)


@nb.njit(**_COMPILED)
def _judge_classes(rows, order, traits, weights, width, lanes, losses):  # type: ignore[no-untyped-def]
    address, stride = weights.ctypes.data, 4 * weights.shape[1]
    scores = np.zeros(width, np.float32)
    real, slopes = scores[:lanes], scores.ctypes.data
    for row in order:
        for first in range(0, 4 * width, 64):
            store(slopes + first, _scored(lanes16(), row, rows, traits, address + first, stride))
        softmax(real, np.int64(rows.labels[row]), rows.weights[row], losses)


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
        losses = np.zeros(candidates)
        _learn_classes(rows, order, traits, state, lanes, *amounts, losses)
    else:
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
        losses = np.zeros(candidates)
        _judge_classes(rows, order, traits, weights, width, lanes, losses)
    else:
        losses = np.zeros(width)
        _JUDGE[width](code, rows, order, traits, weights, losses)
    return losses[:candidates]
