"""What commands and doors both tell and do: who serves, what happened, any object whole; and changes of hand.

Every function reads the catalog at that moment; nothing is remembered between calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from understudy.documents import plain
from understudy.endpoint import HistoryEntry
from understudy.errors import NoChampion, NotFound, UsageError
from understudy.house import House, Storehouse
from understudy.schedule import due_at
from understudy.store.catalog import Entity
from understudy.store.lock import is_held

_RUNS_LOOKED_AT = 20
"""Runs that tell when the next is due."""
_COUNTED = ("data_source", "model", "evaluation", "batch_prediction")
"""The kinds of what is made through Amazon ML's API."""


def status(house: House) -> dict[str, Any]:
    """Return the document of `status --json` (design, section 5)."""
    champion, pinned, last_run = None, False, None
    runs: list[Entity] = []
    if house.catalog_exists:
        runs = house.catalog.find("run", project=house.project.name, limit=_RUNS_LOOKED_AT)
        last_run = run_summary(house, runs[0]) if runs else None
        champion, pinned = _champion(house), house.endpoint.pinned
    endpoint = {"name": house.project.name, "champion": champion, "challenger": None, "pinned": pinned}
    return {
        "project": house.project.name,
        "endpoint": endpoint,
        "last_run": last_run,
        "next_run": _next_run(house, runs),
    }


def place_status(store: Storehouse) -> dict[str, Any]:
    """Return the document of `status --json` without a project: the same keys, and how many objects are kept."""
    found = {kind: store.catalog.find(kind) if store.catalog_exists else [] for kind in _COUNTED}
    kept = {kind: sum(entity.status != "DELETED" for entity in entities) for kind, entities in found.items()}
    return {"project": None, "endpoint": None, "last_run": None, "next_run": None, "objects": kept}


def _next_run(house: House, runs: Sequence[Entity]) -> str | None:
    """Return when a server that runs learns again by schedule; now where that is overdue, None without a schedule."""
    if house.project.schedule is None:
        return None
    present = datetime.now(UTC)
    due = due_at(house.project.schedule, runs, at_work=is_held(house.lock)) or present
    return max(due, present).astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _champion(house: House) -> dict[str, Any] | None:
    state = house.endpoint.champion()
    if state is None or state.champion is None:
        return None
    document = house.model_entity(state.champion).document
    return {
        "model_id": state.champion,
        "fingerprint": document["fingerprint"],
        "since": state.since,
        "run_id": document.get("run_id"),
        "metrics": document.get("metrics", {}),
    }


def run_summary(store: Storehouse, entity: Entity) -> dict[str, Any]:
    """Return a run in a few words; one whose process is gone is FAILED, whatever it could still write down."""
    verdict = entity.document.get("verdict") or {}
    dead = entity.status == "INPROGRESS" and not is_held(store.lock)
    return {
        "run_id": entity.id,
        "status": "FAILED" if dead else entity.status,
        "at": entity.created_at,
        "finished_at": None if entity.status == "INPROGRESS" else entity.updated_at,
        "verdict": verdict.get("status"),
        "model_id": entity.document.get("model_id"),
        "message": "the process was interrupted" if dead else _reason(entity),
    }


def _reason(run: Entity) -> str | None:
    """Return why a run failed; None where it did not."""
    message: str | None = run.document.get("message")
    return "interrupted by the keyboard" if message == f"stopped by {KeyboardInterrupt.__name__}" else message


def history(house: House) -> dict[str, Any]:
    """Return the document of `history --json`: every promotion, oldest first."""
    entries = house.endpoint.history() if house.catalog_exists else []
    return {"promotions": [plain(entry) for entry in entries]}


def show(store: Storehouse, entity_id: str, kind: str | None = None) -> dict[str, Any]:
    """Return the document of `show ID --json`, of that kind or of the first that has the id; raises NotFound."""
    if not store.catalog_exists:
        raise _no_catalog(entity_id)
    entity = store.catalog.get(entity_id, kind)
    about = {"kind": entity.kind, "id": entity.id, "status": entity.status, "created_at": entity.created_at}
    return {**about, **entity.document, **about}  # first, and never what a document says of itself


def promote(house: House, model_id: str) -> HistoryEntry:
    """Let a model serve because a person says so; return the history's new entry.

    Raises
    ------
    NotFound : it is no model that can serve.
    UsageError : it was made through Amazon ML's API, or by another project of the same store: no gate could compare it
        with the project's own.
    StoreError : its files cannot be read. Nothing was changed.

    """
    if not house.catalog_exists:
        raise _no_catalog(model_id)
    entity = house.model_entity(model_id)
    if not entity.document.get("run_id"):
        raise UsageError(
            f"{model_id} was not learned by a project, so it knows nothing of what {house.project.name!r} extracts",
            "It answers under its own id: CreateRealtimeEndpoint mounts it.",
        )
    if entity.status == "COMPLETED":
        _refuse_another_s(house, entity)
        house.predictor(model_id)  # a model that cannot be read must not serve
    return house.endpoint.promote(model_id)


def _refuse_another_s(house: House, model: Entity) -> None:
    if model.project != house.project.name:
        raise UsageError(
            f"{model.id} was learned by the project {model.project!r}, not by {house.project.name!r}",
            "`understudy history` names the models of this one.",
        )


def roll_back(house: House) -> HistoryEntry:
    """Return to the champion before and pin it; return the history's new entry. Raises where there is none before."""
    _require_catalog(house)
    return house.endpoint.rollback()


def unpin(house: House) -> dict[str, Any]:
    """Let the gate decide again; return the status."""
    _require_catalog(house)
    house.endpoint.unpin()
    return status(house)


def _no_catalog(wanted: str) -> NotFound:
    return NotFound(
        f"nothing has the id {wanted!r}: there is no catalog yet", "`understudy learn` or `understudy serve` makes it."
    )


def _require_catalog(house: House) -> None:
    if not house.catalog_exists:
        raise NoChampion(
            f"endpoint {house.project.name!r} has no champion yet", "`understudy learn` makes and admits the first."
        )
