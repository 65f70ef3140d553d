"""The collectors: one per attribute, by type. Each sees its column once, merges, and then tells its insight.

A collector reads the different cells of a batch's column, and then adds rows that hold them. What was read serves the
collectors of all parts of the rows.
"""

from __future__ import annotations

import string
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from understudy.hashing import hash_strings
from understudy.schema import AttributeType
from understudy.statistics.association import TARGETS, Association, normalised_information
from understudy.statistics.cells import TEXT_SEED, ReadNumbers, ReadTexts, as_numbers, as_texts, as_truths
from understudy.statistics.folding import Codes, Floats, UInt64s, moved
from understudy.statistics.frequent import FrequentValues
from understudy.statistics.insights import (
    BinaryInsight,
    Bins,
    CategoricalInsight,
    Insight,
    NumericInsight,
    TextInsight,
    ValueCount,
    Word,
)
from understudy.statistics.numbers import Distribution
from understudy.statistics.rows import Rows
from understudy.values import read_texts

TOP_VALUES = 10
TOP_WORDS = 50
HISTOGRAM_BINS = 50
_TENTHS = [tenth / 10.0 for tenth in range(11)]
_NOTHING = np.zeros(0)
QUANTILES = ("0.01", "0.05", "0.1", "0.25", "0.5", "0.75", "0.9", "0.95", "0.99")

_PUNCTUATION = string.punctuation + "«»„“”‘’‚…–—¡¿、。，！？；：「」『』（）"  # noqa: RUF001 - look-alikes are the point

Offsets = npt.NDArray[np.int64]


class Collector(Protocol):
    """What every type's collector can do. `targets` are the numbers of the target's bins, -1 for a row without."""

    @staticmethod
    def read(cells: pa.Array) -> Any:
        """Read k different cells; as its last, a null."""

    def add(self, read: Any, rows: Rows) -> None:
        """Add rows that hold cells which were read."""

    def move_targets(self, moves: Codes | None) -> None:
        """Follow the target's bins to their new numbers."""

    def merge(self, other: Any, targets: Codes) -> None:
        """Add all that another of the same kind has seen; `targets` numbers its target's bins here."""

    def insight(self, name: str, correlated: bool) -> Insight:
        """Tell what was found; `correlated` asks for the correlation to the target."""


class Numbers:
    """NUMERIC: distribution, association, and the cells that are none."""

    def __init__(self) -> None:
        self.distribution = Distribution()
        self._association = Association()
        self._missing, self._invalid = 0, 0

    @staticmethod
    def read(cells: pa.Array) -> ReadNumbers:
        """Read k cells as numbers."""
        return as_numbers(cells)

    def add(self, read: ReadNumbers, rows: Rows) -> None:
        """Add rows that hold cells which were read."""
        self.distribution.add_counted(read.values, read.keys, rows.counts, read.readable(rows.held))
        self._association.add(read.keys, rows)
        self._missing += int(rows.counts[-1] + rows.counts[read.missing].sum())
        self._invalid += int(rows.counts[read.invalid].sum())

    def move_targets(self, moves: Codes | None) -> None:
        """Follow the target's bins to their new numbers."""
        self._association.move_targets(moves)

    def merge(self, other: Numbers, targets: Codes) -> None:
        """Add all that the other has seen."""
        self.distribution.merge(other.distribution)
        self._association.merge(other._association, targets)
        self._missing += other._missing
        self._invalid += other._invalid

    def insight(self, name: str, correlated: bool) -> NumericInsight:
        """Tell what was found."""
        seen, some = self.distribution, self.distribution.moments.count > 0
        quantiles = seen.quantiles([float(share) for share in QUANTILES]).tolist() if some else []
        return NumericInsight(
            name=name,
            correlation=self._association.strength if correlated else None,
            missing=self._missing,
            invalid=self._invalid,
            minimum=seen.minimum if some else None,
            maximum=seen.maximum if some else None,
            mean=seen.moments.mean if some else None,
            median=float(seen.quantiles([0.5])[0]) if some else None,
            sd=seen.moments.sd if seen.moments.count > 1 else None,
            distinct=seen.distinct,
            quantiles=dict(zip(QUANTILES, quantiles, strict=False)),
            histogram=_bins(seen, _even(seen.minimum, seen.maximum) if some else _NOTHING),
            bands=_bins(seen, np.unique(seen.quantiles(_TENTHS)) if some else _NOTHING),
        )


class Truths:
    """BINARY: how many of each."""

    def __init__(self) -> None:
        self._association = Association()
        self._true, self._false, self._missing, self._invalid = 0, 0, 0, 0

    @staticmethod
    def read(cells: pa.Array) -> ReadNumbers:
        """Read k cells as truth values."""
        return as_truths(cells)

    def add(self, read: ReadNumbers, rows: Rows) -> None:
        """Add rows that hold cells which were read."""
        self._association.add(read.keys, rows)
        self._true += int(rows.counts[:-1][read.values == 1.0].sum())
        self._false += int(rows.counts[:-1][read.values == 0.0].sum())
        self._missing += int(rows.counts[-1] + rows.counts[read.missing].sum())
        self._invalid += int(rows.counts[read.invalid].sum())

    def move_targets(self, moves: Codes | None) -> None:
        """Follow the target's bins to their new numbers."""
        self._association.move_targets(moves)

    def merge(self, other: Truths, targets: Codes) -> None:
        """Add all that the other has seen."""
        self._association.merge(other._association, targets)
        self._true += other._true
        self._false += other._false
        self._missing += other._missing
        self._invalid += other._invalid

    def insight(self, name: str, correlated: bool) -> BinaryInsight:
        """Tell what was found."""
        read = self._true + self._false
        return BinaryInsight(
            name=name,
            correlation=self._association.strength if correlated else None,
            missing=self._missing,
            invalid=self._invalid,
            true=self._true,
            false=self._false,
            share_true=self._true / read if read else None,
        )


class Categories:
    """CATEGORICAL: the values and how often they occur."""

    def __init__(self) -> None:
        self.values = FrequentValues()
        self._association = Association()
        self._rows, self._missing = 0, 0

    @staticmethod
    def read(cells: pa.Array) -> ReadTexts:
        """Read k cells as text; as its last, a null."""
        return as_texts(cells)

    def add(self, read: ReadTexts, rows: Rows) -> None:
        """Add rows that hold cells which were read."""
        self.values.add_values(read.texts, read.hashes, rows)
        self._association.add(read.hashes, rows)
        self._rows += len(rows.targets)
        self._missing += int(rows.counts[-1])

    def move_targets(self, moves: Codes | None) -> None:
        """Follow the target's bins to their new numbers."""
        self._association.move_targets(moves)

    def merge(self, other: Categories, targets: Codes) -> None:
        """Add all that the other, which saw later rows, has seen."""
        self.values.merge(other.values, targets)
        self._association.merge(other._association, targets)
        self._rows += other._rows
        self._missing += other._missing

    def insight(self, name: str, correlated: bool) -> CategoricalInsight:
        """Tell what was found."""
        counts = list(self.values.counts().items())
        top = tuple(ValueCount(value, count) for value, count in counts[:TOP_VALUES])
        return CategoricalInsight(
            name=name,
            correlation=self._association.strength if correlated else None,
            missing=self._missing,
            distinct=self.values.distinct,
            exact=self.values.exact,
            count_error=self.values.error,
            most_frequent=counts[0][0] if counts else None,
            least_frequent=counts[-1][0] if counts and self.values.exact else None,
            values=top,
            other=self._rows - sum(each.count for each in top),
        )


class ReadWords(NamedTuple):
    """The words of k cells, and of a null, which has none."""

    words: pa.Array
    """All words of the first cell, then those of the second, and so on."""
    hashes: UInt64s
    """The hash of each."""
    offsets: Offsets
    """Where the words of each cell begin, int64[k + 2]."""
    lengths: Offsets
    """How many letters each word has."""


class Texts:
    """TEXT: the words, and the rows that hold them."""

    def __init__(self) -> None:
        self._words = FrequentValues(TARGETS)
        self._targets = np.zeros(TARGETS, np.int64)
        self._rows, self._missing, self._total = 0, 0, 0
        self._per_row, self._lengths = Span(), Span()

    @staticmethod
    def read(cells: pa.Array) -> ReadWords:
        """Read the words of k cells; as its last, a null."""
        words, offsets = words_of(read_texts(cells))
        lengths = np.asarray(pc.utf8_length(words))
        return ReadWords(words, hash_strings(words, TEXT_SEED), np.append(offsets, offsets[-1]), lengths)

    def add(self, read: ReadWords, rows: Rows) -> None:
        """Add rows that hold cells which were read."""
        words, held = np.diff(read.offsets), rows.counts > 0
        self._words.add_words(read.words, read.hashes, read.offsets, rows.codes, rows.targets)
        self._targets += np.bincount(rows.targets[rows.targets >= 0], minlength=TARGETS)
        self._rows += len(rows.targets)
        self._missing += int(rows.counts[-1])
        self._total += int(words @ rows.counts)
        self._per_row.add(words[held])
        self._lengths.add(read.lengths[np.repeat(held, words)])

    def move_targets(self, moves: Codes | None) -> None:
        """Follow the target's bins to their new numbers."""
        self._words.move_targets(moves)
        self._targets = moved(self._targets, moves)

    def merge(self, other: Texts, targets: Codes) -> None:
        """Add all that the other, which saw later rows, has seen."""
        self._words.merge(other._words, targets)
        np.add.at(self._targets, targets, other._targets[: len(targets)])
        self._rows += other._rows
        self._missing += other._missing
        self._total += other._total
        self._per_row.merge(other._per_row)
        self._lengths.merge(other._lengths)

    def insight(self, name: str, correlated: bool) -> TextInsight:
        """Tell what was found."""
        prominent = self._prominent(correlated)
        return TextInsight(
            name=name,
            correlation=max((word.prominence for word in prominent), default=0.0) if correlated else None,
            missing=self._missing,
            words=self._total,
            distinct_words=self._words.distinct,
            exact=self._words.exact,
            words_per_row=self._per_row.ends,
            word_lengths=self._lengths.ends,
            prominent=prominent,
        )

    def _prominent(self, correlated: bool) -> tuple[Word, ...]:
        counts = self._words.counts()
        rows = np.fromiter(counts.values(), np.int64, len(counts))
        if correlated and counts:
            joint = self._words.joint_counts()
            present = np.array([joint[word] for word in counts], np.int64)
            told = normalised_information(np.stack([present, self._targets - present], axis=1))
        else:
            told = _entropy_bits(rows / max(self._rows, 1))
        best = sorted(zip((-told).tolist(), counts, rows.tolist(), strict=True))[:TOP_WORDS]
        return tuple(Word(word, -negative, count, count / self._rows) for negative, word, count in best)


class Span:
    """The least and the greatest of some counts."""

    def __init__(self) -> None:
        self._least: int | None = None
        self._greatest = 0

    def add(self, counts: npt.NDArray[np.integer[Any]]) -> None:
        """Add counts, int[n]."""
        if len(counts):
            least = int(counts.min())
            self._least = least if self._least is None else min(self._least, least)
            self._greatest = max(self._greatest, int(counts.max()))

    def merge(self, other: Span) -> None:
        """Add all that the other has seen."""
        if other._least is not None:
            self.add(np.array([other._least, other._greatest]))

    @property
    def ends(self) -> tuple[int, int]:
        """Least and greatest; 0 and 0 of nothing."""
        return self._least or 0, self._greatest


COLLECTORS: dict[AttributeType, type[Numbers | Truths | Categories | Texts]] = {
    AttributeType.NUMERIC: Numbers,
    AttributeType.BINARY: Truths,
    AttributeType.CATEGORICAL: Categories,
    AttributeType.TEXT: Texts,
}


def words_of(texts: pa.Array) -> tuple[pa.Array, Offsets]:
    """Return all words of n texts, in lower case and without punctuation at their ends, and the n + 1 offsets."""
    tokens = pc.utf8_split_whitespace(pc.utf8_lower(texts))
    offsets = np.concatenate([[0], np.cumsum(np.asarray(pc.list_value_length(tokens)), dtype=np.int64)])
    words = pc.utf8_trim(tokens.flatten(), characters=_PUNCTUATION)
    some = np.asarray(pc.greater(pc.binary_length(words), 0))
    before = np.concatenate([[0], np.cumsum(some, dtype=np.int64)])
    return words.filter(pa.array(some)), before[offsets]


def _even(low: float, high: float) -> Floats:
    """Return the edges of equally wide bins; high - low itself may be too large for a float64."""
    part = np.linspace(0.0, 1.0, HISTOGRAM_BINS + 1)
    return low * (1.0 - part) + high * part


def _bins(seen: Distribution, edges: Floats) -> Bins:
    if not len(edges):
        return Bins((), ())
    ends = edges if len(edges) > 1 else np.repeat(edges, 2)
    return Bins(tuple(ends.tolist()), tuple(seen.counts_between(ends).tolist()))


def _entropy_bits(share: Floats) -> Floats:
    inside = np.clip(share, 1e-300, 1.0 - 1e-16)
    return -(inside * np.log2(inside) + (1.0 - inside) * np.log2(1.0 - inside))
