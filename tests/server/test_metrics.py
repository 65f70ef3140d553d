"""Counters: by one process, and by several into one folder."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server import metrics

COUNTS = """
from understudy.server import metrics
metrics.record("rest", "predict", 200, 0.002)
metrics.count_predictions("calls", 3)
"""
TELLS = "\nimport sys\nsys.stdout.buffer.write(metrics.exposition()[0])"


def test_counts_requests_by_door_operation_and_status():
    """A request that is recorded is told, with the bucket that its seconds fall into."""
    metrics.record("test", "count", 409, 0.02)
    text, media_type = metrics.exposition()
    lines = text.decode().splitlines()
    assert media_type.startswith("text/plain")
    assert 'understudy_requests_total{door="test",operation="count",status="409"} 1.0' in lines
    assert 'understudy_request_seconds_bucket{door="test",le="0.01",operation="count"} 0.0' in lines
    assert 'understudy_request_seconds_bucket{door="test",le="0.025",operation="count"} 1.0' in lines


def test_counts_predictions_by_endpoint():
    """Records that were answered are told by their endpoint's name."""
    metrics.count_predictions("some-test", 3)
    metrics.count_predictions("some-test", 4)
    assert 'understudy_predictions_total{endpoint="some-test"} 7.0' in metrics.exposition()[0].decode()


@given(st.lists(st.floats(0, 40) | st.sampled_from(metrics.BUCKETS), min_size=1))
def test_many_seconds_at_a_time_are_observed_as_one_by_one(seconds):
    """Every bucket, those of the bounds themselves included, and the sum."""
    together, alone = (metrics._Histogram("h", "", registry=None, buckets=metrics.BUCKETS) for _ in range(2))
    together.observe_all(seconds)
    for amount in seconds:
        alone.observe(amount)
    assert [bucket.get() for bucket in together._buckets] == [bucket.get() for bucket in alone._buckets]
    assert together._sum.get() == pytest.approx(alone._sum.get())


def test_what_is_counted_amid_requests_is_soon_told_by_others(tmp_path):
    """In a loop requests are counted together, a moment later and without being asked."""
    counted = """
import asyncio
from understudy.server import metrics

async def serve():
    for _ in range(1500):
        metrics.record("rest", "predict", 200, 0.002)
        metrics.count_predictions("calls", 2)
    await asyncio.sleep(2 * metrics.LAG_SECONDS)
    assert not any(metrics._seconds.values()) and not any(metrics._records.values())

asyncio.run(serve())
"""
    _run(tmp_path, counted)
    lines = _run(
        tmp_path, TELLS.replace("import sys", "import sys\nfrom understudy.server import metrics")
    ).splitlines()
    assert 'understudy_requests_total{door="rest",operation="predict",status="200"} 1500.0' in lines
    assert 'understudy_request_seconds_count{door="rest",operation="predict"} 1500.0' in lines
    assert 'understudy_predictions_total{endpoint="calls"} 3000.0' in lines


def test_loop_that_ends_early_ends_no_counting(tmp_path):
    """What a loop left uncounted when it was closed, the next one counts."""
    counted = """
import asyncio
from understudy.server import metrics

async def serve(seconds):
    metrics.count_predictions("calls", 1)
    await asyncio.sleep(seconds)

asyncio.run(serve(0))
asyncio.run(serve(2 * metrics.LAG_SECONDS))
assert not any(metrics._records.values())
"""
    _run(tmp_path, counted)


def test_processes_tell_the_sum(tmp_path):
    """With a folder to count into, each process tells what all have counted, those that have ended included."""
    told = _run(tmp_path, COUNTS), _run(tmp_path, COUNTS + TELLS)
    assert told[0] == ""
    lines = told[1].splitlines()
    assert 'understudy_requests_total{door="rest",operation="predict",status="200"} 2.0' in lines
    assert 'understudy_predictions_total{endpoint="calls"} 6.0' in lines
    assert 'understudy_request_seconds_count{door="rest",operation="predict"} 2.0' in lines


def _run(folder, program):
    """Run a program that counts into a folder; return what it writes."""
    environment = {**os.environ, metrics.FOLDER_VARIABLE: str(folder)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
    return done.stdout.decode()
