"""What the processes of one server tell each other: by which state of the catalogs each of them answers.

A board lies in memory that is shared by fork. Every worker writes only its own row, so there is nothing to lock.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Sequence

_PID, _READY, _LOADING, _REVISIONS = 0, 1, 2, 3


class Board:
    """One row for each worker: its process id, whether it answers, and the revision of each catalog it answers by."""

    def __init__(self, workers: int, catalogs: int) -> None:
        self.workers = workers
        self._width = _REVISIONS + catalogs
        cells = workers * self._width + 1  # the last one tells whether all have answered once
        self._memory = mmap.mmap(-1, 8 * cells)  # anonymous and shared: a fork does not copy it
        self._cells = (ctypes.c_int64 * cells).from_buffer(self._memory)

    def publish(self, worker: int, revisions: Sequence[int]) -> None:
        """Say, as this worker, by which revisions it answers from now on."""
        first = worker * self._width
        self._cells[first + _PID] = os.getpid()
        for place, revision in enumerate(revisions, first + _REVISIONS):
            self._cells[place] = revision
        self._cells[first + _READY] = 1

    def load(self, worker: int, loading: bool) -> None:
        """Say, as this worker, whether it is loading models: it follows, only not yet."""
        self._cells[worker * self._width + _LOADING] = loading

    def leave(self, worker: int) -> None:
        """Clear the row of a worker that has ended: nobody waits for it."""
        first = worker * self._width
        self._cells[first + _READY] = 0  # first of all: whoever reads meanwhile finds nobody, not half a row
        self._cells[first + _PID] = 0
        self._cells[first + _LOADING : first + self._width] = [0] * (self._width - _LOADING)

    def is_ready(self) -> bool:
        """Tell whether every worker answers, or once did: while one is replaced, the others go on."""
        if not self._cells[-1] and all(self._cells[worker * self._width + _READY] for worker in range(self.workers)):
            self._cells[-1] = 1
        return bool(self._cells[-1])

    def answering(self) -> list[int]:
        """Return the process ids of the workers that answer."""
        rows = range(0, self.workers * self._width, self._width)
        return [pid for pid in (self._cells[row + _PID] for row in rows if self._cells[row + _READY]) if pid]

    def late(self, catalog: int, revision: int, *, but_loading: bool = False) -> list[int]:
        """Return the process ids of the workers that answer by an older revision of a catalog.

        `but_loading` leaves those out that are loading.
        """
        rows = range(0, self.workers * self._width, self._width)
        late = (row for row in rows if self._cells[row + _READY] and self._cells[row + _REVISIONS + catalog] < revision)
        late = (row for row in late if not (but_loading and self._cells[row + _LOADING]))
        return [pid for pid in (self._cells[row + _PID] for row in late) if pid]
