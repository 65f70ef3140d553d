"""Killed, crowded, without space or the right to write: the champion answers, and nothing half-made is left."""

import random
import resource
import shutil
import signal
import subprocess
import time

import pytest

from acceptance.stage import Project, calls, calls_project, done, ended, failed, write_csv
from store.conftest import fill, small_disk  # noqa: F401 - the same small disk as the store's own tests

RECORD = {"age": 61, "job": "nurse"}


def _no_half_made_objects(project):
    """Every model of the catalog can be read and matches its fingerprint; nothing is left in staging."""
    for entry in project.do("history")["promotions"]:
        assert project.do("predict", "age=61", "--model", entry["model_id"])["predictions"]
    assert not [name for name in project.objects if name.startswith(".staging/") or name.endswith(".partial")]


def _kill_while_learning(project, seconds):
    """Kill `learn` after so many seconds; tell whether it was still at work."""
    learning = project.spawn("learn", "--quiet", start_new_session=True)
    time.sleep(seconds)
    learning.send_signal(signal.SIGKILL)
    return ended(learning).code == -signal.SIGKILL


def test_killed_run_leaves_the_champion_and_the_next_run_good(learned):
    """`kill -9` at random moments: the champion or a whole new one answers; the next run is as if nothing was."""
    began = time.monotonic()
    learned.do("learn", "--dry-run")
    chance, killed, whole = random.Random(5), 0, time.monotonic() - began
    for number in range(3):
        write_csv(learned.folder / "calls.csv", calls(450 + 50 * number))
        before = {learned.champion: learned.answer(**RECORD)}
        killed += _kill_while_learning(learned, chance.uniform(0.4, 0.9) * whole)
        answer = learned.answer(**RECORD)
        assert before.get(answer["model_id"], answer) == answer
        assert answer["model_id"] == learned.champion
    assert killed
    again = learned.do("learn")
    assert again["fingerprint"] == calls_project(learned.folder.parent / "fresh", rows=550).do("learn")["fingerprint"]
    assert learned.do("status")["last_run"]["status"] == "COMPLETED"
    _no_half_made_objects(learned)


def test_interrupted_run_is_closed_by_the_next(learned):
    """A killed run does not stay INPROGRESS forever."""
    learning = learned.spawn("learn", "--quiet")
    while learned.do("status")["last_run"]["status"] != "INPROGRESS" and learning.poll() is None:
        time.sleep(0.01)
    learning.kill()
    interrupted = ended(learning).code == -signal.SIGKILL and learned.do("status")["last_run"]["run_id"]
    learned.do("learn")
    assert interrupted
    assert learned.do("show", interrupted)["status"] == "FAILED"


def _limited():
    """Let no file of this process grow beyond 20 kilobytes, and no signal say so: as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_disk_that_takes_no_more_is_one_clear_error(learned):
    """Files cannot grow: exit code 1, one message, the champion answers, and with space again all is well."""
    before = learned.answer(**RECORD)
    write_csv(learned.folder / "calls.csv", calls(5_000))
    message = failed(ended(learned.spawn("learn", preexec_fn=_limited)), 1)
    assert "space" in message or "written" in message
    assert learned.answer(**RECORD) == before
    assert learned.do("learn")["rows"]["extracted"] == 5_000
    _no_half_made_objects(learned)


@pytest.fixture
def full(small_disk, fill, learned_once):  # noqa: F811 - fixtures by their names
    """Give a project that has learned, on a disk without a free byte."""
    shutil.copytree(learned_once[0].folder, small_disk / "calls")
    fill(small_disk)
    return Project(small_disk / "calls")


def test_full_disk_stops_learning_and_nothing_else(full, learned_once):
    """No free space: `learn` says so with exit code 1; predict, status, history and show work as before."""
    before = learned_once[0].answer(**RECORD)
    assert failed(full.run("learn"), 1)
    assert full.answer(**RECORD) == before
    assert full.champion == before["model_id"]
    assert full.do("history")["promotions"]
    assert full.do("show", before["model_id"])["kind"] == "model"


def test_space_again_makes_the_next_run_good(full):
    """Once there is space the same project learns, and nothing half-made is left."""
    failed(full.run("learn"), 1)
    (full.folder.parent / "filler").unlink()
    assert full.do("learn")["verdict"]["status"] == "ADMITTED"
    _no_half_made_objects(full)


def test_second_learner_waits_and_says_for_whom(learned):
    """Two `learn` at once: one holds the lock, the other names its process, and both end well."""
    write_csv(learned.folder / "calls.csv", calls(20_000))
    both = [learned.spawn("learn", "--json") for _ in range(2)]
    pids = [process.pid for process in both]
    told = [ended(process) for process in both]
    documents = [done(each) for each in told]
    assert documents[0]["fingerprint"] == documents[1]["fingerprint"]
    assert len({document["run_id"] for document in documents}) == 2
    waited = [each for each in told if "waiting for" in each.err]
    assert len(waited) == 1
    assert f"process {pids[told.index(waited[0]) - 1]} " in waited[0].err
    assert len(learned.do("history")["promotions"]) == 3


@pytest.fixture
def read_only(small_disk, learned_once):  # noqa: F811 - fixtures by their names
    """Give a project that has learned, on a disk that takes no byte from anybody."""
    project = Project(shutil.copytree(learned_once[0].folder, small_disk / "calls"))
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    return project


@pytest.mark.parametrize("words", [["predict", "age=61", "job=nurse"], ["status"], ["history"]])
def test_looking_needs_no_right_to_write(read_only, learned_once, words):
    """On a read-only disk `predict`, `status` and `history` answer as ever."""
    assert read_only.do(*words) == learned_once[0].do(*words)


def test_learning_needs_it_and_says_so(read_only):
    """`learn` on a read-only disk is one clear message."""
    assert "Read-only" in failed(read_only.run("learn"), 1)
