"""Jobs: worked on in processes of their own, in the order of what they need, through kills and cancellations."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from store.conftest import postgresql_url  # noqa: F401 - the same server as the store's own tests
from understudy import jobs
from understudy.errors import InvalidInput
from understudy.jobs import CRASHES, Jobs, Work
from understudy.store.catalog import Catalog


def _told(folder, job):
    """Note in a file that a job was begun, by whom, and return what it made."""
    with (folder / "log").open("a") as log:
        log.write(f"{job.id} {os.getpid()}\n")
    return {"made": job.id.upper()}


def _needs(job):
    return [(job.kind, needed) for needed in job.document.get("needs", [])]


class Stage:
    """A catalog with jobs of one kind, whose work a test chooses by the job's id."""

    def __init__(self, folder, at_a_time=2, url=None):
        self.folder = folder
        self.catalog = Catalog.open(url or f"sqlite:///{folder}/catalog.db")
        self.works = {"model": Work(_needs, self._compute)}
        self.jobs = Jobs(self.catalog, self.works, folder / "scratch", at_a_time=at_a_time)

    def _compute(self, job, scratch):
        assert list(scratch.iterdir()) == []
        (scratch / "something").write_text("left behind")
        made = _told(self.folder, job)
        match job.id.partition("-")[0]:
            case "bad":
                raise InvalidInput("there are no rows", "Give some.")
            case "mistaken":
                raise KeyError("oh")
            case "slow":
                time.sleep(30)
            case "crash":
                os.kill(os.getpid(), signal.SIGTERM)
            case "once":
                if self.begun(job.id) == 1:
                    os.kill(os.getpid(), signal.SIGKILL)
        return made

    def begun(self, job_id):
        """Say how often a job was begun."""
        log = self.folder / "log"
        return sum(line.split()[0] == job_id for line in log.read_text().splitlines()) if log.exists() else 0

    def scratch(self):
        """Return the folders that jobs have to themselves."""
        return [folder for folder in (self.folder / "scratch").glob("*") if (folder / "something").exists()]

    def create(self, job_id, **document):
        """Ask for a job."""
        self.catalog.create("model", job_id, document)

    def status(self, job_id):
        """Say how a job stands."""
        return self.catalog.get(job_id, "model").status

    def until(self, condition, seconds=20):
        """Let the jobs go on until something is so."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, [(job.id, job.status) for job in self.catalog.find("model")]
            self.jobs.step()
            time.sleep(0.01)


@pytest.fixture
def stage(tmp_path):
    """Give an empty stage."""
    made = Stage(tmp_path)
    yield made
    made.jobs.stop()
    made.catalog.close()


def test_job_is_done_in_a_process_of_its_own(stage):
    """A PENDING entity becomes COMPLETED with what its work made beside what it was asked for, and with its times."""
    stage.create("plain", asked=1)
    stage.until(lambda: stage.status("plain") == "COMPLETED")
    done = stage.catalog.get("plain", "model")
    assert done.document == {"asked": 1, "made": "PLAIN"}
    assert done.created_at <= done.started_at <= done.finished_at
    assert (stage.folder / "log").read_text().split()[1] != str(os.getpid())
    stage.until(lambda: not stage.jobs.busy)
    assert list((stage.folder / "scratch").iterdir()) == []


def test_job_waits_for_what_it_needs(stage):
    """Jobs asked for all at once run in the order of their needs, whatever the order of asking."""
    stage.create("third", needs=["second"])
    stage.create("second", needs=["first"])
    stage.create("first")
    stage.until(lambda: stage.status("third") == "COMPLETED")
    assert [line.split()[0] for line in (stage.folder / "log").read_text().splitlines()] == ["first", "second", "third"]


def test_job_whose_need_failed_fails_with_its_name(stage):
    """A job that can never begin is FAILED, and says for want of what."""
    stage.create("bad-source")
    stage.create("next", needs=["bad-source"])
    stage.create("last", needs=["next", "nowhere"])
    stage.until(lambda: stage.status("last") == "FAILED")
    assert stage.catalog.get("last", "model").document["message"] == (
        "The model next, which this needs, is FAILED: The model bad-source, which this needs, is FAILED: "
        "there are no rows\nGive some."
    )
    assert stage.begun("next") == 0


def test_failure_is_said_in_the_words_of_the_error(stage):
    """An error that explains itself becomes the message; a mistake of ours is called one; neither hangs."""
    stage.create("bad")
    stage.create("mistaken")
    stage.until(lambda: stage.status("bad") == stage.status("mistaken") == "FAILED")
    assert stage.catalog.get("bad", "model").document["message"] == "there are no rows\nGive some."
    assert "mistake of Understudy's own" in stage.catalog.get("mistaken", "model").document["message"]


def test_so_many_at_a_time_and_no_more(stage):
    """Where two places are taken, a third job waits, PENDING."""
    for number in range(3):
        stage.create(f"slow-{number}")
    stage.until(lambda: stage.jobs.busy == 2)
    for _ in range(5):
        stage.jobs.step()
    assert [stage.status(f"slow-{number}") for number in range(3)] == ["INPROGRESS", "INPROGRESS", "PENDING"]


def test_deleted_job_is_cancelled(stage):
    """To delete is to cancel: the process ends, the place is free, nothing is written over the deletion."""
    stage.create("slow")
    stage.until(lambda: stage.begun("slow") == 1)
    stage.catalog.retire("slow")
    stage.until(lambda: not stage.jobs.busy, seconds=5)
    assert stage.status("slow") == "DELETED"
    assert stage.scratch() == []


def test_stopped_jobs_leave_nothing_in_their_scratch(stage):
    """What jobs that are killed half-way had written goes with them, not with the next server that starts."""
    stage.create("slow")
    stage.until(stage.scratch)
    stage.jobs.stop()
    assert stage.scratch() == []


def test_folder_of_a_dead_servers_job_is_removed_however_late_it_is_written(stage):
    """A job outlives its killed server by a moment, and may write where the next server has cleared away already."""
    for _ in range(2):
        late = stage.folder / "scratch" / "of-another"
        late.mkdir(parents=True, exist_ok=True)
        (late / "something").write_text("late")
        stage.jobs.step()
        assert stage.scratch() == []


def test_job_whose_process_dies_is_begun_again_a_few_times(stage):
    """A process that dies once costs nothing; one that always dies is given up with a message."""
    stage.create("once")
    stage.create("crash")
    stage.until(lambda: stage.status("once") == "COMPLETED" and stage.status("crash") == "FAILED")
    assert (stage.begun("once"), stage.begun("crash")) == (2, CRASHES)
    assert "SIGTERM" in stage.catalog.get("crash", "model").document["message"]


WORKER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_jobs import Stage
stage = Stage(Path(sys.argv[1]))
while True:
    stage.jobs.step()
    time.sleep(0.01)
"""


def test_killed_worker_leaves_jobs_that_the_next_one_ends(tmp_path):
    """After `kill -9` no process lives on, and whoever comes next begins again what was at work."""
    stage = Stage(tmp_path)
    stage.create("slow-one")
    process = subprocess.Popen([sys.executable, "-c", WORKER, tmp_path, Path(__file__).parent])
    deadline = time.monotonic() + 20
    while not stage.begun("slow-one") and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    child = int((tmp_path / "log").read_text().split()[1])
    while time.monotonic() < deadline and _lives(child):
        time.sleep(0.05)
    assert not _lives(child)
    assert stage.status("slow-one") == "INPROGRESS"
    stage.until(lambda: stage.begun("slow-one") == 2)
    assert len(stage.scratch()) == 1
    stage.jobs.stop()
    assert stage.status("slow-one") == "INPROGRESS"
    stage.catalog.close()


def _lives(pid):
    with contextlib.suppress(OSError):
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


def test_job_whose_preparation_took_a_while_waits_for_the_next_step(stage):
    """Whoever steps may have been told to end meanwhile: what jobs share is loaded in one step, used in the next."""
    loading = iter([True])
    stage.jobs = Jobs(
        stage.catalog, stage.works, stage.folder / "scratch", at_a_time=2, prepare=lambda: next(loading, False)
    )
    stage.create("slow-one")
    stage.create("slow-two")
    assert stage.jobs.step()
    assert (stage.jobs.busy, stage.status("slow-one")) == (0, "PENDING")
    stage.jobs.step()
    assert stage.jobs.busy == 2


def test_scratch_that_cannot_be_looked_at_keeps_no_job_waiting(stage, monkeypatch):
    """What is left behind is cleared away where that can be."""

    def refused(_):
        raise PermissionError

    monkeypatch.setattr(Path, "iterdir", refused)
    stage.create("other")
    assert stage.jobs.step()
    assert stage.jobs.busy == 1


def test_errand_runs_once_at_a_time(stage):
    """Something else to do runs beside the jobs, takes a place, and not twice under one name."""
    assert stage.jobs.run_errand("learn", lambda: time.sleep(30))
    assert not stage.jobs.run_errand("learn", lambda: None)
    assert stage.jobs.run_errand("other", (stage.folder / "done").touch)
    stage.until(lambda: stage.jobs.busy == 1)
    assert (stage.folder / "done").exists()


def test_id_that_is_used_again_and_again_begins_anew(stage):
    """To cancel is no crash: an id that is deleted and asked for again, however often, is worked on like any other."""
    for round_ in range(CRASHES + 1):
        stage.catalog.create_once("model", "slow", {})
        stage.until(lambda n=round_ + 1: stage.begun("slow") == n)
        stage.catalog.retire("slow")
        stage.until(lambda: not stage.jobs.busy)
    stage.catalog.create_once("model", "slow", {})
    stage.until(lambda: stage.begun("slow") == CRASHES + 2)
    assert stage.status("slow") == "INPROGRESS"


def test_id_that_crashed_may_be_asked_for_again(stage):
    """A job that was given up is given up again after as many crashes as the first time, not after none or for ever."""
    stage.create("crash")
    stage.until(lambda: stage.status("crash") == "FAILED")
    stage.catalog.retire("crash")
    stage.catalog.create_once("model", "crash", {})
    stage.until(lambda: stage.status("crash") == "FAILED")
    assert stage.begun("crash") == 2 * CRASHES


def test_job_that_hangs_is_ended(stage, monkeypatch):
    """A job may run for seven days; then it is FAILED, and its place is free."""
    stage.create("slow")
    stage.until(lambda: stage.begun("slow") == 1)
    monkeypatch.setattr(jobs, "LONGEST", timedelta(seconds=0))
    stage.until(lambda: stage.status("slow") == "FAILED" and not stage.jobs.busy)
    assert stage.begun("slow") == 1


def test_jobs_on_postgresql_have_connections_of_their_own(tmp_path, postgresql_url):  # noqa: F811
    """Processes that work side by side on a PostgreSQL catalog do not speak over their parent's connection."""
    stage = Stage(tmp_path, at_a_time=4, url=postgresql_url)
    for number in range(24):
        stage.create(f"plain-{number}", needs=[f"plain-{number - 4}"] if number > 4 else [])
    stage.until(lambda: {stage.status(f"plain-{number}") for number in range(24)} == {"COMPLETED"}, seconds=60)
    assert all(stage.begun(f"plain-{number}") == 1 for number in range(24))
    stage.jobs.stop()
    stage.catalog.close()
