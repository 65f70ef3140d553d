"""First stage: rows out of the database or the files, in canonical form, each with its key."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from understudy.config import Project
from understudy.datasource import RowDigest
from understudy.errors import ConfigError
from understudy.extract import Extraction, open_project
from understudy.pipeline.progress import Progress
from understudy.pipeline.workspace import Extracted, Workspace, digest_of
from understudy.prediction import Column
from understudy.sample import EvenSample
from understudy.schema import Schema
from understudy.spool import write_rows
from understudy.values import row_keys


def asked_of_extract(project: Project) -> str:
    """Digest the settings that extracted rows and their keys hang on."""
    return digest_of(project.extract, project.data.target, project.data.row_id, _headerless_names(project))


def extract(project: Project, workspace: Workspace, progress: Progress) -> Extracted:
    """Stream the project's rows into the workspace; raises ExtractError, leaving nothing that counts."""
    began = time.perf_counter()
    progress.stage("extract")
    workspace.begin(Extracted)
    with open_project(project, names=_headerless_names(project)) as extraction:
        columns = tuple(Column(field.name, str(field.type)) for field in extraction.schema)
        keyed = _key_columns(project, extraction.columns)
        sample, digest = EvenSample(), RowDigest()
        with workspace.keys.open("wb") as keys:

            def counted() -> Iterator[pa.RecordBatch]:
                for batch in extraction:
                    keys.write(row_keys(batch, keyed).astype("<u8").tobytes())
                    digest.add(row_keys(batch, batch.schema.names))
                    sample.add(batch)
                    progress.advance(batch.num_rows)
                    yield batch

            write_rows(workspace.extracted, extraction.schema, counted())
        pq.write_table(sample.table(), workspace.sample, compression="zstd")
        report = _report(project, extraction, columns, keyed, digest, time.perf_counter() - began)
    workspace.finish(report)
    return report


def _key_columns(project: Project, columns: list[str]) -> list[str]:
    """Choose what a row's key is made of: its id, or else everything but the target."""
    if project.data.row_id in columns:
        return [project.data.row_id]
    return [name for name in columns if name != project.data.target]


def _headerless_names(project: Project) -> tuple[str, ...] | None:
    """Return the column names of files without a header line, as the schema file says."""
    if project.data.schema is None:
        return None
    schema = read_schema(project)
    return None if schema.header else schema.names


def read_schema(project: Project) -> Schema:
    """Read the project's schema file; raises SchemaError and ConfigError."""
    assert project.data.schema is not None
    path = project.path(project.data.schema)
    try:
        return Schema.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"data.schema: {path} cannot be read: {error.strerror}", "Correct the path.") from None


def _report(
    project: Project,
    extraction: Extraction,
    columns: tuple[Column, ...],
    keyed: list[str],
    digest: RowDigest,
    seconds: float,
) -> Extracted:
    return Extracted(
        asked=asked_of_extract(project),
        columns=columns,
        keyed_by=tuple(keyed),
        rows=digest.rows,
        unreadable=extraction.rejected.count,
        unreadable_samples=tuple(extraction.rejected.samples),
        digest=digest.value(),
        sources=tuple(extraction.sources),
        warnings=tuple(extraction.warnings),
        seconds=seconds,
    )
