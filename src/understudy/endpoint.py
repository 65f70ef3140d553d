"""The stable name: who serves under it, and how that changes.

>>> from understudy.store.catalog import Catalog
>>> catalog = Catalog.open("sqlite://")
>>> for model_id in ("ml-one", "ml-two"):
...     _ = catalog.create("model", model_id, {}, status="COMPLETED")
>>> policies = Endpoint(catalog, "policies")
>>> policies.promote("ml-one").champion, policies.promote("ml-two").champion
('ml-one', 'ml-two')
>>> policies.rollback().champion, policies.pinned
('ml-one', True)
>>> catalog.close()
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from understudy.errors import NotFound, UnderstudyError
from understudy.store.catalog import Catalog, Document, EndpointState, Entity, Promotion

PINNED = "the endpoint is pinned since a rollback; `understudy unpin` lets the gate decide again"
"""The reason that holds a verdict which would have been admitted."""


class HistoryEntry(msgspec.Struct, frozen=True):
    """One line of `understudy history`, as it is shown."""

    at: str
    by: str
    run_id: str | None
    model_id: str
    status: str
    reasons: tuple[str, ...]
    champion_before: str | None
    champion: str | None


class Endpoint:
    """A stable name in a catalog. Holds no state: every answer is the catalog's present one."""

    def __init__(self, catalog: Catalog, name: str) -> None:
        self._catalog = catalog
        self.name = name

    def champion(self) -> EndpointState | None:
        """Return who serves and since when; None before the first promotion."""
        state = self._catalog.endpoint(self.name)
        return state if state.champion else None

    @property
    def pinned(self) -> bool:
        """Whether verdicts are held because of a rollback."""
        return self._catalog.endpoint(self.name).pinned

    def history(self) -> list[HistoryEntry]:
        """Return every promotion, oldest first, refusals included."""
        return [_entry(promotion) for promotion in self._catalog.promotions(self.name)]

    def record(
        self,
        *,
        model_id: str,
        run_id: str | None,
        status: str,
        reasons: Sequence[str],
        champion_before: str | None,
        by: str = "learn",
        document: Document | None = None,
    ) -> HistoryEntry:
        """Write down a verdict and, where it is ADMITTED, let the model serve.

        `champion_before` is the champion that the gate judged against. On a pinned endpoint ADMITTED becomes HELD.

        Raises
        ------
        Busy : another champion serves by now. Nothing was changed.

        """
        held = status == "ADMITTED" and self.pinned
        verdict = Promotion(
            endpoint=self.name,
            by=by,
            model_id=model_id,
            status="HELD" if held else status,
            reasons=(*reasons, PINNED) if held else tuple(reasons),
            champion_before=champion_before,
            champion=model_id if status == "ADMITTED" and not held else champion_before,
            run_id=run_id,
            document=document or {},
        )
        return _entry(self._catalog.record(verdict))

    def promote(self, model_id: str) -> HistoryEntry:
        """Let a model serve because a person says so; raises NotFound where it is no usable model. Leaves the pin."""
        model = _usable_model(self._catalog, model_id)
        if model is None:
            raise NotFound(
                f"{model_id!r} is no model that can serve", "`understudy history` names the models there are."
            )
        return self._flip(model, by="promote", reason="promoted by hand")

    def rollback(self) -> HistoryEntry:
        """Return to the champion before the present one, and pin; again, to the one before that.

        Raises
        ------
        UnderstudyError : no former champion is left. Nothing was changed.

        """
        for model_id in self.former_champions():
            model = _usable_model(self._catalog, model_id)
            if model is not None:
                before = self._catalog.endpoint(self.name).champion
                return self._flip(model, by="rollback", reason=f"rolled back from {before}", pin=True)
        raise UnderstudyError(
            f"endpoint {self.name!r} has no former champion to go back to",
            "`understudy promote MODEL_ID` lets any model serve.",
        )

    def unpin(self) -> EndpointState:
        """Let the gate decide again; no change where the endpoint is not pinned."""
        return self._catalog.pin(self.name, pinned=False)

    def former_champions(self) -> list[str]:
        """Return the models that `rollback` would return to, one after another: the nearest first."""
        return _line_of_champions(self._catalog.promotions(self.name))[-2::-1]

    def _flip(self, model: Entity, *, by: str, reason: str, pin: bool | None = None) -> HistoryEntry:
        flip = Promotion(
            endpoint=self.name,
            by=by,
            model_id=model.id,
            status="ADMITTED",
            reasons=(reason,),
            champion_before=self._catalog.endpoint(self.name).champion,
            champion=model.id,
            run_id=model.document.get("run_id"),
        )
        return _entry(self._catalog.record(flip, pin=pin))


def _line_of_champions(history: Sequence[Promotion]) -> list[str]:
    """Return the champions up to the present one as `rollback` sees them: a flip adds one, a rollback takes it off."""
    line: list[str] = []
    for promotion in history:
        if promotion.champion is None or promotion.champion == promotion.champion_before:
            continue
        if promotion.by == "rollback":
            while line and line[-1] != promotion.champion:
                line.pop()
        else:
            line.append(promotion.champion)
    return line


def _usable_model(catalog: Catalog, model_id: str) -> Entity | None:
    try:
        entity = catalog.get(model_id, "model")
    except NotFound:
        return None
    return entity if entity.status == "COMPLETED" else None


def _entry(promotion: Promotion) -> HistoryEntry:
    return HistoryEntry(**{field: getattr(promotion, field) for field in HistoryEntry.__struct_fields__})
