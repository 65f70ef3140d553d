"""What `understudy serve` was asked for, filled in from project files, flags and defaults."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from understudy.config import Place, Project
from understudy.errors import ConfigError
from understudy.folders import PRIVATE
from understudy.house import House, Storehouse


@dataclass(frozen=True)
class Settings:
    """What a server serves, and how."""

    places: tuple[Place | Project, ...]
    """The first one's store is Amazon ML's and S3's; each project gives an endpoint."""
    host: str
    port: int
    workers: int
    jobs: int
    tls: tuple[Path, Path] | None = None
    """Certificate and key."""

    @property
    def place(self) -> Place | Project:
        """Whose store is the server's own."""
        return self.places[0]

    @property
    def folder(self) -> Path:
        """The server's own folder."""
        return self.place.root / PRIVATE

    @property
    def projects(self) -> tuple[Project, ...]:
        """Those of the places that are projects."""
        return tuple(place for place in self.places if isinstance(place, Project))

    @property
    def catalogs(self) -> int:
        """How many stores are open at a time."""
        return len(self.places)


@dataclass(frozen=True)
class Opened:
    """The stores of a server, opened by one of its processes."""

    settings: Settings
    keep_open: bool = False
    """Whether the process never forks, so that connections may stay open."""

    @cached_property
    def stores(self) -> tuple[Storehouse, ...]:
        """A store for each place, in order."""
        return tuple(map(self._store, self.settings.places))

    def _store(self, place: Place | Project) -> Storehouse:
        if isinstance(place, Project):
            return House(place, create=True, keep_open=self.keep_open)
        return Storehouse(place, create=True, keep_open=self.keep_open)

    @property
    def houses(self) -> tuple[House, ...]:
        """Those of the stores that are projects'."""
        return tuple(store for store in self.stores if isinstance(store, House))


def settings_for(
    places: Sequence[Place | Project],
    *,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    tls: tuple[Path, Path] | None = None,
) -> Settings:
    """Let flags override the first project file, and that the defaults; raises ConfigError where projects conflict."""
    names = [place.name for place in places if isinstance(place, Project)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"two projects are called {twice[0]!r}", "Endpoints need different names: change one.")
    serve, cores = places[0].serve, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Settings(
        places=tuple(places),
        host=serve.host if host is None else host,
        port=serve.port if port is None else port,
        workers=workers or serve.workers or cores or 1,
        jobs=serve.jobs or cores or 1,
        tls=tls,
    )
