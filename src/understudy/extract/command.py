"""A command that writes CSV to its standard output -> one extraction."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from understudy.errors import ExtractError
from understudy.extract.delimited import read_csv
from understudy.extract.extraction import Extraction, Rejections

PATIENCE = 3.0
"""Seconds that a command, with all that it has begun, is given to end when it is asked to."""

_ASSIGNMENT = re.compile(r"""[A-Za-z_]\w*=("[^"]*"|'[^']*'|\S)*\s+""")


def read_command(command: str, root: Path, *, encoding: str = "utf-8", max_rejected: float = 0.1) -> Extraction:
    """Run a shell command in `root` and read its standard output as CSV; raises ExtractError where it fails."""
    shown = f"`{_program(command)}`"
    rejected = Rejections()
    output = _Output(command, shown, root)
    try:
        columns, batches = read_csv(output, f"the output of {shown}", rejected, encoding=encoding)
    except BaseException:  # an interrupt, too: the command would go on for itself
        output.close()
        raise
    return Extraction(
        schema=pa.schema([(column, pa.string()) for column in columns]),
        batches=batches,
        sources=[shown],
        rejected=rejected,
        max_rejected=max_rejected,
        release=output.close,
    )


def _program(command: str) -> str:
    """Return only the program's name: what stands before and after it may hold a secret.

    >>> _program("DBPW='very secret' ./dump.sh --key=1")
    './dump.sh'
    """
    rest = command.strip()
    while assignment := _ASSIGNMENT.match(rest):
        rest = rest[assignment.end() :]
    found = re.match(r"[\w./+~-]+(?=$|[\s;|&<>])", rest)
    return found[0] if found else "extract.command"


class _Output:
    """A running command's standard output."""

    def __init__(self, command: str, shown: str, root: Path) -> None:
        self._shown = shown
        self._ended = False
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        # A shell, since the command stands in the project's own file; a group of its own, to be ended whole.
        self._process = subprocess.Popen(  # noqa: S602
            command,
            shell=True,
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=self._said,
            start_new_session=True,
        )

    def read(self, size: int, /) -> bytes:
        """Return up to `size` more bytes; at the end raises ExtractError where the command failed."""
        assert self._process.stdout is not None
        data = self._process.stdout.read(size)
        self._ended = not data
        if not data and self._process.wait() != 0:
            self._said.seek(0)
            lines = self._said.read().decode(errors="replace").strip().splitlines()
            said = f": {lines[-1][:300]}" if lines else ""
            raise ExtractError(
                f"the command {self._shown} ended with {self._process.returncode}{said}",
                "Run it by hand in the project's folder; nothing was changed.",
            )
        return data

    def close(self) -> None:
        """End the command, with all that it has begun, where it was not read to its end."""
        assert self._process.stdout is not None
        if not self._ended:
            self._end()
        self._process.stdout.close()
        self._said.close()

    def _end(self) -> None:
        """Ask the group to end, then make it: the shell may be gone, and what it has begun deaf."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            until = time.monotonic() + PATIENCE
            there = self._signal(how)
            while there and time.monotonic() < until:
                time.sleep(0.01)
                there = self._signal(0)
            if not there:
                return

    def _signal(self, how: int) -> bool:
        """Send a signal to the group; return whether there was anybody to get it."""
        self._process.poll()  # a shell that has ended counts as there until somebody asks
        try:
            os.killpg(self._process.pid, how)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # some of it is another user's
        return True
