"""What the jobs behind Amazon ML's Create calls compute, in a process of their own, outside any request.

Every function here may be run again after a kill and then does the same. It returns the new members of the object's
document, and raises UnderstudyError where it cannot; who calls it writes either down.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from understudy.service.work import batch_predictions, data_sources, evaluations, models
from understudy.service.work.workshop import Workshop
from understudy.store.catalog import Entity

__all__ = ["WORK", "Work", "Workshop"]

Compute = Callable[[Workshop, Entity], dict[str, Any]]


class Work(msgspec.Struct, frozen=True):
    """The work that one kind of object asks for."""

    waits_for: Callable[[Entity], list[tuple[str, str]]]
    """Names what must be COMPLETED before, each by kind and id."""
    compute: Compute
    """Returns the new members of the object's document."""


def _waits_for(kinds: dict[str, str], entity: Entity) -> list[tuple[str, str]]:
    return [(kind, entity.document[member]) for member, kind in kinds.items()]


def _timed(compute: Compute, workshop: Workshop, entity: Entity) -> dict[str, Any]:
    """Compute, and add the milliseconds of processor time that it took."""
    began = time.process_time()
    found = compute(workshop, entity)
    return {**found, "compute_ms": round((time.process_time() - began) * 1000)}


def _work(compute: Compute, **kinds: str) -> Work:
    return Work(partial(_waits_for, kinds), partial(_timed, compute))


WORK = {
    "data_source": _work(data_sources.compute),
    "model": _work(models.compute, training_data_source_id="data_source"),
    "evaluation": _work(evaluations.compute, model_id="model", data_source_id="data_source"),
    "batch_prediction": _work(batch_predictions.compute, model_id="model", data_source_id="data_source"),
}
"""What each kind of object asks for."""
