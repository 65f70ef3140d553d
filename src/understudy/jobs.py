"""Jobs: what is PENDING in the catalog is worked on, outside of any request, in processes of its own.

An entity's row is its job. It waits until what it needs is COMPLETED, is INPROGRESS while a process works on it, and
ends COMPLETED or FAILED with a message. A kill at any moment loses nothing: whoever holds the lease next finds what was
INPROGRESS and begins it again. To delete an entity is to cancel its job.

This module does not know what a job computes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from understudy.errors import Busy, NotFound, UnderstudyError
from understudy.forking import forked
from understudy.store.catalog import Catalog, Entity, now

_LOG = logging.getLogger(__name__)

Dependency = tuple[str, str]
"""Kind and id of an entity that a job waits for."""

Amendment = Callable[[Entity], Entity | None]
"""Makes of an entity's present state its next one; None where it stays as it is."""

NICE = 10
"""How far jobs stand back behind those who answer predictions on the same cores."""

CRASHES = 3
"""How often a job's process may die by itself before the job is given up."""

LONGEST = timedelta(days=7)
"""How long a job may run (reference 2.7); one that hangs must not keep a place for ever."""

_PATIENCE = 10
"""How often writing down how a job ended is tried again while others hold the catalog."""


@dataclass(frozen=True)
class Work:
    """How jobs of one kind are done."""

    waits_for: Callable[[Entity], Sequence[Dependency]]
    compute: Callable[[Entity, Path], Mapping[str, Any]]
    """Does the work, with an empty folder to itself; returns new members of the entity's document.

    Raises UnderstudyError where it cannot be done. After a kill it is called again, from the beginning.
    """


@dataclass
class _Running:
    """A process at work."""

    pid: int
    job: Entity | None
    """None for an errand."""
    name: str
    folder: Path | None = None
    """What it has to itself; None for an errand."""
    began: float = field(default_factory=time.monotonic)
    ended_by_us: bool = False
    """Whether we have killed it: that is no crash."""


class Jobs:
    """Works on the jobs of a catalog, at most so many at a time. One process, which holds the lease, runs it."""

    def __init__(
        self,
        catalog: Catalog,
        works: Mapping[str, Work],
        scratch: Path,
        *,
        at_a_time: int,
        prepare: Callable[[], bool] = lambda: False,
    ) -> None:
        """`prepare` is called before a job's process is begun: what it loads, all of them share.

        It tells whether there was anything to load. That takes a while, so the job is left to the next step then, which
        its caller may not want any more.
        """
        self._catalog = catalog
        self._works = works
        self._scratch = scratch
        self._at_a_time = at_a_time
        self._prepare = prepare
        self._running: list[_Running] = []
        self._crashes: dict[tuple[str, str, str], int] = {}
        """By kind, id and time of creation: an id that is used again begins anew."""

    def step(self) -> bool:
        """See who has ended, cancel what was deleted, start what can be started; tell whether anything is unfinished.

        What is INPROGRESS with nobody at work on it was left by a kill: it is begun again.
        """
        self._reap()
        self._clear_away()
        unfinished = self._catalog.unfinished(list(self._works))
        self._cancel({_identity(job) for job in unfinished if job.status == "INPROGRESS"})
        self._end_what_hangs()
        for job in unfinished:
            if self._is_free() and not self._is_at_work_on(job) and self._is_ready(job):
                if self._prepare():
                    break
                self._start(job)
        return bool(unfinished or self._running)

    def run_errand(self, name: str, errand: Callable[[], None]) -> bool:
        """Run something else in a process of its own, unless one of that name runs or no place is free."""
        if not self._is_free() or any(running.name == name for running in self._running):
            return False
        self._running.append(_Running(forked(errand, nice=NICE), None, name))
        return True

    @property
    def busy(self) -> int:
        """How many processes are at work."""
        return len(self._running)

    def stop(self) -> None:
        """End all processes at once; their jobs are begun again by whoever holds the lease next."""
        for running in self._running:
            os.kill(running.pid, signal.SIGKILL)
        for running in self._running:
            os.waitpid(running.pid, 0)
        self._running.clear()
        self._clear_away()

    def _is_free(self) -> bool:
        return len(self._running) < self._at_a_time

    def _is_at_work_on(self, job: Entity) -> bool:
        at_work = (running.job for running in self._running if running.job is not None)
        return any((other.kind, other.id) == (job.kind, job.id) for other in at_work)

    def _is_ready(self, job: Entity) -> bool:
        """Tell whether all that a job waits for is COMPLETED; fail the job where that can no longer be."""
        for kind, entity_id in self._works[job.kind].waits_for(job):
            needed = self._needed(kind, entity_id)
            if needed is None or needed.status in ("FAILED", "DELETED"):
                self._amend(job, _failed(_hopeless(kind, entity_id, needed)))
                return False
            if needed.status != "COMPLETED":
                return False
        return True

    def _needed(self, kind: str, entity_id: str) -> Entity | None:
        try:
            return self._catalog.get(entity_id, kind)
        except NotFound:
            return None

    def _start(self, job: Entity) -> None:
        started = self._amend(job, _begun)
        if started.status == "INPROGRESS" and started.created_at == job.created_at:
            folder = self._scratch / uuid.uuid4().hex
            pid = forked(lambda: self._do(started, folder), nice=NICE)
            self._running.append(_Running(pid, started, f"{job.kind} {job.id}", folder))

    def _do(self, job: Entity, folder: Path) -> None:
        """Do one job, in a process of its own, and write down how it ended."""
        self._catalog.forget_connections()
        folder.mkdir(parents=True)
        self._write_down(job, self._ending(job, folder))

    def _ending(self, job: Entity, folder: Path) -> Amendment:
        """Compute what one job makes; return how it ended."""
        try:
            return _completed(self._works[job.kind].compute(job, folder))
        except UnderstudyError as error:
            return _failed(str(error))
        except MemoryError:
            return _failed("The machine has not enough memory for this.")
        except Exception as error:  # noqa: BLE001 - the job worker: whatever fails, the job must not hang
            _LOG.exception("the job %s %s failed by a mistake of ours", job.kind, job.id)
            return _failed(f"A mistake of Understudy's own: {type(error).__name__}: {error}")

    def _write_down(self, job: Entity, ending: Amendment) -> None:
        """Put on record how a job ended; work that is done is not thrown away because others hold the catalog."""
        for _ in range(_PATIENCE):
            try:
                self._amend(job, ending)
                return
            except Busy:
                time.sleep(1.0)
        self._amend(job, ending)

    def _reap(self) -> None:
        """Collect the processes that have ended; one that died by itself has its job begun again, a few times."""
        for running in list(self._running):
            pid, status = os.waitpid(running.pid, os.WNOHANG)
            if pid == 0:
                continue
            self._running.remove(running)
            if running.job is None or running.ended_by_us:
                continue
            if status == 0:
                self._crashes.pop(_identity(running.job), None)
            else:
                self._crashed(running.job, os.waitstatus_to_exitcode(status))

    def _clear_away(self) -> None:
        """Remove every folder that no process of ours has to itself.

        A job of a killed server outlives it for a moment, and may write where all was cleared away: look each time.
        A disk that cannot be looked at keeps no job waiting.
        """
        with contextlib.suppress(OSError):
            for folder in set(self._scratch.iterdir()) - {running.folder for running in self._running}:
                shutil.rmtree(folder, ignore_errors=True)

    def _crashed(self, job: Entity, code: int) -> None:
        crashes = self._crashes[_identity(job)] = self._crashes.get(_identity(job), 0) + 1
        if crashes >= CRASHES:
            died = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            how = f"Its process died {crashes} times ({died}); the machine may have too little memory for it."
            self._amend(job, _failed(how))

    def _cancel(self, in_progress: set[tuple[str, str, str]]) -> None:
        """Kill the processes whose jobs were deleted meanwhile."""
        for running in self._running:
            if running.job is not None and _identity(running.job) not in in_progress:
                _kill(running)

    def _end_what_hangs(self) -> None:
        for running in self._running:
            if running.job is not None and time.monotonic() > running.began + LONGEST.total_seconds():
                self._amend(
                    running.job, _failed(f"It was ended after {LONGEST.days} days, the longest that a job may run.")
                )
                _kill(running)

    def _amend(self, job: Entity, amend: Amendment) -> Entity:
        """Amend a job, unless another has its id by now."""
        return self._catalog.amend(
            job.kind, job.id, lambda present: amend(present) if present.created_at == job.created_at else None
        )


def _kill(running: _Running) -> None:
    running.ended_by_us = True
    os.kill(running.pid, signal.SIGKILL)


def _identity(job: Entity) -> tuple[str, str, str]:
    return job.kind, job.id, job.created_at


def _hopeless(kind: str, entity_id: str, needed: Entity | None) -> str:
    """Say why a job cannot be done, down to the reason of what it needs."""
    what = f"The {kind.replace('_', ' ')} {entity_id}, which this needs, is {needed.status if needed else 'DELETED'}"
    reason = needed.document.get("message") if needed and needed.status == "FAILED" else None
    return f"{what}: {reason}" if reason else f"{what}."


def _begun(job: Entity) -> Entity | None:
    if job.status != "PENDING":
        return None
    return msgspec.structs.replace(job, status="INPROGRESS", started_at=now())


def _completed(made: Mapping[str, Any]) -> Amendment:
    def complete(job: Entity) -> Entity | None:
        if job.status != "INPROGRESS":
            return None
        return msgspec.structs.replace(job, status="COMPLETED", finished_at=now(), document={**job.document, **made})

    return complete


def _failed(message: str) -> Amendment:
    def fail(job: Entity) -> Entity | None:
        if job.status not in ("PENDING", "INPROGRESS"):
            return None
        document = {**job.document, "message": message}
        return msgspec.structs.replace(job, status="FAILED", finished_at=now(), document=document)

    return fail
