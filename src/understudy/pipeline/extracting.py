"""First stage: rows out of the database or the files, in canonical form, each with its key."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from understudy.ahead import ahead
from understudy.config import Project
from understudy.datasource import RowDigest
from understudy.errors import ConfigError
from understudy.extract import Extraction, open_project
from understudy.freed import give_back
from understudy.pipeline.progress import Progress
from understudy.pipeline.workspace import Extracted, Workspace, digest_of
from understudy.prediction import Column
from understudy.sample import EvenSample
from understudy.schema import Schema
from understudy.spool import ColumnFile, storing, write_rows
from understudy.values import plain_schema, row_hashes


def asked_of_extract(project: Project) -> str:
    """Digest the settings that extracted rows and their keys hang on."""
    return digest_of(project.extract, project.data.target, project.data.row_id, headerless_names(project))


def with_parts(project: Project) -> Project:
    """Return the project with target and row id filled in from its schema file, where only that names them."""
    if project.data.schema is None:
        return project
    schema = read_schema(project)
    data = msgspec.structs.replace(
        project.data, target=project.data.target or schema.target, row_id=project.data.row_id or schema.row_id
    )
    return msgspec.structs.replace(project, data=data)


def extract(
    project: Project, workspace: Workspace, progress: Progress, check: Callable[[Sequence[str]], None] = lambda _: None
) -> Extracted:
    """Stream the project's rows into the workspace; raises ExtractError, leaving nothing that counts.

    `check` looks at the columns' names before a row is read, and raises where they will not do.
    """
    began = time.perf_counter()
    progress.stage("extract")
    workspace.begin(Extracted)
    with open_project(project, names=headerless_names(project)) as extraction:
        check(extraction.columns)
        columns = tuple(Column(field.name, str(field.type)) for field in plain_schema(extraction.schema))
        keyed = _key_columns(project, extraction.columns)
        sample, digest = EvenSample(), RowDigest()
        # The thread that reads is stopped before the source is closed.
        with closing(ColumnFile(workspace.keys)) as keys, closing(ahead(iter(extraction))) as batches:

            def counted() -> Iterator[pa.RecordBatch]:
                for batch in batches:
                    key, whole = row_hashes(batch, [keyed, batch.schema.names])
                    keys.write(key.astype("<u8"))
                    digest.add(whole)
                    sample.add(batch)
                    progress.advance(batch.num_rows)
                    yield batch

            write_rows(workspace.extracted, extraction.schema, counted())
        with storing(workspace.sample):
            pq.write_table(sample.table(), workspace.sample, compression="lz4", write_statistics=False)
        progress.advance(extraction.rejected.count)  # the summary counts lines that could not be read, too
        report = _report(project, extraction, columns, keyed, digest, time.perf_counter() - began)
    workspace.finish(report)
    give_back()
    return report


def _key_columns(project: Project, columns: list[str]) -> list[str]:
    """Choose what a row's key is made of: its id, or else everything but the target."""
    if project.data.row_id in columns:
        return [project.data.row_id]
    if project.data.row_id is not None and project.transform.function is None:
        raise ConfigError(
            f"data.row_id is {project.data.row_id!r}, which is none of the columns {', '.join(map(repr, columns))}",
            "Correct the name, or leave it out.",
        )
    return [name for name in columns if name != project.data.target]


def headerless_names(project: Project) -> tuple[str, ...] | None:
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
