"""Which column is the target, what its values ask a model for, and which of two labels counts as 1.

>>> model_type_of(pa.array(["ham", "spam", "ham"]))[0].value
'BINARY'
>>> positive_label(["no", "yes"]), positive_label(["ham", "spam"])
('yes', 'spam')
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from understudy.errors import ConfigError, InvalidInput
from understudy.inference.column import Column, span
from understudy.schema import ModelType
from understudy.target import sorted_labels
from understudy.values import FALSE_WORDS, TRUE_WORDS

MAX_WHOLE_CLASSES = 20
"""Distinct whole numbers above which a target is a quantity rather than a set of classes."""

SEEN_OFTEN = 10
"""Rows that every class written as a whole number must have."""

_TARGET_NAMES = (
    *("target", "label", "y", "class", "outcome", "response", "churn", "churned", "survived", "converted", "clicked"),
    *("click", "fraud", "is_fraud", "isfraud", "defaulted", "bought", "purchased"),
)


def model_type_of(cells: pa.Array | pa.ChunkedArray) -> tuple[ModelType, str]:
    """Return the type of model that a target asks for, and why (design, "Type of the target").

    Raises
    ------
    InvalidInput : the n cells hold fewer than two distinct values, so there is nothing to learn.
    """
    return model_type(Column.of("target", cells))


def model_type(column: Column) -> tuple[ModelType, str]:
    """Return what `model_type_of` returns, for a target that has been read already."""
    if column.distinct < 2:
        found = f"only {column.usual!r}" if column.distinct else "no value at all"
        raise InvalidInput(
            f"the target {column.name!r} holds {found} in {column.rows:,} rows; at least two values are expected",
            "Name another target, or extract rows that have both kinds of answer.",
        )
    if column.distinct == 2:
        return ModelType.BINARY, f"two values, {_listed(sorted_labels(list(column.labels)))}"
    if tells_truth(column):
        return ModelType.BINARY, f"truth values in several spellings, {_listed(sorted(column.labels))}"
    if not column.is_number:
        return ModelType.MULTICLASS, f"{column.distinct:,} labels, {_listed(sorted_labels(list(column.labels)))}"
    numbers, counts = column.sorted_numbers
    reach = span(numbers[0], numbers[-1])
    if column.is_whole and len(numbers) <= MAX_WHOLE_CLASSES and counts.min() >= SEEN_OFTEN:
        reason = f"{len(numbers)} whole numbers, {reach}, each seen often: taken for classes, not for a quantity"
        return ModelType.MULTICLASS, reason
    return ModelType.REGRESSION, f"{len(numbers):,} distinct numbers, {reach}"


def tells_truth(column: Column) -> bool:
    """Whether a column holds spellings of true and of false and nothing else."""
    lowered = {label.lower() for label in column.labels}
    return lowered <= TRUE_WORDS | FALSE_WORDS and bool(lowered & TRUE_WORDS) and bool(lowered & FALSE_WORDS)


def positive_label(values: Iterable[str], declared: str | float | bool | None = None) -> str:
    """Return which of a BINARY target's labels counts as 1.

    It is the declared one; else the true-like one of Amazon ML's lists; else the one that sorts last.

    Raises
    ------
    ConfigError : the declared label is none of the values.
    """
    labels = sorted_labels(sorted(values))
    if declared is None:
        return next((label for label in labels if label.lower() in TRUE_WORDS), labels[-1])
    wanted = _spelled(declared)
    if wanted in labels:
        return wanted
    raise ConfigError(
        f"data.positive is {declared!r}, but the target holds {_listed(labels)}", "Name one of the target's two values."
    )


def guess_target(sample: pa.Table) -> tuple[str | None, str]:
    """Guess which column of a sample a newcomer wants predicted, and say why; None where no column can be.

    By name; else the only column with just two values, or of words among numbers; else the last one.
    """
    columns = [Column.of(name, sample.column(name)) for name in sample.column_names]
    able = [column for column in columns if column.distinct >= 2]
    if not able:
        return None, "no column has two different values"
    by_name = {column.name.lower(): column.name for column in able}
    for name in _TARGET_NAMES:
        if name in by_name:
            return by_name[name], "by its name"
    pairs = [column for column in able if column.distinct == 2]
    if len(pairs) == 1:
        return pairs[0].name, "the only column with just two values"
    wordy = [column for column in able if not column.is_number]
    if len(wordy) == 1 and len(able) > 2:
        return wordy[0].name, "the only column of words"
    return able[-1].name, "the last column; its name says nothing"


def _spelled(label: str | float | bool) -> str:
    """Write a label of the project file as it stands in cells in canonical form: 1.0 is 1."""
    if isinstance(label, bool):
        return str(label).lower()
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def _listed(labels: Iterable[str], most: int = 4) -> str:
    labels = list(labels)
    quoted = [repr(label) for label in labels[:most]]
    last = f"{len(labels) - most:,} more" if len(labels) > most else quoted.pop()
    return f"{', '.join(quoted)} and {last}"
