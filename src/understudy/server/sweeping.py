"""What killed writers and deleted models left behind, cleared away: when a server starts, and every hour.

When that was last begun, an empty file in the server's folder tells: the process that sees to it may live for less.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from understudy.errors import Busy
from understudy.house import clear_models
from understudy.server.settings import Opened, Settings
from understudy.service.secrets import sweep_secrets
from understudy.store.buckets import Buckets
from understudy.store.lock import exclusive

_SWEEP_SECONDS = 3600.0


def sweep_is_due(settings: Settings) -> bool:
    """Tell whether it is an hour since it was last cleared away, by any process, or never was."""
    try:
        age = time.time() - _stamp(settings).stat().st_mtime
    except OSError:
        return True
    return not 0 <= age < _SWEEP_SECONDS  # a clock that was set back must not put it off


def sweep(settings: Settings) -> None:
    """Clear it away; for a process of its own, which opens the stores for itself: clients of S3 start threads."""
    with contextlib.suppress(OSError):
        _stamp(settings).touch()
    opened = Opened(settings)
    store = opened.stores[0]
    Buckets(store.catalog, store.objects).sweep()
    sweep_secrets(store)
    for each in opened.stores:
        each.objects.sweep()
        with contextlib.suppress(Busy), exclusive(each.lock, wait=0):  # a run may be making a model again
            clear_models(each)


def _stamp(settings: Settings) -> Path:
    return settings.folder / "swept"
