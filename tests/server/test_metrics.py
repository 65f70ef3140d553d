"""Counters: by one process, and by several into one folder."""

import os
import subprocess
import sys

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
