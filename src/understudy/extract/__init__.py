r"""Rows out of databases, files and commands, as a stream of canonical batches (docs/values.md).

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     _ = Path(folder, "a.csv").write_text("id,city\n1,Rome\n2\n3,Bern\n")
...     with read_files("*.csv", Path(folder), max_rejected=0.5) as extraction:
...         rows = [row for batch in extraction for row in batch.to_pylist()]
>>> rows, extraction.rejected.samples[0].reason
([{'id': '1', 'city': 'Rome'}, {'id': '3', 'city': 'Bern'}], '1 fields where 2 are expected')
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from understudy.config import Extract, Project
from understudy.errors import ConfigError
from understudy.extract.command import read_command
from understudy.extract.database import read_database
from understudy.extract.extraction import Extraction, Rejected, Rejections
from understudy.extract.files import read_files
from understudy.extract.join import join

__all__ = [
    "Extraction",
    "Rejected",
    "Rejections",
    "open_project",
    "open_source",
    "open_sources",
    "read_command",
    "read_database",
    "read_files",
]


def open_project(project: Project, *, names: Sequence[str] | None = None) -> Extraction:
    """Open what the project file's `[extract]` says; see `open_sources`."""
    return open_sources(project.extract, project.root, names=names)


def open_sources(specs: Sequence[Extract], root: Path, *, names: Sequence[str] | None = None) -> Extraction:
    """Open one source, or several that are joined: every row of the first, looked up in the others.

    Raises
    ------
    ConfigError : several sources name no column, or several, to join on.
    ExtractError : as `open_source`, and where the sources cannot be joined.

    """
    if len(specs) == 1:
        return open_source(specs[0], root, names=names)
    columns = {spec.join for spec in specs if spec.join}
    if len(columns) != 1:
        raise ConfigError(
            f"[[extract]] has {len(specs)} sources and {len(columns)} join columns", 'Write join = "..." in the first.'
        )
    with ExitStack() as stack:
        opened = [stack.enter_context(open_source(spec, root, names=names)) for spec in specs]
        called = [spec.name or f"source {place}" for place, spec in enumerate(specs, 1)]
        joined = join(opened, called, columns.pop())
        stack.pop_all()
    return joined


def open_source(spec: Extract, root: Path, *, names: Sequence[str] | None = None) -> Extraction:
    """Open one source of rows, relative to `root`.

    Parameters
    ----------
    spec : one `[extract]` table of the project file.
    root : the project's folder.
    names : column names of CSV files without a header line.

    Raises
    ------
    ExtractError : rows cannot be had; says what failed and where, never with a password.

    """
    if spec.url is not None:
        return read_database(spec.url, spec.query or "", root)
    if spec.command is not None:
        return read_command(spec.command, root, encoding=spec.encoding, max_rejected=spec.max_rejected)
    return read_files(spec.files or (), root, names=names, encoding=spec.encoding, max_rejected=spec.max_rejected)
