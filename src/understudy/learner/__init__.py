"""Features -> weights: losses, kernels, candidates side by side, and learning on, row by row (docs/learner.md)."""

from understudy.learner.learner import Fit, Settings, audition, learn
from understudy.learner.live import Learner
from understudy.learner.losses import probabilities
from understudy.learner.rows import Rows
from understudy.learner.scoring import KeyIndex, SingleRows, decision, decision_by_column, probability

__all__ = [
    "Fit",
    "KeyIndex",
    "Learner",
    "Rows",
    "Settings",
    "SingleRows",
    "audition",
    "decision",
    "decision_by_column",
    "learn",
    "probabilities",
    "probability",
]
