"""Stored observations: rows after the transform function, each with the part that it plays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from understudy.datasource import Part, Parts
from understudy.spool import read_rows

PART = "__part__"
"""Column of the stored observations: what each row is for (`datasource.Part`)."""


def iter_observations(file: Path) -> Iterator[tuple[pa.RecordBatch, Parts]]:
    """Yield the observations in `file`, each batch with what its rows are for."""
    for batch in read_rows(file):
        yield batch.drop_columns([PART]), np.asarray(batch.column(PART))


def iter_training(file: Path) -> Iterator[pa.RecordBatch]:
    """Yield the training rows among the observations in `file`."""
    for batch, parts in iter_observations(file):
        yield batch.filter(pa.array(parts == Part.TRAINING))
