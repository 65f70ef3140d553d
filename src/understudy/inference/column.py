"""One column of a sample as a careful reader takes it in: its distinct values, their counts, which are numbers.

>>> column = Column.of("age", pa.array(["31", "?", "31", None]))
>>> column.filled, column.absent, column.distinct
(2, 2, 1)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from understudy.values import MISSING_WORDS, read_numbers, read_texts

MEASURED_VALUES = 5_000
"""Distinct values whose spelling is looked at."""

_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_]+")


@dataclass(frozen=True)
class Column:
    """A column's name and its k distinct values in order of first occurrence, words for an empty cell among them."""

    name: str
    rows: int
    """Rows of the sample."""
    texts: pa.StringArray
    """The rows' cells as text; null where empty."""
    values: tuple[str, ...]
    """The k distinct values that stand in cells."""
    counts: npt.NDArray[np.int64]
    """int64[k]: rows that hold each."""
    numbers: npt.NDArray[np.float64]
    """float64[k]: each value read as a number; NaN where it is none."""
    present: npt.NDArray[np.bool_]
    """bool[k]: False for the words that say a cell is empty."""

    @classmethod
    def of(cls, name: str, cells: pa.Array | pa.ChunkedArray) -> Column:
        """Read the n cells of one column."""
        texts = read_texts(cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells)
        texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
        counted = pc.value_counts(texts.drop_null())
        values = counted.field("values")
        return cls(
            name=name,
            rows=len(texts),
            texts=texts,
            values=tuple(values.to_pylist()),
            counts=counted.field("counts").to_numpy().astype(np.int64),
            numbers=read_numbers(values).values,
            present=np.array([value.lower() not in MISSING_WORDS for value in values.to_pylist()], dtype=bool),
        )

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of the column's name in small letters: `YearRemod/Add` has year, remod, add."""
        return tuple(word.lower() for word in _CAMEL.findall(self.name))

    @cached_property
    def filled(self) -> int:
        """Rows that hold a value."""
        return int(self.counts[self.present].sum())

    @property
    def absent(self) -> int:
        """Rows that hold nothing, or a word for nothing."""
        return self.rows - self.filled

    @cached_property
    def distinct(self) -> int:
        """Distinct values, words for nothing left out."""
        return int(self.present.sum())

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The distinct values, words for nothing left out, in order of first occurrence."""
        return tuple(value for value, here in zip(self.values, self.present, strict=True) if here)

    @cached_property
    def _numeric(self) -> npt.NDArray[np.bool_]:
        return self.present & ~np.isnan(self.numbers)

    @cached_property
    def stray(self) -> int:
        """Rows that hold a value which is no number."""
        return self.filled - int(self.counts[self._numeric].sum())

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers but for a few strays."""
        return self.filled > 0 and self.stray < 0.05 * self.filled

    @cached_property
    def sorted_numbers(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """The distinct numbers in order, and how many rows hold each."""
        numbers, inverse = np.unique(self.numbers[self._numeric], return_inverse=True)
        return numbers, np.bincount(inverse, self.counts[self._numeric], len(numbers)).astype(np.int64)

    @property
    def deviation(self) -> float:
        """The standard deviation of the rows' numbers; 0 where there are none."""
        numbers, counts = self.sorted_numbers
        if not len(numbers):
            return 0.0
        mean = np.average(numbers, weights=counts)
        return float(np.sqrt(np.average((numbers - mean) ** 2, weights=counts)))

    @cached_property
    def is_whole(self) -> bool:
        """Whether the values are whole numbers but for a few strays."""
        numbers, _ = self.sorted_numbers
        return self.is_number and bool(np.all(np.isfinite(numbers)) and np.all(numbers == np.round(numbers)))

    @cached_property
    def is_unique(self) -> bool:
        """Whether nearly every row has a value of its own."""
        return self.rows > 1 and self.distinct >= 0.99 * self.filled and self.filled >= 0.95 * self.rows

    def share(self, pattern: re.Pattern[str]) -> float:
        """Return which part of the filled rows matches a pattern as a whole."""
        return self.mean(lambda value: float(pattern.fullmatch(value) is not None))

    def mean(self, measure: Callable[[str], float]) -> float:
        """Return the mean of a measure of the value over the filled rows; 0 where there are none.

        Of very many distinct values an even choice of some thousands is measured.
        """
        some = slice(None, None, -(-len(self.values) // MEASURED_VALUES) or None)
        counts = np.where(self.present, self.counts, 0)[some]
        measures = [measure(value) for value in self.values[some]]
        return float(np.dot(counts, measures) / counts.sum()) if counts.sum() else 0.0

    @cached_property
    def places(self) -> npt.NDArray[np.int64]:
        """int64[n]: the place of each row's value among the k; k for an empty cell."""
        found = pc.index_in(self.texts, value_set=pa.array(self.values, pa.string()))
        return np.asarray(found.fill_null(len(self.values)).to_numpy(zero_copy_only=False).astype(np.int64))

    @property
    def usual(self) -> str:
        """The most frequent value; the first of equals; empty where there is none."""
        counts = np.where(self.present, self.counts, 0)
        return self.values[int(counts.argmax())] if self.filled else ""


def span(low: float, high: float) -> str:
    """Write from where to where numbers go; years go without a thousands separator, and so does all below 10,000.

    >>> span(1300, 215245), span(1872, 2010)
    ('1,300 to 215,245', '1872 to 2010')
    """
    separator = "," if max(abs(low), abs(high)) >= 10_000 else ""
    return f"{_plain(low, separator)} to {_plain(high, separator)}"


def _plain(number: float, separator: str) -> str:
    if number != round(number) or abs(number) >= 1e15:
        return f"{number:g}"
    return f"{number:{separator}.0f}"
