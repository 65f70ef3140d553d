"""A learner that goes on learning: predict, then learn, one labelled row at a time, by the step of a pass.

One call of one compiled kernel for each: what else there would be to do for a single row costs more than to learn it.
The step is `kernels.step`, compiled into the kernel here.
"""
# ruff: noqa: ANN001, ANN202 (numba infers a kernel's types; it takes arrays, not objects)

from __future__ import annotations

import math
from dataclasses import replace
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from understudy import compiling as nb
from understudy.errors import InvalidInput
from understudy.features import Features
from understudy.learner.kernels import FIRST_SUM, LOGISTIC, SQUARED, SparseRows, judge_rows, learn_rows
from understudy.learner.kernels import score as score_row
from understudy.learner.learner import Fit, refuse_labels
from understudy.learner.losses import loss_named, probabilities
from understudy.learner.scoring import probability
from understudy.learner.vocabulary import _ID, _SMALL, Indexed, Vocabulary, _grow, _slot

Floats = npt.NDArray[np.float32]

_DONE, _NOT_FINITE, _NO_ROOM = 0, 1, 2
"""What a kernel says of a row: only in the first case it has done anything."""


@nb.njit(inline="always")
def _only_row(ids, values, size, label, weight):  # type: ignore[no-untyped-def]
    """Return one row as the kernels read rows; the first `size` ids and values are its features."""
    return SparseRows(
        np.array([0, size]), ids, values, np.array([label], dtype=np.float32), np.array([weight], dtype=np.float32)
    )


@nb.njit(inline="always")
def _unit(scale):  # type: ignore[no-untyped-def]
    """Return what a feature's values are divided by; `Vocabulary.scales_of` says so of many."""
    return scale if (0 < scale < _SMALL) or scale > 1 else np.float32(1)


@nb.njit(inline="always")
def _all_finite(values):  # type: ignore[no-untyped-def]
    return np.isfinite(values).all()


@nb.njit(nogil=True, cache=True)
def _predict(keys, values, known, table, traits, state, scores):  # type: ignore[no-untyped-def]
    """Write a row's linear scores, float32[outputs]; return how it went."""
    if not _all_finite(values):
        return _NOT_FINITE
    ids, kept, size = np.empty(len(keys), np.uint32), np.empty(len(keys), np.float32), 0
    for k in range(len(keys)):
        feature = np.uint32(table[_slot(keys[k], known, table)] & _ID)
        if feature != 0:
            ids[size], kept[size] = feature, values[k]
            size += 1
    score_row(0, _only_row(ids, kept, size, 0.0, 1.0), traits, state, scores)
    return _DONE


@nb.njit(nogil=True, cache=True)
def _learn(  # type: ignore[no-untyped-def]
    code, keys, values, label, weight, rows, size, limit, known, table, traits, state, amounts
):
    """Take one step on a row, its new features added to the `size` there are: up to `limit`.

    `rows` are those seen, this one included; `amounts` float32[3, outputs] are rates, L1 and L2. Returns how it went,
    the loss from before the step, the new size, and how many features were dropped.
    """
    if not _all_finite(values):
        return _NOT_FINITE, 0.0, size, 0
    if min(size + len(keys), limit) > min(len(known), len(state)):
        return _NO_ROOM, 0.0, size, 0
    ids = np.zeros(len(keys), np.uint32)
    _, size = _grow(keys, np.ones(len(keys), np.uint32), values, 0, size, limit, known, table, ids)
    kept, held = np.empty(len(keys), np.float32), 0
    outputs = amounts.shape[1]
    for k in range(len(keys)):
        f = ids[k]
        if f == 0:
            continue
        ids[held], kept[held] = f, values[k]
        held += 1
        # Where a scale moved, the weight moves against it: scores stay.
        shrink = np.float32(1) / _unit(known[f]["scale"])
        for output in range(outputs):
            state[f, output] *= traits[f, 0] / shrink
        traits[f, 0] = shrink
        traits[f, 1] = rows / known[f]["count"]
    losses = np.zeros(1)
    row = _only_row(ids, kept, held, label, weight)
    learn_rows(code, row, np.zeros(1, np.int64), traits, state, amounts[0], amounts[1], amounts[2], losses)
    return _DONE, losses[0], size, len(keys) - held


class Learner:
    """Learns on from a fit, at the pace where the fit's last pass ended. One writer at a time.

    A feature met for the first time gets a weight of its own, until `Vocabulary` is full. What is known of the features
    (scale, frequency) moves on with every row, too.
    """

    def __init__(self, fit: Fit) -> None:
        self._fit = fit
        self._code = loss_named(fit.loss).code
        self._outputs = len(fit.intercept)
        self._classes = {SQUARED: 0, LOGISTIC: 2}.get(self._code, self._outputs)
        self._vocabulary = Vocabulary.of(fit.keys, fit.counts, fit.scales)
        self._rows = fit.rows
        lanes = np.concatenate([(fit.intercept - fit.center)[None], fit.weights * fit.scales[:, None]]) / fit.spread
        self._state = np.concatenate([lanes, fit.sums], axis=1).astype(np.float32)
        self._traits = np.zeros((len(self._state), 2), np.float32)
        self._traits[0] = 1, 0
        self._traits[1:, 0] = 1 / fit.scales
        paces = fit.candidate.rate / fit.passes**0.5, fit.candidate.l1, fit.candidate.l2
        self._amounts = np.repeat(np.array(paces, np.float32)[:, None], self._outputs, axis=1)
        self._load_kernels()

    def predict_one(self, features: Features) -> npt.NDArray[np.float64]:
        """Return probabilities, or the number, for one row, float64[outputs]; changes nothing.

        Raises InvalidInput where a value is not finite.
        """
        scores = np.empty(self._outputs, np.float32)
        keys, values = _plain(features)
        if _predict(keys, values, self._vocabulary._known, self._vocabulary._table, self._traits, self._state, scores):
            self._refuse_values(features)
        if self._code == LOGISTIC:
            return np.array([probability(scores.item())])
        decision = scores.astype(np.float64) * self._fit.spread + self._fit.center
        prediction: npt.NDArray[np.float64] = probabilities(decision[None], self._fit.loss)[0]
        return prediction

    def loss_one(self, features: Features, label: float) -> float:
        """Return one row's loss in the loss's unit; changes nothing. Raises as `learn_one` does."""
        self._refuse(label, 1.0)
        losses = np.zeros(1)
        row = self._block(self._vocabulary.index(features, grow=False), label, 1.0)
        judge_rows(self._code, row, np.arange(1), self._traits, self._state, self._outputs, losses)
        return float(losses[0]) * self._fit.spread**2

    def learn_one(self, features: Features, label: float, weight: float = 1.0) -> float:
        """Take one step on one row; return its loss from before the step, in the loss's unit, times its weight.

        Raises InvalidInput where a value, the label or the weight is not finite, TrainingError where the label is no
        class; the learner is then unchanged.
        """
        self._refuse(label, weight)
        keys, values = _plain(features)
        standard, vocabulary = (label - self._fit.center) / self._fit.spread, self._vocabulary
        done = _NO_ROOM
        while done == _NO_ROOM:
            done, loss, size, dropped = _learn(
                self._code,
                keys,
                values,
                float(standard),
                float(weight),
                self._rows + 1,
                vocabulary.size,
                vocabulary.limit,
                vocabulary._known,
                vocabulary._table,
                self._traits,
                self._state,
                self._amounts,
            )
            if done == _NO_ROOM:
                self._make_room(vocabulary.size + len(keys))
        if done == _NOT_FINITE:
            self._refuse_values(features)
        self._rows += 1
        vocabulary.size = size
        vocabulary.dropped += dropped
        return float(loss) * self._fit.spread**2

    def snapshot(self) -> Fit:
        """Return the weights of this moment as a fit of their own."""
        size, outputs = self._vocabulary.size, self._outputs
        order = np.argsort(self._vocabulary.keys[1:]) + 1
        lanes, sums = self._state[:size, :outputs], self._state[:size, outputs:]
        scales = self._vocabulary.scales[order]
        return replace(
            self._fit,
            keys=self._vocabulary.keys[order],
            weights=(lanes[order] / scales[:, None] * self._fit.spread).astype(np.float32),
            intercept=lanes[0].astype(np.float64) * self._fit.spread + self._fit.center,
            counts=self._vocabulary.counts[order],
            scales=scales,
            sums=np.concatenate([sums[:1], sums[order]]),
            rows=self._rows,
        )

    def _refuse(self, label: float, weight: float) -> None:
        if not math.isfinite(label):
            raise InvalidInput(f"the label is {label}, where a finite number was expected", "Leave the row out.")
        if not 0 <= weight < math.inf:
            raise InvalidInput(
                f"the weight is {weight}, where a finite number of 0 or more was expected", "Correct it."
            )
        if self._classes and not (0 <= label < self._classes and label == int(label)):
            refuse_labels(np.array([label], np.float32), self._code, self._outputs)

    def _refuse_values(self, features: Features) -> NoReturn:
        """Say which value is not finite; raises InvalidInput."""
        self._vocabulary.index(features, grow=False)
        raise AssertionError("the kernel found a value that is not finite, the vocabulary none")

    def _block(self, row: Indexed, label: float, weight: float) -> SparseRows:
        standard = (label - self._fit.center) / self._fit.spread
        return SparseRows(*row, np.array([standard], np.float32), np.array([weight], np.float32))

    def _make_room(self, size: int) -> None:
        """Have room for so many features, for half as many again in weights and traits."""
        if size > len(self._vocabulary._known):
            self._vocabulary._reserve(size)
        missing = size - len(self._state)
        if missing > 0:
            more = max(missing, len(self._state) // 2)
            fresh = np.zeros((more, 2 * self._outputs), np.float32)
            fresh[:, self._outputs :] = FIRST_SUM
            self._state = np.concatenate([self._state, fresh])
            self._traits = np.concatenate([self._traits, np.zeros((more, 2), np.float32)])

    def _load_kernels(self) -> None:
        """Read the kernels from their cache, and let them work on copies: no row is to wait for that."""
        keys, values = np.empty(0, np.uint64), np.empty(0, np.float32)
        known, table, traits, state = (
            self._vocabulary._known,
            self._vocabulary._table,
            self._traits,
            self._state[:1].copy(),
        )
        _predict(keys, values, known, table, traits, state, np.empty(self._outputs, np.float32))
        _learn(self._code, keys, values, 0.0, 0.0, 1, 1, 1, known, table, traits, state, self._amounts)


def _plain(features: Features) -> tuple[npt.NDArray[np.uint64], Floats]:
    """Return one row's keys and values as the kernels take them."""
    return np.ascontiguousarray(features.keys, np.uint64), np.ascontiguousarray(features.values, np.float32)
