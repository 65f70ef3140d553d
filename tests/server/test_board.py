"""The board: by which revisions the workers of one server answer, across processes."""

import os

from understudy.server.board import Board


def _as_process(act):
    """Do something in a forked process; return its id."""
    pid = os.fork()
    if pid == 0:
        act()
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def test_server_is_ready_when_all_workers_answer_and_stays_so():
    """One worker is not enough at the start; later, one that is replaced does not make the server unready."""
    board = Board(2, 1)
    board.publish(0, [5])
    assert not board.is_ready()
    board.publish(1, [5])
    assert board.is_ready()
    board.leave(1)
    assert board.is_ready()


def test_row_is_read_by_other_processes():
    """What a forked worker publishes, its parent sees, with the worker's own process id."""
    board = Board(1, 2)
    pid = _as_process(lambda: board.publish(0, [3, 4]))
    assert board.is_ready()
    assert board.late(0, 4) == [pid]
    assert board.late(1, 4) == []


def test_late_are_those_that_answer_by_an_older_revision():
    """Each catalog counts for itself; a newer revision than the one that is asked for is not late."""
    board = Board(2, 2)
    board.publish(0, [7, 1])
    _as_process(lambda: board.publish(1, [6, 2]))
    assert len(board.late(0, 7)) == 1
    assert board.late(0, 6) == []
    assert board.late(1, 2) == [os.getpid()]


def test_whoever_is_loading_is_told_apart():
    """A worker that is loading follows, only not yet; one that has left is not loading either."""
    board = Board(2, 1)
    board.publish(0, [1])
    board.load(0, True)
    assert board.late(0, 2) == [os.getpid()]
    assert board.late(0, 2, but_loading=True) == []
    board.load(0, False)
    assert board.late(0, 2, but_loading=True) == [os.getpid()]


def test_nobody_waits_for_a_worker_that_is_gone():
    """A worker that has left, or does not answer yet, is not late; nor can its empty row name a process."""
    board = Board(2, 1)
    board.publish(0, [1])
    board.leave(0)
    assert board.late(0, 9) == []


def test_those_who_answer_are_told():
    """Workers that have published answer, until they leave."""
    board = Board(2, 1)
    assert board.answering() == []
    board.publish(0, [1])
    pid = _as_process(lambda: board.publish(1, [1]))
    assert board.answering() == [os.getpid(), pid]
    board.leave(1)
    assert board.answering() == [os.getpid()]
