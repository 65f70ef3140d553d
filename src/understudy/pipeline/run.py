"""One run under way: its ids, and what each step has found so far."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from understudy.config import Project
from understudy.freed import give_back
from understudy.house import House
from understudy.pipeline.progress import Progress
from understudy.pipeline.workspace import Extracted, Observed, Workspace
from understudy.statistics import Insights
from understudy.store.catalog import new_id
from understudy.transform import TransformSource

Seconds = dict[str, float]


@dataclass
class Run:
    """One run under way: its ids, and what each step found."""

    project: Project
    house: House
    workspace: Workspace
    extracted: Extracted
    observed: Observed
    source: TransformSource | None
    progress: Progress
    run_id: str
    ids: dict[str, str] = field(
        default_factory=lambda: {
            "training_data_source_id": new_id("ds"),
            "evaluation_data_source_id": new_id("ds"),
            "model_id": new_id("ml"),
            "evaluation_id": new_id("ev"),
        }
    )
    seconds: Seconds = field(default_factory=dict)

    @contextlib.contextmanager
    def timed(self, name: str, total: int | None = None) -> Iterator[None]:
        """Announce a step and remember how long it took."""
        self.progress.stage(name, total)
        began = time.perf_counter()
        yield
        give_back()
        self.seconds[name] = time.perf_counter() - began


@dataclass(frozen=True)
class Described:
    """The observations of a run, described: insights of both parts."""

    training: Insights
    evaluation: Insights
    counts: tuple[dict[str, int], dict[str, int]]
    """Rows of each stored label among the training and the evaluation rows; empty for REGRESSION."""
