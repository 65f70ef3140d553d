"""When a project learns again: by duration or cron, at once after a kill, once for any number of missed runs."""

from datetime import UTC, datetime, timedelta

import pytest

from understudy.config import Schedule
from understudy.schedule import INTERRUPTED, due_at, moment, next_run
from understudy.store.catalog import Entity

WEEKLY = Schedule(every="1w")


def run(at, status="COMPLETED", **document):
    """Return a run of the catalog."""
    return Entity("run", "run", "p", status, at, at, document)


def test_duration_counts_from_the_last_run():
    """`every` is due so long after the last run began."""
    last = run("2026-11-01T10:00:00.000000Z")
    assert due_at(WEEKLY, [last], at_work=False) == datetime(2026, 11, 8, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 3 * * 1", (2026, 11, 30, 3, 0)),
        ("*/15 * * * *", (2026, 11, 25, 12, 15)),
        ("30 1 1 jan *", (2027, 1, 1, 1, 30)),
    ],
)
def test_cron_speaks_of_local_time(cron, expected):
    """A cron expression means this machine's clock; Monday is 1."""
    wednesday = datetime(2026, 11, 25, 12, 7).astimezone()
    assert next_run(Schedule(cron=cron), wednesday) == datetime(*expected).astimezone()


def test_first_run_is_due_at_once():
    """A project that never learned does not wait for its time."""
    assert due_at(WEEKLY, [], at_work=False) is None
    assert due_at(WEEKLY, [run("2026-11-01T10:00:00Z", dry_run=True)], at_work=False) is None


def test_failed_run_waits_for_its_time():
    """A run that failed by itself would fail again: the next waits."""
    assert due_at(WEEKLY, [run("2026-11-01T10:00:00Z", "FAILED")], at_work=False) is not None


def test_killed_run_is_due_again_at_once_but_not_for_ever():
    """A killed run is replaced at once; a project whose runs are always killed does not run without end."""
    killed = run("2026-11-08T10:00:00Z", "FAILED", interrupted=True)
    assert due_at(WEEKLY, [killed, run("2026-11-01T10:00:00Z")], at_work=False) is None
    assert due_at(WEEKLY, [run("2026-11-08T10:00:00Z", "INPROGRESS")], at_work=False) is None
    assert due_at(WEEKLY, [killed] * INTERRUPTED, at_work=False) == moment(killed.created_at) + timedelta(weeks=1)


def test_run_under_way_is_not_due():
    """While a run is at work, the next is counted from it."""
    assert due_at(WEEKLY, [run("2026-11-08T10:00:00Z", "INPROGRESS")], at_work=True) is not None
