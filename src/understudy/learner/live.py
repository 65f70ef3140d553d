"""A learner that goes on learning: predict, then learn, one labelled row at a time, by the same kernels as a pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from understudy.errors import InvalidInput
from understudy.features import Features
from understudy.learner.kernels import FIRST_SUM, SparseRows, judge_rows, learn_rows
from understudy.learner.kernels import score as score_row
from understudy.learner.learner import Fit, refuse_labels
from understudy.learner.losses import loss_named, probabilities
from understudy.learner.vocabulary import Indexed, Vocabulary

Floats = npt.NDArray[np.float32]


class Learner:
    """Learns on from a fit, at the pace where the fit's last pass ended. One writer at a time.

    A feature met for the first time gets a weight of its own, until `Vocabulary` is full. What is known of the features
    (scale, frequency) moves on with every row, too.
    """

    def __init__(self, fit: Fit) -> None:
        self._fit = fit
        self._code = loss_named(fit.loss).code
        self._outputs = len(fit.intercept)
        self._vocabulary = Vocabulary.of(fit.keys, fit.counts, fit.scales)
        self._rows = fit.rows
        lanes = np.concatenate([(fit.intercept - fit.center)[None], fit.weights * fit.scales[:, None]]) / fit.spread
        self._state = np.concatenate([lanes, fit.sums], axis=1).astype(np.float32)
        self._traits = np.zeros((len(self._state), 2), np.float32)
        self._traits[0] = 1, 0
        self._traits[1:, 0] = 1 / fit.scales
        self._amounts = tuple(
            np.full(self._outputs, amount, np.float32)
            for amount in (fit.candidate.rate / fit.passes**0.5, fit.candidate.l1, fit.candidate.l2)
        )

    def predict_one(self, features: Features) -> npt.NDArray[np.float64]:
        """Return probabilities, or the number, for one row, float64[outputs]; changes nothing.

        Raises InvalidInput where a value is not finite.
        """
        scores = np.empty(self._outputs, np.float32)
        row = self._block(self._vocabulary.index(features, grow=False), 0.0, 1.0)
        score_row(0, row, self._traits, self._state, scores)
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
        indexed = self._vocabulary.index(features, grow=True)
        self._rows += 1
        self._make_room()
        self._follow(indexed.ids)
        losses = np.zeros(1)
        row = self._block(indexed, label, weight)
        learn_rows(self._code, row, np.arange(1), self._traits, self._state, *self._amounts, losses)
        return float(losses[0]) * self._fit.spread**2

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
        if not np.isfinite(label):
            raise InvalidInput(f"the label is {label}, where a finite number was expected", "Leave the row out.")
        if not 0 <= weight < np.inf:
            raise InvalidInput(
                f"the weight is {weight}, where a finite number of 0 or more was expected", "Correct it."
            )
        refuse_labels(np.array([label], np.float32), self._code, self._outputs)

    def _block(self, row: Indexed, label: float, weight: float) -> SparseRows:
        standard = (label - self._fit.center) / self._fit.spread
        return SparseRows(*row, np.array([standard], np.float32), np.array([weight], np.float32))

    def _follow(self, ids: npt.NDArray[np.uint32]) -> None:
        """Bring the features' traits up to date; where a scale moved, the weight moves against it: scores stay."""
        shrink = 1 / self._vocabulary.scales_of(ids)
        self._state[ids, : self._outputs] *= (self._traits[ids, 0] / shrink)[:, None]
        self._traits[ids, 0] = shrink
        self._traits[ids, 1] = self._rows / self._vocabulary.counts[ids]

    def _make_room(self) -> None:
        """Grow weights and traits by half with the vocabulary."""
        missing = self._vocabulary.size - len(self._state)
        if missing > 0:
            more = max(missing, len(self._state) // 2)
            fresh = np.zeros((more, 2 * self._outputs), np.float32)
            fresh[:, self._outputs :] = FIRST_SUM
            self._state = np.concatenate([self._state, fresh])
            self._traits = np.concatenate([self._traits, np.zeros((more, 2), np.float32)])
