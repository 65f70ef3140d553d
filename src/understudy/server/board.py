"""What the processes of one server tell each other: by which state of the catalogs each of them answers.

A board lies in memory that is shared by fork. Every worker writes only its own row, so there is nothing to lock.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Sequence

_PID, _READY, _REVISIONS = 0, 1, 2


class Board:
    """One row for each worker: its process id, whether it answers, and the revision of each catalog it answers by."""

    def __init__(self, workers: int, catalogs: int) -> None:
        self.workers = workers
        self._width = _REVISIONS + catalogs
        self._memory = mmap.mmap(-1, 8 * workers * self._width)  # anonymous and shared: a fork does not copy it
        self._cells = (ctypes.c_int64 * (workers * self._width)).from_buffer(self._memory)

    def enter(self, worker: int, pid: int) -> None:
        """Begin a worker's row anew: a process that does not answer yet."""
        first = worker * self._width
        self._cells[first : first + self._width] = [pid, *(0 for _ in range(self._width - 1))]

    def leave(self, worker: int) -> None:
        """Clear the row of a worker that has ended: nobody waits for it."""
        self.enter(worker, 0)

    def publish(self, worker: int, revisions: Sequence[int]) -> None:
        """Say by which revisions a worker answers from now on."""
        first = worker * self._width
        for place, revision in enumerate(revisions, first + _REVISIONS):
            self._cells[place] = revision
        self._cells[first + _READY] = 1

    def is_ready(self) -> bool:
        """Tell whether every worker answers."""
        return all(self._cells[worker * self._width + _READY] for worker in range(self.workers))

    def late(self, catalog: int, revision: int) -> list[int]:
        """Return the process ids of the workers that answer by an older revision of a catalog."""
        rows = range(0, self.workers * self._width, self._width)
        late = (row for row in rows if self._cells[row + _READY] and self._cells[row + _REVISIONS + catalog] < revision)
        return [self._cells[row + _PID] for row in late]
