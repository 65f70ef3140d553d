"""Processes of a server's own, begun by fork: each ends with its parent, and never comes back into its frames."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable

from understudy.errors import UnderstudyError

_LOG = logging.getLogger(__name__)

STOPS = (signal.SIGTERM, signal.SIGINT)
"""The signals that ask a server to stop."""

_LOOK_SECONDS = 0.2
"""How often a process looks whether its parent still lives."""
_ORPHAN_SECONDS = 2.0
"""How long a process whose parent has died may take to end."""


def forked(work: Callable[[], None], *, nice: int = 0) -> int:
    """Do something in a process of its own, and return its id; it ends with this one.

    Its exit code is 0 where `work` returned, 1 where it raised, which is logged. It begins with SIGTERM as the system
    has it, and with SIGINT ignored: Ctrl-C reaches a whole group, and the parent decides what that means. `nice` is how
    far it stands back behind others. Only the main thread may call this.
    """
    parent = os.getpid()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # none may reach a child that has its parent's handlers
    try:
        pid = os.fork()
        if pid == 0:
            _become(work, parent, before, nice)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def _become(work: Callable[[], None], parent: int, mask: set[int | signal.Signals], nice: int) -> None:
    """Be a child: work, and never return."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.nice(nice)
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
        work()
        code = 0
    except UnderstudyError as error:
        _LOG.error("%s", error)
    except BaseException:  # noqa: BLE001 - nothing may reach the frames of the parent
        _LOG.exception("a process ended by an error")
    finally:
        os._exit(code)


def _end_with(parent: int) -> None:
    """Ask this process to end when its parent has, and end it where it does not."""
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_ORPHAN_SECONDS)
    os._exit(1)
