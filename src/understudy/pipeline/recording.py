"""What is kept of a run: rows and their keys as objects; data sources, evaluation, model and run in the catalog."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import numpy as np

from understudy.config import Project
from understudy.datasource import DataSource, Part, Parts, ascending
from understudy.documents import plain
from understudy.errors import ConfigError, UnderstudyError
from understudy.evaluation import Evaluation, TrainingSummary
from understudy.hashing import UInt64s
from understudy.pipeline.judging import RowMemory
from understudy.pipeline.observations import parts_object, rows_object
from understudy.pipeline.run import Described, Run
from understudy.pipeline.versions import versions
from understudy.pipeline.workspace import Workspace
from understudy.prediction import Predictor
from understudy.promotion import RunFacts
from understudy.spool import write_kept
from understudy.training import Training

KEYS_AT_ONCE = 1 << 20
"""Keys read at a time."""


def keep_rows(run: Run) -> RowMemory:
    """Keep the observations, and the keys of the rows held out, for rebuilding and for later gates."""
    objects, workspace = run.house.objects, run.workspace
    upload = rows_object(run.run_id)
    with objects.writing(upload, needed=workspace.observed.stat().st_size) as staged:
        write_kept(workspace.observed, staged)
    parts = workspace.read_parts()
    objects.put_bytes(parts_object(upload), parts.data)

    def keep(part: Part, name: str) -> str:
        keys = ascending(_keys_of(workspace, parts, part))
        objects.put_bytes(f"keys/{run.run_id}-{name}.u64", keys.view(np.uint8).data)
        return f"keys/{run.run_id}-{name}.u64"

    stable = run.project.data.split.strategy == "stable"
    return RowMemory(
        split=run.project.data.split,
        keyed_by=run.extracted.keyed_by,
        held_out=keep(Part.EVALUATION, "held-out"),
        trained=None if stable else keep(Part.TRAINING, "trained"),
    )


def _keys_of(workspace: Workspace, parts: Parts, part: Part) -> UInt64s:
    """Return the keys of the rows of one part, in their order."""
    keys, count = np.empty(np.count_nonzero(parts == part), np.uint64), 0
    for first in range(0, len(parts), KEYS_AT_ONCE):
        some = parts[first : first + KEYS_AT_ONCE] == part
        wanted = workspace.read_keys(first, len(some))[some]
        keys[count : count + len(wanted)] = wanted
        count += len(wanted)
    return keys


def discard_rows(run: Run) -> None:
    """Delete what `keep_rows` kept: nothing was learned from it."""
    objects = run.house.objects
    for name in (rows_object(run.run_id), *list(objects.iter_names(f"keys/{run.run_id}-"))):
        with contextlib.suppress(UnderstudyError):  # what is left takes space, and does no harm
            objects.delete(name)


def keep_sources(run: Run, described: Described, evaluation: Evaluation) -> None:
    """Put both data sources, with their statistics, and the evaluation on record."""
    for part, insights in (("training", described.training), ("evaluation", described.evaluation)):
        source = DataSource(
            id=run.ids[f"{part}_data_source_id"],
            location=rows_object(run.run_id),
            part=part,
            rows=insights.rows,
            attributes=run.observed.attributes,
            split=run.project.data.split,
            digest=run.extracted.digest,
            statistics=plain(insights),
        )
        document = {**plain(source), "run_id": run.run_id, "target": plain(run.observed.target)}
        _record(run, "data_source", source.id, document, f"{run.project.name}: {part} rows")
    document = {
        **plain(evaluation),
        "model_id": run.ids["model_id"],
        "data_source_id": run.ids["evaluation_data_source_id"],
        "input_location": _address(run),
        "run_id": run.run_id,
    }
    _record(run, "evaluation", run.ids["evaluation_id"], document, f"Evaluation: ML model: {run.project.name}")


class Remembered(msgspec.Struct, frozen=True):
    """What later runs and judgements need to know of this run's rows."""

    memory: RowMemory
    facts: RunFacts
    training_summary: TrainingSummary


def keep_model(
    run: Run, challenger: Predictor, training: Training, evaluation: Evaluation, remembered: Remembered
) -> None:
    """Keep the model's folder and its transform source, and put the model on record with its lineage."""
    model = challenger.model
    run.house.keep_model(model)
    document = {
        "fingerprint": model.fingerprint,
        "model_type": model.target.type.value,
        "classes": list(model.target.classes),
        "metrics": plain(evaluation.metrics),
        "size_in_bytes": model.size_in_bytes,
        "features": len(model.weights.keys),
        "run_id": run.run_id,
        "columns": plain(run.extracted.columns),
        "asked_of_extract": run.extracted.asked,
        "transform": run.house.keep_transform(run.source),
        "training": plain(training),
        **plain(remembered),
        "training_data_source_id": run.ids["training_data_source_id"],
        "input_location": _address(run),
        "lineage": lineage(run),
    }
    _record(run, "model", challenger.model_id, document, f"ML model: {run.project.name}")


def _address(run: Run) -> str:
    """Name the run's observations as Amazon ML's API shows where rows lie."""
    return f"s3://{run.project.name}/{rows_object(run.run_id)}"


def _record(run: Run, kind: str, entity_id: str, document: dict[str, Any], name: str) -> None:
    """Put something that is finished on record, under a name of the original's pattern."""
    run.house.catalog.create(kind, entity_id, document, status="COMPLETED", project=run.project.name, name=name)


def lineage(run: Run) -> dict[str, Any]:
    """State where a model came from: enough to rebuild it, and to see why a rebuilt one should differ."""
    return {
        "run_id": run.run_id,
        "training_data_source_id": run.ids["training_data_source_id"],
        "observations": rows_object(run.run_id),
        "extract": {
            "digest": run.extracted.digest,
            "sources": list(run.extracted.sources),
            "queries": [source.query for source in run.project.extract if source.query],
            "rows": run.extracted.rows,
        },
        "transform": {"function": run.project.transform.function, "digest": run.observed.transform},
        "schema": run.observed.attributes.to_json(),
        "target": plain(run.observed.target),
        "split": plain(run.project.data.split),
        "recipe": recipe_text(run.project),
        "parameters": plain(run.project.train),
        "versions": versions(),
    }


def run_document(
    run: Run, challenger: Predictor, evaluation: Evaluation, champion_before: str | None, remarks: tuple[str, ...]
) -> dict[str, Any]:
    """Put together what `learn --json` prints, but for the verdict."""
    extracted, observed, serve = run.extracted, run.observed, run.project.serve
    url = serve.public_url or f"http://{serve.host}:{serve.port}"
    seconds = {"extract": extracted.seconds, "transform": observed.seconds, **run.seconds}
    document: dict[str, Any] = plain(
        {
            "run_id": run.run_id,
            "project": run.project.name,
            "rows": {
                "extracted": extracted.rows + extracted.unreadable,
                "training": observed.training,
                "evaluation": observed.evaluation,
                "rejected": extracted.unreadable + observed.rejected,
            },
            **run.ids,
            "model_type": observed.target.type.value,
            "fingerprint": challenger.model.fingerprint,
            "metrics": evaluation.metrics,
            "intervals": evaluation.intervals,
            "baseline": evaluation.baseline,
            "alerts": evaluation.alerts,
            "remarks": [*extracted.warnings, *observed.remarks, *remarks],
            "rejected_samples": [*extracted.unreadable_samples, *observed.unusable],
            "verdict": {"status": None, "reasons": [], "champion_before": champion_before, "champion": champion_before},
            "endpoint": {"name": run.project.name, "url": url},
            "seconds": {**seconds, "total": sum(seconds.values())},
        }
    )
    return document


def run_entity(run: Run, document: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
    """Return what the catalog keeps of a run."""
    return {**document, "dry_run": dry_run, "lineage": lineage(run)}


def recipe_text(project: Project) -> str | None:
    """Read the project's recipe; None where the evidence is to choose one."""
    if project.transform.recipe is None:
        return None
    path = project.path(project.transform.recipe)
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"transform.recipe: {path} cannot be read: {error.strerror}", "Correct the path.") from None
