"""What an operation is given beside its request: the service that it works on, and who calls."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec

from understudy.house import House, Storehouse
from understudy.service.secrets import secrets_of
from understudy.serving import Served
from understudy.store.bucket_records import BucketError, ObjectInfo
from understudy.store.catalog import Catalog

ACCOUNT = "arn:aws:iam::000000000000"
"""The one account that there is."""

ROOT = f"{ACCOUNT}:root"
"""Who made what a project made."""

LOG_BUCKET = "understudy-logs"
"""The bucket that holds the jobs' logs."""


class Serving(Protocol):
    """The models in memory. Asking it never touches the catalog; `understudy.serving.Serving` is one."""

    def mounted(self, model_id: str) -> Served | None:
        """Return the model of an id where it has a realtime endpoint of its own, or is an endpoint's champion."""

    def champion(self, name: str) -> Served | None:
        """Return who serves under an endpoint's stable name."""


class Buckets(Protocol):
    """The buckets of the store, so far as operations look at them."""

    def get(self, name: str) -> object:
        """Return a bucket; raises BucketError where there is none."""

    def info(self, bucket: str, key: str) -> ObjectInfo:
        """Return what is known of an object; raises BucketError where there is none."""

    def open(self, bucket: str, key: str) -> tuple[BinaryIO, ObjectInfo]:
        """Open an object for reading; raises BucketError where there is none."""

    def iter_keys(self, bucket: str, prefix: str = "") -> Iterator[str]:
        """Yield the keys that begin with a prefix."""


class Call(msgspec.Struct, frozen=True):
    """Who calls, when, and by which address."""

    caller: str
    """The name of the access key."""
    role: str
    """admin or predict."""
    base_url: str
    """How clients reach this server; the url of every realtime endpoint."""
    now: datetime
    presign: Callable[[str, str], str]
    """Makes of bucket and key a url by which a browser can read that object for a while."""

    @property
    def user(self) -> str:
        """The caller as Amazon names users."""
        return ROOT if self.caller == "default" else f"{ACCOUNT}:user/{self.caller}"


class Service:
    """Amazon ML over one store. Holds no state of its own; every method may be called from any thread."""

    def __init__(
        self,
        store: Storehouse,
        buckets: Buckets,
        serving: Serving,
        settle: Callable[[], None],
        houses: Sequence[House] = (),
    ) -> None:
        """`settle` waits until every worker answers by what the catalog says now; `houses` answer by their names."""
        self.store = store
        self.buckets = buckets
        self.serving = serving
        self.settle = settle
        self.houses = houses

    @property
    def catalog(self) -> Catalog:
        """What exists."""
        return self.store.catalog

    @property
    def secrets(self) -> Path:
        """The folder of the passwords that jobs have yet to use."""
        return secrets_of(self.store)

    def may_use_bucket(self, name: str) -> bool:
        """Tell whether data may be read from a bucket and results written to it."""
        if not self.owns_bucket(name):
            return True
        with contextlib.suppress(BucketError):
            self.buckets.get(name)
            return True
        return False

    def owns_bucket(self, name: str) -> bool:
        """Tell whether a bucket, if there is one, is this store's and not one of a real S3."""
        return name not in self.store.place.serve.buckets
