"""What killed writers and deleted models left behind, cleared away: when a server starts, and every hour."""

from __future__ import annotations

import contextlib

from understudy.errors import Busy
from understudy.house import clear_models
from understudy.server.settings import Opened, Settings
from understudy.service.secrets import sweep_secrets
from understudy.store.buckets import Buckets
from understudy.store.lock import exclusive


def sweep(settings: Settings) -> None:
    """Clear it away; for a process of its own, which opens the stores for itself: clients of S3 start threads."""
    opened = Opened(settings)
    store = opened.stores[0]
    Buckets(store.catalog, store.objects).sweep()
    sweep_secrets(store)
    for each in opened.stores:
        each.objects.sweep()
        with contextlib.suppress(Busy), exclusive(each.lock, wait=0):  # a run may be making a model again
            clear_models(each)
