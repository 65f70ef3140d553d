"""Rows for the learner's tests: small worlds whose truth is known."""

from __future__ import annotations

import numpy as np

from understudy.features import Features
from understudy.hashing import hash_words
from understudy.learner.rows import Rows


def features_of(ids, values=None):
    """Make features of a dense integer array [n, k] of ids: column j's id i is one feature."""
    ids = np.atleast_2d(np.asarray(ids, np.int64))
    n, k = ids.shape
    keys = hash_words((ids + 1_000_000 * np.arange(k)).ravel().astype(np.uint64), 7)
    values = np.ones(n * k) if values is None else np.broadcast_to(values, (n, k)).ravel()
    return Features(np.arange(n + 1) * k, keys, values.astype(np.float32))


def take(features, rows):
    """Return those rows of features whose rows are all equally long."""
    k = int(features.indptr[1])
    keys, values = features.keys.reshape(-1, k)[rows], features.values.reshape(-1, k)[rows]
    return Features(np.arange(len(keys) + 1) * k, keys.ravel(), values.ravel())


def rows_of(features, labels, weights=None, **options):
    """Keep these rows for learning."""
    rows = Rows(**options)
    rows.append(features, labels, weights)
    return rows


def world(n=600, seed=1, loss="logistic"):
    """Draw n rows of one category of 12 and one number; return features and labels that hang on both."""
    rng = np.random.default_rng(seed)
    group, x = rng.integers(0, 12, n), rng.normal(size=n)
    effect = np.linspace(-2, 2, 12)
    features = features_of(np.stack([group, np.full(n, 50)], 1), np.stack([np.ones(n), x], 1))
    signal = effect[group] + 1.5 * x
    if loss == "squared":
        return features, 100 + 20 * signal + rng.normal(size=n)
    if loss == "softmax":
        return features, (np.digitize(signal + rng.logistic(scale=0.3, size=n), [-1.0, 1.0])).astype(float)
    return features, (signal + rng.logistic(scale=0.5, size=n) > 0).astype(float)


def same(one, other):
    """Tell whether two fits are the same to the last bit."""
    names = ("keys", "weights", "intercept", "counts", "scales", "sums")
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in names)
