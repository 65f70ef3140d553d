"""A thread that is let on a processor soon: what it asks the system for, and what it leaves alone."""

import ctypes
import os
import platform
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from understudy.server import prompt

ASKS = """
import os, sys
from understudy.server.prompt import be_prompt
if sys.argv[1] == "batch":
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
os.nice(3)
be_prompt()
from server.test_prompt import attributes
print(os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0), attributes())
"""
SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}.get(platform.machine())


def attributes():
    """Return what the system tells of this thread: the nanoseconds that it asked for, 0 for none."""
    told = ctypes.create_string_buffer(prompt._ATTRIBUTES.size)
    ctypes.CDLL(None).syscall(SCHED_GETATTR, 0, told, len(told), 0)
    return struct.unpack("IIQiIQQQ", told.raw)[5]


def asked(how):
    """Ask in a process of its own; return policy, nice value and slice."""
    run = [sys.executable, "-c", ASKS, how]
    told = subprocess.run(run, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1]).stdout
    return tuple(map(int, told.split()))


@pytest.mark.skipif(sys.platform != "linux" or SCHED_GETATTR is None, reason="only Linux is asked")
def test_short_slices_are_asked_for_and_nothing_else():
    """Policy and nice value stay as they are; who runs by another policy is left alone."""
    lower = min(os.getpriority(os.PRIO_PROCESS, 0) + 3, 19)
    policy, nice, nanoseconds = asked("other")
    assert (policy, nice) == (os.SCHED_OTHER, lower)
    assert nanoseconds in (prompt.SLICE_NANOSECONDS, 0)  # none before Linux 6.12
    assert asked("batch")[:2] == (os.SCHED_BATCH, lower)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked")
@pytest.mark.parametrize("name", ["sched_getscheduler", "getpriority"])
def test_system_that_forbids_asking_is_left_alone(monkeypatch, name):
    """Where musl or a sandbox refuses one of the calls, a worker starts all the same."""

    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(prompt.os, name, refused)
    prompt.be_prompt()


def test_other_systems_are_not_asked(monkeypatch):
    """Where the call is not known, nothing is done."""
    monkeypatch.setattr(prompt.platform, "machine", lambda: "other")
    monkeypatch.setattr(prompt.ctypes, "CDLL", None)
    prompt.be_prompt()
    monkeypatch.setattr(prompt.sys, "platform", "darwin")
    prompt.be_prompt()
