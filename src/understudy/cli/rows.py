"""Rows named on the command line: a file of any format, or standard input."""

from __future__ import annotations

import glob
import io
import sys
from pathlib import Path
from typing import cast

import pyarrow as pa

from understudy.config import Extract, Project
from understudy.extract import Extraction, Rejections, read_files
from understudy.extract.delimited import read_csv
from understudy.extract.jsonlines import read_json_lines
from understudy.pipeline.extracting import headerless_names


def open_rows(file: str, project: Project | None = None) -> Extraction:
    """Open a file of rows, or standard input: JSON lines where it begins with a brace, else CSV.

    A project says how its own files are encoded, and how their columns are called where they have no header line.
    """
    source = project.extract[0] if project else Extract(files=file)
    names = headerless_names(project) if project else None
    if file != "-":
        return read_files(
            glob.escape(file), Path.cwd(), names=names, encoding=source.encoding, max_rejected=source.max_rejected
        )
    stream, rejected = cast("io.BufferedReader", sys.stdin.buffer), Rejections()
    if stream.peek(1).lstrip()[:1] == b"{":
        columns, batches = read_json_lines(stream, "standard input", rejected)
    else:
        columns, batches = read_csv(stream, "standard input", rejected, names=names, encoding=source.encoding)
    schema = pa.schema([(column, pa.string()) for column in columns])
    return Extraction(schema=schema, batches=batches, sources=["standard input"], rejected=rejected)
