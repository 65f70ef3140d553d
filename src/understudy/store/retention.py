"""What the store may forget: a pure function over what it remembers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec


class KeptModel(msgspec.Struct, frozen=True):
    """A model that is still kept."""

    model_id: str
    run_id: str | None
    """The run that made it; None for a model from elsewhere."""


class Inventory(msgspec.Struct, frozen=True):
    """What the store holds for one endpoint; each newest first."""

    runs: Sequence[str]
    models: Sequence[KeptModel]
    champions: Sequence[str]
    """Every model that ever served."""
    protected: Collection[str]
    """The present champion and the models that `rollback` can return to."""


class Removable(msgspec.Struct, frozen=True):
    """What nobody needs any more, newest first."""

    models: tuple[str, ...]
    runs: tuple[str, ...]
    """Runs whose stored observations may go."""


def removable(held: Inventory, *, keep_runs: int, keep_models: int) -> Removable:
    """Say which runs' observations and which models may be deleted.

    Kept are the last `keep_models` models, the last `keep_models` champions, and every protected model; of the runs'
    observations those of the last `keep_runs` runs and of every run that a kept model came from.

    >>> models = [KeptModel("ml-3", "run-3"), KeptModel("ml-2", "run-2"), KeptModel("ml-1", "run-1")]
    >>> removable(Inventory(["run-3", "run-2", "run-1"], models, ["ml-1"], {"ml-1"}), keep_runs=1, keep_models=1)
    Removable(models=('ml-2',), runs=('run-2',))
    """
    recent = [model.model_id for model in held.models[:keep_models]]
    kept = {*recent, *held.champions[:keep_models], *held.protected}
    sources = {model.run_id for model in held.models if model.model_id in kept}
    needed = {*held.runs[:keep_runs], *sources}
    return Removable(
        models=tuple(model.model_id for model in held.models if model.model_id not in kept),
        runs=tuple(run for run in held.runs if run not in needed),
    )
