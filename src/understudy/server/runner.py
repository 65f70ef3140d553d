"""The process of a server that does jobs, and learns by schedule: one at a time over all servers of a store."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from understudy.config import Project, load
from understudy.errors import Busy, ConfigError, UnderstudyError
from understudy.house import House
from understudy.jobs import Jobs, Work
from understudy.schedule import due_at
from understudy.server.settings import Opened, Settings
from understudy.server.sweeping import sweep, sweep_is_due
from understudy.service.work import WORK, Workshop, computing
from understudy.serving import warm_up
from understudy.store.buckets import Buckets
from understudy.store.catalog import Entity
from understudy.store.lease import leased
from understudy.store.lock import is_held

_LOG = logging.getLogger(__name__)

_STEP_SECONDS = 0.1
_IDLE_SECONDS = 0.3
"""How often is looked for jobs while there are none."""
_LOOK_SECONDS = 1.0
"""How often the schedules are looked at."""
_SWEEP_LOOK_SECONDS = 60.0
"""How often is looked whether it is time to sweep; no longer than this process lives after a job."""
_IN_VAIN_SECONDS = 30.0
"""How long after a run that could not even be put on record the next is tried."""
_TOLD_SECONDS = 60.0
"""How often the same trouble is told."""
_RUNS_LOOKED_AT = 20
_KEPT_SECONDS = 60.0
"""How long after the last job this process holds what jobs need."""


def run_jobs(settings: Settings) -> None:
    """Do jobs until SIGTERM; what was at work then is begun again by the next server.

    Returns, to be begun anew and small, when there has been nothing to do for a while after a job.
    """
    stopped = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    opened = Opened(settings)
    while not stopped.is_set():
        try:
            with leased(opened.stores[0].catalog, settings.folder / "jobs.lock", "jobs") as held:
                runner = _Runner(settings, opened, _works(opened))
                runner.work(lambda pause: held() and not stopped.wait(pause))
            if runner.is_done:
                return
        except Busy:
            stopped.wait(_STEP_SECONDS)
        except UnderstudyError as error:
            _LOG.error("jobs wait, because %s", error)
            stopped.wait(1.0)


class _Runner:
    """Jobs, schedules and the sweep, for as long as the lease is held."""

    def __init__(self, settings: Settings, opened: Opened, works: Mapping[str, Work]) -> None:
        self._settings = settings
        self._opened = opened
        self._jobs = Jobs(
            opened.stores[0].catalog, works, settings.folder / "jobs", at_a_time=settings.jobs, prepare=self._load
        )
        self._begun: dict[str, tuple[str | None, float]] = {}
        """By project: the newest run on record when the last one was begun, and when that was."""
        self._next_look = time.monotonic()
        self._next_sweep_look = time.monotonic()
        self._pause = _STEP_SECONDS
        self._is_loaded = False
        self._needed = time.monotonic()
        self._told: dict[str, float] = {}
        """By trouble, when it was last told."""

    def work(self, go_on: Callable[[float], bool]) -> None:
        """Work until done, or for as long as `go_on` says so, which waits so many seconds before each step."""
        try:
            while go_on(self._pause) and not self.is_done:
                self._step()
        finally:
            self._jobs.stop()

    @property
    def is_done(self) -> bool:
        """Whether this process holds in vain what jobs need."""
        return self._is_loaded and not self._jobs.busy and time.monotonic() > self._needed + _KEPT_SECONDS

    def _step(self) -> None:
        self._undisturbed(self._do_jobs)
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + _LOOK_SECONDS
            for house in self._opened.houses:
                self._undisturbed(partial(self._learn_if_due, house))
        if time.monotonic() >= self._next_sweep_look and self._has_begun_sweep():
            self._next_sweep_look = time.monotonic() + _SWEEP_LOOK_SECONDS

    def _do_jobs(self) -> None:
        self._pause = _IDLE_SECONDS
        if self._jobs.step():
            self._pause, self._needed = _STEP_SECONDS, time.monotonic()

    def _has_begun_sweep(self) -> bool:
        """Sweep if that is due; tell whether there is nothing left to begin."""
        return not sweep_is_due(self._settings) or self._jobs.run_errand("sweep", partial(sweep, self._settings))

    def _load(self) -> bool:
        """Load what jobs compute with, and the kernels that they score with: a server without jobs holds neither."""
        if self._is_loaded:
            return False
        computing()
        warm_up()
        self._is_loaded = True
        return True

    def _undisturbed(self, act: Callable[[], None]) -> None:
        """Do something; a store that cannot be used for a while ends nothing that is at work, and is told rarely."""
        try:
            act()
        except UnderstudyError as error:
            if time.monotonic() >= self._told.get(error.message, 0.0) + _TOLD_SECONDS:
                _LOG.error("jobs wait, because %s", error)
                self._told[error.message] = time.monotonic()

    def _learn_if_due(self, house: House) -> None:
        name = house.project.name
        if house.project.schedule is None:
            return
        runs = house.catalog.find("run", project=name, limit=_RUNS_LOOKED_AT)
        newest = runs[0].id if runs else None
        known, at = self._begun.get(name, ("", 0.0))
        in_vain = known == newest and time.monotonic() < at + _IN_VAIN_SECONDS
        learn = partial(_learn, house.project)
        if not in_vain and is_due(house, runs) and self._jobs.run_errand(f"learn {name}", learn):
            self._begun[name] = newest, time.monotonic()


def is_due(house: House, runs: Sequence[Entity]) -> bool:
    """Tell whether a project's schedule asks for a run now, from its runs, newest first."""
    schedule = house.project.schedule
    if schedule is None:
        return False
    due = due_at(schedule, runs, at_work=is_held(house.lock))
    return due is None or due <= datetime.now(UTC)


def _learn(known: Project) -> None:
    """Learn by schedule, by the project file as it stands now; a failure is on record, and the champion serves on."""
    from understudy import pipeline  # noqa: PLC0415 - this process alone has to hold what learning needs

    try:
        project = load(known.root)
        if (project.name, project.store) != (known.name, known.store):
            raise ConfigError("its name or [store] has changed since the server was started", "Restart it.")
        _LOG.info("%s: learning by schedule", project.name)
        document = pipeline.learn(project)
        verdict = document["verdict"]
        _LOG.info("%s: %s %s: %s", project.name, document["model_id"], verdict["status"], "; ".join(verdict["reasons"]))
    except UnderstudyError as error:
        _LOG.error("%s could not learn: %s", known.name, " ".join(str(error).split()))


def _works(opened: Opened) -> Mapping[str, Work]:
    """Return how the jobs of the server's own store are done."""
    return {kind: Work(work.waits_for, partial(_compute, opened.settings, kind)) for kind, work in WORK.items()}


def _compute(settings: Settings, kind: str, job: Entity, scratch: Path) -> dict[str, Any]:
    """Do one job, in a process that opens the store for itself."""
    store = Opened(settings).stores[0]
    return WORK[kind].compute(Workshop(store, Buckets(store.catalog, store.objects), scratch), job)
