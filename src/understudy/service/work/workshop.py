"""Where work is done: the store, its buckets, and an empty folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from understudy.house import Storehouse
from understudy.service.secrets import secrets_of
from understudy.service.work.s3 import S3
from understudy.store.buckets import Buckets


@dataclass(frozen=True)
class Workshop:
    """What a piece of work has at hand. The environment holds the credentials to a real S3, where one is used."""

    store: Storehouse
    buckets: Buckets
    scratch: Path
    """An empty folder that the caller makes and removes."""

    @cached_property
    def s3(self) -> S3:
        """Objects by their addresses."""
        return S3(self.buckets, self.store.place.serve.buckets)

    @property
    def secrets(self) -> Path:
        """The folder of what must stand in no document."""
        return secrets_of(self.store)
