"""The first process of a server: whoever dies is started again, and all end together. Its children here are tiny."""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from understudy.errors import UnderstudyError
from understudy.server.supervisor import listening

PROGRAM = """
import logging, os, signal, sys, time
from pathlib import Path
from understudy.errors import UnderstudyError
from understudy.server import supervisor
from understudy.server.board import Board

folder, behaviour = Path(sys.argv[1]), sys.argv[2]
supervisor.DRAIN_SECONDS = 2.0
supervisor._EARLY_SECONDS = 0.5 if behaviour == "patient" else 5.0
logging.basicConfig(format="%(message)s")
board = Board(2, 1)

def note(name):
    with (folder / name).open("a") as file:
        file.write(f"{os.getpid()} {time.monotonic()}\\n")

def answer(number):
    note(f"worker-{number}")
    if behaviour == "hopeless" and number == 1:
        raise UnderstudyError("there is no memory")
    board.publish(number, [1])
    if behaviour == "crash" and number == 1:
        os._exit(3)
    if behaviour == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if behaviour == "busy":
        signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), note(f"ended-{number}"), os._exit(0)))
    while True:
        time.sleep(0.05)

def work():
    note("jobs")
    while True:
        time.sleep(0.05)

try:
    supervisor.Supervisor(board, answer, work).run(when_ready=lambda: note("ready"))
except UnderstudyError as error:
    sys.exit(f"gave up: {error.message}")
"""


class Supervised:
    """A supervisor as a process of its own, and what its children have noted."""

    def __init__(self, folder, behaviour):
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, folder, behaviour], stderr=subprocess.PIPE, text=True
        )

    def starts(self, name):
        """Return process id and time of every start of a child."""
        file = self.folder / name
        lines = file.read_text().splitlines() if file.exists() else []
        return [(int(pid), float(at)) for pid, at in (line.split() for line in lines)]

    def until(self, condition, seconds=30):
        """Wait until something is so."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def until_started(self, name, times=1):
        """Wait until a child was started so often."""
        self.until(lambda: len(self.starts(name)) >= times)
        return self.starts(name)

    @property
    def children(self):
        """All processes that were ever started, by id."""
        return [pid for name in ("worker-0", "worker-1", "jobs") for pid, _ in self.starts(name)]

    def until_all_are_gone(self):
        """Wait until no child lives."""
        self.until(lambda: not any(map(_lives, self.children)), 10)


def _lives(pid):
    with contextlib.suppress(OSError):
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


@pytest.fixture
def supervised(tmp_path):
    """Give what starts a supervisor; it is gone afterwards."""
    started = []

    def start(behaviour):
        started.append(Supervised(tmp_path, behaviour))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


def test_child_that_dies_is_started_again(supervised):
    """Killed, a worker and the one that does jobs are back within a second; the others are left alone."""
    server = supervised("good")
    server.until_started("ready")
    for name in ("worker-0", "jobs"):
        (pid, _), *_ = server.until_started(name)
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        _, (again, at) = server.until_started(name, 2)
        assert at - killed < 1
        assert again != pid
    assert len(server.starts("worker-1")) == 1


def test_child_that_dies_at_once_is_paused(supervised):
    """A worker that dies again and again is started ever more rarely, and takes nobody with it."""
    server = supervised("crash")
    starts = [at for _, at in server.until_started("worker-1", 4)]
    pauses = [after - before for before, after in itertools.pairwise(starts)]
    assert pauses[2] > pauses[1] > pauses[0]
    assert server.process.poll() is None
    assert len(server.starts("worker-0")) == 1


def test_hopeless_start_is_given_up_with_a_message(supervised):
    """A server whose worker never comes to answer ends with an error instead of trying for ever, and leaves nobody."""
    server = supervised("hopeless")
    _, err = server.process.communicate(timeout=60)
    assert server.process.returncode == 1
    assert "there is no memory" in err
    assert "gave up: worker 1 dies at its start, again and again" in err
    assert not server.starts("ready")
    server.until_all_are_gone()


def test_children_end_what_they_are_at(supervised):
    """SIGTERM goes on to every child, and the supervisor ends after the last of them, with 0."""
    server = supervised("busy")
    server.until_started("ready")
    server.process.terminate()
    assert server.process.wait(10) == 0
    assert len(server.starts("ended-0")) == len(server.starts("ended-1")) == 1
    server.until_all_are_gone()


def test_child_that_does_not_end_is_killed(supervised):
    """Whoever ignores SIGTERM is killed when its time is over, or at once when the signal comes again."""
    server = supervised("deaf")
    server.until_started("ready")
    server.process.terminate()
    time.sleep(0.3)
    assert server.process.poll() is None
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(1.5) == 0
    server.until_all_are_gone()


def test_children_end_with_a_killed_supervisor(supervised):
    """`kill -9` of the first process takes all others with it within seconds, deaf ones, too."""
    server = supervised("deaf")
    server.until_started("ready")
    server.process.kill()
    killed = time.monotonic()
    server.until_all_are_gone()
    assert time.monotonic() - killed < 4


def test_port_that_is_taken_is_said(tmp_path):
    """An address that cannot be had is one error that names it; port 0 takes a free one."""
    with listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(UnderstudyError, match=f"127.0.0.1:{port} cannot be listened on: Address already in use"):
            listening("127.0.0.1", port)
    with pytest.raises(UnderstudyError, match="cannot be listened on"):
        listening("no.such.host.invalid", port)
    with listening("localhost", 0) as listener, socket.create_connection(listener.getsockname()[:2]):
        pass
