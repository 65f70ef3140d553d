"""Second stage: observations out of extracted rows; what they mean; which of them are held out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from understudy.config import Project
from understudy.datasource import Part, Parts, held_out
from understudy.errors import InvalidInput, TransformError
from understudy.extract import Rejected
from understudy.extract.extraction import MAX_SAMPLES
from understudy.pipeline.meaning import Meaning, settle
from understudy.pipeline.observations import PART
from understudy.pipeline.progress import Progress
from understudy.pipeline.workspace import Extracted, Observed, Workspace, digest_of
from understudy.schema import ModelType
from understudy.spool import ColumnFile, SpoolWriter, link_or_copy, read_column, read_rows
from understudy.target import Target, sorted_labels
from understudy.transform import TransformSource, collect, load, prove_row_wise
from understudy.values import CODED, read_texts
from understudy.values.coded import coded_array

PROOF_ROWS = 64
"""Rows on which `learn` proves that the transform function is row-wise."""

Observe = Callable[[pa.RecordBatch], pa.RecordBatch]


def asked_of_transform(project: Project, extracted: Extracted, source: TransformSource | None) -> str:
    """Digest the settings, code and rows that observations hang on."""
    schema = project.path(project.data.schema).read_text(encoding="utf-8") if project.data.schema else None
    code = source.digest if source else None
    return digest_of(extracted.asked, extracted.digest, code, project.data, project.train.type, schema)


def transform_source(project: Project) -> TransformSource | None:
    """Read the project's transform function and the modules of its own that it imports; None without a function."""
    return collect(project.root, project.transform.function) if project.transform.function else None


def observe(
    project: Project, workspace: Workspace, extracted: Extracted, source: TransformSource | None, progress: Progress
) -> Observed:
    """Turn the extracted rows into observations in the workspace, each with the part that it plays.

    Raises
    ------
    TransformError : the project's function breaks its contract.
    ConfigError, SchemaError : the project names attributes that the observations do not have.
    InvalidInput : no row has a usable target.
    """
    began = time.perf_counter()
    progress.stage("transform", extracted.rows)
    workspace.begin(Observed)
    sample = _observed_sample(project, source, pq.read_table(workspace.sample))
    if PART in sample.column_names:
        raise InvalidInput(f"a column is called {PART!r}, which Understudy keeps for itself", "Give it another name.")
    meaning = settle(project, sample)
    parting = _Parting(project, workspace, extracted, meaning.target)
    with closing(ColumnFile(workspace.parts)) as parts:
        for cells in _target_cells(workspace, source, sample.schema, meaning.target.name):
            parts.write(parting.next(cells))
            progress.advance(len(cells))
    report = _report(project, extracted, source, meaning, parting, time.perf_counter() - began)
    workspace.finish(report)
    return report


def _target_cells(
    workspace: Workspace, source: TransformSource | None, schema: pa.Schema, target: str
) -> Iterator[pa.Array]:
    """Put the observations in their place; yield the target's cells, batch after batch.

    Without a function the observations are the extracted rows, and are not written again.
    """
    if source is None:
        link_or_copy(workspace.extracted, workspace.observed)
        yield from read_column(workspace.extracted, target)
        return
    run = load(source)
    with SpoolWriter(workspace.observed, schema) as writer:
        for batch in read_rows(workspace.extracted):
            observations = _conform(run(batch), schema)
            writer.write(observations)
            yield observations.column(target)


def _observed_sample(project: Project, source: TransformSource | None, sample: pa.Table) -> pa.Table:
    """Run the function over the sample, having proven on some rows that it may be run over batches."""
    if source is None:
        return sample
    run = load(source)
    batches = sample.combine_chunks().to_batches()
    spread = range(0, sample.num_rows, -(-sample.num_rows // PROOF_ROWS))
    prove_row_wise(run, sample.take(list(spread)).combine_chunks().to_batches()[0], project.data.target)
    return pa.Table.from_batches([run(batch) for batch in batches])


def _conform(observations: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Give cells the type that the sample had; a function that answers now this type and now that is an error."""
    columns = [_cast(observations.column(wanted.name), wanted) for wanted in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _cast(cells: pa.Array, wanted: pa.Field) -> pa.Array:
    if cells.type == wanted.type:
        return cells
    try:
        return coded_array(read_texts(cells)) if wanted.type == CODED else cells.cast(wanted.type)
    except pa.ArrowInvalid as error:
        raise TransformError(
            f"the transform function gave {wanted.name!r} as {wanted.type} first and as {cells.type} later: {error}",
            "Let it return one type for a column whatever the batch holds.",
        ) from None


@dataclass
class _Parting:
    """Decides row by row what each is for, and counts the target's labels among the training rows."""

    project: Project
    workspace: Workspace
    extracted: Extracted
    target: Target
    done: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    unusable: list[Rejected] = field(default_factory=list)
    """The first rows without a usable target, to be shown."""
    counts: list[int] = field(default_factory=lambda: [0] * len(Part))

    def next(self, cells: pa.Array) -> Parts:
        """Return the parts of the next len(cells) rows."""
        keys = self.workspace.read_keys(self.done, len(cells))
        out = held_out(self.project.data.split, keys, self.done, self.extracted.rows)
        parts = np.where(out, np.uint8(Part.EVALUATION), np.uint8(Part.TRAINING))
        usable = _usable(self.target, cells)
        parts[~usable] = Part.REJECTED
        self._show(cells, np.flatnonzero(~usable))
        self._count(cells, parts)
        self.done += len(cells)
        return parts

    def _show(self, cells: pa.Array, rows: npt.NDArray[np.intp]) -> None:
        for row in rows[: MAX_SAMPLES - len(self.unusable)]:
            text = read_texts(cells.slice(int(row), 1))[0].as_py()
            reason = f"no usable {self.target.name}" if text else f"no {self.target.name}"
            self.unusable.append(Rejected("rows", self.done + int(row) + 1, reason, text))

    def _count(self, cells: pa.Array, parts: Parts) -> None:
        for part in Part:
            self.counts[part] += int(np.count_nonzero(parts == part))
        if self.target.type is ModelType.MULTICLASS:
            seen = pc.value_counts(read_texts(cells).filter(pa.array(parts == Part.TRAINING)))
            for label, count in zip(seen.field("values").to_pylist(), seen.field("counts").to_pylist(), strict=True):
                self.labels[label] += count


def _usable(target: Target, cells: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell which cells hold a target to learn from."""
    if target.type is ModelType.MULTICLASS:
        return np.asarray(pc.not_equal(read_texts(cells), "").to_numpy(zero_copy_only=False))
    return ~np.isnan(target.codes(cells))


def _report(
    project: Project,
    extracted: Extracted,
    source: TransformSource | None,
    meaning: Meaning,
    parting: _Parting,
    seconds: float,
) -> Observed:
    training, evaluation, rejected = parting.counts
    if training == 0:
        found = f" (the first holds {parting.unusable[0].text!r})" if rejected else ""
        kind = meaning.target.type.value
        raise InvalidInput(
            f"none of the {extracted.rows:,} rows can be learned from: {rejected:,} have no "
            f"{meaning.target.name!r} that a {kind} model can use{found}, {evaluation:,} are held out",
            "Check the target's name and [train] type; nothing was changed.",
        )
    target = meaning.target
    if target.type is ModelType.MULTICLASS:
        target = msgspec.structs.replace(target, classes=sorted_labels(list(parting.labels)))
    return Observed(
        asked=asked_of_transform(project, extracted, source),
        attributes=meaning.schema,
        target=target,
        transform=source.digest if source else None,
        training=training,
        evaluation=evaluation,
        rejected=rejected,
        unusable=tuple(parting.unusable),
        remarks=meaning.remarks,
        seconds=seconds,
    )
