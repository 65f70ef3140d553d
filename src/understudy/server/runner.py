"""The process of a server that does jobs, and learns by schedule: one at a time over all servers of a store."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from types import FrameType

from understudy import pipeline
from understudy.config import Project
from understudy.errors import Busy, UnderstudyError
from understudy.house import House
from understudy.jobs import Jobs, Work
from understudy.schedule import due_at
from understudy.server.settings import Opened, Settings
from understudy.server.supervisor import end_with_parent
from understudy.store.lease import leased
from understudy.store.lock import is_held

_LOG = logging.getLogger(__name__)

_STEP_SECONDS = 0.1
_STEPS_PER_LOOK = 10
"""Steps between two looks at the schedules."""
_RUNS_LOOKED_AT = 20

Works = Callable[[Opened], Mapping[str, Work]]


def run_jobs(settings: Settings, works: Works) -> None:
    """Do jobs until SIGTERM, or until the parent ends; what was at work then is begun again by the next server."""
    stopped = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=end_with_parent, args=(os.getppid(),), daemon=True).start()
    opened = Opened(settings)
    while not stopped.is_set():
        try:
            with leased(opened.stores[0].catalog, settings.folder / "jobs.lock", "jobs"):
                _work(settings, opened, works(opened), stopped)
        except Busy:
            stopped.wait(_STEP_SECONDS)
        except UnderstudyError as error:
            _LOG.error("jobs wait, because %s", error)
            stopped.wait(1.0)


def _work(settings: Settings, opened: Opened, works: Mapping[str, Work], stopped: threading.Event) -> None:
    jobs = Jobs(opened.stores[0].catalog, works, settings.folder / "jobs", at_a_time=settings.jobs)
    jobs.clear()
    try:
        step = 0
        while not stopped.wait(_STEP_SECONDS):
            if step % _STEPS_PER_LOOK == 0:
                _learn_what_is_due(opened, jobs)
            jobs.step()
            step += 1
    finally:
        jobs.stop()


def _learn_what_is_due(opened: Opened, jobs: Jobs) -> None:
    for house in opened.houses:
        if is_due(house):
            jobs.run_errand(f"learn {house.project.name}", partial(_learn, house.project))


def is_due(house: House) -> bool:
    """Tell whether a project's schedule asks for a run now."""
    schedule = house.project.schedule
    if schedule is None:
        return False
    runs = house.catalog.find("run", project=house.project.name, limit=_RUNS_LOOKED_AT)
    due = due_at(schedule, runs, at_work=is_held(house.lock))
    return due is None or due <= datetime.now(UTC)


def _learn(project: Project) -> None:
    """Learn by schedule; a failure is on record in the catalog, and the champion serves on."""
    try:
        document = pipeline.learn(project)
        _LOG.warning("%s: %s", project.name, document["verdict"]["status"])
    except UnderstudyError as error:
        _LOG.error("%s could not learn: %s", project.name, error)
