"""Memory that has been freed, given back to the system: allocators keep it for themselves, and a stage's peak stays."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import pyarrow as pa

_MALLOPT_ARENA_MAX, _MALLOPT_MMAP_THRESHOLD = -8, -3
_ARENAS = 2
"""Heaps that glibc's threads share: with one for each thread, all keep what each has freed."""
_LARGE = 8 << 20
"""Bytes from which memory is the system's again as soon as it is freed; glibc alone comes to keep 32 MiB at a time.

Much below, batches of rows would be among them: those come again at once, and fresh pages for each cost a twentieth of
all processor time.
"""


def be_frugal() -> None:
    """Let this process keep little of what it frees: Arrow uses the C library's heaps, and there are few of them."""
    pa.set_memory_pool(pa.system_memory_pool())
    limit = _of_glibc("mallopt")
    if limit is not None:
        limit(_MALLOPT_ARENA_MAX, _ARENAS)
        limit(_MALLOPT_MMAP_THRESHOLD, _LARGE)


def give_back() -> None:
    """Return freed memory to the system, where the C library can; some milliseconds, for the end of a stage."""
    pa.default_memory_pool().release_unused()
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


@cache
def _of_glibc(name: str) -> Any:
    """Find a function of the C library; None where another library lacks it."""
    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError):
        return None
