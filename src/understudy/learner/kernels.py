"""Stochastic gradient descent over sparse rows as plain loops: what learns on row by row, and what `passes` is held to.

A candidate's weights stand in *lanes*: `state[f, :width]` holds feature f's weights and `state[f, width:]` its sums of
squared gradients, where width = candidates x outputs. Row 0 of the state is the intercept.

The step is AdaGrad (Duchi, Hazan, Singer 2011) on values divided by their feature's own scale (after Ross, Mineiro,
Langford 2013), followed by a proximal, so always stable, step for L2 and L1 whose strength is divided by how often the
feature occurs (after McMahan 2011): over one pass every weight feels the same regularisation, be it rare or frequent.
"""
# ruff: noqa: ANN001, ANN201 (numba infers a kernel's types; it takes arrays, not objects)

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from understudy import compiling as nb

LOGISTIC, SQUARED, SOFTMAX = 0, 1, 2

FIRST_SUM = 1.0
"""What a sum of squared gradients starts at: a feature's very first step can not be a full stride."""
PULL = np.float32(8)
"""The value, in units of its feature's scale, beyond which a value pulls no harder."""
REACH = np.float32(1e6)
"""The value, in units of its feature's scale, beyond which a value counts as this one: scores stay finite."""
STARTLE = np.float32(5)
"""The residual, in standard deviations of the target, beyond which a row pulls no harder and costs no more."""
DISMAY = np.float32(16)
"""The loss in nats, that of a probability near 1e-7, beyond which a row costs no more: no row decides alone."""


class SparseRows(NamedTuple):
    """Rows as single ones come: row i holds ids[indptr[i]:indptr[i + 1]] and the values at the same places."""

    indptr: npt.NDArray[np.int64]
    ids: npt.NDArray[np.uint32]
    values: npt.NDArray[np.float32]
    labels: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]


_FAST = {"nsz", "arcp", "contract", "afn", "reassoc"}  # all but the flags that would make NaN tests void
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)


@nb.njit(inline="always")
def exp32(x):  # type: ignore[no-untyped-def]
    """Compute exp, relative error below 3e-7, without a call, so that loops over it vectorise."""
    x = min(max(x, np.float32(-87)), np.float32(87)) * np.float32(1.4426950408889634)
    whole = np.floor(x + _HALF)
    part = x - whole
    power = np.float32(1.5403530e-4)
    power = power * part + np.float32(1.3333558e-3)
    power = power * part + np.float32(9.6181291e-3)
    power = power * part + np.float32(5.5504109e-2)
    power = power * part + np.float32(2.4022651e-1)
    power = power * part + np.float32(6.9314718e-1)
    power = power * part + _ONE
    return power * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


@nb.njit(inline="always")
def log1p32(x):  # type: ignore[no-untyped-def]
    """Compute log(1 + x) for x in [0, 1], absolute error below 3e-7, without a call; Chebyshev interpolation."""
    power = np.float32(-8.3711526e-3)
    power = power * x + np.float32(4.3493840e-2)
    power = power * x + np.float32(-1.0685003e-1)
    power = power * x + np.float32(1.7687477e-1)
    power = power * x + np.float32(-2.4474774e-1)
    power = power * x + np.float32(3.3271928e-1)
    power = power * x + np.float32(-4.9997175e-1)
    power = power * x + np.float32(9.9999978e-1)
    return power * x


@nb.njit(inline="always")
def inverse_root32(x):  # type: ignore[no-untyped-def]
    """Estimate 1 / sqrt(x) of a number above 0, relative error below 7e-4, out of its bits (Kadlec 2010).

    To halve the exponent and turn its sign comes near; one step of Newton's, its constants fitted, comes nearer.
    """
    half = np.float32(x).view(np.int32) >> np.int32(1)
    guess = np.int32(np.int32(0x5F1FFFF9) - half).view(np.float32)
    return np.float32(0.703952253) * guess * (np.float32(2.38924456) - x * guess * guess)


@nb.njit(nogil=True, fastmath=_FAST, error_model="numpy")
def score(row, rows, traits, weights, out):  # type: ignore[no-untyped-def]
    """Write one row's linear score in every lane to `out`."""
    width = len(out)
    for lane in range(width):
        out[lane] = weights[0, lane]
    for k in range(rows.indptr[row], rows.indptr[row + 1]):
        f = rows.ids[k]
        x = min(max(rows.values[k] * traits[f, 0], -REACH), REACH)
        for lane in range(width):
            out[lane] += x * weights[f, lane]


@nb.njit(nogil=True, fastmath=_FAST, error_model="numpy")
def logistic(scores, label, weight, losses):  # type: ignore[no-untyped-def]
    """Turn scores into gradients; add the losses log(1 + exp(-|s|)) + max(s, 0) - label * s."""
    for lane in range(len(scores)):
        s = scores[lane]
        tail = exp32(-abs(s))
        losses[lane] += weight * min(log1p32(tail) + max(s, _ZERO) - label * s, DISMAY)
        upper = _ONE / (_ONE + tail)
        scores[lane] = weight * ((upper if s >= _ZERO else tail * upper) - label)


@nb.njit(nogil=True, fastmath=_FAST, error_model="numpy")
def squared(scores, label, weight, losses):  # type: ignore[no-untyped-def]
    """Turn scores into gradients, held within STARTLE; add the losses (s - label)^2 / 2."""
    for lane in range(len(scores)):
        residual = min(max(scores[lane] - label, -STARTLE), STARTLE)
        losses[lane] += weight * _HALF * residual * residual
        scores[lane] = weight * residual


@nb.njit(nogil=True, fastmath=_FAST, error_model="numpy")
def softmax(scores, label, weight, losses):  # type: ignore[no-untyped-def]
    """Turn each candidate's scores, one for each class, into gradients; add log(sum of exp(s)) - s[label]."""
    outputs = len(scores) // len(losses)
    for candidate in range(len(losses)):
        first = candidate * outputs
        top = scores[first]
        for lane in range(first, first + outputs):
            top = max(top, scores[lane])
        truth = scores[first + label] - top
        total = _ZERO
        for lane in range(first, first + outputs):
            scores[lane] = exp32(scores[lane] - top)
            total += scores[lane]
        losses[candidate] += weight * min(np.log(total) - truth, DISMAY)
        share = weight / total
        for lane in range(first, first + outputs):
            scores[lane] *= share
        scores[first + label] -= weight


@nb.njit(nogil=True, fastmath=_FAST, error_model="numpy")
def judge(code, scores, label, weight, losses):  # type: ignore[no-untyped-def]
    """Add each candidate's weighted loss to `losses`; turn `scores` into gradients with regard to them."""
    if code == LOGISTIC:
        logistic(scores, label, weight, losses)
    elif code == SQUARED:
        squared(scores, label, weight, losses)
    else:
        softmax(scores, np.int64(label), weight, losses)


@nb.njit(nogil=True, fastmath=_FAST, error_model="numpy")
def step(f, x, decay, gradients, state, rates, l1, l2):  # type: ignore[no-untyped-def]
    """Move feature f's weights against the gradients, then towards zero; `decay` is 1 / frequency (0: not at all)."""
    width = len(gradients)
    for lane in range(width):
        g = gradients[lane] * x
        total = state[f, width + lane] + g * g
        pace = rates[lane] * inverse_root32(total)
        moved = state[f, lane] - pace * g
        slack = pace * l1[lane] * decay
        state[f, width + lane] = total
        state[f, lane] = (moved - min(max(moved, -slack), slack)) / (_ONE + pace * l2[lane] * decay)


@nb.njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")
def learn_rows(code, rows, order, traits, state, rates, l1, l2, losses):  # type: ignore[no-untyped-def]
    """Predict, then learn, the rows in `order`; add their losses from before their steps to `losses`.

    Shapes: order int64[any]; traits float32[features, 2], (1 / scale, 1 / frequency); state float32[features,
    2 x width]; rates, l1, l2 float32[width]; losses float64[candidates], where width = candidates x outputs.
    """
    gradients = np.empty(len(rates), np.float32)
    for row in order:
        score(row, rows, traits, state, gradients)
        judge(code, gradients, rows.labels[row], rows.weights[row], losses)
        step(0, _ONE, _ZERO, gradients, state, rates, l1, l2)
        for k in range(rows.indptr[row], rows.indptr[row + 1]):
            f = rows.ids[k]
            x = min(max(rows.values[k] * traits[f, 0], -PULL), PULL)
            step(f, x, traits[f, 1], gradients, state, rates, l1, l2)


@nb.njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")
def judge_rows(code, rows, order, traits, weights, width, losses):  # type: ignore[no-untyped-def]
    """Add the losses of the rows in `order` to `losses`; learn nothing.

    Shapes as in `learn_rows`, but `weights` is float32[features, width or more]: a state, or its mean.
    """
    scores = np.empty(width, np.float32)
    for row in order:
        score(row, rows, traits, weights, scores)
        judge(code, scores, rows.labels[row], rows.weights[row], losses)


@nb.njit(nogil=True, cache=True)
def follow_weights(mean, state, share):  # type: ignore[no-untyped-def]
    """Move the running mean of the weights, float32[features, width], by `share` of the way to those of the state."""
    for f in range(len(mean)):
        for lane in range(mean.shape[1]):
            mean[f, lane] += share * (state[f, lane] - mean[f, lane])
