"""Rows named on the command line: a file of any format, or standard input."""

from __future__ import annotations

import glob
import io
import sys
from pathlib import Path
from typing import cast

import pyarrow as pa

from understudy.extract import Extraction, Rejections, read_files
from understudy.extract.delimited import read_csv
from understudy.extract.jsonlines import read_json_lines


def open_rows(file: str) -> Extraction:
    """Open a file of rows, or standard input: JSON lines where it begins with a brace, else CSV."""
    if file != "-":
        return read_files(glob.escape(file), Path.cwd())
    stream, rejected = cast("io.BufferedReader", sys.stdin.buffer), Rejections()
    read = read_json_lines if stream.peek(1).lstrip()[:1] == b"{" else read_csv
    columns, batches = read(stream, "standard input", rejected)
    schema = pa.schema([(column, pa.string()) for column in columns])
    return Extraction(schema=schema, batches=batches, sources=["standard input"], rejected=rejected)
