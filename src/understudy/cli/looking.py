"""Who serves, what happened, any object whole; and the two ways of changing who serves by hand."""

from __future__ import annotations

from typing import Any

from understudy import facts
from understudy.config import Place, Project
from understudy.documents import plain
from understudy.endpoint import HistoryEntry
from understudy.folders import PRIVATE
from understudy.house import House, Storehouse
from understudy.server.presence import running


def status_document(place: Place | Project) -> dict[str, Any]:
    """Return the document of `status --json` (design, section 5); without a project, what is kept and served there."""
    if isinstance(place, Project):
        return facts.status(House(place))
    server = running(place.root / PRIVATE)
    return {**facts.place_status(Storehouse(place)), "server": server.url if server else None}


def history_document(project: Project) -> dict[str, Any]:
    """Return the document of `history --json`: every promotion, oldest first."""
    return facts.history(House(project))


def show_document(place: Place | Project, id: str) -> dict[str, Any]:  # noqa: A002
    """Return the document of `show ID --json`; raises NotFound."""
    return facts.show(Storehouse(place), id)


def promote_by_hand(project: Project, model_id: str) -> dict[str, Any]:
    """Let a model serve; return the history's new entry. Raises NotFound."""
    return _shown(facts.promote(House(project), model_id))


def roll_back(project: Project) -> dict[str, Any]:
    """Return to the champion before and pin it; return the history's new entry."""
    return _shown(facts.roll_back(House(project)))


def unpin(project: Project) -> tuple[dict[str, Any], bool]:
    """Let the gate decide again; return the status, and whether the endpoint was pinned."""
    house = House(project)
    was_pinned = house.catalog_exists and house.endpoint.pinned
    return facts.unpin(house), was_pinned


def _shown(entry: HistoryEntry) -> dict[str, Any]:
    document: dict[str, Any] = plain(entry)
    return document
