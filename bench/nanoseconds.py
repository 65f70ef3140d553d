"""Where each nanosecond per row goes: one run of `learn` in this process, its steps timed by their threads' own clocks.

    .venv/bin/python bench/nanoseconds.py [--rows 3000000] [--quick]

A step's time is the processor time of the thread that did it, so waiting for another thread, or for a processor, is not
counted; steps of different threads run side by side. Beside each stands a floor, measured in the same minute on the
same rows: the plainest thing that the step could not do without. Writes bench/results/nanoseconds.json.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import functools
import hashlib
import json
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from clicks import write_clicks
from measuring import project, results
from performance import nanoseconds

from understudy import pipeline, training
from understudy.config import load
from understudy.extract.extraction import Extraction
from understudy.learner import candidates, learner, rows
from understudy.learner.passes import judge_rows
from understudy.pipeline import extracting, loading, scoring, transforming
from understudy.pipeline.observations import Observations
from understudy.pipeline.workspace import Workspace
from understudy.recipe.fitted import FittedRecipe
from understudy.sample import EvenSample
from understudy.spool import SpoolWriter, read_rows
from understudy.statistics.collect import SplitStatistics

MEASURED = (
    "CPU time of each step's own thread, per row of the file (70 % of the rows are learned from, 30 % are held out); "
    "two threads share them out, so the wall clock shows little more than half of the sum."
)


CHOOSING = "choose a recipe (once)"


class Clock:
    """Seconds of processor by the name of a step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.auditions = 0
        """Auditions under way; whatever threads do for them is choosing."""
        self._here = threading.local()

    def time(self, owner: Any, name: str, step: str) -> None:
        """Let every call of a function count for a step; what a generator does counts from item to item."""
        function = getattr(owner, name)

        @functools.wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            with self.running(step):
                result = function(*arguments, **named)
            return self._each(result, step) if isinstance(result, Iterator) else result

        setattr(owner, name, timed)

    def _each(self, items: Iterator[Any], step: str) -> Iterator[Any]:
        while True:
            with self.running(step):
                item = next(items, self)
            if item is self:
                return
            yield item

    @contextlib.contextmanager
    def running(self, step: str) -> Iterator[None]:
        """Count a block for a step, unless it is part of another step of this thread."""
        if getattr(self._here, "busy", False):
            yield
            return
        self._here.busy, began = True, time.thread_time()
        try:
            yield
        finally:
            self._here.busy = False
            self.seconds[CHOOSING if self.auditions else step] += time.thread_time() - began

    def auditioning(self, audition: Callable[..., float]) -> Callable[..., float]:
        """Count all that happens during an audition as choosing."""

        def counted(*arguments: Any) -> float:
            with _LOCK:
                self.auditions += 1
            try:
                return audition(*arguments)
            finally:
                with _LOCK:
                    self.auditions -= 1

        return counted


_LOCK = threading.Lock()


def watch(clock: Clock) -> None:
    """Name the steps."""
    clock.time(Extraction, "__iter__", "read, split, code cells")
    clock.time(extracting, "row_hashes", "keys and digest")
    clock.time(EvenSample, "add", "sample")
    clock.time(SpoolWriter, "write", "write the stream")
    clock.time(transforming._Parting, "next", "part training and held out")
    clock.time(SplitStatistics, "add", "statistics")
    clock.time(FittedRecipe, "columns", "features")
    clock.time(rows.Rows, "append", "index features, scatter rows")
    clock.time(training, "_choose_recipe", CHOOSING)
    setattr(learner, "audition", clock.auditioning(learner.audition))  # noqa: B010 - it is replaced, knowingly
    clock.time(candidates.Group, "learn", "learn")
    clock.time(candidates.Group, "judge", "judge candidates")
    clock.time(rows.Rows, "passing", "shuffle, read a bucket")
    clock.time(scoring.HeldOut, "scored", "score held-out rows")
    clock.time(scoring.HeldOut, "add", "metrics and curves")
    clock.time(loading, "summarise", "metrics and curves")
    clock.time(loading, "keep_rows", "keep rows")
    clock.time(Observations, "training_sample", CHOOSING)


def floors(workspace: Workspace, file: Path, count: int) -> dict[str, tuple[float, str]]:
    """Measure what each step could not do without; by step, nanoseconds per row and what they are for."""
    batches = list(read_rows(workspace.extracted))
    data = file.read_bytes()
    codes = [np.asarray(column.indices.fill_null(0)) for batch in batches for column in batch.columns]
    tables = [np.zeros(len(column.dictionary), np.uint64) for batch in batches for column in batch.columns]
    keys = np.zeros(count, np.uint64)

    def spent(work: Callable[[], object]) -> float:
        work()
        began = time.process_time()
        work()
        return (time.process_time() - began) / count * 1e9

    def read() -> None:
        with file.open("rb", buffering=0) as opened:
            while block := opened.read(4_000_000):
                np.count_nonzero(np.frombuffer(block, np.uint8) == ord(","))

    def gather() -> None:
        for table, column in zip(tables, codes, strict=True):
            table[column]

    def tally() -> None:
        for table, column in zip(tables, codes, strict=True):
            np.bincount(column, minlength=len(table))

    digest = spent(lambda: hashlib.sha256(keys.tobytes()).digest())
    fetch = _fetching(count)
    return {
        "read, split, code cells": (spent(read), "read the file, compare each byte with a comma"),
        "keys and digest": (spent(gather) + digest, "fetch a hash for each cell, SHA-256 of the sums"),
        "write the stream": (spent(lambda: (workspace.folder / "floor").write_bytes(data)), "write the file's bytes"),
        "statistics": (spent(tally), "count each cell's code"),
        "features": (0.7 * spent(gather), "fetch a key for each cell"),
        "learn": (fetch, "fetch the memory of each feature of a row once, for its score"),
    }


def _fetching(count: int) -> float:
    """Return what scoring the rows that were learned takes, per row of the file."""
    problem, groups = _SEEN["problem"], _SEEN["groups"]
    spent = 0.0
    for ready, order in problem.rows.passing(1, problem.ready):
        group = groups[0]
        began = time.thread_time()
        width = group.state.shape[1] // 2
        lanes = len(group.candidates) * problem.outputs
        judge_rows(problem.code, ready, order, problem.traits, group.state, width, lanes, len(group.candidates))
        spent += time.thread_time() - began
    return spent / count * 1e9


_SEEN: dict[str, Any] = {}
"""The last learning, for its floor."""


def _remember_learning() -> None:
    first = candidates.first_pass

    def seen(problem: Any, groups: Any, *more: Any) -> Any:
        _SEEN["problem"], _SEEN["groups"] = problem, groups
        return first(problem, groups, *more)

    setattr(candidates, "first_pass", seen)  # noqa: B010


def main() -> None:
    """Measure, print, keep."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=3_000_000)
    options.add_argument("--quick", action="store_true", help="few rows; nothing is kept")
    asked = options.parse_args()
    count = 100_000 if asked.quick else asked.rows
    with tempfile.TemporaryDirectory(prefix="understudy-nanoseconds-") as name:
        file = Path(name) / "clicks.csv"
        write_clicks(file, 50_000)
        loaded = load(project(file, "clicked"))
        pipeline.learn(loaded, dry_run=True)  # kernels are compiled, or read, once
        write_clicks(file, count)
        clock = Clock()
        watch(clock)
        _remember_learning()
        pipeline.learn(loaded, dry_run=True)
        below = floors(Workspace(loaded), file, count)
    stages = [
        {"stage": step, "ns": seconds / count * 1e9}
        | ({"floor": below[step][0], "floor_is": below[step][1]} if step in below else {})
        for step, seconds in clock.seconds.items()
    ]
    at = datetime.datetime.now(datetime.UTC).date().isoformat()
    document = {"at": at, "rows": count, "measured": MEASURED, "stages": stages}
    print(nanoseconds(document))
    if not asked.quick:
        (results(quick=False) / "nanoseconds.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
