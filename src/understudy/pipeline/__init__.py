"""`learn`: rows are extracted, transformed into observations, loaded into data sources, model, evaluation and verdict.

Whatever fails on the way, nothing has changed for those who ask for predictions: the champion serves until the
verdict's one transaction lets another model serve.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from understudy.config import Project
from understudy.errors import ExtractError, UnderstudyError
from understudy.freed import be_frugal
from understudy.house import House
from understudy.pipeline import extracting, transforming
from understudy.pipeline.loading import load_observations
from understudy.pipeline.progress import Progress, Quiet
from understudy.pipeline.rebuilding import rebuild_model
from understudy.pipeline.retention import forget
from understudy.pipeline.run import Run
from understudy.pipeline.workspace import Extracted, Observed, Workspace
from understudy.store.catalog import new_id
from understudy.store.lock import Holder, exclusive
from understudy.transform import TransformSource

__all__ = ["Progress", "Quiet", "extract", "learn", "load", "rebuild", "transform"]


def learn(project: Project, progress: Progress | None = None, *, dry_run: bool = False) -> dict[str, Any]:
    """Do all of it; return the document of `learn --json` (design, section 5)."""
    watch = progress or Quiet()
    with _working(project, watch) as house:
        with _run(house) as run_id:
            workspace = Workspace(house.project)
            check = _no_column_vanished(house, watch.note if dry_run else None)
            extracted = extracting.extract(house.project, workspace, watch, check=check)
            source = transforming.transform_source(house.project)
            observed = transforming.observe(house.project, workspace, extracted, source, watch)
            document = _loaded(house, workspace, extracted, observed, source, watch, run_id, dry_run)
        _tidied(house, watch)
        return document


def extract(project: Project, progress: Progress | None = None) -> Extracted:
    """Do the first stage alone: rows into `.understudy/work/`."""
    watch = progress or Quiet()
    with _working(project, watch) as house:
        return extracting.extract(house.project, Workspace(house.project), watch, check=_no_column_vanished(house))


def transform(project: Project, progress: Progress | None = None) -> Observed:
    """Do the second stage alone, on the rows of `extract`."""
    watch = progress or Quiet()
    with _working(project, watch) as house:
        workspace = Workspace(house.project)
        asked = extracting.asked_of_extract(house.project)
        extracted = workspace.report(Extracted, asked=asked, command="extract")
        source = transforming.transform_source(house.project)
        return transforming.observe(house.project, workspace, extracted, source, watch)


def load(project: Project, progress: Progress | None = None, *, dry_run: bool = False) -> dict[str, Any]:
    """Do the third stage alone, on the observations of `transform`; return the same document as `learn`."""
    watch = progress or Quiet()
    with _working(project, watch) as house:
        with _run(house) as run_id:
            workspace = Workspace(house.project)
            asked = extracting.asked_of_extract(house.project)
            extracted = workspace.report(Extracted, asked=asked, command="extract")
            source = transforming.transform_source(house.project)
            asked = transforming.asked_of_transform(house.project, extracted, source)
            observed = workspace.report(Observed, asked=asked, command="transform")
            document = _loaded(house, workspace, extracted, observed, source, watch, run_id, dry_run)
        _tidied(house, watch)
        return document


def rebuild(project: Project, model_id: str, progress: Progress | None = None) -> dict[str, Any]:
    """Make a model again from its stored observations; tell whether the fingerprint is the same. Nothing is changed."""
    watch = progress or Quiet()
    with _working(project, watch) as house:
        return rebuild_model(house, model_id, Workspace(house.project), watch)


def _loaded(
    house: House,
    workspace: Workspace,
    extracted: Extracted,
    observed: Observed,
    source: TransformSource | None,
    progress: Progress,
    run_id: str,
    dry_run: bool,
) -> dict[str, Any]:
    run = Run(house.project, house, workspace, extracted, observed, source, progress, run_id)
    return load_observations(run, dry_run=dry_run)


def _tidied(house: House, progress: Progress) -> None:
    """Forget what is no longer kept; a failure here is worth a note, and no more: the run is done."""
    try:
        forget(house)
    except UnderstudyError as error:
        progress.note(f"old models and observations could not be cleared away: {error.message}")


@contextlib.contextmanager
def _working(project: Project, progress: Progress) -> Iterator[House]:
    """Open the store for writing, one process at a time; a second waits and says for whom."""
    be_frugal()
    house = House(extracting.with_parts(project), create=True)
    with exclusive(house.lock, on_wait=_tell(progress)):
        house.objects.sweep()
        yield house


def _tell(progress: Progress) -> Callable[[Holder | None], None]:
    return lambda holder: progress.note(f"waiting for {holder or 'another process'} to finish in this project")


@contextlib.contextmanager
def _run(house: House) -> Iterator[str]:
    """Put a run on record; whatever fails, the record says so."""
    _close_interrupted(house)
    run_id = new_id("run")
    house.catalog.create("run", run_id, {}, status="INPROGRESS", project=house.project.name)
    try:
        yield run_id
    except BaseException as error:
        message = error.message if isinstance(error, UnderstudyError) else f"stopped by {type(error).__name__}"
        hint = error.hint if isinstance(error, UnderstudyError) else ""
        with contextlib.suppress(UnderstudyError):  # a full disk must not hide what failed
            house.catalog.update(run_id, status="FAILED", document={"message": message, "hint": hint})
        raise


def _close_interrupted(house: House) -> None:
    """Close the runs of killed processes: we hold the lock, so no other run is under way."""
    promoted = {entry.run_id for entry in house.catalog.promotions(house.project.name)}
    for entity in house.catalog.find("run", project=house.project.name, limit=20):
        if entity.status == "INPROGRESS":
            done = entity.id in promoted
            document = {**entity.document, "message": "the process was interrupted", "interrupted": not done}
            house.catalog.update(entity.id, status="COMPLETED" if done else "FAILED", document=document)


def _no_column_vanished(house: House, note: Callable[[str], None] | None = None) -> Callable[[Sequence[str]], None]:
    """Take it for an accident, not a wish, when the same extract no longer gives what the champion learned from.

    It is no more than a note to a run that will change nothing: what that makes, a person can let serve.
    """
    asked = extracting.asked_of_extract(house.project)

    def check(columns: Sequence[str]) -> None:
        state = house.endpoint.champion()
        if state is None or state.champion is None:
            return
        before = house.catalog.get(state.champion, "model").document
        if before.get("asked_of_extract") != asked:
            return
        vanished = [column["name"] for column in before["columns"] if column["name"] not in columns]
        if not vanished:
            return
        found = (
            f"the extract no longer gives {', '.join(map(repr, vanished))}, which the champion learned from; "
            f"it gave {', '.join(map(repr, sorted(columns)))}"
        )
        if note is None:
            raise ExtractError(
                found,
                "Bring the column back; or, if that is meant, make a model without it by `understudy learn --dry-run`, "
                "and let that one serve by `understudy promote`.",
            )
        note(found)

    return check
