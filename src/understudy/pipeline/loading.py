"""Third stage: observations kept, two data sources, a model, an evaluation, and the gate's verdict."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

from understudy.documents import plain
from understudy.evaluation import Evaluation, summarise
from understudy.model import Model
from understudy.pipeline.describing import describe, odd_attributes, odd_target, run_facts, training_summary
from understudy.pipeline.judging import CHAMPION, RowMemory, judge_challenger, rivals_of
from understudy.pipeline.recording import (
    Remembered,
    discard_rows,
    keep_model,
    keep_rows,
    keep_sources,
    recipe_text,
    run_document,
    run_entity,
)
from understudy.pipeline.run import Described, Run
from understudy.pipeline.scoring import score_held_out
from understudy.pipeline.workspace import Extracted
from understudy.prediction import Predictor
from understudy.promotion import First, RunFacts, Verdict
from understudy.training import Task, Trainer, Training
from understudy.transform import load


def load_observations(run: Run, *, dry_run: bool) -> dict[str, Any]:
    """Make data sources, model, evaluation and verdict of the observations in the workspace; return the run's document.

    Nothing changes who serves before the very last step, which is one transaction.
    """
    with ThreadPoolExecutor(1) as aside:
        learned, keeping = _learn(run, aside)
        described, training = learned.described, learned.training
        function = load(run.source) if run.source else None
        challenger = Predictor(run.ids["model_id"], learned.model, run.extracted.columns, function)
        rivals = rivals_of(run.house)
        with run.timed("evaluate", run.observed.evaluation):
            rows = score_held_out(run.workspace, challenger, rivals, run.progress)
            summary = training_summary(run, described)
            evaluation = summarise(rows.scores, summary, unused=run.observed.rejected)
        with run.timed("promote"):
            remembered = Remembered(keeping.result(), learned.facts, summary)
            verdict, dropped = judge_challenger(run.house, rows, remembered.memory, learned.facts, _first(evaluation))
            keep_model(run, challenger, training, evaluation, remembered)
            keep_sources(run, described, evaluation)
    champion = rivals[CHAMPION].model_id if rivals else None
    odd = (*odd_target(run.observed), *odd_attributes(described.training))
    remarks = (*_unreadable(run.extracted), *odd, *_ignored(training), *dropped)
    document = run_document(run, challenger, evaluation, champion, remarks)
    run.house.catalog.update(run.run_id, document=run_entity(run, document, dry_run=dry_run))
    document["verdict"] = _settle(run, verdict, champion, dry_run=dry_run)
    run.house.catalog.update(run.run_id, status="COMPLETED", document=run_entity(run, document, dry_run=dry_run))
    return document


class _Learned(NamedTuple):
    """What the training rows gave."""

    described: Described
    facts: RunFacts
    model: Model
    training: Training


def _learn(run: Run, aside: Executor) -> tuple[_Learned, Future[RowMemory]]:
    """Learn a model; rows are kept meanwhile, as learning leaves a processor to it."""
    with run.workspace.scratch() as scratch:
        with run.timed("statistics", run.observed.training):
            sample = run.workspace.observations(run.observed.target).training_sample()
            trainer = Trainer(_task(run), sample, scratch)
            described = describe(run, trainer.add)
            facts = run_facts(run, described, sample)
        with run.timed("train", run.observed.training):
            keeping = aside.submit(keep_rows, run)
            try:
                model, training = trainer.finish(run.progress.advance)
            except BaseException:
                wait([keeping])
                discard_rows(run)
                raise
        return _Learned(described, facts, model, training), keeping


def _first(evaluation: Evaluation) -> First:
    """State what a first model, without a champion beside it, is judged by."""
    return First({name: v for name, v in evaluation.metrics.items() if v is not None}, evaluation.baseline)


def _unreadable(extracted: Extracted) -> Iterator[str]:
    """Name the first of the lines that could not be read."""
    for first in extracted.unreadable_samples[:1]:
        counted = "1 line" if extracted.unreadable == 1 else f"{extracted.unreadable:,} lines"
        yield f"{counted} could not be read, the first: {first.file} line {first.line}: {first.reason}"


def _ignored(training: Training) -> Iterator[str]:
    for name in training.ignored:
        yield f"the recipe names {name}, which is never a feature: target, row id, row weight or excluded"


def _task(run: Run) -> Task:
    return Task(
        columns=tuple(column.name for column in run.extracted.columns),
        schema=run.observed.attributes,
        labels=run.observed.target,
        recipe=recipe_text(run.project),
        settings=run.project.train.settings(),
    )


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
