"""What a model's log says about its training (reference 6.4)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from understudy.config import Settings
from understudy.model import Model
from understudy.schema import ModelType
from understudy.service.work.figures import java_double
from understudy.service.work.log import Log
from understudy.service.work.scoring import judge
from understudy.training import Training

LEARNER_IDS = (1050, 2101, 3535, 4202, 5314)
"""What the original called its learners, the slowest first."""

_LIKELIHOODS = {ModelType.BINARY: "logreg", ModelType.MULTICLASS: "multinomial", ModelType.REGRESSION: "squared"}
_SHOWN = {
    ModelType.BINARY: {
        "accuracy": "accuracy",
        "recall": "recall",
        "precision": "precision",
        "f1": "f1-score",
        "auc": "auc",
    },
    ModelType.MULTICLASS: {"accuracy": "accuracy", "macro_f1": "macro-f1-score"},
    ModelType.REGRESSION: {"rmse": "rmse", "mae": "mae", "r2": "r2"},
}
"""The metrics that are shown, and what they are called."""

_PARTS = ("rate", "l1", "l2")
"""What tells candidates apart."""

Counts = np.ndarray[tuple[int], np.dtype[np.int64]]
Key = tuple[float, ...]

_SAMPLED = 2_000
"""Rows whose active features are counted."""


@dataclass(frozen=True)
class Taught:
    """A model and how it was trained."""

    model: Model
    training: Training
    settings: Settings
    sample: pa.Table
    """Evenly spread training rows."""
    rows: Callable[[], Iterable[pa.RecordBatch]]
    """Yields all training rows."""
    rejected: int
    """Rows without a usable target."""


def report_training(log: Log, taught: Taught) -> None:
    """Tell how every learner began and fared after every pass, which was best, and how well it knows the rows."""
    reports, last = _reports(taught.training.fit)
    teller = _Teller(taught, _named([*reports, last]))
    log.say(teller.beginning())
    for name in teller.names:
        log.say(*teller.lines(_unlearned(name)), "")
    for report in reports:
        log.say(*teller.lines(report), "")
    log.say("", "", teller.finished(last))
    log.say("best learner:", *teller.lines(last, performance=teller.performance()), "", "")
    for title in ("final consolidation:", "saved final learner:"):
        log.say(title, *teller.lines(last, pruned=1), "", "")
    size = taught.model.size_in_bytes  # the original misspelled it, and programs look for that
    log.say("initial-training: finished", f"Foorprint size is {size}", "Training complete.")


def _reports(fit: Mapping[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the reports of all candidates while they were compared, and the chosen one's last, on all rows.

    Each says beside its figures how much less its loss is than after the pass before.
    """
    before: dict[Key, float] = {}
    reports = []
    for report in fit["log"]:
        loss = math.nan if report["progressive_loss"] is None else report["progressive_loss"]
        delta = before[_key(report)] - loss if report["passes"] > 1 else 1.0
        before[_key(report)] = loss
        reports.append({**report, "progressive_loss": loss, "delta": delta})
    return reports[: -fit["passes"]], reports[-1]


def _named(reports: list[dict[str, Any]]) -> dict[Key, int]:
    """Give every candidate an id, the slowest first."""
    found = sorted({_key(report) for report in reports})
    more = (LEARNER_IDS[-1] + 1051 * n for n in range(1, len(found)))
    return dict(zip(found, (*LEARNER_IDS, *more), strict=False))


def _unlearned(key: Key) -> dict[str, Any]:
    """Return the report of a candidate before its first update; the original, too, says a loss of 1 there."""
    candidate = dict(zip(_PARTS, key, strict=True))
    return {"candidate": candidate, "updates": 0, "progressive_loss": 1.0, "delta": 1.0}


def _key(report: Mapping[str, Any]) -> Key:
    return tuple(report["candidate"][name] for name in _PARTS)


class _Teller:
    """Puts reports into lines."""

    def __init__(self, taught: Taught, names: Mapping[Key, int]) -> None:
        self._taught = taught
        self.names = names
        self._type = taught.model.target.type
        self._active = _active_features(taught.model, taught.sample)

    def beginning(self) -> str:
        asked = self._taught.settings
        return (
            f"initial-training: l1={java_double(asked.l1 or 0.0)} l2={java_double(asked.l2 or 0.0)} "
            f"likelihood-function={_LIKELIHOODS[self._type]} max-passes={asked.max_passes} "
            f"max-model-size={_bytes(asked.max_size_bytes)} readable=false"
        )

    def lines(self, report: Mapping[str, Any], *, performance: str = "", pruned: int = 0) -> Iterator[str]:
        """Yield the lines of one learner's report."""
        loss = "half-squared-error" if self._type is ModelType.REGRESSION else "negative-log-likelihood"
        active, parameters, size = self._active, self._parameters, self._taught.model.size_in_bytes
        if not report["updates"]:
            active, parameters, size = np.zeros(1, np.int64), 0, 0
        parts = {
            "model-configuration:": f"learning-rate={java_double(report['candidate']['rate'])}",
            "model-performance:": performance,
            "model-convergence:": (
                f"{loss}={report['progressive_loss']:.6e} (delta={report['delta']:.6e}) is-converged=no"
            ),
            "active-features:": _features(active, report["updates"]),
            "active-features-quantiles:": _quantiles(active),
            "model-status:": f"model-size={_bytes(size)} #params={parameters} #pruning-calls={pruned:010d}",
        }
        name = self.names[_key(report)]
        return (f"learner-id={name} {part:<26} {text}" for part, text in parts.items() if text)

    def finished(self, last: Mapping[str, Any]) -> str:
        return (
            f"finished-training: total-passes={last['passes']} valid-records={last['updates']} "
            f"invalid-records={self._taught.rejected}"
        )

    def performance(self) -> str:
        """Score the training rows once; tell how well the model knows them."""
        metrics = judge(self._taught.model, self._taught.rows())[0].metrics()
        return " ".join(f"{shown}={metrics[name]:.4f}" for name, shown in _SHOWN[self._type].items())

    @property
    def _parameters(self) -> int:
        return int(self._taught.model.weights.weights.size)


def _features(active: Counts, updates: int) -> str:
    least, most, mean = (round(f(active)) for f in (np.min, np.max, np.mean))
    total = round(float(np.mean(active)) * updates)
    return f"updates={updates:010d} min={least:07d} max={most:07d} mean={mean:07d} total-sum={total:010d}"


def _quantiles(active: Counts) -> str:
    found = np.quantile(active, (0.1, 0.5, 0.9), method="lower")
    return " ".join(f"quantile-{share}={int(value):07d}" for share, value in zip((10, 50, 90), found, strict=True))


def _active_features(model: Model, sample: pa.Table) -> Counts:
    """Count the features of some evenly spread rows."""
    stride = max(1, -(-sample.num_rows // _SAMPLED))
    rows = sample.take(pa.array(np.arange(0, sample.num_rows, stride))).combine_chunks().to_batches()[0]
    return np.diff(model.recipe.features(rows).indptr)


def _bytes(size: int) -> str:
    return f"{size} ({size / 2**20:.2f} MB)"
