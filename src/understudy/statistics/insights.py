"""What the data say, as documents: one record per attribute (reference, section 4)."""

from __future__ import annotations

import msgspec


class Bins(msgspec.Struct, frozen=True):
    """Rows counted in intervals of a number: counts[i] of them in [edges[i], edges[i + 1])."""

    edges: tuple[float, ...]
    """Ascending, one more than the counts."""
    counts: tuple[int, ...]
    """Rows in each interval; the first and the last take all beyond, too."""


class ValueCount(msgspec.Struct, frozen=True):
    """A value and how many rows hold it."""

    value: str
    count: int


class Word(msgspec.Struct, frozen=True):
    """A word of a text and what it tells."""

    word: str
    """In lower case, without punctuation at its ends."""
    prominence: float
    """What its presence tells about the target, 0..1; without a target the entropy of its presence in bits, 0..1."""
    rows: int
    """How many rows hold it."""
    share: float
    """The same as a share of all rows."""


class NumericInsight(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="NUMERIC"):
    """A NUMERIC attribute. Figures are None where no cell could be read."""

    name: str
    correlation: float | None
    """What it tells about the target, 0..1 (mutual information over the target's entropy); None without a target."""
    missing: int
    """Rows that hold nothing."""
    invalid: int
    """Rows that hold something that is no number."""
    minimum: float | None
    maximum: float | None
    mean: float | None
    median: float | None
    sd: float | None
    """Standard deviation of the sample."""
    distinct: int | None
    """How many distinct numbers; None for very many."""
    quantiles: dict[str, float]
    """By share of the rows below: "0.01", "0.05", "0.1", "0.25", "0.5", "0.75", "0.9", "0.95", "0.99"."""
    histogram: Bins
    """Equally wide bins from minimum to maximum."""
    bands: Bins
    """Bins of about a tenth of the rows each; fewer where one number is more frequent than that."""


class BinaryInsight(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="BINARY"):
    """A BINARY attribute."""

    name: str
    correlation: float | None
    missing: int
    invalid: int
    true: int
    false: int
    share_true: float | None
    """Share of the true ones among the cells that could be read."""


class CategoricalInsight(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="CATEGORICAL"):
    """A CATEGORICAL attribute. An empty cell is a value of its own, the empty text."""

    name: str
    correlation: float | None
    missing: int
    """Rows that hold nothing."""
    distinct: int
    """How many values; exact up to 16,384, beyond within 1.6 %."""
    exact: bool
    """Whether distinct and counts are exact."""
    count_error: int
    """How many rows each count may be short of; 0 while exact."""
    most_frequent: str | None
    least_frequent: str | None
    """None, too, where the values were too many to count them all."""
    values: tuple[ValueCount, ...]
    """The ten most frequent values."""
    other: int
    """Rows that hold any other value."""


class TextInsight(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="TEXT"):
    """A TEXT attribute. Words stand between white space; case and punctuation at their ends do not count."""

    name: str
    correlation: float | None
    """What the presence of the most telling word says about the target, 0..1."""
    missing: int
    """Rows that hold nothing."""
    words: int
    """Words in all rows."""
    distinct_words: int
    """How many different words; exact up to 16,384, beyond within 1.6 %."""
    exact: bool
    words_per_row: tuple[int, int]
    """Fewest and most words of a row."""
    word_lengths: tuple[int, int]
    """Letters of the shortest and the longest word; 0 without words."""
    prominent: tuple[Word, ...]
    """The words that tell most, best first."""


Insight = NumericInsight | BinaryInsight | CategoricalInsight | TextInsight


class Insights(msgspec.Struct, frozen=True):
    """All that one pass over the rows has found."""

    rows: int
    target: str | None
    """The attribute that correlations are with; its own insight is the target's distribution."""
    attributes: tuple[Insight, ...]
    """One for each attribute of the schema, in its order."""

    def of(self, name: str) -> Insight:
        """Return the insight of one attribute; KeyError where there is none."""
        for insight in self.attributes:
            if insight.name == name:
                return insight
        raise KeyError(name)
