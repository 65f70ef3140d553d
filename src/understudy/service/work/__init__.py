"""What the jobs behind Amazon ML's Create calls compute, in a process of their own, outside any request.

Every function here may be run again after a kill and then does the same. It returns the new members of the object's
document, and raises UnderstudyError where it cannot; who calls it writes either down. Either way there is a log.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from understudy.errors import UnderstudyError
from understudy.service.secrets import forget
from understudy.service.work.log import Log
from understudy.service.work.workshop import Workshop
from understudy.store.catalog import Entity

__all__ = ["WORK", "Work", "Workshop", "computing"]

Compute = Callable[[Workshop, Entity], dict[str, Any]]

Logged = Callable[[Workshop, Entity, Log], dict[str, Any]]


class Work(msgspec.Struct, frozen=True):
    """The work that one kind of object asks for."""

    waits_for: Callable[[Entity], list[tuple[str, str]]]
    """Names what must be COMPLETED before, each by kind and id."""
    compute: Compute
    """Returns the new members of the object's document."""


def _waits_for(kinds: dict[str, str], entity: Entity) -> list[tuple[str, str]]:
    return [(kind, entity.document[member]) for member, kind in kinds.items()]


def computing() -> Mapping[str, Logged]:
    """Load what computes, by the kind of object: much, which only those should hold who do jobs."""
    from understudy.service.work import batch_predictions, data_sources, evaluations, models  # noqa: PLC0415

    return {
        "data_source": data_sources.compute,
        "model": models.compute,
        "evaluation": evaluations.compute,
        "batch_prediction": batch_predictions.compute,
    }


def _computed(workshop: Workshop, entity: Entity) -> dict[str, Any]:
    """Compute; add the milliseconds of processor time that it took, and its log. However it ends, no password stays."""
    began, log = time.process_time(), Log()
    try:
        found = computing()[entity.kind](workshop, entity, log)
    except UnderstudyError as error:
        log.say(*f"failed: {error}".splitlines())
        with contextlib.suppress(UnderstudyError):  # the log of a failure must not hide the failure
            _put_on_record(workshop, entity, log.keep(workshop, entity))
        raise
    finally:
        forget(workshop.secrets, entity.kind, entity.id)
    key = log.keep(workshop, entity)
    return {**found, "log": key, "compute_ms": round((time.process_time() - began) * 1000)}


def _put_on_record(workshop: Workshop, entity: Entity, log: str) -> None:
    """Name a log in the document of an object that is still at work."""

    def named(present: Entity) -> Entity | None:
        if present.status != "INPROGRESS":
            return None
        return msgspec.structs.replace(present, document={**present.document, "log": log})

    workshop.store.catalog.amend(entity.kind, entity.id, named)


def _work(**kinds: str) -> Work:
    return Work(partial(_waits_for, kinds), _computed)


WORK = {
    "data_source": _work(),
    "model": _work(training_data_source_id="data_source"),
    "evaluation": _work(model_id="model", data_source_id="data_source"),
    "batch_prediction": _work(model_id="model", data_source_id="data_source"),
}
"""What each kind of object asks for."""
