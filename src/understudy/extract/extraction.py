"""What every source gives: canonical batches, read once, and an account of what could not be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType

import msgspec
import pyarrow as pa

from understudy.errors import ExtractError
from understudy.values import BATCH_ROWS, coded_schema
from understudy.values.coding import Coder

MAX_SAMPLES = 20
"""Rejected lines that are kept to be shown."""

SAMPLE_CHARACTERS = 200
"""Characters of a rejected line that are kept."""

NOT_UTF8 = "not UTF-8"
"""Why a line is rejected whose bytes are no text in UTF-8."""

ENCODING_HINT = "Save it as UTF-8; a project may name another encoding (extract.encoding, or `init --encoding`)."

BATCH_BYTES = 16_000_000
"""Bytes that a batch should hold at most, so that rows with long texts do not fill the memory."""


class Rejected(msgspec.Struct, frozen=True):
    """One line that could not be read."""

    file: str
    line: int
    """Counted from 1, as an editor counts."""
    reason: str
    text: str
    """How the line begins."""


@dataclass
class Rejections:
    """The lines that could not be read: how many, and the first of them."""

    count: int = 0
    samples: list[Rejected] = field(default_factory=list)

    def add(self, file: str, line: int, reason: str, data: bytes) -> None:
        """Count one line, and keep it while few are kept."""
        self.count += 1
        if len(self.samples) < MAX_SAMPLES:
            text = data[: 4 * SAMPLE_CHARACTERS].decode(errors="replace")[:SAMPLE_CHARACTERS]
            self.samples.append(Rejected(file, line, reason, text))

    def include(self, others: Rejections) -> None:
        """Count another source's lines, too."""
        self.count += others.count
        self.samples = [*self.samples, *others.samples][:MAX_SAMPLES]


@dataclass
class Extraction:
    """Rows on their way out of a source; iterate once, and close (or use in a `with` statement).

    Whatever the source, columns of text travel coded (`values.CODED`).

    Iterating raises ExtractError where rows cannot be had, where there are none, and at the end where the share of
    rejected lines exceeds `max_rejected`. The share is not judged before the end: many bad lines in the beginning say
    nothing about the whole.
    """

    schema: pa.Schema
    """Names and canonical types of the columns."""
    batches: Iterator[pa.RecordBatch]
    """The source's rows in canonical form; text may be plain here."""
    sources: list[str]
    """Files, or the database's URL without its password; for the lineage."""
    rejected: Rejections = field(default_factory=Rejections)
    warnings: list[str] = field(default_factory=list)
    max_rejected: float = 0.1
    release: Callable[[], None] = lambda: None
    """Closes what the source holds open."""
    rows: int = 0
    """Rows given so far."""

    def __post_init__(self) -> None:
        self.schema = coded_schema(self.schema)

    @property
    def columns(self) -> list[str]:
        """The columns' names."""
        return list(self.schema.names)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        coder = Coder()
        for batch in self.batches:
            self.rows += batch.num_rows
            for start in range(0, batch.num_rows, BATCH_ROWS):
                yield coder.batch(batch.slice(start, BATCH_ROWS))
        self._judge()

    def _judge(self) -> None:
        read, where = self.rows + self.rejected.count, self.sources[0]
        if self.rejected.count > self.max_rejected * read:
            first = self.rejected.samples[0]
            cure = ENCODING_HINT if first.reason == NOT_UTF8 else "Correct the source."
            raise ExtractError(
                f"{self.rejected.count:,} of {read:,} lines could not be read, the first in line {first.line:,} of "
                f"{first.file}: {first.reason}",
                f"{cure} At most {self.max_rejected:.1%} may fail; a project may allow more with extract.max_rejected.",
            )
        if self.rows == 0:
            raise ExtractError(f"{where} gave no rows", "Check the query or the files; nothing was changed.")

    def close(self) -> None:
        """Close connections and files; may be called at any time, and again."""
        self.release()

    def __enter__(self) -> Extraction:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def check_columns(names: list[str], where: str) -> None:
    """Raise ExtractError unless there are columns and each has its own name."""
    if not names:
        raise ExtractError(f"{where} gave no columns", "Check the query or the file.")
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise ExtractError(
            f"{where} has more than one column named {', '.join(map(repr, doubles))}",
            "Give every column its own name (in SQL: `select a.id as a_id`).",
        )


def next_rows(batch: pa.RecordBatch | None) -> int:
    """Say how many rows to read next, by the size of those read last: few where they are wide."""
    if batch is None or batch.num_rows == 0:
        return 1_000
    rows: int = batch.num_rows * BATCH_BYTES // max(batch.nbytes, 1)
    return max(1, min(BATCH_ROWS, rows))
