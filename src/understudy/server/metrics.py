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
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
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
        buckets = Tally(map(partial(bisect_left, self._upper_bounds), amounts))
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

_seconds: defaultdict[tuple[str, str, int], deque[float]] = defaultdict(deque)
_records: defaultdict[str, deque[int]] = defaultdict(deque)
"""What is yet to be counted, by what it is counted under: many at a time, outside of any request, cost a fraction."""
_counting: asyncio.AbstractEventLoop | None = None
"""The loop that will count what waits, unless it is closed before."""


def record(door: str, operation: str, status: int, seconds: float) -> None:
    """Count one answered request. `operation` must be one of few words, never what a client sent."""
    _seconds[door, operation, status].append(seconds)
    _count_soon()


def count_predictions(endpoint: str, records: int) -> None:
    """Count records that were answered under an endpoint's name."""
    _records[endpoint].append(records)
    _count_soon()


def _count_soon() -> None:
    """Count what waits after LAG_SECONDS; at once where no loop runs."""
    global _counting  # noqa: PLW0603 - as what waits, it is the process's
    if _counting is not None and not _counting.is_closed():
        return
    try:
        _counting = asyncio.get_running_loop()
    except RuntimeError:
        _count()
    else:
        _counting.call_later(LAG_SECONDS, _count)


def _count() -> None:
    """Count what waits. Any thread may: what one of them takes, no other finds."""
    global _counting  # noqa: PLW0603
    _counting = None  # first of all: what comes from now on is counted next time, if not now
    for (door, operation, status), waiting in list(_seconds.items()):
        if spent := list(_taken(waiting)):
            _REQUESTS.labels(door, operation, str(status)).inc(len(spent))
            _SECONDS.labels(door, operation).observe_all(spent)
    for endpoint, counts in list(_records.items()):
        if records := sum(_taken(counts)):
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
