"""The three losses, in one dict: name, unit, and how scores become what a person is told (reference 6.1).

The gradients themselves are compiled, in `kernels.judge` and `passes`; a loss is known there by its `code`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from understudy.errors import UsageError
from understudy.learner.kernels import LOGISTIC, SOFTMAX, SQUARED

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Loss:
    """What one kind of model minimises."""

    name: str
    """Its name in settings, models and logs."""
    code: int
    """Its name inside the kernels."""
    unit: str
    """What a mean loss is counted in."""
    probabilities: Callable[[Floats], Floats]
    """Linear scores [n, outputs] -> what is predicted: probabilities, or numbers in the target's unit."""


def sigmoid(decision: Floats) -> Floats:
    """Probability of the positive label; exact to the last bits at both ends."""
    tail = np.exp(-np.abs(decision))
    probability: Floats = np.where(decision >= 0, 1.0, tail) / (1.0 + tail)
    return probability


def softmax(decision: Floats) -> Floats:
    """Probability of every class; each row sums to 1."""
    powers = np.exp(decision - decision.max(axis=1, keepdims=True))
    probability: Floats = powers / powers.sum(axis=1, keepdims=True)
    return probability


def _as_it_is(decision: Floats) -> Floats:
    return decision


LOSSES = {
    loss.name: loss
    for loss in (
        Loss("logistic", LOGISTIC, "nats", sigmoid),
        Loss("squared", SQUARED, "half squared target units", _as_it_is),
        Loss("softmax", SOFTMAX, "nats", softmax),
    )
}


def loss_named(name: str) -> Loss:
    """Return the loss of that name; raises UsageError where there is none."""
    if name not in LOSSES:
        raise UsageError(f"there is no loss {name!r}", f"Use one of {', '.join(LOSSES)}.")
    return LOSSES[name]


def probabilities(decision: Floats, loss: str) -> Floats:
    """Turn linear scores [n, outputs] into probabilities (logistic, softmax) or leave them as numbers (squared).

    >>> probabilities(np.array([[0.0]]), "logistic")
    array([[0.5]])
    >>> probabilities(np.array([[1.0, 1.0]]), "softmax")
    array([[0.5, 0.5]])
    """
    return loss_named(loss).probabilities(np.asarray(decision, np.float64))
