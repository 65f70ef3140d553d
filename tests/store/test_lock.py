"""The lock: one holder at a time, told by name, freed by its end."""

import signal
import subprocess
import sys
import threading

import pytest

from understudy.errors import Busy, StoreError
from understudy.store.lock import exclusive, is_held

HOLD = """
import sys, time
from pathlib import Path
from understudy.store.lock import exclusive, is_held
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock `tmp_path / "lock"`."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "lock")], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_lock_held_elsewhere_is_told_with_its_holder(tmp_path, holder):
    """Without waiting, the second process learns which process holds the lock and since when."""
    with (
        pytest.raises(Busy, match=rf"process {holder.pid} on .*, since \d{{4}}-\d\d-\d\dT"),
        exclusive(tmp_path / "lock", wait=0),
    ):
        pytest.fail("two processes hold the lock")


def test_lock_of_a_killed_process_is_free(tmp_path, holder):
    """A kill gives the lock back at once, without any cleaning up."""
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with exclusive(tmp_path / "lock", wait=0):
        pass


def test_second_process_waits_and_is_told_once_for_whom(tmp_path, holder):
    """A process that waits is told the holder once, and goes on when the lock is free."""
    told = []

    def tell(found):
        told.append(found)
        holder.kill()

    with exclusive(tmp_path / "lock", on_wait=tell):
        assert [found.pid for found in told] == [holder.pid]


def test_lock_excludes_threads_of_one_process(tmp_path):
    """Two threads of one process exclude each other, too."""
    inside, most = 0, 0
    guard = threading.Lock()

    def work():
        nonlocal inside, most
        for _ in range(5):
            with exclusive(tmp_path / "lock"):
                with guard:
                    inside += 1
                    most = max(most, inside)
                with guard:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_lock_is_free_after_an_error(tmp_path):
    """An exception inside the block gives the lock back."""
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path / "lock"):
        raise ZeroDivisionError
    with exclusive(tmp_path / "lock", wait=0):
        pass


def test_lock_in_an_impossible_place_is_a_store_error(tmp_path):
    """A lock that cannot be made is told, not a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened"), exclusive(tmp_path / "file" / "lock"):
        pytest.fail("the lock was made below a file")


def test_lock_is_seen_from_outside(tmp_path):
    """Whether a lock is held can be asked without taking it, before the file exists, too."""
    path = tmp_path / "lock"
    assert not is_held(path)
    with exclusive(path):
        assert is_held(path)
    assert not is_held(path)
