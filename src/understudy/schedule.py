"""When a project learns again.

>>> monday = datetime(2026, 11, 23, 3, 0).astimezone()
>>> next_run(Schedule(every="1w"), monday) - monday
datetime.timedelta(days=7)
>>> next_run(Schedule(cron="0 3 * * 1"), monday) - monday
datetime.timedelta(days=7)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import takewhile

from cronsim import CronSim

from understudy.config import Schedule, parse_duration
from understudy.store.catalog import Entity

INTERRUPTED = 3
"""Killed runs in a row that are begun again at once; after so many the next waits for its time."""


def next_run(schedule: Schedule, last: datetime) -> datetime:
    """Return when the run after one at `last` is due; cron expressions speak of this machine's local time."""
    if schedule.every is not None:
        return last + parse_duration(schedule.every)
    local = last.astimezone().replace(tzinfo=None)
    return next(CronSim(schedule.cron or "", local)).astimezone()


def due_at(schedule: Schedule, runs: Sequence[Entity], *, at_work: bool) -> datetime | None:
    """Return when a project's next run is due, from its runs, newest first; None for at once.

    At once is a first run, and one in place of a run that was killed. However long nobody was there to run it, a run is
    due once. `at_work` says whether a run is under way: an unfinished one was killed otherwise.
    """
    real = [run for run in runs if not run.document.get("dry_run")]
    killed = sum(1 for _ in takewhile(lambda run: _was_killed(run, at_work=at_work), real))
    if killed < INTERRUPTED and (killed or not real):
        return None
    return next_run(schedule, moment(real[0].created_at))


def _was_killed(run: Entity, *, at_work: bool) -> bool:
    return bool(run.document.get("interrupted")) or (run.status == "INPROGRESS" and not at_work)


def moment(text: str) -> datetime:
    """Read a time as the catalog writes it."""
    return datetime.fromisoformat(text).astimezone(UTC)
