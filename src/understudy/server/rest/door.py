"""What the REST door is given: projects, who serves, who may ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from understudy.errors import NotFound
from understudy.house import House, Storehouse
from understudy.server.keys import Keys
from understudy.serving import Serving


@dataclass
class RestDoor:
    """What every answer is made from."""

    houses: Sequence[House]
    """The projects; each has one endpoint, called as the project is."""
    store: Storehouse
    """The store of the folder that is served, whether or not it is a project's."""
    serving: Serving
    keys: Keys
    settle: Callable[[Storehouse], None]
    """Blocks until every worker answers by the present revision of that store's catalog, some seconds at most."""
    ready: Callable[[], bool]
    """Whether requests can be answered."""
    base_url: str | None = None
    """How clients reach this server; None: by the Host that they ask for."""

    @cached_property
    def by_name(self) -> dict[str, House]:
        """The projects by their endpoints' names."""
        return {house.project.name: house for house in self.houses}

    def house(self, name: str) -> House:
        """Return the project of an endpoint; raises NotFound."""
        try:
            return self.by_name[name]
        except KeyError:
            raise NotFound(f"there is no endpoint {name!r}", "GET /v1/endpoints lists those of this server.") from None

    @property
    def stores(self) -> list[Storehouse]:
        """The stores that have a catalog, each catalog once; raises StoreError where one cannot be opened."""
        present = (store for store in (self.store, *self.houses) if store.catalog_exists)
        return list({str(store.catalog): store for store in present}.values())
