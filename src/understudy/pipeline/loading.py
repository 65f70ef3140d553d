"""Third stage: observations kept, two data sources, a model, an evaluation, and the gate's verdict."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from understudy.config import Project
from understudy.datasource import DataSource, Part
from understudy.documents import plain
from understudy.errors import ConfigError
from understudy.evaluation import Evaluation, TrainingSummary, summarise
from understudy.house import House
from understudy.pipeline.judging import RowMemory, judge_challenger
from understudy.pipeline.observations import PART, iter_observations, iter_training
from understudy.pipeline.progress import Progress
from understudy.pipeline.scoring import score_held_out
from understudy.pipeline.versions import versions
from understudy.pipeline.workspace import Extracted, Observed, Workspace
from understudy.prediction import Predictor
from understudy.promotion import First, RunFacts, Verdict
from understudy.promotion import Target as TargetFacts
from understudy.sample import EvenSample
from understudy.schema import ModelType
from understudy.spool import read_rows
from understudy.statistics import Insights, NumericInsight, Statistics
from understudy.store.catalog import new_id
from understudy.target import Target
from understudy.training import Task, Training, train
from understudy.transform import TransformSource, load

Seconds = dict[str, float]


@dataclass
class Run:
    """One run under way: its ids, and what each step found."""

    project: Project
    house: House
    workspace: Workspace
    extracted: Extracted
    observed: Observed
    source: TransformSource | None
    progress: Progress
    run_id: str
    ids: dict[str, str] = field(
        default_factory=lambda: {
            "training_data_source_id": new_id("ds"),
            "evaluation_data_source_id": new_id("ds"),
            "model_id": new_id("ml"),
            "evaluation_id": new_id("ev"),
        }
    )
    seconds: Seconds = field(default_factory=dict)

    @contextlib.contextmanager
    def timed(self, name: str, total: int | None = None) -> Iterator[None]:
        """Announce a step and remember how long it took."""
        self.progress.stage(name, total)
        began = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - began


@dataclass(frozen=True)
class Described:
    """The observations of a run, described: insights of both parts, and the training sample."""

    training: Insights
    evaluation: Insights
    sample: pa.Table
    counts: tuple[dict[str, int], dict[str, int]]
    """Rows of each stored label among the training and the evaluation rows; empty for REGRESSION."""


def load_observations(run: Run, *, dry_run: bool) -> dict[str, Any]:
    """Make data sources, model, evaluation and verdict of the observations in the workspace; return the run's document.

    Nothing changes who serves before the very last step, which is one transaction.
    """
    observed = run.observed
    with run.timed("statistics", observed.training + observed.evaluation):
        described = _describe(run)
    with run.timed("train", observed.training):
        model, training = _train(run, described.sample)
    challenger = Predictor(run.ids["model_id"], model, run.extracted.columns, load(run.source) if run.source else None)
    with run.timed("evaluate", observed.evaluation):
        champion = run.house.champion()
        rows = score_held_out(run.workspace, challenger, champion, run.progress)
        summary = _training_summary(run, described)
        evaluation = summarise(rows.scores, summary, unused=observed.rejected)
    with run.timed("promote"):
        memory = _keep_rows(run)
        facts = _facts(run, described)
        first = First({k: v for k, v in evaluation.metrics.items() if v is not None}, evaluation.baseline)
        verdict, remarks = judge_challenger(run.house, rows, memory, facts, first)
        _keep_model(run, challenger, training, evaluation, _RunMemory(memory, facts, summary))
        _keep_sources(run, described, evaluation)
    champion_before = champion.model_id if champion else None
    document = _document(run, challenger, evaluation, champion_before, remarks)
    run.house.catalog.update(run.run_id, document=_run_entity(run, document, verdict, dry_run))
    document["verdict"] = _settle(run, verdict, champion_before, dry_run=dry_run)
    run.house.catalog.update(run.run_id, status="COMPLETED", document=_run_entity(run, document, verdict, dry_run))
    return document


def _describe(run: Run) -> Described:
    """One pass over the observations: statistics of both parts, class counts, and the sample that recipes fit on."""
    schema, target = run.observed.attributes, run.observed.target.of_stored
    statistics = {part: Statistics(schema) for part in (Part.TRAINING, Part.EVALUATION)}
    counts = {part: np.zeros(len(target.classes) + 1, np.int64) for part in statistics}
    sample = EvenSample()
    for batch, parts in iter_observations(run.workspace.observations):
        for part, seen in statistics.items():
            chosen = batch.filter(pa.array(parts == part))
            seen.add(chosen)
            counts[part] += _class_counts(target, chosen)
            if part is Part.TRAINING:
                sample.add(chosen)
            run.progress.advance(chosen.num_rows)
    labelled = tuple(
        dict(zip(target.classes, counts[part][:-1].tolist(), strict=True)) for part in (Part.TRAINING, Part.EVALUATION)
    )
    training, evaluation = (statistics[part].insights() for part in (Part.TRAINING, Part.EVALUATION))
    return Described(training, evaluation, sample.table(), (labelled[0], labelled[1]))


def _class_counts(target: Target, batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """Count the rows of each class, those of unknown classes last."""
    if target.type is ModelType.REGRESSION:
        return np.zeros(1, np.int64)
    codes = np.nan_to_num(target.codes(batch.column(target.name)), nan=len(target.classes)).astype(np.int64)
    return np.bincount(codes, minlength=len(target.classes) + 1)


def _train(run: Run, sample: pa.Table) -> tuple[Any, Training]:
    task = Task(
        columns=tuple(column.name for column in run.extracted.columns),
        schema=run.observed.attributes,
        labels=run.observed.target,
        recipe=_recipe_text(run.project),
        settings=run.project.train.settings(),
    )
    with run.workspace.scratch() as scratch:
        rows = partial(iter_training, run.workspace.observations)
        return train(task, sample, rows, scratch, run.progress.advance)


def _recipe_text(project: Project) -> str | None:
    if project.transform.recipe is None:
        return None
    path = project.path(project.transform.recipe)
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"transform.recipe: {path} cannot be read: {error.strerror}", "Correct the path.") from None


def _training_summary(run: Run, described: Described) -> TrainingSummary:
    if run.observed.target.type is not ModelType.REGRESSION:
        return TrainingSummary.of_classes(described.counts[0])
    insight = described.training.of(run.observed.target.name)
    assert isinstance(insight, NumericInsight)
    return TrainingSummary.of_numbers(insight)


def _facts(run: Run, described: Described) -> RunFacts:
    """State what the guardrails of this and the next run compare."""
    labels = dict.fromkeys(run.observed.target.classes, 0)
    for stored in described.counts:
        for label, count in zip(labels, stored.values(), strict=True):
            labels[label] += count
    moments = TargetFacts(counts=labels)
    if run.observed.target.type is ModelType.REGRESSION:
        insight = described.training.of(run.observed.target.name)
        assert isinstance(insight, NumericInsight)
        moments = TargetFacts(mean=insight.mean, deviation=insight.sd)
    attributes = {a.name: a.type.value for a in run.observed.attributes.attributes}
    return RunFacts(run.observed.training + run.observed.evaluation, moments, attributes)


def _keep_rows(run: Run) -> RowMemory:
    """Keep the observations, and the keys of the rows held out, for rebuilding and for later gates."""
    objects, workspace = run.house.objects, run.workspace
    upload = f"uploads/{run.run_id}.parquet"
    with objects.writing(upload, needed=workspace.observations.stat().st_size) as staged:
        _link_or_copy(workspace.observations, staged)
    keys = np.fromfile(workspace.keys, "<u8")
    parts = np.concatenate([np.asarray(batch.column(PART)) for batch in read_rows(workspace.observations, [PART])])

    def keep(part: Part, name: str) -> str:
        objects.put_bytes(f"keys/{run.run_id}-{name}.u64", np.unique(keys[parts == part]).tobytes())
        return f"keys/{run.run_id}-{name}.u64"

    stable = run.project.data.split.strategy == "stable"
    return RowMemory(
        split=run.project.data.split,
        keyed_by=run.extracted.keyed_by,
        held_out=keep(Part.EVALUATION, "held-out"),
        trained=None if stable else keep(Part.TRAINING, "trained"),
    )


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _keep_sources(run: Run, described: Described, evaluation: Evaluation) -> None:
    catalog = run.house.catalog
    for part, insights in (("training", described.training), ("evaluation", described.evaluation)):
        source = DataSource(
            id=run.ids[f"{part}_data_source_id"],
            location=f"uploads/{run.run_id}.parquet",
            part=part,
            rows=insights.rows,
            attributes=run.observed.attributes,
            split=run.project.data.split,
            digest=run.extracted.digest,
            statistics=plain(insights),
        )
        document = {**plain(source), "run_id": run.run_id}
        catalog.create("data_source", source.id, document, status="COMPLETED", project=run.project.name)
    document = {
        **plain(evaluation),
        "model_id": run.ids["model_id"],
        "data_source_id": run.ids["evaluation_data_source_id"],
        "run_id": run.run_id,
    }
    catalog.create("evaluation", run.ids["evaluation_id"], document, status="COMPLETED", project=run.project.name)


class _RunMemory(msgspec.Struct, frozen=True):
    """What later runs and judgements need to know of this run's rows."""

    memory: RowMemory
    facts: RunFacts
    training_summary: TrainingSummary


def _keep_model(
    run: Run, challenger: Predictor, training: Training, evaluation: Evaluation, remembered: _RunMemory
) -> None:
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
        "lineage": _lineage(run),
    }
    run.house.catalog.create("model", challenger.model_id, document, status="COMPLETED", project=run.project.name)


def _lineage(run: Run) -> dict[str, Any]:
    """State where a model came from: enough to rebuild it, and to see why a rebuilt one should differ."""
    return {
        "run_id": run.run_id,
        "training_data_source_id": run.ids["training_data_source_id"],
        "observations": f"uploads/{run.run_id}.parquet",
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
        "recipe": _recipe_text(run.project),
        "parameters": plain(run.project.train),
        "versions": versions(),
    }


def _settle(run: Run, verdict: Verdict, champion_before: str | None, *, dry_run: bool) -> dict[str, Any]:
    """Record the verdict and, where it admits, flip: one transaction. A dry run records nothing."""
    status, reasons, champion = verdict.status.value, verdict.reasons, champion_before
    if not dry_run:
        entry = run.house.endpoint.record(
            model_id=run.ids["model_id"],
            run_id=run.run_id,
            status=status,
            reasons=reasons,
            champion_before=champion_before,
            document=plain(verdict),
        )
        status, reasons, champion = entry.status, entry.reasons, entry.champion
    return {
        "status": status,
        "reasons": list(reasons),
        "champion_before": champion_before,
        "champion": champion,
        "what_would_settle": verdict.what_would_settle,
        "looks": plain(verdict.looks),
        "guardrails": list(verdict.guardrails),
    }


def _document(
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
            "rejected_samples": extracted.unreadable_samples,
            "verdict": {"status": None, "reasons": [], "champion_before": champion_before, "champion": champion_before},
            "endpoint": {"name": run.project.name, "url": url},
            "seconds": {**seconds, "total": sum(seconds.values())},
        }
    )
    return document


def _run_entity(run: Run, document: dict[str, Any], verdict: Verdict, dry_run: bool) -> dict[str, Any]:
    return {**document, "dry_run": dry_run, "judgement": plain(verdict), "lineage": _lineage(run)}
