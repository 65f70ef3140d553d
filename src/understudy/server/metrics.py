"""Counters of the doors, in the text form that Prometheus reads.

Several processes count into one folder where the environment variable PROMETHEUS_MULTIPROC_DIR names one *before* this
module is imported: then each of them tells the sum of all. Without it, a process tells its own.
"""

from __future__ import annotations

import os
from functools import lru_cache

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that names the folder which several processes count into."""

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds in seconds: a prediction takes about a millisecond, a promotion up to some seconds."""

_OWN = CollectorRegistry()

_REQUESTS = Counter(
    "requests",
    "Requests answered, by door, operation and HTTP status.",
    ("door", "operation", "status"),
    namespace="understudy",
    registry=_OWN,
)
_SECONDS = Histogram(
    "request_seconds",
    "Seconds from a request's head to its answer's head.",
    ("door", "operation"),
    namespace="understudy",
    registry=_OWN,
    buckets=BUCKETS,
)
_PREDICTIONS = Counter(
    "predictions", "Records answered, by endpoint.", ("endpoint",), namespace="understudy", registry=_OWN
)


def record(door: str, operation: str, status: int, seconds: float) -> None:
    """Count one answered request. `operation` must be one of few words, never what a client sent."""
    requests, spent = _counters(door, operation, status)
    requests.inc()
    spent.observe(seconds)


@lru_cache(1024)
def _counters(door: str, operation: str, status: int) -> tuple[Counter, Histogram]:
    """Return what is counted in; to find that takes longer than to count."""
    return _REQUESTS.labels(door, operation, str(status)), _SECONDS.labels(door, operation)


def count_predictions(endpoint: str, records: int) -> None:
    """Count records that were answered under an endpoint's name."""
    _predictions(endpoint).inc(records)


@lru_cache(1024)
def _predictions(endpoint: str) -> Counter:
    return _PREDICTIONS.labels(endpoint)


def exposition() -> tuple[bytes, str]:
    """Return all counters as text, and the text's media type."""
    return generate_latest(_registry()), CONTENT_TYPE_LATEST


def _registry() -> CollectorRegistry:
    if not os.environ.get(FOLDER_VARIABLE):
        return _OWN
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return together
