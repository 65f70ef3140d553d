"""Counters of the doors, in the text form that Prometheus reads.

Several processes count into one folder where the environment variable PROMETHEUS_MULTIPROC_DIR names one *before* this
module is imported: then each of them tells the sum of all. Without it, a process tells its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from bisect import bisect_left
from collections import Counter as Tally
from collections import deque
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TypeVar

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

Item = TypeVar("Item")

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


class _Histogram(Histogram):
    """A histogram that counts many at a time: to write each number to a file that is shared takes long."""

    def observe_all(self, amounts: Sequence[float]) -> None:
        """Observe amounts as `observe` does one."""
        buckets = Tally(bisect_left(self._upper_bounds, amount) for amount in amounts)
        for bucket, number in buckets.items():
            self._buckets[bucket].inc(number)
        self._sum.inc(sum(amounts))


_SECONDS = _Histogram(
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


LAG_SECONDS = 0.1
"""How far what other processes tell of this one may be behind."""
_MOST_WAITING = 1024

_requests: deque[tuple[str, str, int, float]] = deque()
_predictions: deque[tuple[str, int]] = deque()
"""What is yet to be counted: many at a time cost a third of what they do one by one, amid a request."""


def record(door: str, operation: str, status: int, seconds: float) -> None:
    """Count one answered request. `operation` must be one of few words, never what a client sent."""
    _requests.append((door, operation, status, seconds))
    _count_soon()


def count_predictions(endpoint: str, records: int) -> None:
    """Count records that were answered under an endpoint's name."""
    _predictions.append((endpoint, records))
    _count_soon()


def _count_soon() -> None:
    """Count what waits after LAG_SECONDS; at once where it is much, or where no loop runs."""
    waiting = len(_requests) + len(_predictions)
    if waiting == 1:
        try:
            asyncio.get_running_loop().call_later(LAG_SECONDS, _count)
        except RuntimeError:
            _count()
    elif waiting >= _MOST_WAITING:
        _count()


def _count() -> None:
    """Count what waits. Any thread may: what one of them takes, no other finds."""
    seconds: dict[tuple[str, str, int], list[float]] = {}
    for door, operation, status, spent in _taken(_requests):
        seconds.setdefault((door, operation, status), []).append(spent)
    for (door, operation, status), spent_by_each in seconds.items():
        _REQUESTS.labels(door, operation, str(status)).inc(len(spent_by_each))
        _SECONDS.labels(door, operation).observe_all(spent_by_each)
    for endpoint, records in _taken(_predictions):
        _answered(endpoint).inc(records)


def _taken(waiting: deque[Item]) -> Iterator[Item]:
    with contextlib.suppress(IndexError):
        while True:
            yield waiting.popleft()


@lru_cache(1024)
def _answered(endpoint: str) -> Counter:
    return _PREDICTIONS.labels(endpoint)


def exposition() -> tuple[bytes, str]:
    """Return all counters as text, and the text's media type; those of other processes as they were a moment ago."""
    _count()
    return generate_latest(_registry()), CONTENT_TYPE_LATEST


def _registry() -> CollectorRegistry:
    if not os.environ.get(FOLDER_VARIABLE):
        return _OWN
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return together
