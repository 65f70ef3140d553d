"""scikit-learn's multinomial L-BFGS on Understudy's features: how low its log loss is after how many seconds.

    python classes.py FOLDER ITERATIONS       the arrays that ours/classes.py writes; prints JSON

The weights after every iteration are put aside by the solver's own callback, a copy of some 100 KB beside an iteration
of half a second or more, and are judged on the test rows when the clock has stopped. So one fit tells the whole curve,
and nothing is asked of the solver that it does not do anyway.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy.optimize
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression


def main(folder: Path, iterations: int) -> None:
    """Fit, then judge every iteration."""
    features, known, labels = _load(folder, "train", None)
    seen: list[tuple[float, np.ndarray]] = []
    scipy.optimize.minimize = _watched(scipy.optimize.minimize, seen)
    began = time.perf_counter()
    model = LogisticRegression(max_iter=iterations, tol=1e-6).fit(features, labels)
    seconds = time.perf_counter() - began
    test, _, answers = _load(folder, "test", known)
    shape = (len(model.classes_), features.shape[1] + 1)
    curve = [(at - began, *_judge(weights.reshape(shape, order="F"), test, answers)) for at, weights in seen]
    print(json.dumps({"fit": seconds, "iterations": len(curve), "curve": curve}))
    whole, _ = _judge(np.column_stack([model.coef_, model.intercept_]), test, answers)
    assert abs(whole - curve[-1][1]) < 1e-3, "the last weights that the solver told are not the model's"


def _watched(minimize: Any, seen: list[tuple[float, np.ndarray]]) -> Any:
    """Let a solver tell what it has reached after every iteration."""

    @functools.wraps(minimize)
    def watched(*positional: Any, **named: Any) -> Any:
        def note(weights: np.ndarray) -> None:
            seen.append((time.perf_counter(), weights.copy()))

        return minimize(*positional, **{**named, "callback": note})

    return watched


def _load(folder: Path, part: str, known: np.ndarray | None) -> tuple[csr_matrix, np.ndarray, np.ndarray]:
    """Return features as columns in the order of the training rows' keys; a key they lack is left out."""
    indptr, keys, values, labels = (
        np.load(folder / f"{part}.{name}.npy") for name in ("indptr", "keys", "values", "labels")
    )
    known = np.unique(keys) if known is None else known
    columns = np.searchsorted(known, keys).clip(max=len(known) - 1)
    kept = np.where(known[columns] == keys, values, 0).astype(np.float32)  # twice as fast as float64, no worse
    return csr_matrix((kept, columns, indptr), shape=(len(labels), len(known))), known, labels


def _judge(weights: np.ndarray, features: csr_matrix, labels: np.ndarray) -> tuple[float, float]:
    """Return mean log loss and accuracy of weights[classes, features + 1], the intercept last."""
    scores = features @ weights[:, :-1].T + weights[:, -1]
    scores -= scores.max(1, keepdims=True)
    right = scores[np.arange(len(labels)), labels]
    return float((np.log(np.exp(scores).sum(1)) - right).mean()), float((scores.argmax(1) == labels).mean())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
