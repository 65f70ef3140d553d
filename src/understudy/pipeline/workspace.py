"""What lies between the stages: the rows of the run that is under way, and what is known of them.

One folder, `.understudy/work/`. A stage writes its rows first and its report last, so a report stands only beside rows
that are whole; a stage begins by removing the reports that its work makes stale.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

from understudy.config import Project
from understudy.datasource import Parts
from understudy.errors import StoreError, UsageError
from understudy.extract import Rejected
from understudy.folders import private_folder
from understudy.hashing import UInt64s
from understudy.pipeline.observations import Observations
from understudy.prediction import Column
from understudy.schema import Schema
from understudy.spool import read_rows, read_schema
from understudy.target import Target


class Extracted(msgspec.Struct, frozen=True):
    """What the extract stage found."""

    asked: str
    """Digest of the project settings that the rows hang on."""
    columns: tuple[Column, ...]
    keyed_by: tuple[str, ...]
    """Columns that the rows' keys are made of."""
    rows: int
    """Rows that could be read."""
    unreadable: int
    """Rows that could not."""
    unreadable_samples: tuple[Rejected, ...]
    digest: str
    """SHA-256 over the rows' canonical values, in order."""
    sources: tuple[str, ...]
    warnings: tuple[str, ...]
    seconds: float


class Observed(msgspec.Struct, frozen=True):
    """What the transform stage made of the extracted rows."""

    asked: str
    """Digest of the project settings, code and extracted rows that the observations hang on."""
    attributes: Schema
    target: Target
    transform: str | None
    """Digest of the stored transform source; None without a transform function."""
    training: int
    evaluation: int
    rejected: int
    """Rows without a usable target; unreadable rows are not among them."""
    unusable: tuple[Rejected, ...]
    """The first of them; `line` is the row's number among those extracted."""
    remarks: tuple[str, ...]
    """What was inferred aloud, and what is odd about the data."""
    seconds: float


Report = TypeVar("Report", Extracted, Observed)


class Workspace:
    """The folder of the run that is under way."""

    def __init__(self, project: Project) -> None:
        self.folder = project.root / ".understudy" / "work"
        self.extracted = self.folder / "extracted.arrow"
        self.sample = self.folder / "sample.parquet"
        self.keys = self.folder / "keys.u64"
        self.observed = self.folder / "observations.arrow"
        self.parts = self.folder / "parts.u8"

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give an empty folder that is gone afterwards; leftovers of a kill go first."""
        for stale in self.folder.glob("rows-*"):
            shutil.rmtree(stale, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix="rows-", dir=self.folder, ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    def begin(self, stage: type[Extracted] | type[Observed]) -> None:
        """Remove the reports that a new run of `stage` makes stale."""
        try:
            private_folder(self.folder)
            for kind in (Extracted, Observed) if stage is Extracted else (Observed,):
                self._report(kind).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{self.folder} cannot be written: {error.strerror}", "Check its permissions.") from None

    def finish(self, report: Extracted | Observed) -> None:
        """Write a stage's report: from here on its rows count."""
        file = self._report(type(report))
        partial = file.with_name(file.name + ".partial")
        try:
            partial.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
            partial.replace(file)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise StoreError(
                f"{file} cannot be written: {error.strerror}", "Free some space and run it again."
            ) from None

    def report(self, kind: type[Report], *, asked: str, command: str) -> Report:
        """Return the report of an earlier stage; UsageError where it is missing or the project changed since."""
        try:
            report = msgspec.json.decode(self._report(kind).read_bytes(), type=kind)
        except (OSError, msgspec.DecodeError):
            raise UsageError(
                f"there is no finished `understudy {command}` here", f"Run `understudy {command}`."
            ) from None
        if report.asked != asked:
            raise UsageError(f"the project changed since `understudy {command}`", f"Run `understudy {command}` again.")
        return report

    def _report(self, kind: type[Extracted] | type[Observed]) -> Path:
        return self.folder / ("extract.json" if kind is Extracted else "transform.json")

    def read_parts(self) -> Parts:
        """Return what each row is for, uint8[n]."""
        return np.fromfile(self.parts, np.uint8)

    def observations(self, target: Target) -> Observations:
        """Open the observations of the last `transform`."""
        return Observations(read_schema(self.observed), partial(read_rows, self.observed), self.read_parts(), target)

    def read_keys(self, first_row: int, rows: int) -> UInt64s:
        """Return the keys of `rows` neighbouring rows, uint64[rows]."""
        return np.fromfile(self.keys, "<u8", count=rows, offset=8 * first_row)


def digest_of(*parts: object) -> str:
    """Return SHA-256 over values in canonical JSON, as `sha256:...`."""
    return f"sha256:{hashlib.sha256(msgspec.json.encode(parts, order='sorted')).hexdigest()}"
