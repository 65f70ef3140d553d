"""Servers of any make as process trees: started, pinned to cores, weighed, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from load import Pieces, hammer
from measuring import Failed

_TICK = os.sysconf("SC_CLK_TCK")
PATIENCE = 120.0
"""Seconds within which a server must answer."""


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A server on a port of its own, with all processes that it starts."""

    def __init__(self, command: Callable[[int], Sequence[object]], log: Path, environment: dict[str, str]) -> None:
        """Take a function from port to command; what the server says goes to `log`."""
        self.port = free_port()
        self._command = [str(word) for word in command(self.port)]
        self._log, self._environment = log, environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, requests: Callable[[], Sequence[Pieces]]) -> float:
        """Start; return the seconds until the first good answer. Raises Failed where none comes."""
        began = time.perf_counter()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env=self._environment, start_new_session=True
            )
        while time.perf_counter() - began < PATIENCE:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(ConnectionError, TimeoutError):
                if hammer(self.port, requests()[:1], 1, 0).failed == 0:
                    return time.perf_counter() - began
            time.sleep(0.01)
        self.stop()
        raise Failed(f"no good answer: {self._log.read_text(errors='replace').strip().splitlines()[-1:]}")

    def stop(self) -> None:
        """End the server and whatever is left of its group."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def pin(self, cores: Iterable[int]) -> None:
        """Let all threads of all its processes run on these cores only; processes started later inherit that."""
        for pid in self.processes():
            for thread in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(int(thread.name), cores)

    def processes(self) -> list[int]:
        """Return the ids of the first process and all below it."""
        return [] if self._process is None else [self._process.pid, *_below(self._process.pid)]

    def cpu(self) -> float:
        """Return the seconds of processor that all its processes have had so far."""
        return sum(_cpu(pid) for pid in self.processes())

    def memory(self) -> float:
        """Return the memory of all its processes in MiB, what they share counted once."""
        return sum(_shared_out(pid) for pid in self.processes())


def _below(pid: int) -> Iterator[int]:
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, thread.read_text().split()):
                yield child
                yield from _below(child)


def _cpu(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK
    return 0.0


def _shared_out(pid: int) -> float:
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return 0.0
