"""The target: what kind of answer it asks for, its labels, and how cells of it become numbers to learn from.

>>> target = Target("y", ModelType.BINARY, ("no", "yes"))
>>> target.codes(pa.array(["yes", "no", None])).tolist()
[1.0, 0.0, nan]
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from understudy.later import pc
from understudy.schema import ModelType
from understudy.values import CODED, FALSE_WORDS, TRUE_WORDS, read_numbers, read_texts, read_truths
from understudy.values.coded import coded

Codes = npt.NDArray[np.float64]

_STORED = ("0", "1")
"""The labels of a BINARY target in stored observations."""


class Target(msgspec.Struct, frozen=True):
    """What a model is asked for."""

    name: str
    type: ModelType
    classes: tuple[str, ...] = ()
    """Labels as they stand in the data: (negative, positive) for BINARY, sorted for MULTICLASS, none for REGRESSION."""

    @property
    def outputs(self) -> int:
        """How many scores the model gives for one observation."""
        return len(self.classes) if self.type is ModelType.MULTICLASS else 1

    def codes(self, cells: pa.Array) -> Codes:
        """Read n cells: 0.0 or 1.0 for BINARY, the class's place for MULTICLASS, the number for REGRESSION.

        NaN stands for a cell that is empty or cannot be read; a label that is none of the classes is NaN, too.
        """
        if cells.type == CODED:
            column = coded(cells)
            return np.append(self.codes(column.cells), np.nan)[column.codes]
        if self.type is ModelType.REGRESSION:
            return read_numbers(cells).values
        if self.classes == _STORED and cells.type == pa.int64() and not cells.null_count:
            numbers = np.asarray(cells)
            if numbers.view(np.uint64).max(initial=0) <= 1:  # as stored observations have them
                return numbers.astype(np.float64)
        codes = _places(read_texts(cells), self.classes)
        return self._spelled_otherwise(cells, codes) if self.type is ModelType.BINARY else codes

    def _spelled_otherwise(self, cells: pa.Array, codes: Codes) -> Codes:
        """Amazon ML's truth values may be spelled in several ways within one column (reference 3.3)."""
        if (
            len(self.classes) != 2
            or self.classes[0].lower() not in FALSE_WORDS
            or self.classes[1].lower() not in TRUE_WORDS
        ):
            return codes
        return np.where(np.isnan(codes), read_truths(cells).values, codes)

    def stored(self, cells: pa.Array) -> pa.Array:
        """Return the cells as stored observations hold them: BINARY as int64 1 and 0, all else as extracted."""
        if self.type is not ModelType.BINARY:
            return cells
        codes = self.codes(cells)
        return pa.array(np.nan_to_num(codes).astype(np.int64), mask=np.isnan(codes))

    def stored_type(self, given: pa.DataType) -> pa.DataType:
        """Return the type of the cells in stored form where the cells are given in another."""
        return pa.int64() if self.type is ModelType.BINARY else given

    @property
    def of_stored(self) -> Target:
        """The same target as it stands in stored observations."""
        return msgspec.structs.replace(self, classes=_STORED) if self.type is ModelType.BINARY else self


def _places(texts: pa.Array, classes: tuple[str, ...]) -> Codes:
    places = pc.index_in(texts, value_set=pa.array(classes, pa.string()))
    return np.asarray(places.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False))


def sorted_labels(labels: list[str]) -> tuple[str, ...]:
    """Sort labels: as numbers where all are numbers, else as text.

    >>> sorted_labels(["10", "9", "1"])
    ('1', '9', '10')
    """
    numbers = read_numbers(pa.array(labels, pa.string()))
    if numbers.missing or numbers.invalid:
        return tuple(sorted(labels))
    order = sorted(range(len(labels)), key=lambda i: (float(numbers.values[i]), labels[i]))
    return tuple(labels[i] for i in order)
