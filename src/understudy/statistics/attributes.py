"""The collectors: one per attribute, by type. Each sees its column once, merges, and then tells its insight."""

from __future__ import annotations

import string
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from understudy.hashing import hash_strings
from understudy.schema import AttributeType
from understudy.statistics.association import TARGETS, Association, normalised_information
from understudy.statistics.folding import Codes, Floats, moved, ordered_keys
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
from understudy.values import read_numbers, read_texts, read_truths

TEXT_SEED = 0x57A7
TOP_VALUES = 10
TOP_WORDS = 50
HISTOGRAM_BINS = 50
_TENTHS = [tenth / 10.0 for tenth in range(11)]
_NOTHING = np.zeros(0)
QUANTILES = ("0.01", "0.05", "0.1", "0.25", "0.5", "0.75", "0.9", "0.95", "0.99")

_PUNCTUATION = string.punctuation + "«»„“”‘’‚…–—¡¿、。，！？；：「」『』（）"  # noqa: RUF001 - look-alikes are the point


class Collector(Protocol):
    """What every type's collector can do. `targets` are the numbers of the target's bins, -1 for a row without."""

    def add(self, column: pa.Array, targets: Codes) -> None:
        """Add the cells of a batch."""

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

    def add(self, column: pa.Array, targets: Codes) -> None:
        """Add the cells of a batch."""
        cells = read_numbers(column)
        usable = np.isfinite(cells.values)
        self.distribution.add(cells.values if usable.all() else cells.values[usable])
        self._association.add(ordered_keys(cells.values), targets)
        self._missing += cells.missing
        self._invalid += cells.invalid

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

    def add(self, column: pa.Array, targets: Codes) -> None:
        """Add the cells of a batch."""
        cells = read_truths(column)
        self._association.add(ordered_keys(cells.values), targets)
        self._true += int(np.count_nonzero(cells.values == 1.0))
        self._false += int(np.count_nonzero(cells.values == 0.0))
        self._missing += cells.missing
        self._invalid += cells.invalid

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

    def add(self, column: pa.Array, targets: Codes) -> None:
        """Add the cells of a batch."""
        texts = read_texts(column)
        hashes = hash_strings(texts, TEXT_SEED)
        self.values.add(texts, hashes, np.arange(len(texts) + 1), targets)
        self._association.add(hashes, targets)
        self._rows += len(texts)
        self._missing += int(column.null_count)

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


class Texts:
    """TEXT: the words, and the rows that hold them."""

    def __init__(self) -> None:
        self._words = FrequentValues(TARGETS)
        self._targets = np.zeros(TARGETS, np.int64)
        self._rows, self._missing, self._total = 0, 0, 0
        self._per_row, self._lengths = Span(), Span()

    def add(self, column: pa.Array, targets: Codes) -> None:
        """Add the cells of a batch."""
        words, offsets = words_of(read_texts(column))
        self._words.add(words, hash_strings(words, TEXT_SEED), offsets, targets)
        self._targets += np.bincount(targets[targets >= 0], minlength=TARGETS)
        self._rows += len(column)
        self._missing += int(column.null_count)
        self._total += len(words)
        self._per_row.add(np.diff(offsets))
        self._lengths.add(np.asarray(pc.utf8_length(words)))

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


def words_of(texts: pa.Array) -> tuple[pa.Array, Codes]:
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
