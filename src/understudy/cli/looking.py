"""Who serves, what happened, any object whole; and the two ways of changing who serves by hand."""

from __future__ import annotations

from typing import Any

from understudy.config import Project
from understudy.documents import plain
from understudy.errors import NotFound
from understudy.house import House
from understudy.store.catalog import Entity
from understudy.store.lock import is_held


def status_document(project: Project) -> dict[str, Any]:
    """Return the document of `status --json` (design, section 5)."""
    house = House(project)
    if not house.catalog_exists:
        return _status(project, champion=None, last_run=None, pinned=False)
    state = house.endpoint.champion()
    champion = None
    if state is not None and state.champion is not None:
        document = house.model_entity(state.champion).document
        champion = {
            "model_id": state.champion,
            "fingerprint": document["fingerprint"],
            "since": state.since,
            "run_id": document.get("run_id"),
            "metrics": document.get("metrics", {}),
        }
    runs = house.catalog.find("run", project=project.name, limit=1)
    return _status(
        project, champion=champion, last_run=_run(house, runs[0]) if runs else None, pinned=house.endpoint.pinned
    )


def _status(
    project: Project, *, champion: dict[str, Any] | None, last_run: dict[str, Any] | None, pinned: bool
) -> dict[str, Any]:
    endpoint = {"name": project.name, "champion": champion, "challenger": None, "pinned": pinned}
    return {"project": project.name, "endpoint": endpoint, "last_run": last_run, "next_run": None}


def _run(house: House, entity: Entity) -> dict[str, Any]:
    verdict = entity.document.get("verdict") or {}
    dead = entity.status == "INPROGRESS" and not is_held(house.lock)
    return {
        "run_id": entity.id,
        "status": "FAILED" if dead else entity.status,
        "at": entity.created_at,
        "finished_at": entity.updated_at,
        "verdict": verdict.get("status"),
        "model_id": entity.document.get("model_id"),
        "message": "the process was interrupted" if dead else entity.document.get("message"),
    }


def history_document(project: Project) -> dict[str, Any]:
    """Return the document of `history --json`: every promotion, oldest first."""
    house = House(project)
    entries = house.endpoint.history() if house.catalog_exists else []
    return {"promotions": [plain(entry) for entry in entries]}


def show_document(project: Project, id: str) -> dict[str, Any]:  # noqa: A002
    """Return the document of `show ID --json`; raises NotFound."""
    entity = _opened(project, id).catalog.get(id)
    about = {"kind": entity.kind, "id": entity.id, "status": entity.status, "created_at": entity.created_at}
    return {**about, **entity.document}


def promote_by_hand(project: Project, model_id: str) -> dict[str, Any]:
    """Let a model serve; return the history's new entry. Raises NotFound."""
    house = _opened(project, model_id)
    house.predictor(model_id)  # a model that cannot be read must not serve
    entry: dict[str, Any] = plain(house.endpoint.promote(model_id))
    return entry


def roll_back(project: Project) -> dict[str, Any]:
    """Return to the champion before and pin it; return the history's new entry."""
    entry: dict[str, Any] = plain(House(project).endpoint.rollback())
    return entry


def unpin(project: Project) -> dict[str, Any]:
    """Let the gate decide again; return the status."""
    House(project).endpoint.unpin()
    return status_document(project)


def _opened(project: Project, wanted: str) -> House:
    house = House(project)
    if not house.catalog_exists:
        raise NotFound(f"nothing has the id {wanted!r}: there is no catalog yet", "`understudy learn` makes it.")
    return house
