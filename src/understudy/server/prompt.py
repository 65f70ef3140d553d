"""A thread that answers as soon as it wakes, though others are at work on every processor.

Linux lets whoever runs go on for some milliseconds before it looks who else wants to, also before somebody of a higher
weight. A thread that asks for shorter slices of time, but no more time, is let in sooner (since 6.12, EEVDF; older
systems do not mind being asked). Neither Python nor most C libraries know that call, so it is made by its number.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import struct
import sys

SLICE_NANOSECONDS = 100_000
"""As short as can be asked for; an answer takes about a quarter of it."""

_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
"""The number of the call, by machine."""
_ATTRIBUTES = struct.Struct("IIQiIQQQ")
"""size, policy, flags, nice, priority, slice, deadline, period: `struct sched_attr` in its first form."""


def be_prompt() -> None:
    """Ask for short slices of time for this thread and those that it starts; where that cannot be, nothing changes."""
    with contextlib.suppress(OSError):  # musl knows no schedulers, and a sandbox may forbid that they are asked about
        _ask()


def _ask() -> None:
    if sys.platform != "linux" or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return
    call = _SCHED_SETATTR.get(platform.machine())
    if call is not None:
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        asked = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, SLICE_NANOSECONDS, 0, 0)
        ctypes.CDLL(None).syscall(call, 0, asked, 0)
